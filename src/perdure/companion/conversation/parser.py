"""Read chunks line by line, sound or damaged.

Nothing here raises for what a file holds. Whatever is not as the format has it becomes a `Trouble`,
and its words stay: with the message they stand in, or, where the header above them is lost, in a
turn of their own with a speaker of "".
"""

from __future__ import annotations

import re

from perdure.companion.conversation.escape import unescape
from perdure.companion.conversation.front_matter import KEYS, FrontMatter, read_front
from perdure.companion.conversation.header import Header, parse_header
from perdure.companion.errors import Trouble
from perdure.companion.ids import ConversationId
from perdure.companion.turns import Chunk, Message, Reply, Turn
from perdure.companion.yaml.fast import FENCE

UNREAD = "unread header"
"""Note on a turn whose header could not be read: the line that stood there."""

_MARK = re.compile(r"(?:<{7}|>{7}|\|{7}|={7})(?: .*)?", re.DOTALL)
# \udcc2 is the first byte of "·", cut from its second.
_CUT_HEADER = re.compile(r"#{1,4}|#### [0-9]*~?[0-9]*(?: [·\udcc2]?)?|-{1,3}")


def read_chunks(
    text: str, troubles: list[Trouble], conversation: ConversationId | None, number: int | None
) -> list[Chunk]:
    """All chunks in ``text``, at least one. Troubles of the whole file go to the first."""
    lines = text.split("\n")
    cut = lines[-1] != ""
    if not cut:
        lines.pop()
    return _Reader(lines, troubles, conversation, number, cut=cut).read()


class _Reader:
    """One pass over the lines. Line numbers are indices here; troubles count from 1."""

    def __init__(
        self,
        lines: list[str],
        troubles: list[Trouble],
        conversation: ConversationId | None,
        number: int | None,
        *,
        cut: bool,
    ) -> None:
        self.lines = lines
        self.troubles = troubles
        self.conversation = conversation
        self.number = number
        self.cut = cut
        self.chunks: list[Chunk] = []
        self.front: FrontMatter | None = None
        self.turns: list[Turn] = []
        self.message: Message | None = None
        self.replies: list[Reply] = []
        self.turn: int = -1
        self.header: Header | None = None
        self.header_index = 0
        self.text: list[str] = []
        self.gap = 0
        self.strays: list[str] = []
        self.gap_before_strays = 0

    def read(self) -> list[Chunk]:
        lines = self.lines
        index = 0 if self.begins_chunk(0) else self.begin_without_fence()
        while index < len(lines):
            line = lines[index]
            first = line[:1]
            if first == ">" and (line[1:2] == " " or len(line) == 1):
                if self.gap or self.strays or self.header is None:
                    self.quoted_after_gap(index)
                self.text.append(line[2:])
            elif not line:
                self.gap += 1
            elif first == "#" and (header := parse_header(line)) is not None:
                self.begin_message(index, header)
            elif line == FENCE and self.begins_chunk(index):
                index = self.begin_chunk(index)
            else:
                self.odd_line(index, line)
            index += 1
        if self.cut and lines:
            self.trouble(len(lines) - 1, "the last line is cut off: it has no line end")
        self.drop_cut_header()
        self.end_chunk()
        return self.chunks

    def trouble(self, index: int, what: str) -> None:
        self.troubles.append(Trouble(index + 1, what))

    # Front matter

    def begins_chunk(self, index: int) -> bool:
        """Whether the ``---`` at ``index`` opens a front matter, or is only a ruled line."""
        lines = self.lines
        if index >= len(lines) or lines[index] != FENCE:
            return False
        if index == 0 or index + 1 == len(lines):
            return index == 0
        following = lines[index + 1]
        is_last = index + 2 == len(lines)
        return any(
            following.startswith(f"{key}:") or (is_last and f"{key}:".startswith(following))
            for key in KEYS
        )

    def begin_without_fence(self) -> int:
        """Read a file that does not open with ``---``; returns where to read on."""
        lines = self.lines
        if not lines:
            self.trouble(0, "file is empty")
            return 0
        self.trouble(0, f"does not begin with '---': {lines[0]}")
        for fence in (0, -1):
            if lines[fence + 1 : fence + 2] and lines[fence + 1].startswith("format:"):
                return self.begin_chunk(fence) + 1
        return 0

    def begin_chunk(self, fence: int) -> int:
        """Read the front matter that opens at ``fence``; returns the index of its last line."""
        if self.front is not None or self.turns or self.header or self.text or self.strays:
            self.end_chunk()
        lines = self.lines
        blank = 0
        end = fence + 1
        while end < len(lines) and lines[end] != FENCE:
            if lines[end].startswith(("> ", "#### ")):
                break
            if not lines[end]:
                blank = blank or end
            end += 1
        is_closed = end < len(lines) and lines[end] == FENCE
        if not is_closed:
            end = blank or end
            self.trouble(end - 1, "the front matter has no closing '---'")
        self.front = read_front(lines[fence + 1 : end], fence + 2)
        self.troubles.extend(self.front.troubles)
        return end if is_closed else end - 1

    def end_chunk(self) -> None:
        self.end_turn()
        front = self.front or FrontMatter()
        head = front.head(self.conversation, self.number)
        self.troubles.sort(key=lambda trouble: trouble.line)
        self.chunks.append(Chunk(head, tuple(self.turns), tuple(self.troubles)))
        self.front = None
        self.turns = []
        self.troubles = []
        self.turn = -1

    # Messages

    def begin_message(self, index: int, header: Header) -> None:
        self.end_message()
        if header.trouble:
            self.trouble(index, header.trouble)
        goes_on = header.answer and header.number == self.turn
        if not goes_on:
            last = self.turn
            self.end_turn()
            if header.number <= last:
                said = "again" if header.number == last else f"after turn {last}"
                self.trouble(index, f"turn {header.number} {said}")
            self.turn = header.number
        self.header = header
        self.header_index = index

    def end_message(self) -> None:
        """Add what was read since the last header to the turn."""
        self.flush_strays()
        header = self.header
        if header is None:
            if not self.text:
                self.gap = 0
                return
            header = Header(max(self.turn, 0), 0)
            self.close_turn()
            self.turn = header.number
        elif not self.text:
            self.trouble(self.header_index, "no text below this header")
        text = unescape("\n".join(self.text))
        if header.answer:
            self.replies.append(header.reply(text))
        else:
            self.message = header.message(text)
        self.header = None
        self.text = []
        self.gap = 0

    def drop_cut_header(self) -> None:
        """Drop a header at the end of the file with nothing below it."""
        if self.header is not None and not self.text and not self.strays:
            line = self.lines[self.header_index]
            self.trouble(self.header_index, f"header with nothing below it: {line}")
            self.header = None

    def end_turn(self) -> None:
        self.end_message()
        self.close_turn()

    def close_turn(self) -> None:
        if self.message is not None or self.replies:
            self.turns.append(Turn(self.turn, self.message, tuple(self.replies)))
        self.message = None
        self.replies = []

    # What is not as the format has it

    def quoted_after_gap(self, index: int) -> None:
        """Whether a quoted line after blank or stray lines continues the message."""
        if self.header is None and not self.text and not self.strays:
            self.trouble(index, "text without a header")
        elif self.stands_like_header():
            stray = self.strays.pop()
            self.lost_header(index, {UNREAD: stray})
        elif self.text and not self.strays and self.gap > 1:
            self.trouble(index, "text without a header")
            self.lost_header(index, {})
        else:
            self.flush_strays()
            if self.text and self.gap:
                self.trouble(index - 1, "empty line inside a message, not quoted with '>'")
                self.text.extend([""] * self.gap)
        self.gap = 0

    def stands_like_header(self) -> bool:
        """Whether a lone stray line between blank lines looks like a damaged header."""
        alone = len(self.strays) == 1 and self.gap > 0 and self.gap_before_strays > 0
        return alone and (bool(self.text) or self.header is None)

    def lost_header(self, index: int, notes: dict[str, str]) -> None:
        """Text whose header is missing becomes a turn of its own."""
        number = max(self.turn, 0)
        if self.header is not None or self.text:
            self.end_message()
        self.close_turn()
        self.turn = number
        self.header = Header(number, 0, notes=notes)
        self.header_index = index

    def odd_line(self, index: int, line: str) -> None:
        """Handle a line that is neither quoted, nor a header, nor empty."""
        if line == "\r":
            self.trouble(index, "line end converted to CRLF")
            self.gap += 1
            return
        if _MARK.fullmatch(line):
            self.flush_strays()
            self.trouble(index, f"merge conflict marker: {line}")
            return
        if index == len(self.lines) - 1 and _CUT_HEADER.fullmatch(line):
            self.trouble(index, f"header cut off: {line}")
            return
        if line[0] == ">":
            self.trouble(index, "no space after '>'")
            if self.gap or self.strays or self.header is None:
                self.quoted_after_gap(index)
            self.text.append(line[1:])
            return
        self.trouble(index, f"not quoted with '> ': {line}")
        if not self.strays:
            self.gap_before_strays = self.gap
        else:
            self.strays.extend([""] * self.gap)
        self.strays.append(line)
        self.gap = 0

    def flush_strays(self) -> None:
        """Add stray lines to the message they follow."""
        if not self.strays:
            return
        if self.text:
            self.text.extend([""] * self.gap_before_strays)
        self.text.extend(self.strays)
        self.strays = []
        self.gap_before_strays = 0
