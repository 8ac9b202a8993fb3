"""The rows of the talk as they are scrolled and drawn: a Line-API view over a `Scrollback`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from perdure.tui.transcript.blocks import Block, Live, Panel, Speech
from perdure.tui.transcript.live_reply import LiveReply
from perdure.tui.transcript.painter import Columns, Painter
from perdure.tui.transcript.scrollback import Place, Scrollback
from perdure.tui.transcript.selection import address
from perdure.tui.transcript.styles import ink, painter_for

if TYPE_CHECKING:
    from textual import events

    from perdure.terminal.glyphs import Glyphs

_ROWS_KEPT = 4000
_NEAR = 4
"""Views within which a scroll is walked row by row, so that every height on the way is true."""

Reader = Callable[[int], Sequence[Block]]


class RowsView(ScrollView):
    """All talk as rows: which are in view, and how each looks."""

    ALLOW_MAXIMIZE = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "transcript--text",
        "transcript--you",
        "transcript--companion",
        "transcript--bar",
        "transcript--quiet",
        "transcript--rule",
        "transcript--title",
        "transcript--warning",
        "transcript--error",
        "transcript--cursor",
        "transcript--code",
        "transcript--heading",
        "transcript--link",
    }

    @dataclass
    class Unseen(Message):
        """Rows were added below while the view was held further up; 0: the end is in view."""

        rows: int

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._glyphs = glyphs
        self._reader: Reader = lambda _page: ()
        self._back = Scrollback(self._read, self._measure, self._guess)
        self._strips: OrderedDict[int, tuple[Block, list[Strip]]] = OrderedDict()
        self._strip_rows = 0
        self._painter: Painter | None = None
        self._top = Place(0, 0, 0)
        self._row = 0
        self._window: list[Place] = []
        self._settling = False
        self._unseen = 0
        self._live: LiveReply | None = None
        self._live_place: Place | None = None
        self._cursor: Place | None = None
        self._times = True
        self._ground = Style()
        self.following = True

    # -- what is shown -------------------------------------------------------------------------

    @property
    def back(self) -> Scrollback:
        """The pages and their heights."""
        return self._back

    @property
    def empty(self) -> bool:
        """True where there is nothing to show at all."""
        return self._back.pages == 0

    @property
    def top(self) -> Place:
        """What the first row of the view shows."""
        return self._top

    # -- moving --------------------------------------------------------------------------------

    def follow(self, dirty: Place | None = None) -> None:
        """Go to the end and stay there as it grows."""
        self._settle(self._back.end(self._height), dirty)

    def move(self, rows: int) -> None:
        """Scroll by rows, every height on the way true."""
        self._settle(self._back.step(self._top, rows))

    def show(self, place: Place) -> None:
        """Put a place at the top of the view."""
        self._settle(self._back.nearest(place))

    def page_height(self) -> int:
        """Rows that paging moves: a view, two rows kept for the eye."""
        return max(1, self._height - 2)

    @property
    def cursor(self) -> Place | None:
        """The speech that browsing keys act on."""
        here = self._cursor
        return here if here is not None and self._is_speech(here) else None

    @cursor.setter
    def cursor(self, place: Place | None) -> None:
        self._cursor = place
        self.refresh()

    def _is_speech(self, place: Place) -> bool:
        if place.page >= self._back.pages:
            return False
        blocks = self._back.blocks(place.page)
        return place.block < len(blocks) and isinstance(blocks[place.block], Speech)

    @property
    def cursor_in_view(self) -> bool:
        """Whether a row of the picked message is seen."""
        here = self.cursor
        return here is not None and any(self.same_block(each, here) for each in self._window)

    @property
    def window(self) -> Sequence[Place]:
        """What the rows of the view show, from the top."""
        return self._window

    def toggle_times(self) -> None:
        """Show or hide the times of messages."""
        self._times = not self._times
        self._reflow()

    def jump_into_view(self, place: Place) -> None:
        """Scroll no further than needed for the first rows of a block to be seen."""
        first = Place(place.page, place.block, 0)
        height = self._back.height(place.page, place.block)
        if self._window and first < self._window[0]:
            self._settle(first)
        elif not self._window or Place(place.page, place.block, height - 1) > self._window[-1]:
            bottom = self._back.step(Place(place.page, place.block, height), -self._height)
            self._settle(min(first, bottom) if height <= self._height else first)
        self.refresh()

    # -- inside: geometry ----------------------------------------------------------------------

    @property
    def text_width(self) -> int:
        """Cells of the column of words."""
        return Columns.of(self.scrollable_content_region.width or 80).text

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height or 1

    def _settle(self, top: Place, dirty: Place | None = None) -> None:
        """Make the view begin at ``top``; heights in view become true, nothing in view moves.

        ``dirty``: only what stands from this place on has changed, if the view stays where it is.
        """
        height = self._height
        if self._painter is None and not self._prepare_painter():
            self._top = top
            return
        window = self._back.view(top, height)
        if len(window) < height and top > Place(0, 0, 0):
            top = self._back.end(height)
            window = self._back.view(top, height)
        before, self._window = self._window, window
        self._top = top
        self.following = len(window) < height or self._is_last(window[-1])
        if self.following:
            self._tell_unseen(0)
        self._row = self._back.row_of(top) if self._back.pages else 0
        self._tell_scrollbar(Size(self.scrollable_content_region.width, self._back.total))
        if dirty is None or before[:1] != window[:1]:
            self.refresh()
            return
        first = next((y for y, place in enumerate(window) if place >= dirty), height)
        if first < height:
            self.refresh(Region(0, first, self.size.width, height - first))

    def _tell_scrollbar(self, size: Size) -> None:
        """Set the scrolled size and position without laying out the screen.

        A change of ``virtual_size`` alone makes Textual lay out and draw the whole screen, fifteen
        times a second while a reply streams. Its scroll bar is always there, so nothing moves.
        """
        self._settling = True
        try:
            if size != self.virtual_size:
                self.set_reactive(Widget.virtual_size, size)
                self._scroll_update(size)
            self.scroll_y = self.scroll_target_y = self._row
        finally:
            self._settling = False

    def _is_last(self, place: Place) -> bool:
        if self._back.after(place.page, place.block) is not None:
            return False
        return place.row >= self._back.height(place.page, place.block) - 1

    def _grown(self, before: int, dirty: Place | None = None) -> None:
        if self.following:
            self.follow(dirty)
            return
        self._tell_unseen(self._unseen + max(0, self._back.total - before))
        self._settle(self._top, dirty)

    def _tell_unseen(self, rows: int) -> None:
        if rows != self._unseen:
            self._unseen = rows
            self.post_message(self.Unseen(rows))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._settling or self._painter is None:
            return
        delta = round(new_value) - self._row
        if not delta:
            return
        if abs(delta) <= _NEAR * self._height:
            self._settle(self._back.step(self._top, delta))
        else:
            self._settle(self._back.place_at(round(new_value)))

    def on_resize(self, event: events.Resize) -> None:
        """A new width folds every line anew; what stood at the top stays there."""
        event.stop()
        width = self.scrollable_content_region.width
        if self._painter is not None and self._painter.columns.width == width:
            self._settle_again()
        else:
            self._reflow()

    def _settle_again(self) -> None:
        if self.following:
            self.follow()
        else:
            self._settle(self._top)

    def _reflow(self) -> None:
        old = self._painter
        if not self._prepare_painter() or self._painter is None:
            return
        scale = old.columns.text / self._painter.columns.text if old is not None else 1.0
        top, share = self._top, 0.0
        if self._back.pages and not self.following and self._back.blocks(top.page):
            share = top.row / max(1, self._back.height(top.page, top.block))
        self._forget_strips()
        self._back.reflow(scale)
        if self._live is not None and self._live_place is not None:
            self._live.repaint(self._painter)
            self._back.changed(self._live_place, self._live.rows)
        if self.following or not self._back.pages:
            self.follow()
            return
        row = int(share * self._back.height(top.page, top.block))
        self._settle(Place(top.page, top.block, row))

    # -- inside: drawing -----------------------------------------------------------------------

    def _read(self, page: int) -> Sequence[Block]:
        try:
            return self._reader(page)
        except Exception as error:  # noqa: BLE001 - an unreadable file is told, the others are shown
            told = " ".join(str(error).split()) or type(error).__name__
            return [Panel("This part of the history could not be read.", (told,))]

    def _guess(self, block: Block) -> int:
        return self._painter.guess(block) if self._painter is not None else 3

    def _measure(self, block: Block) -> int:
        if isinstance(block, Live) and self._live is not None:
            return self._live.rows
        return len(self._drawn(block))

    def _drawn(self, block: Block) -> list[Strip]:
        if self._painter is None:
            return []
        kept = self._strips.get(id(block))
        if kept is not None and kept[0] is block:
            self._strips.move_to_end(id(block))
            return kept[1]
        strips = self._painter.paint(block)
        self._strips[id(block)] = (block, strips)
        self._strip_rows += len(strips)
        while self._strip_rows > _ROWS_KEPT and len(self._strips) > 1:
            _, (_, dropped) = self._strips.popitem(last=False)
            self._strip_rows -= len(dropped)
        return strips

    def _forget_strips(self) -> None:
        self._strips.clear()
        self._strip_rows = 0

    def _prepare_painter(self) -> bool:
        width = self.scrollable_content_region.width
        if width < 1 or not self.is_attached:
            return False
        self._ground = Style(bgcolor=self.rich_style.bgcolor)
        columns = Columns.of(width, times=self._times)
        self._painter = painter_for(self, columns, self._glyphs)
        return True

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self._painter is not None:
            self._painter = None
            self._reflow()

    def render_line(self, y: int) -> Strip:
        """One row of the view, with cursor and selection, its address for selecting put on."""
        ground = self._ground
        if y >= len(self._window):
            return Strip.blank(self.scrollable_content_region.width, ground)
        place = self._window[y]
        strip = self._row_at(place)
        if self.has_focus and self._on_cursor(place):
            strip = self._with_cursor(strip, first=place.row == 0)
        strip = strip.apply_style(ground)
        line = address(place)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(line)) is not None:
            strip = self._with_selection(strip, *span)
        return strip.apply_offsets(0, line)

    def _row_at(self, place: Place) -> Strip:
        block = self._back.block(place)
        if isinstance(block, Live):
            return self._live.row(place.row) if self._live is not None else Strip([])
        strips = self._drawn(block)
        return strips[place.row] if place.row < len(strips) else Strip([])

    @staticmethod
    def same_block(one: Place, other: Place) -> bool:
        return (one.page, one.block) == (other.page, other.block)

    def _on_cursor(self, place: Place) -> bool:
        """True for the rows of the picked message, the air after it left out."""
        if self._cursor is None or not self.same_block(place, self._cursor):
            return False
        return place.row < self._back.height(place.page, place.block) - 1

    def _with_cursor(self, strip: Strip, *, first: bool) -> Strip:
        ground = self.get_component_rich_style("transcript--cursor")
        if first:
            sign = Strip([Segment(self._glyphs.cursor, ink(self, "companion"))], 1)
            strip = Strip.join([sign, strip.crop(1)])
        return strip.apply_style(Style(bgcolor=ground.bgcolor))

    def _with_selection(self, strip: Strip, start: int, end: int) -> Strip:
        if self._painter is None:
            return strip
        columns = self._painter.columns
        left = max(strip.index_to_cell_position(start), columns.before_text)
        last = columns.before_text + columns.text
        right = last if end < 0 else min(last, strip.index_to_cell_position(end))
        if right <= left:
            return strip
        style = self.screen.get_component_rich_style("screen--selection")
        marked = Strip(
            [
                Segment(text, (ink + style) if ink else style)
                for text, ink, _ in strip.crop(left, right)
            ]
        )
        return Strip.join([strip.crop(0, left), marked, strip.crop(right)])
