"""The cursor of the transcript: the message that keys act on."""

from __future__ import annotations

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from perdure.tui.transcript.blocks import Speech
from perdure.tui.transcript.scrollback import Location, Scrollback, same_block
from perdure.tui.transcript.viewport import Viewport


class Cursor:
    """Is on a message, or on none."""

    def __init__(self, back: Scrollback, viewport: Viewport) -> None:
        self._back = back
        self._viewport = viewport
        self._location: Location | None = None

    @property
    def location(self) -> Location | None:
        """Where it is; None where no message is any more."""
        return self._location if self.speech is not None else None

    @property
    def speech(self) -> Speech | None:
        """The message that it is on."""
        here = self._location
        if here is None or here.page >= self._back.pages:
            return None
        return self._speech_at(here.page, here.block)

    def _speech_at(self, page: int, block: int) -> Speech | None:
        blocks = self._back.blocks(page)
        found = blocks[block] if block < len(blocks) else None
        return found if isinstance(found, Speech) else None

    def put(self, location: Location | None) -> None:
        """Go elsewhere; None: to nothing."""
        self._location = location

    @property
    def is_seen(self) -> bool:
        """Whether a row of its message is in view."""
        here = self.location
        return here is not None and self._viewport.shows(here)

    def marks(self, location: Location) -> bool:
        """True for the rows of its message, the air after it left out."""
        if self._location is None or not same_block(location, self._location):
            return False
        return location.row < self._back.height(location.page, location.block) - 1

    def is_cut_off(self, direction: int) -> bool:
        """Whether its message is seen, but not to its end (1), or not from its beginning (-1)."""
        here, rows = self.location, self._viewport.rows
        if here is None or not self._viewport.shows(here):
            return False
        last = self._back.height(here.page, here.block) - 1 if direction > 0 else 0
        return not rows[0] <= Location(here.page, here.block, max(0, last)) <= rows[-1]

    def neighbour(self, direction: int) -> Location | None:
        """The message after (1) or before (-1) it."""
        return self._walk(self._location, direction) if self._location is not None else None

    def nearest(self) -> Location | None:
        """The last message in view; where none is, the nearest above."""
        rows = self._viewport.rows
        for location in reversed(rows):
            if self._speech_at(location.page, location.block) is not None:
                return Location(location.page, location.block, 0)
        return self._walk(rows[0], -1) if rows else None

    def _walk(self, start: Location, direction: int) -> Location | None:
        step = self._back.after if direction > 0 else self._back.before
        found = step(start.page, start.block)
        while found is not None and self._speech_at(*found) is None:
            found = step(*found)
        return Location(*found, 0) if found is not None else None

    def block_removed(self, gone: Location) -> None:
        """A block was removed: stay on the same message, or on none if it was this one."""
        if self._location is not None:
            same = same_block(self._location, gone)
            self._location = None if same else moved_up(self._location, gone)


def with_cursor(strip: Strip, ground: Color | None, sign: Segment | None) -> Strip:
    """A row of the message under the cursor; its first one begins with a sign."""
    if sign is not None:
        strip = Strip.join([Strip([sign], 1), strip.crop(1)])
    return strip.apply_style(Style(bgcolor=ground))


def moved_up(location: Location, gone: Location) -> Location:
    """Where a row is once a block of its page was removed."""
    if location.page == gone.page and location.block > gone.block:
        return Location(location.page, location.block - 1, location.row)
    return location
