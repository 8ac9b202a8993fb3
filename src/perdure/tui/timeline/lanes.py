"""The lanes of a branch graph, one row a commit, computed from above as far as rows are read.

A lane stands for a commit that is still to come: it runs down from the commit that descends from
it. So nothing has to be known of what lies below the rows that are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from perdure.terminal.glyphs import Glyphs

Cell = Literal["", "node", "lane", "opens", "closes", "meets", "touches"]
"""What is in a column: nothing, the commit, a lane that passes, one that begins at the commit
or ends in it, one on the right or on the left that a merged line joins on its way."""


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One row of the graph. ``left`` and ``right``: the columns that a line across runs between."""

    cells: tuple[Cell, ...]
    at: int
    left: int
    right: int

    def drawn(self, sign: str, glyphs: Glyphs, most: int) -> str:
        """The row as text, two cells a column; what is right of ``most`` columns is cut off."""
        signs: dict[Cell, str] = {
            "node": sign,
            "lane": glyphs.lane,
            "opens": glyphs.lane_opens,
            "closes": glyphs.lane_closes,
            "meets": glyphs.lane_meets,
            "touches": glyphs.lane_touches,
        }
        text = ""
        for column, cell in enumerate(self.cells):
            crossed = self.left < column < self.right
            text += signs.get(cell, glyphs.rule if crossed else " ")
            text += glyphs.rule if self.left <= column < self.right else " "
        if self.at >= most:
            return text[: 2 * most - 2] + sign
        return text[: 2 * most - 1].rstrip()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn before a row: its lanes, as wide in every row."""

    lanes: str
    is_tip: bool
    """It is the commit that is checked out."""


def draw(
    commits: Iterable[tuple[str, Sequence[str]]], tip: str, glyphs: Glyphs, most: int
) -> list[Drawn]:
    """The graph of commits, given with their parents, none before one that descends from it.

    What is in the past of ``tip`` is filled, what is on other branches alone is hollow.
    """
    lanes = Lanes(first=tip)
    here = {tip}
    rows: list[tuple[str, bool]] = []
    for node, parents in commits:
        is_here = node in here
        here.update(parents if is_here else ())
        sign = glyphs.commit_here if is_here else glyphs.commit_aside
        rows.append((lanes.place(node, parents).drawn(sign, glyphs, most), node == tip))
    width = max((len(text) for text, _ in rows), default=0)
    return [Drawn(text.ljust(width), is_tip) for text, is_tip in rows]


class Lanes:
    """Takes commits, none before one that descends from it, and tells the row of each.

    ``first`` is a commit for which the leftmost column is kept free.
    """

    def __init__(self, first: str = "") -> None:
        self._first = first
        self._wants: list[str | None] = [first] if first else []
        self._placed: set[str] = set()

    def place(self, node: str, parents: Sequence[str]) -> LaneRow:
        """The row of the next commit. A parent that was placed before it is left out."""
        waiting = [column for column, want in enumerate(self._wants) if want == node]
        at = waiting[0] if waiting else self._free(0)
        cells: list[Cell] = ["" if want is None else "lane" for want in self._wants]
        if self._first and self._first not in self._placed:
            cells[0] = ""
        for column in waiting:
            cells[column] = "closes"
            self._wants[column] = None
        cells[at] = "node"
        self._placed.add(node)
        below = [each for each in dict.fromkeys(parents) if each not in self._placed]
        if below:
            self._wants[at] = below[0]
        across = [at, *waiting[1:]]
        across += [self._link(parent, at, cells) for parent in below[1:]]
        while self._wants and self._wants[-1] is None:
            self._wants.pop()
        return LaneRow(tuple(cells), at, min(across), max(across))

    def _link(self, parent: str, at: int, cells: list[Cell]) -> int:
        """A line from the commit to a parent of a merge; gives the column that it runs to."""
        for column, want in enumerate(self._wants):
            if want == parent and cells[column] == "lane":
                cells[column] = "meets" if column > at else "touches"
                return column
        column = self._free(at + 1)
        while column < len(cells) and cells[column]:
            column = self._free(column + 1)  # a lane ends there in this very row
        cells += [""] * (len(self._wants) - len(cells))
        cells[column] = "opens"
        self._wants[column] = parent
        return column

    def _free(self, start: int) -> int:
        """The first column from one on in which there is no lane."""
        for column in range(start, len(self._wants)):
            if self._wants[column] is None:
                return column
        self._wants += [None] * (max(start, len(self._wants)) + 1 - len(self._wants))
        return len(self._wants) - 1
