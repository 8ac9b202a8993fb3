"""The conflicts of an open merge, and those between devices, listed and settled one by one.

Conflict: a file, or one part of a conversation, that both branches changed differently.
Side: what one branch says: "ours" is the branch that is checked out, "theirs" the one merged.
Settle: choose a side, both, or words of one's own; git may settle the file just as well.
Conclude: commit the merge once every conflict is settled. Until then the conversation goes on.
Place: some lines that two devices changed differently. A sync took those that were changed last; it
waits for nobody, and each place is settled by a commit of its own.

Begin with `screen`, and `device_screen` for those between devices; `rows` and `device_rows` draw
what they list.
"""
