"""Branches, tags, rewind, revert, restore, merge, undo: one file each; `rewind.py` first.

Rewind: go on from an earlier turn, on a new branch. Revert: take back one change.
Restore: bring files back as they were. Visit: a scratch branch in the past.
Operation: one entry in the log of what was done; undo and redo walk through it.
Ahead: what one branch has and the others have not, shown before a name is taken away.
`next_message.py` says what all of this means for the message that comes next.
"""
