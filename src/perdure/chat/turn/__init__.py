"""The repository's side of a turn; all of it blocks, on the session's one worker thread.

TurnStore: prepares turns and commits them; `store.py` is the file to begin with.
Position: the branch, the conversation, the location of the next turn, the thread so far.
PreparedTurn: a pending turn whose message is in the journal, so that a crash loses no word.
Journal: `git/repository/turn_journal.py`; its header is a `PendingTurn` (`actions/turns`).
Recovery: a turn that a crash left is committed at the next opening. Salvage: where its journal
cannot be followed, its words are kept in a conversation of their own.
Branch: the one that is checked out; a side branch while git rewrites that one.
"""
