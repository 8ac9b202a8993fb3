"""The cursor of the transcript: the message that keys act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from perdure.tui.transcript.blocks import Speech
from perdure.tui.transcript.scrollback import Place, Scrollback, same_block

if TYPE_CHECKING:
    from rich.color import Color

    from perdure.tui.transcript.viewport import Viewport


class Cursor:
    """Stands on a message, or on none."""

    def __init__(self, back: Scrollback, viewport: Viewport) -> None:
        self._back = back
        self._viewport = viewport
        self._place: Place | None = None

    @property
    def place(self) -> Place | None:
        """Where it stands; None where no message is any more."""
        return self._place if self.speech is not None else None

    @property
    def speech(self) -> Speech | None:
        """The message that it stands on."""
        here = self._place
        if here is None or here.page >= self._back.pages:
            return None
        return self._speech_at(here.page, here.block)

    def _speech_at(self, page: int, block: int) -> Speech | None:
        blocks = self._back.blocks(page)
        found = blocks[block] if block < len(blocks) else None
        return found if isinstance(found, Speech) else None

    def put(self, place: Place | None) -> None:
        """Stand elsewhere; None: on nothing."""
        self._place = place

    @property
    def is_seen(self) -> bool:
        """Whether a row of its message is in view."""
        here = self.place
        return here is not None and self._viewport.shows(here)

    def marks(self, place: Place) -> bool:
        """True for the rows of its message, the air after it left out."""
        if self._place is None or not same_block(place, self._place):
            return False
        return place.row < self._back.height(place.page, place.block) - 1

    def is_cut_off(self, direction: int) -> bool:
        """Whether its message is seen, but not to its end (1), or not from its beginning (-1)."""
        here, rows = self.place, self._viewport.rows
        if here is None or not self._viewport.shows(here):
            return False
        last = self._back.height(here.page, here.block) - 1 if direction > 0 else 0
        return not rows[0] <= Place(here.page, here.block, max(0, last)) <= rows[-1]

    def neighbour(self, direction: int) -> Place | None:
        """The message after (1) or before (-1) it."""
        return self._walk(self._place, direction) if self._place is not None else None

    def nearest(self) -> Place | None:
        """The last message in view; where none is, the nearest above."""
        rows = self._viewport.rows
        for place in reversed(rows):
            if self._speech_at(place.page, place.block) is not None:
                return Place(place.page, place.block, 0)
        return self._walk(rows[0], -1) if rows else None

    def _walk(self, start: Place, direction: int) -> Place | None:
        step = self._back.after if direction > 0 else self._back.before
        found = step(start.page, start.block)
        while found is not None and self._speech_at(*found) is None:
            found = step(*found)
        return Place(*found, 0) if found is not None else None

    def block_removed(self, gone: Place) -> None:
        """A block went: stay with the words, or stand on nothing where they were it."""
        if self._place is not None:
            same = same_block(self._place, gone)
            self._place = None if same else moved_up(self._place, gone)


def with_cursor(strip: Strip, ground: Color | None, sign: Segment | None) -> Strip:
    """A row of the message under the cursor; its first one begins with a sign."""
    if sign is not None:
        strip = Strip.join([Strip([sign], 1), strip.crop(1)])
    return strip.apply_style(Style(bgcolor=ground))


def moved_up(place: Place, gone: Place) -> Place:
    """Where a place is once a block of its page has gone."""
    if place.page == gone.page and place.block > gone.block:
        return Place(place.page, place.block - 1, place.row)
    return place
