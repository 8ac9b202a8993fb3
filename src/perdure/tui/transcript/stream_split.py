"""A reply while it streams, cut into what will not change any more and what still may."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`\n]*\n)|~{3,})[^\n]*\n", re.MULTILINE)
_TAIL_LIMIT = 4000
"""Characters after which a paragraph without an end is cut at a line or a word."""


@dataclass(slots=True)
class StreamedText:
    """Streamed Markdown. Sealed pieces and the tail together are exactly the text that came.

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
