"""The talk as it grows: the history that is shown, this session's blocks, the streaming reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.tui.transcript.anchors import (
    PageOf,
    Spot,
    find_first,
    speeches_of,
    spots_in_view,
    spots_near,
)
from perdure.tui.transcript.blocks import Block, Live, Speech
from perdure.tui.transcript.live_reply import LiveReply
from perdure.tui.transcript.rows import Reader, RowsView
from perdure.tui.transcript.scrollback import Place

if TYPE_CHECKING:
    from perdure.companion.ids import TurnId


class GrowingView(RowsView):
    """Shows what is asked of it; decides nothing about the chat."""

    _page_of: PageOf = staticmethod(lambda _turn: None)

    # -- the history and what was added to it --------------------------------------------------

    def open_history(
        self,
        reader: Reader,
        estimates: Sequence[int],
        page_of: PageOf = lambda _turn: None,
    ) -> None:
        """Show a history of pages that ``reader`` gives, after which this session's talk stands.

        Args:
            reader: gives the blocks of a page.
            estimates: rows of each page, as far as can be told unread.
            page_of: finds a turn in it.
        """
        self._reader, self._page_of = reader, page_of
        self._back.open(estimates)
        self._forget_strips()
        self.follow()

    def replace_history(
        self,
        reader: Reader,
        estimates: Sequence[int],
        page_of: PageOf = lambda _turn: None,
        *,
        stays: bool = True,
    ) -> None:
        """The history now holds this session's talk as well.

        The view stays at what is read, the cursor on its message. Where that is gone they go to
        what stood before it. ``stays``: False goes to the end, with nothing picked.
        """
        cursor, was_seen = self.cursor, self.cursor_in_view
        top = self.reading if stays else ()
        picked = spots_near(self._back, cursor) if stays and cursor is not None else ()
        self._cursor = None
        self._back.forget_session()
        if self.is_attached:
            # What was marked with the mouse is addressed by places.
            self.screen.clear_selection()
        self.open_history(reader, estimates, page_of)
        if self._live is not None:
            self._live_place = self._back.append(self._live.block)
            self._back.changed(self._live_place, self._live.rows)
            self.follow()
        if top:
            self.read_on(top)
        if (place := find_first(self._back, picked, page_of)) is not None:
            self._cursor = place
            if was_seen and not self.cursor_in_view:
                self.jump_into_view(place)

    @property
    def reading(self) -> tuple[Spot, ...]:
        """What is read now, to come back to later; nothing: the end is followed."""
        return () if self.following else spots_in_view(self._back, self._window)

    def read_on(self, spots: Sequence[Spot]) -> None:
        """Go back to what was read then, or to what is left of it; without any to the end."""
        place = find_first(self._back, spots, self._page_of)
        if place is None:
            self.follow()
        else:
            self.show(place)

    def pick_turn(self, turn: TurnId, *, first: bool = False) -> bool:
        """Put the cursor on the last, or first, speech of a turn and bring it into view.

        False where it is not in the talk.
        """
        speeches = speeches_of(self._back, turn, self._page_of)
        if not speeches:
            return False
        self._cursor = speeches[0 if first else -1][0]
        self.jump_into_view(self._cursor)
        return True

    def add(self, block: Block) -> Place:
        """Append a block to this session's talk."""
        before = self._back.total
        place = self._back.append(block)
        self._grown(before)
        return place

    def change(self, place: Place, block: Block) -> None:
        """Show another block in the place of one of this session's."""
        before = self._back.total
        self._back.replace(place, block)
        self._grown(before)

    def take_away(self, place: Place) -> None:
        """Take a block of this session away."""
        before = self._back.total
        self._remove(place)
        self._grown(before)

    def _remove(self, place: Place) -> None:
        """Remove a block; what is picked, and the top of the view, stay with their words."""
        self._back.remove(place)
        cursor = self._cursor
        if cursor is not None and self.same_block(cursor, place):
            self._cursor = None
        elif cursor is not None:
            self._cursor = _moved_up(cursor, place)
        self._top = self._back.nearest(_moved_up(self._top, place))

    def last_reply(self) -> str:
        """The source of the newest reply among the last pages; empty without one."""
        here = self._back.before(self._back.pages, 0)
        for _ in range(200):
            if here is None:
                break
            block = self._back.blocks(here[0])[here[1]]
            if isinstance(block, Speech) and not block.own:
                return block.text
            here = self._back.before(*here)
        return ""

    # -- the reply that streams ----------------------------------------------------------------

    def begin_reply(self, block: Live) -> None:
        """Make room for a reply that is about to stream."""
        if self._painter is None:
            self._prepare_painter()
        if self._painter is None:  # pragma: no cover - _prepare_painter made it
            return
        self._live = LiveReply(block, self._painter, self._glyphs.caret)
        self._live_place = self.add(block)

    def feed(self, piece: str, *, thought: bool = False) -> None:
        """Take a piece of the reply; shown at the next `flush`."""
        if self._live is not None:
            (self._live.think if thought else self._live.feed)(piece)

    @property
    def streaming(self) -> bool:
        """True while a reply has its place here."""
        return self._live is not None

    @property
    def live_text(self) -> str:
        """What came of the streaming reply."""
        return self._live.text if self._live is not None else ""

    def flush(self) -> None:
        """Draw what came since the last flush."""
        if self._live is None or self._live_place is None:
            return
        settled = self._live.draw()
        before = self._back.total
        self._back.changed(self._live_place, self._live.rows)
        place = self._live_place
        self._grown(before, Place(place.page, place.block, settled))

    def end_reply(self, blocks: Sequence[Block]) -> None:
        """Put the finished reply's blocks where it streamed; none: nothing came of it."""
        place, self._live, self._live_place = self._live_place, None, None
        if place is None:
            return
        before = self._back.total
        if blocks:
            self._back.replace(place, blocks[0])
        else:
            self._remove(place)
        for block in blocks[1:]:
            self._back.append(block)
        self._grown(before)


def _moved_up(place: Place, gone: Place) -> Place:
    """Where a place is once a block of its page has gone."""
    if place.page == gone.page and place.block > gone.block:
        return Place(place.page, place.block - 1, place.row)
    return place
