"""Places of the talk by what is said there: they are found again after the talk was read anew.

A `Place` counts pages and blocks, and both are other ones once a turn went, came, or moved from
this session into the history. A `Spot` names the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.tui.transcript.blocks import Speech
from perdure.tui.transcript.scrollback import Place, Scrollback

if TYPE_CHECKING:
    from perdure.companion.ids import TurnId

PageOf = Callable[["TurnId"], int | None]
"""The page of the history on which a turn stands; None where it is not there."""

_NEAR = 60
"""Blocks to either side that are looked through for another turn, where the nearest one is gone."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A row by the speech that it belongs to, or stands near.

    Attributes:
        turn: whose speech.
        own: the user's message, else a reply.
        number: which of the turn's replies, from 0.
        row: rows from the speech's first one; negative above it.
    """

    turn: TurnId
    own: bool
    number: int
    row: int = 0


def spots_in_view(back: Scrollback, window: Sequence[Place]) -> tuple[Spot, ...]:
    """The first row of a view, told from each speech that is seen, then from earlier ones."""
    if not window:
        return ()
    found: list[Spot] = []
    seen: set[tuple[int, int]] = set()
    for row, place in enumerate(window):
        here = (place.page, place.block)
        if here not in seen:
            seen.add(here)
            found.extend(_spot(back, *here, place.row - row))
    first = window[0]
    for here in _walk(back.before, first.page, first.block):
        found.extend(_spot(back, *here, 0))
    return tuple(found)


def spots_near(back: Scrollback, place: Place) -> tuple[Spot, ...]:
    """The speech at a place, then those before it, the nearest first, then those after it."""
    here = (place.page, place.block)
    around = (
        here,
        *_walk(back.before, *here),
        *_walk(back.after, *here),
    )
    return tuple(spot for each in around for spot in _spot(back, *each, 0))


def find_first(back: Scrollback, spots: Sequence[Spot], page_of: PageOf) -> Place | None:
    """The place of the first of some spots whose turn is still in the talk."""
    gone: set[TurnId] = set()
    for spot in spots:
        if spot.turn in gone:
            continue
        speeches = speeches_of(back, spot.turn, page_of)
        if not speeches:
            gone.add(spot.turn)
            continue
        same = [place for place, speech in speeches if speech.own == spot.own]
        at = same[min(spot.number, len(same) - 1)] if same else speeches[-1][0]
        return back.step(at, spot.row) if spot.row else at
    return None


def speeches_of(back: Scrollback, turn: TurnId, page_of: PageOf) -> list[tuple[Place, Speech]]:
    """What was said in a turn, in order, each with its place; nothing where it is not there."""
    found: list[tuple[Place, Speech]] = []
    pages = list(range(back.history, back.pages))
    page = page_of(turn)
    if page is not None and page < back.history:
        pages.insert(0, page)
    for each in pages:
        for number, block in enumerate(back.blocks(each)):
            if isinstance(block, Speech) and block.turn == turn:
                found.append((Place(each, number, 0), block))
    return found


def _spot(back: Scrollback, page: int, block: int, row: int) -> Iterator[Spot]:
    blocks = back.blocks(page)
    speech = blocks[block]
    if isinstance(speech, Speech) and speech.turn is not None:
        earlier = blocks[max(0, block - _NEAR) : block]
        number = sum(
            isinstance(each, Speech) and each.turn == speech.turn and each.own == speech.own
            for each in earlier
        )
        yield Spot(speech.turn, speech.own, number, row)


def _walk(
    step: Callable[[int, int], tuple[int, int] | None], page: int, block: int
) -> Iterator[tuple[int, int]]:
    here: tuple[int, int] | None = (page, block)
    for _ in range(_NEAR):
        here = step(*here) if here is not None else None
        if here is None:
            return
        yield here
