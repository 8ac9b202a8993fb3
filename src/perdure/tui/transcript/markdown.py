"""Markdown for messages: line breaks are kept, HTML is shown as text, addresses in full."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import (
    BlockQuote,
    CodeBlock,
    Heading,
    HorizontalRule,
    ListElement,
    ListItem,
    Markdown,
    MarkdownElement,
    TableElement,
)
from rich.rule import Rule
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table

_HIGHLIGHT_LIMIT = 20_000
"""Characters of code beyond which colouring costs more than it tells."""


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """CommonMark without what would hide words.

    HTML would vanish, link definitions would vanish, and an image would be known by its caption
    without its address.
    """
    parser = MarkdownIt("commonmark", {"html": False})
    return parser.enable(["strikethrough", "table"]).disable(["image", "reference"])


class _PlainHeading(Heading):
    """A heading on the left; Rich centres the first level."""

    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = dict.fromkeys(
        ("h1", "h2", "h3", "h4", "h5", "h6"), "left"
    )


class _Code(CodeBlock):
    """A code block on its own ground, one cell of air at its sides."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        ground = console.get_style("markdown.code_block")
        lexer = self.lexer_name if len(code) <= _HIGHLIGHT_LIMIT else "text"
        yield Syntax(
            code,
            lexer,
            theme=self.theme,
            word_wrap=True,
            padding=(0, 1),
            background_color=ground.bgcolor.name if ground.bgcolor is not None else "default",
        )


class _Quote(BlockQuote):
    """A quotation, its bar drawn with the sign that the terminal can show."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(
            self.elements, options.update(width=max(1, options.max_width - 2)), style=self.style
        )
        bar = Segment("│ " if options.encoding.startswith("utf") else "| ", self.style)
        for line in lines:
            yield bar
            yield from line
            yield Segment.line()


class _Item(ListItem):
    """A list item; the bullet becomes plain where the terminal has no better."""

    def render_bullet(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in super().render_bullet(console, options):
            if isinstance(segment, Segment) and segment.text == " • ":
                sign = " • " if options.encoding.startswith("utf") else " * "
                yield Segment(sign, segment.style)
            else:
                yield segment


class _Rule(HorizontalRule):
    """A short rule."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        sign = "─" if options.encoding.startswith("utf") else "-"
        yield Rule(style=console.get_style("markdown.hr"), characters=sign)


class _Table(TableElement):
    """A table without the empty rows that Rich's box has at its edges; long cells are folded."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                part.show_edge = False
                for column in part.columns:
                    column.overflow = "fold"
            yield part


class MessageMarkdown(Markdown):
    """Rich's Markdown with the parser and the elements above. ``text`` is sanitised already."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _PlainHeading,
        "fence": _Code,
        "code_block": _Code,
        "blockquote_open": _Quote,
        "list_item_open": _Item,
        "bullet_list_open": ListElement,
        "ordered_list_open": ListElement,
        "hr": _Rule,
        "table_open": _Table,
    }

    def __init__(self, text: str, code_theme: str) -> None:
        super().__init__("", code_theme=code_theme, hyperlinks=False)
        self.markup = text
        self.parsed = _parser().parse(text)
        for token in self.parsed:
            _keep_line_breaks(token)


def _keep_line_breaks(token: Token) -> None:
    """People press enter where they mean a new line; CommonMark alone would join the lines."""
    for child in token.children or ():
        if child.type == "softbreak":
            child.type = "hardbreak"
        _keep_line_breaks(child)
