"""Which rows of the transcript are in view."""

from __future__ import annotations

from perdure.tui.transcript.scrollback import Location, Scrollback, same_block


class Viewport:
    """The rows in view over a `Scrollback`; `settle` moves it."""

    def __init__(self, back: Scrollback) -> None:
        self._back = back
        self.height = 1
        self.top = Location(0, 0, 0)
        """What the first row shows."""
        self.rows: list[Location] = []
        """What the rows show, from the top; fewer than the height where there is no more."""
        self.scrolled = 0
        """Rows above the first one, as they were counted when it was settled."""
        self.is_following = True
        """The end is in view, and stays there as it grows."""

    def settle(self, top: Location) -> None:
        """Begin at ``top``, or further up where the end would leave rows empty."""
        back = self._back
        rows = back.view(top, self.height)
        if len(rows) < self.height and top > Location(0, 0, 0):
            top = back.end(self.height)
            rows = back.view(top, self.height)
        self.top, self.rows = top, rows
        self.is_following = len(rows) < self.height or self._is_last(rows[-1])
        self.scrolled = back.row_of(top) if back.pages else 0

    def _is_last(self, location: Location) -> bool:
        if self._back.after(location.page, location.block) is not None:
            return False
        return location.row >= self._back.height(location.page, location.block) - 1

    def shows(self, location: Location) -> bool:
        """Whether a row of that block is in view."""
        return any(same_block(each, location) for each in self.rows)

    def top_to_show(self, location: Location) -> Location | None:
        """Where the view begins, scrolled no further than needed to show a block's first rows.

        None where they are in view.
        """
        first = Location(location.page, location.block, 0)
        height = self._back.height(location.page, location.block)
        if self.rows and first < self.rows[0]:
            return first
        if self.rows and Location(location.page, location.block, height - 1) <= self.rows[-1]:
            return None
        if height > self.height:
            return first
        return min(
            first, self._back.step(Location(location.page, location.block, height), -self.height)
        )
