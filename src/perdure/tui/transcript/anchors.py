"""Anchors: rows by the message that they belong to, found again after the history was read anew.

A `Location` counts pages and blocks, and both are other ones once a turn went, came, or moved from
this session into the history. A `Anchor` names the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from perdure.companion.ids import TurnId
from perdure.tui.transcript.blocks import Speech
from perdure.tui.transcript.scrollback import Location, Scrollback

PageOf = Callable[["TurnId"], int | None]
"""The page of the history that a turn is on; None where it is not there."""

_NEAR = 60
"""Blocks to either side that are looked through for another turn, where the nearest one is gone."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A row by the message that it belongs to, or is near.

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


def anchors_in_view(back: Scrollback, window: Sequence[Location]) -> tuple[Anchor, ...]:
    """Anchors of a view's first row: by each message in view, then by earlier ones."""
    if not window:
        return ()
    found: list[Anchor] = []
    seen: set[tuple[int, int]] = set()
    for row, location in enumerate(window):
        here = (location.page, location.block)
        if here not in seen:
            seen.add(here)
            found.extend(_anchor(back, *here, location.row - row))
    first = window[0]
    for here in _walk(back.before, first.page, first.block):
        found.extend(_anchor(back, *here, 0))
    return tuple(found)


def anchors_near(back: Scrollback, location: Location) -> tuple[Anchor, ...]:
    """Anchors near a row: its message, those before it, the nearest first, then those after."""
    here = (location.page, location.block)
    around = (
        here,
        *_walk(back.before, *here),
        *_walk(back.after, *here),
    )
    return tuple(anchor for each in around for anchor in _anchor(back, *each, 0))


def find_first(back: Scrollback, anchors: Sequence[Anchor], page_of: PageOf) -> Location | None:
    """Where the first of some anchors is whose turn is still there."""
    gone: set[TurnId] = set()
    for anchor in anchors:
        if anchor.turn in gone:
            continue
        speeches = speeches_of(back, anchor.turn, page_of)
        if not speeches:
            gone.add(anchor.turn)
            continue
        same = [location for location, speech in speeches if speech.own == anchor.own]
        at = same[min(anchor.number, len(same) - 1)] if same else speeches[-1][0]
        return back.step(at, anchor.row) if anchor.row else at
    return None


def speeches_of(back: Scrollback, turn: TurnId, page_of: PageOf) -> list[tuple[Location, Speech]]:
    """What was said in a turn, in order, each with its place; nothing where it is not there."""
    found: list[tuple[Location, Speech]] = []
    pages = list(range(back.history, back.pages))
    page = page_of(turn)
    if page is not None and page < back.history:
        pages.insert(0, page)
    for each in pages:
        for number, block in enumerate(back.blocks(each)):
            if isinstance(block, Speech) and block.turn == turn:
                found.append((Location(each, number, 0), block))
    return found


def _anchor(back: Scrollback, page: int, block: int, row: int) -> Iterator[Anchor]:
    blocks = back.blocks(page)
    speech = blocks[block]
    if isinstance(speech, Speech) and speech.turn is not None:
        earlier = blocks[max(0, block - _NEAR) : block]
        number = sum(
            isinstance(each, Speech) and each.turn == speech.turn and each.own == speech.own
            for each in earlier
        )
        yield Anchor(speech.turn, speech.own, number, row)


def _walk(
    step: Callable[[int, int], tuple[int, int] | None], page: int, block: int
) -> Iterator[tuple[int, int]]:
    here: tuple[int, int] | None = (page, block)
    for _ in range(_NEAR):
        here = step(*here) if here is not None else None
        if here is None:
            return
        yield here
