"""The reply that is streaming, drawn so that each flush costs its tail and nothing more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rich.segment import Segment
from textual.strip import Strip

from perdure.terminal.sanitise import Sanitiser
from perdure.tui.transcript.blocks import Live
from perdure.tui.transcript.painter import Painter, Row

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`\n]*\n)|~{3,})[^\n]*\n", re.MULTILINE)
_TAIL_LIMIT = 4000
"""Characters after which a paragraph without an end is cut at a line or a word."""


@dataclass(slots=True)
class StreamedText:
    """Streamed Markdown. Sealed pieces and the tail together are exactly the text so far.

    A piece is sealed at a blank line outside fences and at the end of a fence, so that each flush
    parses only the tail: parsing the whole reply at each would make a long one quadratic.
    """

    sealed: list[str] = field(default_factory=list)
    tail: str = ""

    def feed(self, text: str) -> None:
        """The next piece of the stream."""
        self.tail += text
        while (end := self._boundary()) is not None:
            self.sealed.append(self.tail[:end])
            self.tail = self.tail[end:]

    @property
    def text(self) -> str:
        """All that came."""
        return "".join(self.sealed) + self.tail

    @property
    def open_fence(self) -> bool:
        """True where the tail is a code block that has not been closed yet."""
        return _FENCE.match(self.tail) is not None

    def _boundary(self) -> int | None:
        fence = _FENCE.search(self.tail)
        if fence is not None and fence.start() == 0:
            mark = fence[1]
            closing = re.compile(rf"^ {{0,3}}{re.escape(mark)}{mark[0]}*[ \t]*\n", re.MULTILINE)
            closed = closing.search(self.tail, fence.end())
            return closed.end() if closed else None
        blank = _BLANK_LINE.search(self.tail)
        if blank is not None and (fence is None or blank.end() <= fence.start()):
            return blank.end()
        if fence is not None:
            return fence.start()
        if len(self.tail) > _TAIL_LIMIT:
            cut = max(self.tail.rfind("\n"), self.tail.rfind(" "))
            return cut + 1 if cut > 0 else len(self.tail)
        return None


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
