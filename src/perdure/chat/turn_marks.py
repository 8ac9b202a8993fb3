"""What stands beside the turns of a chunk: other answers, and whether they are set aside."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from perdure.chat.asides import Asides
from perdure.companion.conversation.chunk import MOST_BYTES, parse_chunks
from perdure.companion.conversation.edit import alternatives_path
from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Turn
from perdure.git.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class TurnMarks:
    """Of the turns of one chunk.

    Attributes:
        answers: by turn number, the place of the answer that stands among all, from 1, and how many
            there are; only of turns with more than one.
        aside: numbers of turns that are kept out of prompts.
    """

    answers: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    aside: frozenset[int] = frozenset()


def marks_of(
    repo: Repository,
    rev: str | None,
    path: str,
    conversation: ConversationId,
    turns: tuple[Turn, ...],
    asides: Asides,
) -> TurnMarks:
    """Look beside a chunk. Alternatives that cannot be read are none."""
    others: dict[int, set[int]] = {}
    oid = repo.oid(alternatives_path(path), rev)
    if oid is not None:
        data = repo.small(oid, MOST_BYTES)
        with suppress(CompanionProblem):
            for chunk in parse_chunks(data, path=alternatives_path(path)):
                for turn in chunk.turns:
                    numbers = others.setdefault(turn.number, set())
                    numbers.update(reply.answer for reply in turn.replies)
    found = {}
    for turn in turns:
        stands = turn.replies[0].answer if turn.replies else 0
        every = sorted(others.get(turn.number, set()) | ({stands} if stands else set()))
        if stands and len(every) > 1:
            found[turn.number] = (every.index(stands) + 1, len(every))
    aside = frozenset(turn.number for turn in turns if TurnId(conversation, turn.number) in asides)
    return TurnMarks(found, aside)
