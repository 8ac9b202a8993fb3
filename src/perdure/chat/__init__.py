"""One turn, from the message to its commit, as a stream of events. Knows no screen.

Session: one companion, opened to chat with; what both faces hold. Begin with `session.py`.
TurnRunner: drives one turn: prepared, answered, saved (`runner.py`, the road from end to end).
Event: what happens during a turn, as a value (`events.py`); a `Notice` is for the user to read.
`turn` is the repository's side of a turn: where it goes, its journal, its commit, its recovery.
`reply` is the backend's side: the prompt, recall, the stream. Neither knows the other.
`routing` decides which backend is asked. `background` is what is done between turns.
Preview: the prompt that would be sent now, with nothing sent or written.
"""
