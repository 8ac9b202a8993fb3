"""What the transcript shows: the history, this session's blocks, the reply that streams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from textual.strip import Strip

from perdure.tui.transcript.anchors import PageOf
from perdure.tui.transcript.blocks import Block, Live, Panel, Speech
from perdure.tui.transcript.live_reply import LiveReply
from perdure.tui.transcript.painter import Painter
from perdure.tui.transcript.scrollback import Location, Scrollback

_ROWS_KEPT = 4000

PageReader = Callable[[int], Sequence[Block]]


class Surface(Protocol):
    """Where a feed is shown."""

    def prepare_painter(self) -> bool:
        """Give the feed a painter, if there is room to draw."""
        ...

    def grown(self, before: int, dirty: Location | None = None) -> None:
        """Rows came or went. ``before``: how many there were; ``dirty``: none above it changed."""
        ...

    def block_removed(self, location: Location) -> None:
        """A block of this session went; those behind it on its page moved up."""
        ...


class DrawnBlocks:
    """Blocks as rows of cells; those that were drawn last are kept."""

    def __init__(self) -> None:
        self.painter: Painter | None = None
        self._strips: OrderedDict[int, tuple[Block, list[Strip]]] = OrderedDict()
        self._rows = 0

    def strips(self, block: Block) -> list[Strip]:
        """The rows of a block; none before there is room to draw."""
        if self.painter is None:
            return []
        kept = self._strips.get(id(block))
        if kept is not None and kept[0] is block:
            self._strips.move_to_end(id(block))
            return kept[1]
        strips = self.painter.paint(block)
        self._strips[id(block)] = (block, strips)
        self._rows += len(strips)
        while self._rows > _ROWS_KEPT and len(self._strips) > 1:
            _, (_, dropped) = self._strips.popitem(last=False)
            self._rows -= len(dropped)
        return strips

    def guess(self, block: Block) -> int:
        """About how many rows a block takes, without drawing it."""
        return self.painter.guess(block) if self.painter is not None else 3

    def forget(self) -> None:
        """Draw everything anew."""
        self._strips.clear()
        self._rows = 0


class Feed:
    """Shows what it is given; decides nothing about the chat."""

    def __init__(self, surface: Surface, caret: str) -> None:
        self._surface = surface
        self._caret = caret
        self._reader: PageReader = lambda _page: ()
        self._live: LiveReply | None = None
        self._live_location: Location | None = None
        self.page_of: PageOf = lambda _turn: None
        """Finds a turn in the history."""
        self.drawn = DrawnBlocks()
        self.back = Scrollback(self._read, self._measure, self.drawn.guess)

    def _read(self, page: int) -> Sequence[Block]:
        try:
            return self._reader(page)
        except Exception as error:  # noqa: BLE001 - an unreadable file is reported, the others are shown
            words = " ".join(str(error).split()) or type(error).__name__
            return [Panel("This part of the history could not be read.", (words,))]

    def _measure(self, block: Block) -> int:
        if isinstance(block, Live) and self._live is not None:
            return self._live.rows
        return len(self.drawn.strips(block))

    def row(self, location: Location) -> Strip:
        """One row as it is drawn."""
        block = self.back.block(location)
        if isinstance(block, Live):
            return self._live.row(location.row) if self._live is not None else Strip([])
        strips = self.drawn.strips(block)
        return strips[location.row] if location.row < len(strips) else Strip([])

    def repaint(self, painter: Painter, scale: float) -> None:
        """Draw everything for another width or theme. ``scale``: old columns by new ones."""
        self.drawn.forget()
        self.back.reflow(scale)
        if self._live is not None and self._live_location is not None:
            self._live.repaint(painter)
            self.back.changed(self._live_location, self._live.rows)

    # -- the history ---------------------------------------------------------------------------

    def open_history(self, reader: PageReader, estimates: Sequence[int], page_of: PageOf) -> None:
        """Show a history of pages before this session's blocks.

        Args:
            reader: gives the blocks of a page.
            estimates: rows of each page, as far as can be known unread.
            page_of: finds a turn in it.
        """
        self._reader, self.page_of = reader, page_of
        self.back.open(estimates)
        self.drawn.forget()

    def put_reply_last(self) -> bool:
        """Put the streaming reply after the history that was opened; False without one."""
        if self._live is None:
            return False
        self._live_location = self.back.append(self._live.block)
        self.back.changed(self._live_location, self._live.rows)
        return True

    def last_reply(self) -> str:
        """The source of the newest reply among the last pages; empty without one."""
        here = self.back.before(self.back.pages, 0)
        for _ in range(200):
            if here is None:
                break
            block = self.back.blocks(here[0])[here[1]]
            if isinstance(block, Speech) and not block.own:
                return block.text
            here = self.back.before(*here)
        return ""

    # -- this session's blocks -----------------------------------------------------------------

    def add(self, block: Block) -> Location:
        """Append a block."""
        before = self.back.total
        location = self.back.append(block)
        self._surface.grown(before)
        return location

    def change(self, location: Location, block: Block) -> None:
        """Show another block in the place of one of this session's."""
        before = self.back.total
        self.back.replace(location, block)
        self._surface.grown(before)

    def take_away(self, location: Location) -> None:
        """Take a block of this session away."""
        before = self.back.total
        self._remove(location)
        self._surface.grown(before)

    def _remove(self, location: Location) -> None:
        self.back.remove(location)
        self._surface.block_removed(location)

    # -- the reply that streams ----------------------------------------------------------------

    def begin_reply(self, block: Live) -> None:
        """Make room for a reply that is about to stream."""
        if self.drawn.painter is None:
            self._surface.prepare_painter()
        if self.drawn.painter is None:  # pragma: no cover - prepare_painter made it
            return
        self._live = LiveReply(block, self.drawn.painter, self._caret)
        self._live_location = self.add(block)

    def add_piece(self, piece: str, *, thought: bool = False) -> None:
        """Take a piece of the reply; shown at the next `flush`."""
        if self._live is not None:
            (self._live.think if thought else self._live.feed)(piece)

    @property
    def is_streaming(self) -> bool:
        """True while a reply has its place here."""
        return self._live is not None

    @property
    def live_text(self) -> str:
        """What came of the streaming reply."""
        return self._live.text if self._live is not None else ""

    def flush(self) -> None:
        """Draw what came since the last flush."""
        if self._live is None or self._live_location is None:
            return
        settled = self._live.draw()
        before = self.back.total
        self.back.changed(self._live_location, self._live.rows)
        location = self._live_location
        self._surface.grown(before, Location(location.page, location.block, settled))

    def end_reply(self, blocks: Sequence[Block]) -> None:
        """Put the finished reply's blocks where it streamed; none: nothing came of it."""
        location, self._live, self._live_location = self._live_location, None, None
        if location is None:
            return
        before = self.back.total
        if blocks:
            self.back.replace(location, blocks[0])
        else:
            self._remove(location)
        for block in blocks[1:]:
            self.back.append(block)
        self._surface.grown(before)
