"""Two texts laid over one another, line by line: the changed lines and those around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from perdure.git.diff.words import Piece, compare

CONTEXT = 1
"""Lines that are shown on either side of a change."""


@dataclass(slots=True)
class Row:
    """A line of both texts; ``number`` is its place in the newer one, counted from 1."""

    number: int
    pieces: list[Piece] = field(default_factory=list)
    changed: bool = False


def changed_lines(old: str, new: str) -> Iterator[tuple[bool, Row]]:
    """Rows to show, each with whether lines before it are left out."""
    rows = _rows(compare(old, new))
    wanted = {
        near
        for place, row in enumerate(rows)
        if row.changed
        for near in range(place - CONTEXT, place + CONTEXT + 1)
    }
    last = -1
    for place, row in enumerate(rows):
        if place in wanted:
            yield place != last + 1, row
            last = place


def _rows(pieces: Sequence[Piece]) -> list[Row]:
    rows = [Row(1)]
    number = 1
    for piece in pieces:
        parts = piece.text.split("\n")
        for place, part in enumerate(parts):
            if place:
                number += piece.kind != "gone"
                rows.append(Row(number))
            if part:
                rows[-1].pieces.append(Piece(piece.kind, part))
            # A line end alone marks the line that it ends, not the one behind it.
            is_rest = place == len(parts) - 1 and not part
            rows[-1].changed |= piece.kind != "same" and not is_rest
    return rows if rows[-1].pieces else rows[:-1]
