"""Hits as a prompt takes them: with the turns around them, in the order of time, within a size."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.memory.recall.api import Hit

TOKENS = 600
SHARE = 8
"""A message takes at most one in so many of the tokens; of a longer one the part that was meant is
kept. Hits are two messages or more, and one of them alone answers few questions."""
_WIDE = "\u3002\uff01\uff1f"
_SENTENCE = re.compile(rf"(?<=[.!?…{_WIDE}])\s+|(?<=[{_WIDE}])|\n+")


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a passage. ``text`` may be shortened, which ``…`` at its end says."""

    turn: TurnId
    speaker: str
    text: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Passage:
    """Turns that follow one another.

    Attributes:
        first: the first of them.
        last: the last of them.
        hits: those that were found; the others are around them.
        lines: what was said.
        tokens: what the lines cost.
    """

    first: TurnId
    last: TurnId
    hits: tuple[TurnId, ...]
    lines: tuple[Line, ...]
    tokens: int


def passages(
    hits: Sequence[Hit],
    turn: Callable[[TurnId], Turn | None],
    count: Callable[[str], int],
    *,
    tokens: int = TOKENS,
) -> list[Passage]:
    """Cut hits to a number of tokens.

    The hits themselves come first, best first, as long as they fit; what is left goes to the turns
    around them. Neighbours are joined.

    Args:
        hits: best first.
        turn: the turn of an id in the same tree; None where there is none.
        count: tokens of a text.
        tokens: how many there may be.

    Returns:
        Passages, the oldest first.
    """
    cut = _Cut(turn, count, tokens)
    for hit in hits:
        cut.take(hit.turn, hit.matched)
    taken = set(cut.lines)
    for hit in hits:
        if hit.turn in taken:
            for near in (hit.turn.number - 1, hit.turn.number + 1):
                if near >= 0:
                    cut.take(TurnId(hit.turn.conversation, near), hit.matched)
    return _joined(cut.lines, {hit.turn for hit in hits})


class _Cut:
    """Turns as far as they fit."""

    def __init__(
        self,
        turn: Callable[[TurnId], Turn | None],
        count: Callable[[str], int],
        tokens: int,
    ) -> None:
        self._turn = turn
        self._count = count
        self._left = tokens
        self._most = max(1, tokens // SHARE)
        self.lines: dict[TurnId, tuple[tuple[Line, ...], int]] = {}

    def take(self, identity: TurnId, matched: Sequence[str]) -> None:
        """Take a turn in, where it is there, fits, and was not taken yet."""
        turn = None if identity in self.lines else self._turn(identity)
        if turn is None:
            return
        lines = tuple(
            Line(identity, each.speaker, self._short(each.text, matched), each.at)
            for each in (turn.message, *turn.replies)
            if each is not None and each.text.strip()
        )
        cost = sum(self._count(f"{line.speaker}: {line.text}") for line in lines)
        if lines and cost <= self._left:
            self.lines[identity] = lines, cost
            self._left -= cost

    def _short(self, text: str, matched: Sequence[str]) -> str:
        """The sentences around the one with most of the words."""
        text = text.strip()
        if self._count(text) <= self._most:
            return text
        pieces = [piece.strip() for piece in _SENTENCE.split(text) if piece and piece.strip()]
        words = [word[:5] for word in matched]
        said = [sum(word in piece.casefold() for word in words) for piece in pieces]
        first = last = said.index(max(said))
        cost = self._count(pieces[first])
        while True:
            for at in (last + 1, first - 1):
                if 0 <= at < len(pieces) and cost + self._count(pieces[at]) <= self._most:
                    cost += self._count(pieces[at])
                    first, last = min(first, at), max(last, at)
                    break
            else:
                break
        kept = " ".join(pieces[first : last + 1])
        while self._count(kept) > self._most and len(kept) > 1:
            kept = kept[: int(len(kept) * min(0.9, self._most / self._count(kept)))].rstrip()
            last = -1
        return f"{'… ' * (first > 0)}{kept}{' …' * (last + 1 < len(pieces))}"


def _joined(taken: dict[TurnId, tuple[tuple[Line, ...], int]], hits: set[TurnId]) -> list[Passage]:
    found: list[Passage] = []
    for identity in sorted(taken):
        lines, cost = taken[identity]
        mine = (identity,) if identity in hits else ()
        last = found[-1] if found else None
        if last and last.last == TurnId(identity.conversation, identity.number - 1):
            found[-1] = Passage(
                last.first, identity, last.hits + mine, last.lines + lines, last.tokens + cost
            )
        else:
            found.append(Passage(identity, identity, mine, lines, cost))
    return found
