"""Which rows of the transcript are in view, over a `Scrollback` of which most was never read."""

from __future__ import annotations

from perdure.tui.transcript.scrollback import Place, Scrollback, same_block


class Viewport:
    """The rows in view. What is asked for becomes true of them at `settle`."""

    def __init__(self, back: Scrollback) -> None:
        self._back = back
        self.height = 1
        self.top = Place(0, 0, 0)
        """What the first row shows."""
        self.rows: list[Place] = []
        """What the rows show, from the top; fewer than the height where there is no more."""
        self.scrolled = 0
        """Rows above the first one, as they were counted when it was settled."""
        self.is_following = True
        """The end is in view, and stays there as it grows."""

    def settle(self, top: Place) -> None:
        """Begin at ``top``; where less than a view would follow it, end at the end."""
        back = self._back
        rows = back.view(top, self.height)
        if len(rows) < self.height and top > Place(0, 0, 0):
            top = back.end(self.height)
            rows = back.view(top, self.height)
        self.top, self.rows = top, rows
        self.is_following = len(rows) < self.height or self._is_last(rows[-1])
        self.scrolled = back.row_of(top) if back.pages else 0

    def _is_last(self, place: Place) -> bool:
        if self._back.after(place.page, place.block) is not None:
            return False
        return place.row >= self._back.height(place.page, place.block) - 1

    def shows(self, place: Place) -> bool:
        """Whether a row of the block at a place is in view."""
        return any(same_block(each, place) for each in self.rows)

    def top_to_show(self, place: Place) -> Place | None:
        """Where the view begins, scrolled no further than needed to show a block's first rows.

        None where they are in view.
        """
        first = Place(place.page, place.block, 0)
        height = self._back.height(place.page, place.block)
        if self.rows and first < self.rows[0]:
            return first
        if self.rows and Place(place.page, place.block, height - 1) <= self.rows[-1]:
            return None
        if height > self.height:
            return first
        return min(first, self._back.step(Place(place.page, place.block, height), -self.height))
