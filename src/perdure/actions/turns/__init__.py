"""Changing one turn: committing it, answering it again, correcting it, choosing an answer.

PendingTurn: a turn that is in no commit yet, with its TurnKind (new, reply, another answer); also
the journal's header. `pending.py` is the file to begin with, `commit.py` the next.
Location: the chunk that a turn stands in or goes to, and its number there (`location.py`).
TurnCommitter: commits a pending turn, in place or, where the chunk changed, in a conversation that
continues it. StoredTurn: a turn in its files as of a commit; `rewrite` changes these files.
Answer: one of several versions of a turn's replies; one stands (`answers.py`, `regenerate.py`).
Greeting: turn 0; the persona's greetings are the answers to it.
"""
