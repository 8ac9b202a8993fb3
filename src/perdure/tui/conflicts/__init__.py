"""The conflicts of an open merge, listed and settled one by one.

Conflict: a file, or one part of a conversation, that both branches changed differently.
Side: what one branch says: "ours" is the branch that is checked out, "theirs" the one merged.
Settle: choose a side, both, or words of one's own; git may settle the file just as well.
Conclude: commit the merge once every conflict is settled. Until then the conversation goes on.

Begin with `screen`; `rows` draws what it lists.
"""
