"""What the faces show, as plain values without a terminal; `timeline.py` first.

Row: what stands on one line of a list: a commit, several turns, a companion, a change of persona.
View: all that one screen shows of a commit.
Explanation: why each part of a prompt is in it (`why/`).
Background reader: a second repository on a thread of its own, so that the chat never waits.
"""
