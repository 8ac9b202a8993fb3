"""The reply that is streaming, drawn so that each flush costs its tail and nothing more."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip

from perdure.terminal.sanitise import Sanitiser
from perdure.tui.transcript.blocks import Live
from perdure.tui.transcript.painter import Painter, Row
from perdure.tui.transcript.stream_split import StreamedText


class LiveReply:
    """Streamed text and its rows. `feed` is cheap; `draw` is called about 15 times a second."""

    def __init__(self, block: Live, painter: Painter, caret: str) -> None:
        self.block = block
        self._painter = painter
        self._caret = caret
        self._sanitiser = Sanitiser()
        self._text = StreamedText()
        self._thoughts = 0
        self._sealed: list[Strip] = []
        self._sealed_count = 0
        self._code: list[Strip] = []
        self._code_lines = 0
        self._tail: list[Strip] = []
        self.draw()

    def feed(self, piece: str) -> None:
        """The next raw piece of the reply."""
        self._text.feed(self._sanitiser.feed(piece))

    def think(self, piece: str) -> None:
        """The next piece of reasoning; only its length is shown."""
        self._thoughts += len(piece.split())

    @property
    def text(self) -> str:
        """What came so far, as it is shown."""
        return self._text.text

    @property
    def rows(self) -> int:
        """Rows drawn, the air after them included."""
        return len(self._sealed) + len(self._tail) + 1

    def row(self, number: int) -> Strip:
        """One drawn row."""
        if number < len(self._sealed):
            return self._sealed[number]
        number -= len(self._sealed)
        return self._tail[number] if number < len(self._tail) else self._painter.blank()

    def repaint(self, painter: Painter) -> None:
        """Draw for another width or theme."""
        self._painter = painter
        self._sealed, self._sealed_count = [], 0
        self._code, self._code_lines = [], 0
        self.draw()

    def draw(self) -> int:
        """Bring the rows up to what came; returns how many of the first rows stayed the same."""
        painter, text = self._painter, self._text
        settled = len(self._sealed)
        if settled and text.open_fence and len(text.sealed) == self._sealed_count:
            settled += len(self._code)
        for piece in text.sealed[self._sealed_count :]:
            self._code, self._code_lines = [], 0
            rows = painter.words(piece)
            if rows:
                self._seal(painter.framed(rows, own=False))
        self._sealed_count = len(text.sealed)
        if text.open_fence:
            self._tail = self._draw_fence()
        else:
            self._tail = self._with_caret(self._painter.words(text.tail))
        self._head()
        return settled

    def _seal(self, strips: list[Strip]) -> None:
        if self._sealed or not self._painter.columns.gutter:
            self._sealed.extend(self._painter.framed([[]], own=False))
        first = not self._sealed or (not self._painter.columns.gutter and len(self._sealed) == 1)
        self._sealed.extend(strips)
        if first:
            self._sealed = self._painter.with_name(self._sealed, self.block)

    def _draw_fence(self) -> list[Strip]:
        """An open code block line by line; complete lines are drawn once."""
        lines = self._text.tail.split("\n")
        done = len(lines) - 1
        for line in lines[self._code_lines : done]:
            self._code.extend(self._painter.framed(self._painter.plain(line), own=False))
        self._code_lines = done
        last = self._with_caret(self._painter.plain(lines[-1]) if lines[-1] else [[]], lead=False)
        return [*self._lead(), *self._code, *last]

    def _with_caret(self, rows: list[Row], *, lead: bool = True) -> list[Strip]:
        if not rows and not self._sealed:
            note = f" thinking {self._thoughts} words" if self._thoughts else ""
            rows = [[Segment(self._caret + note, self._painter.quiet)]]
        elif rows:
            last = [*_without_air(rows[-1]), Segment(self._caret, self._painter.quiet)]
            rows = [*rows[:-1], last]
        strips = self._painter.framed(rows, own=False)
        return [*self._lead(), *strips] if lead and strips else strips

    def _lead(self) -> list[Strip]:
        """The row between what is sealed and the tail, or the row for the name."""
        if self._sealed or not self._painter.columns.gutter:
            return self._painter.framed([[]], own=False)
        return []

    def _head(self) -> None:
        if not self._sealed and self._tail:
            if len(self._tail) == 1 and self.block.marks and self._painter.columns.gutter:
                self._tail.extend(self._painter.framed([[]], own=False))
            self._tail = self._painter.with_name(self._tail, self.block)


def _without_air(row: Row) -> Row:
    """A row up to its last letter: Rich fills rows up, and the caret belongs to the words."""
    kept = list(row)
    while kept and not kept[-1].text.rstrip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
    return kept
