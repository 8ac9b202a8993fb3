"""Draws blocks as rows of cells: who speaks, the words, the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise
from perdure.tui.transcript.blocks import Block, Divider, Live, Mark, Panel, Speech

Row = list[Segment]

_NAMES = 12
_TEXT_LIMIT = 92
_WIDE = 66


@dataclass(frozen=True, slots=True)
class Inks:
    """The styles that a theme gives to the transcript's parts."""

    text: Style
    you: Style
    companion: Style
    bar: Style
    quiet: Style
    rule: Style
    title: Style
    warning: Style
    error: Style


@dataclass(frozen=True, slots=True)
class Columns:
    """How a width is divided, in cells. ``gutter`` 0: the name is above the words."""

    width: int
    margin: int
    gutter: int
    text: int
    times: int

    @classmethod
    def of(cls, width: int, *, times: bool = True) -> Columns:
        """The division of ``width``; room beyond a readable line goes to the margins."""
        clock = 7 if times else 0
        if width < _WIDE:
            return cls(width, 1, 0, max(4, width - 5), clock)
        gutter = _NAMES
        text = min(_TEXT_LIMIT, width - 4 - gutter - 2 - clock)
        spare = width - (gutter + 2 + text + clock)
        return cls(width, max(2, spare // 2), gutter, text, clock)

    @property
    def before_text(self) -> int:
        """Cells left of the words."""
        return self.margin + self.gutter + 2


class Painter:
    """Draws blocks for one width and one theme."""

    def __init__(
        self, columns: Columns, inks: Inks, glyphs: Glyphs, console: Console, code_theme: str
    ) -> None:
        self.columns = columns
        self._inks = inks
        self._glyphs = glyphs
        self._console = console
        self._code_theme = code_theme

    @property
    def quiet(self) -> Style:
        """The style of what matters less."""
        return self._inks.quiet

    def paint(self, block: Block) -> list[Strip]:
        """All rows of a block, its trailing air included. A live reply has none here."""
        match block:
            case Speech():
                return self.speech(block)
            case Divider():
                return self._divider(block)
            case Panel():
                return self._panel(block)
            case Live():
                return []
            case _:
                assert_never(block)

    def guess(self, block: Block) -> int:
        """About how many rows `paint` will give, without drawing."""
        match block:
            case Speech():
                width = self.columns.text
                lines = sum(max(1, -(-len(line) // width)) for line in block.text.split("\n"))
                return lines + len(block.marks) + (1 if self.columns.gutter else 2)
            case Divider():
                return 3 if block.opening else 2
            case Panel():
                return len(block.lines) + 2
            case Live():
                return 1
            case _:
                assert_never(block)

    # -- speeches ------------------------------------------------------------------------------

    def speech(self, speech: Speech) -> list[Strip]:
        """A message or a reply."""
        rows = self.words(speech.text)
        if "aside" in speech.marks:
            quiet = self._inks.quiet
            rows = [[Segment(part.text, quiet) for part in row] for row in rows]
        rows.extend(self._mark_row(mark, speech) for mark in speech.marks if mark != "rehearsal")
        if not rows or (len(rows) == 1 and "rehearsal" in speech.marks and self.columns.gutter):
            rows.append([])
        strips = self.framed(rows, own=speech.own, first=not self.columns.gutter)
        strips = self.with_name(strips, speech)
        return [*strips, self.blank()]

    def words(self, text: str) -> list[Row]:
        """Markdown as rows of the text column; plain where the renderer cannot cope with it."""
        from perdure.tui.transcript.markdown import MessageMarkdown

        clean = sanitise(text).strip("\n")
        if not clean:
            return []
        options = self._console.options.update(width=self.columns.text, height=None)
        options.encoding = "ascii" if self._glyphs.rule.isascii() else "utf-8"
        try:
            lines = self._console.render_lines(
                MessageMarkdown(clean, self._code_theme), options, style=self._inks.text, pad=False
            )
        except Exception:  # noqa: BLE001 - a stranger's Markdown must not end the chat
            return self.plain(clean)
        rows = [_safe(line) for line in lines]
        while rows and not _has_words(rows[-1]):
            rows.pop()
        while rows and not _has_words(rows[0]):
            rows.pop(0)
        return rows

    def plain(self, text: str, style: Style | None = None) -> list[Row]:
        """Plain text, folded at the column's edge."""
        rows: list[Row] = []
        ink = self._inks.text if style is None else style
        for line in sanitise(text).expandtabs(4).split("\n"):
            rows.extend([Segment(part, ink)] for part in _folded(line, self.columns.text))
        return rows

    def framed(self, rows: Sequence[Row], *, own: bool, first: bool = False) -> list[Strip]:
        """Rows of words set between the gutter and the right edge.

        ``first`` adds the row above the words on which narrow screens put the name.
        """
        framed = [self._frame(row, own=own) for row in rows]
        return [self._frame([], own=own), *framed] if first else framed

    def with_name(self, strips: list[Strip], speech: Speech | Live) -> list[Strip]:
        """The first row with the speaker's name and the time put in."""
        own = isinstance(speech, Speech) and speech.own
        at = speech.at if isinstance(speech, Speech) else None
        clock = f"{at:%H:%M}" if at is not None and self.columns.times else ""
        name = sanitise(speech.speaker).replace("\n", " ").replace("\t", " ")
        ink = self._inks.you if own else self._inks.companion
        named = [self._named(strips[0], name, ink, clock), *strips[1:]] if strips else strips
        if "rehearsal" in speech.marks:
            self._label(named, f"{self._glyphs.rehearsal} rehearsal")
        return named

    def _label(self, strips: list[Strip], label: str) -> None:
        """A few quiet words under the name, or beside it where the name is above."""
        columns = self.columns
        if not columns.gutter:
            name = strips[0].text.rstrip()
            start = cell_len(name) + 2 if not name.endswith(tuple("0123456789")) else 0
            if start and start + cell_len(label) < columns.width:
                middle = Strip([Segment(label, self._inks.quiet)])
                strips[0] = Strip.join(
                    [strips[0].crop(0, start), middle, strips[0].crop(start + middle.cell_length)]
                )
            return
        if len(strips) > 1:
            words = Segment(label.rjust(columns.gutter - 1) + " ", self._inks.quiet)
            rest = strips[1].crop(columns.margin + columns.gutter)
            strips[1] = Strip([Segment(" " * columns.margin), words, *rest])

    def blank(self) -> Strip:
        """An empty row."""
        return Strip([Segment(" " * self.columns.width)], self.columns.width)

    def _frame(self, row: Row, *, own: bool) -> Strip:
        columns = self.columns
        bar = " " if own else self._glyphs.bar
        left = [Segment(" " * (columns.margin + columns.gutter)), Segment(bar, self._inks.bar)]
        words = Strip(row).adjust_cell_length(columns.text)
        rest = columns.width - columns.before_text - columns.text
        return Strip(
            [*left, Segment(" "), *words, Segment(" " * max(0, rest))],
        ).adjust_cell_length(columns.width)

    def _named(self, strip: Strip, name: str, ink: Style, clock: str) -> Strip:
        columns = self.columns
        room = columns.gutter - 1 if columns.gutter else columns.width - columns.times - 6
        shown = _shortened(name, room, self._glyphs.ellipsis)
        if columns.gutter:
            pad = room - cell_len(shown)
            head = [Segment(" " * (columns.margin + pad)), Segment(shown, ink), Segment(" ")]
            middle = strip.crop(columns.margin + columns.gutter, columns.before_text + columns.text)
        else:
            head = [Segment(" " * columns.margin), *strip.crop(columns.margin, columns.margin + 2)]
            head.append(Segment(shown, ink))
            middle = Strip([])
        used = sum(segment.cell_length for segment in head) + middle.cell_length
        right = (
            columns.before_text + columns.text + columns.times
            if columns.gutter
            else columns.width - 1
        )
        tail = Segment(clock.rjust(max(0, right - used)), self._inks.quiet)
        return Strip([*head, *middle, tail]).adjust_cell_length(columns.width)

    def _mark_row(self, mark: Mark, speech: Speech) -> Row:
        glyphs = self._glyphs
        through = sanitise(speech.through).replace("\n", " ")
        shown = {
            "interrupted": (glyphs.stopped, "interrupted here; what came is kept"),
            "stand-in": (glyphs.stand_in, f"stand-in: {through}" if through else "stand-in"),
            "unanswered": (glyphs.unanswered, "unanswered"),
            "rehearsal": (glyphs.rehearsal, "rehearsal"),
            "queued": (glyphs.waiting, "queued, will be sent as soon as possible"),
            "uncommitted": (glyphs.waiting, "in the journal, not committed yet"),
            "answers": (glyphs.before, "{} / {} {}".format(*speech.answers, glyphs.after)),
            "aside": (glyphs.offline, "set aside: kept, but out of prompts"),
        }
        sign, words = shown[mark]
        ink = (
            self._inks.warning
            if mark in {"interrupted", "unanswered", "uncommitted"}
            else self._inks.quiet
        )
        line = _shortened(f"{sign} {words}", self.columns.text, glyphs.ellipsis)
        return [Segment(line, ink)]

    # -- the rest ------------------------------------------------------------------------------

    def _divider(self, divider: Divider) -> list[Strip]:
        columns, inks = self.columns, self._inks
        room = columns.width - 2 * columns.margin
        label = f" {divider.label}"
        title = sanitise(divider.title).replace("\n", " ")
        if title:
            space = room - cell_len(label) - 12
            title = f" {self._glyphs.separator} {_shortened(title, space, self._glyphs.ellipsis)}"
        length = cell_len(label) + cell_len(title) + 1
        left = max(2, (room - length) // 2)
        right = max(2, room - length - left)
        row = Strip(
            [
                Segment(" " * columns.margin),
                Segment(self._glyphs.rule * left, inks.rule),
                Segment(label, inks.quiet),
                Segment(f"{title} ", inks.title),
                Segment(self._glyphs.rule * right, inks.rule),
            ]
        ).adjust_cell_length(columns.width)
        rows = [row, self.blank()]
        return [self.blank(), *rows] if divider.opening else rows

    def _panel(self, panel: Panel) -> list[Strip]:
        inks = self._inks
        ink = {"info": inks.quiet, "warning": inks.warning, "error": inks.error}[panel.level]
        sign = self._glyphs.separator if panel.level == "info" else self._glyphs.warning
        rows = self.plain(f"{sign} {panel.title}", ink)
        for line in panel.lines:
            rows.extend(self.plain(line, inks.quiet))
        return [*self.framed(rows, own=True), self.blank()]


def _folded(line: str, width: int) -> Iterable[str]:
    """A line in parts of at most ``width`` cells, broken at a space where there is one."""
    while cell_len(line) > width:
        part = line[:width]
        while cell_len(part) > width:
            part = part[:-1]
        cut = part.rfind(" ")
        end = cut + 1 if cut > width // 3 else max(1, len(part))
        yield line[:end]
        line = line[end:]
    yield line


def _shortened(text: str, cells: int, ellipsis: str) -> str:
    if cell_len(text) <= cells:
        return text
    room = max(0, cells - cell_len(ellipsis))
    return (
        set_cell_size(text, room).rstrip() + ellipsis
        if room
        else set_cell_size(text, max(0, cells))
    )


def _safe(row: Iterable[Segment]) -> Row:
    """A rendered row without what must not reach a terminal.

    The text was sanitised before it was parsed, but Markdown decodes entities: ``&#x202e;`` is a
    bidirectional control again afterwards.
    """
    return [
        Segment(sanitise(segment.text).replace("\n", " ").replace("\t", " "), segment.style)
        for segment in row
        if not segment.control
    ]


def _has_words(row: Row) -> bool:
    return any(segment.text.strip() or (segment.style and segment.style.bgcolor) for segment in row)
