"""The transcript widget: the conversation as rows to be scrolled, with a cursor and keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from perdure.companion.ids import TurnId
from perdure.terminal.glyphs import Glyphs
from perdure.tui.transcript.anchors import (
    Anchor,
    PageOf,
    anchors_in_view,
    anchors_near,
    find_first,
    speeches_of,
)
from perdure.tui.transcript.blocks import Speech
from perdure.tui.transcript.cursor import Cursor, moved_up, with_cursor
from perdure.tui.transcript.feed import Feed, PageReader
from perdure.tui.transcript.painter import Columns
from perdure.tui.transcript.scrollback import Location, Scrollback
from perdure.tui.transcript.selection import address, selected_source, with_selection
from perdure.tui.transcript.styles import PARTS, ink, painter_for
from perdure.tui.transcript.viewport import Viewport

_NEAR = 4
"""Views within which a scroll is walked row by row, so that every height on the way is true."""

_KEYS: list[BindingType] = [
    Binding("k,up", "message(-1)", "Previous message", id="nav.up"),
    Binding("j,down", "message(1)", "Next message", id="nav.down"),
    Binding("pageup", "page(-1)", "Page up", id="nav.page.up"),
    Binding("pagedown", "page(1)", "Page down", id="nav.page.down"),
    Binding(
        "left_square_bracket",
        "screen.conversation_before",
        "Previous conversation",
        id="nav.conversation.up",
    ),
    Binding(
        "right_square_bracket",
        "screen.conversation_after",
        "Next conversation",
        id="nav.conversation.down",
    ),
    Binding("g,home", "first", "The very first message", id="nav.first"),
    Binding("G,end", "last", "The end; follow the conversation", id="nav.last"),
    Binding("y", "screen.copy_message", "Copy the message's source", id="copy"),
    Binding("t", "times", "Show or hide times", id="times"),
    Binding("z", "screen.undo", "Undo your last act", id="op.undo"),
    Binding("Z", "screen.redo", "Redo what was undone", id="op.redo"),
    Binding("w", "screen.rewind", "Continue from this message", id="rewind"),
    Binding("b", "screen.branch", "Branch from this message", id="branch.new"),
    Binding("c", "screen.tag", "Tag this message", id="tag.new"),
    Binding("r", "screen.regenerate", "Another answer", id="regenerate"),
    Binding("left", "screen.answer_before", "Previous answer", id="answer.before"),
    Binding("right", "screen.answer_after", "Next answer", id="answer.after"),
    Binding("e", "screen.edit", "Correct these words", id="edit"),
    Binding("x", "screen.aside", "Set aside, or bring back", id="exclude"),
    Binding("m", "screen.merge", "What an open merge still needs", id="merge"),
    Binding("d", "screen.voice", "The last change to her persona", id="voice"),
    Binding("p", "screen.prompt", "The prompt of this reply", id="prompt"),
    Binding(
        "P",
        "screen.prompt_next",
        "The prompt for what is in the message box",
        id="prompt.next",
    ),
    Binding("slash", "screen.search", "Search all conversations", id="search"),
    Binding("n", "screen.found_after", "Next moment found", id="search.next"),
    Binding("N", "screen.found_before", "Previous moment found", id="search.back"),
    Binding("5", "screen.memory", "Memory", id="memory.browsing"),
    Binding("3", "screen.timeline", "The timeline", id="timeline.browsing"),
    Binding("i,enter", "screen.compose", "Write", id="compose"),
    Binding("question_mark", "screen.keys", "Keys that work here", id="help.browsing"),
]


class TranscriptView(ScrollView, can_focus=True):
    """Shows a `Feed` and lets one browse in it. Other keys are handed to the screen as messages."""

    ALLOW_MAXIMIZE = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"transcript--{name}" for name in PARTS}
    BINDING_GROUP_TITLE = "Browsing the conversation"
    BINDINGS: ClassVar[list[BindingType]] = _KEYS

    @dataclass
    class Unseen(Message):
        """Rows were added below while the view was held further up; 0: the end is in view."""

        rows: int

    @dataclass
    class Typed(Message):
        """A character that is no command here."""

        character: str

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._glyphs = glyphs
        self.feed = Feed(self, glyphs.caret)
        self._viewport = Viewport(self.feed.back)
        self._cursor = Cursor(self.feed.back, self._viewport)
        self._is_settling = False
        self._unseen = 0
        self._has_times = True
        self._ground = Style()

    # -- what is shown -------------------------------------------------------------------------

    @property
    def back(self) -> Scrollback:
        """The pages and their heights."""
        return self.feed.back

    @property
    def empty(self) -> bool:
        """True where there is nothing to show at all."""
        return self.back.pages == 0

    @property
    def top(self) -> Location:
        """What the first row of the view shows."""
        return self._viewport.top

    @property
    def window(self) -> Sequence[Location]:
        """What the rows of the view show, from the top."""
        return self._viewport.rows

    @property
    def following(self) -> bool:
        """Whether the end is in view, and stays there as it grows."""
        return self._viewport.is_following

    @property
    def text_width(self) -> int:
        """Cells of the column of words."""
        return Columns.of(self.scrollable_content_region.width or 80).text

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height or 1

    def open_history(self, reader: PageReader, estimates: Sequence[int], page_of: PageOf) -> None:
        """Show a history, as `Feed.open_history` takes it, from its end."""
        self.feed.open_history(reader, estimates, page_of)
        self.follow()

    def replace_history(
        self, reader: PageReader, estimates: Sequence[int], page_of: PageOf, *, stays: bool
    ) -> None:
        """The history now holds this session's turns as well.

        The view stays at what is read, the cursor on its message. Where that is gone they go to
        what stood before it. ``stays``: False goes to the end, with nothing picked.
        """
        cursor, was_seen = self.cursor, self.cursor_in_view
        top = self.reading if stays else ()
        picked = anchors_near(self.back, cursor) if stays and cursor is not None else ()
        self._cursor.put(None)
        self.back.forget_session()
        if self.is_attached:
            # What was marked with the mouse is addressed by places.
            self.screen.clear_selection()
        self.open_history(reader, estimates, page_of)
        if self.feed.put_reply_last():
            self.follow()
        if top:
            self.read_on(top)
        if (location := find_first(self.back, picked, page_of)) is not None:
            self._cursor.put(location)
            if was_seen and not self.cursor_in_view:
                self.jump_into_view(location)

    @property
    def reading(self) -> tuple[Anchor, ...]:
        """What is read now, to come back to later; nothing: the end is followed."""
        return () if self.following else anchors_in_view(self.back, self.window)

    def read_on(self, anchors: Sequence[Anchor]) -> None:
        """Go back to what was read then, or to what is left of it; without any to the end."""
        location = find_first(self.back, anchors, self.feed.page_of)
        if location is None:
            self.follow()
        else:
            self.show(location)

    # -- scrolling -----------------------------------------------------------------------------

    def follow(self, dirty: Location | None = None) -> None:
        """Go to the end and stay there as it grows."""
        self._settle(self.back.end(self._height), dirty)

    def move(self, rows: int) -> None:
        """Scroll by rows, every height on the way true."""
        self._settle(self.back.step(self.top, rows))

    def show(self, location: Location) -> None:
        """Put a place at the top of the view."""
        self._settle(self.back.nearest(location))

    def jump_into_view(self, location: Location) -> None:
        """Scroll no further than needed for the first rows of a block to be seen."""
        self._viewport.height = self._height
        top = self._viewport.top_to_show(location)
        if top is not None:
            self._settle(top)
        self.refresh()

    def page_height(self) -> int:
        """Rows that paging moves: a view, two rows kept for the eye."""
        return max(1, self._height - 2)

    def _settle(self, top: Location, dirty: Location | None = None) -> None:
        """Begin at ``top``, with true heights; ``dirty``: nothing above that place has changed."""
        port, height = self._viewport, self._height
        if self.feed.drawn.painter is None and not self.prepare_painter():
            port.top = top
            return
        first, port.height = port.rows[:1], height
        port.settle(top)
        if port.is_following:
            self._show_unseen(0)
        self._place_scrollbar(Size(self.scrollable_content_region.width, self.back.total))
        if dirty is None or first != port.rows[:1]:
            self.refresh()
            return
        changed = next((y for y, location in enumerate(port.rows) if location >= dirty), height)
        if changed < height:
            self.refresh(Region(0, changed, self.size.width, height - changed))

    def _place_scrollbar(self, size: Size) -> None:
        """Set the scrolled size and position without laying out the screen.

        A change of ``virtual_size`` alone makes Textual lay out and draw the whole screen, fifteen
        times a second while a reply streams. Its scroll bar is always there, so nothing moves.
        """
        self._is_settling = True
        try:
            if size != self.virtual_size:
                self.set_reactive(Widget.virtual_size, size)
                self._scroll_update(size)
            self.scroll_y = self.scroll_target_y = self._viewport.scrolled
        finally:
            self._is_settling = False

    def _show_unseen(self, rows: int) -> None:
        if rows != self._unseen:
            self._unseen = rows
            self.post_message(self.Unseen(rows))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._is_settling or self.feed.drawn.painter is None:
            return
        delta = round(new_value) - self._viewport.scrolled
        if not delta:
            return
        if abs(delta) <= _NEAR * self._height:
            self._settle(self.back.step(self.top, delta))
        else:
            self._settle(self.back.location_at(round(new_value)))

    # -- what the feed tells -------------------------------------------------------------------

    def grown(self, before: int, dirty: Location | None = None) -> None:
        """Rows came or went: stay at what is read, or at the end."""
        if self.following:
            self.follow(dirty)
            return
        self._show_unseen(self._unseen + max(0, self.back.total - before))
        self._settle(self.top, dirty)

    def block_removed(self, location: Location) -> None:
        """Keep the cursor and the top of the view on the same messages."""
        self._cursor.block_removed(location)
        self._viewport.top = self.back.nearest(moved_up(self.top, location))

    def prepare_painter(self) -> bool:
        """Make a painter for the present width and theme; False where there is no room."""
        width = self.scrollable_content_region.width
        if width < 1 or not self.is_attached:
            return False
        self._ground = Style(bgcolor=self.rich_style.bgcolor)
        columns = Columns.of(width, times=self._has_times)
        self.feed.drawn.painter = painter_for(self, columns, self._glyphs)
        return True

    # -- another width, another theme ----------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Fold every line for the new width; what was at the top stays there."""
        event.stop()
        width, painter = self.scrollable_content_region.width, self.feed.drawn.painter
        if painter is None or painter.columns.width != width:
            self._reflow()
        elif self.following:
            self.follow()
        else:
            self._settle(self.top)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.feed.drawn.painter is not None:
            self.feed.drawn.painter = None
            self._reflow()

    def _reflow(self) -> None:
        old = self.feed.drawn.painter
        if not self.prepare_painter() or (painter := self.feed.drawn.painter) is None:
            return
        scale = old.columns.text / painter.columns.text if old is not None else 1.0
        top, share = self.top, 0.0
        if self.back.pages and not self.following and self.back.blocks(top.page):
            share = top.row / max(1, self.back.height(top.page, top.block))
        self.feed.repaint(painter, scale)
        if self.following or not self.back.pages:
            self.follow()
            return
        row = int(share * self.back.height(top.page, top.block))
        self._settle(Location(top.page, top.block, row))

    def action_times(self) -> None:
        """Show or hide the times of messages."""
        self._has_times = not self._has_times
        self._reflow()

    # -- drawing -------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One row of the view, with cursor and selection, its address for selecting put on."""
        ground = self._ground
        if y >= len(self.window):
            return Strip.blank(self.scrollable_content_region.width, ground)
        location = self.window[y]
        strip = self.feed.row(location)
        if self.has_focus and self._cursor.marks(location):
            sign = Segment(self._glyphs.cursor, ink(self, "companion"))
            ground_there = self.get_component_rich_style("transcript--cursor").bgcolor
            strip = with_cursor(strip, ground_there, sign if location.row == 0 else None)
        strip = strip.apply_style(ground)
        line = address(location)
        selection, painter = self.text_selection, self.feed.drawn.painter
        span = selection.get_span(line) if selection is not None else None
        if span is not None and painter is not None:
            style = self.screen.get_component_rich_style("screen--selection")
            strip = with_selection(strip, *span, painter.columns, style)
        return strip.apply_offsets(0, line)

    # -- the cursor ----------------------------------------------------------------------------

    @property
    def cursor(self) -> Location | None:
        """The message that browsing keys act on."""
        return self._cursor.location

    @cursor.setter
    def cursor(self, location: Location | None) -> None:
        self._cursor.put(location)
        self.refresh()

    @property
    def cursor_in_view(self) -> bool:
        """Whether a row of the picked message is seen."""
        return self._cursor.is_seen

    @property
    def picked(self) -> Speech | None:
        """The message under the cursor."""
        return self._cursor.speech

    @property
    def picked_text(self) -> str:
        """The picked message's source text, not its picture; empty without one."""
        return self.picked.text if self.picked is not None else ""

    def pick_turn(self, turn: TurnId, *, first: bool = False) -> bool:
        """Put the cursor on the last, or first, message of a turn and bring it into view.

        False where it is not in the conversation.
        """
        speeches = speeches_of(self.back, turn, self.feed.page_of)
        if not speeches:
            return False
        location = speeches[0 if first else -1][0]
        self._cursor.put(location)
        self.jump_into_view(location)
        return True

    def pick_last(self) -> None:
        """Put the cursor on the last message in view; where none is, on the nearest above."""
        location = self._cursor.nearest()
        if location is not None:
            self.cursor = location
            if not self.cursor_in_view:
                self.jump_into_view(location)

    def pick_seen(self) -> None:
        """Put the cursor on a message in view, if it is not on one."""
        if not self.cursor_in_view:
            self.pick_last()

    # -- keys ----------------------------------------------------------------------------------

    def on_focus(self) -> None:
        """Put the cursor on a message in view: keys act on that."""
        self.pick_seen()

    def action_message(self, direction: int) -> None:
        """Move the cursor by a message; a long one is read to its end before it is left."""
        if self.cursor is None:
            self.pick_last()
            return
        if self._cursor.is_cut_off(direction):
            self.move(direction * max(1, self._height // 2))
        elif (found := self._cursor.neighbour(direction)) is None:
            self.move(direction * self._height)
        else:
            self._cursor.put(found)
            self.jump_into_view(found)

    def action_page(self, direction: int) -> None:
        """Scroll by a view; the cursor comes along."""
        self.move(direction * self.page_height())
        self.pick_last()

    def action_first(self) -> None:
        """Go to the very first row."""
        self._settle(Location(0, 0, 0))
        found = self.back.after(0, 0) if self.back.pages else None
        if found is not None:
            self.cursor = Location(*found, 0)

    def action_last(self) -> None:
        """Go to the end, and follow it."""
        self.follow()
        self.pick_last()

    def on_key(self, event: events.Key) -> None:
        """Begin a message with a letter that is no command."""
        bound = event.key in self._bindings.key_to_bindings
        if event.is_printable and event.character and not bound:
            event.stop()
            self.post_message(self.Typed(event.character))

    # -- the mouse -----------------------------------------------------------------------------

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        painter = self.feed.drawn.painter
        if painter is None or not self.window:
            return None
        text = selected_source(selection, self.back, self.window, self.feed.row, painter.columns)
        return (text, "\n") if text else None

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002 - Textual's
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click picks the message under it."""
        offset = event.get_content_offset(self) or Offset(0, 0)
        if 0 <= offset.y < len(self.window) and not self.screen.selections:
            location = self.window[offset.y]
            if isinstance(self.back.block(location), Speech):
                self.cursor = Location(location.page, location.block, 0)
