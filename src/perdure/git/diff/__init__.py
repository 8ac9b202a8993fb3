"""What differs between two texts, and which commit a line came from.

A *diff* (`words.py`, the file to open first) compares lines, then the words in those that changed.
A *piece* is a run of words that stayed, went or came; a *row* is one line of a diff. *Blame*
(`blame.py`) follows each line of a file back to the commit that brought it.
"""
