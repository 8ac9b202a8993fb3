"""The thread that versions 1 and 2 of the prompt read: a conversation and what it continues.

Its output never changes; version 3 and what comes after it read
`perdure.snapshot.conversation.merged_thread`.
"""

from __future__ import annotations

from perdure.companion.ids import TurnId
from perdure.prompt import PastTurn
from perdure.snapshot.conversation.merged_thread import LAST_NUMBER
from perdure.snapshot.conversation.transcript import ConversationRef, Transcript
from perdure.snapshot.excluded import Excluded


def thread(
    transcript: Transcript,
    conversation: ConversationRef,
    *,
    most: int = 400,
    until: TurnId | None = None,
    excluded: Excluded | None = None,
    keep: TurnId | None = None,
) -> list[PastTurn]:
    """Turns up to the end of ``conversation``, or to ``until`` in it, oldest first.

    At the most ``most`` of them. Those that are set aside are left out, but for ``keep``: what is
    to be answered.

    Follows ``continues:`` backwards across conversations; a loop of hand-written ones ends it.
    """
    found: list[PastTurn] = []
    seen = set()
    current: ConversationRef | None = conversation
    while current is not None and len(found) < most and current.id not in seen:
        seen.add(current.id)
        number = until.number if until is not None else LAST_NUMBER
        turns = transcript.turns_to(current, number, most - len(found))
        here = [PastTurn(TurnId(current.id, turn.number), turn) for turn in turns]
        found[:0] = [
            past for past in here if past.id == keep or excluded is None or past.id not in excluded
        ]
        head = transcript.head(current.first_chunk)
        until = head.continues if head else None
        current = transcript.find(until.conversation) if until else None
    return found
