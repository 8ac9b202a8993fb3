"""The talk as it grows: the history that is shown, this session's blocks, the streaming reply."""

from __future__ import annotations

from collections.abc import Sequence

from perdure.tui.transcript.blocks import Block, Live, Speech
from perdure.tui.transcript.live import LiveReply
from perdure.tui.transcript.rows import Reader, RowsView
from perdure.tui.transcript.scrollback import Place


class GrowingView(RowsView):
    """Shows what is asked of it; decides nothing about the chat."""

    # -- the history and what was added to it --------------------------------------------------

    def open_history(self, reader: Reader, estimates: Sequence[int]) -> None:
        """Show a history of pages that ``reader`` gives, after which this session's talk stands."""
        self._reader = reader
        self._back.open(estimates)
        self._forget_strips()
        self.follow()

    def replace_history(self, reader: Reader, estimates: Sequence[int]) -> None:
        """The history now holds this session's talk as well."""
        self._back.forget_session()
        self._cursor = None
        self.open_history(reader, estimates)

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
        self._back.remove(place)
        self._grown(before)

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
            self._back.remove(place)
        for block in blocks[1:]:
            self._back.append(block)
        self._grown(before)
