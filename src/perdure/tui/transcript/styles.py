"""Styles from the style sheet, for the painter and for Rich's Markdown."""

from __future__ import annotations

from rich.console import Console
from rich.style import Style
from rich.theme import Theme as RichTheme
from textual.widget import Widget

from perdure.terminal.glyphs import Glyphs
from perdure.tui.transcript.painter import Columns, Inks, Painter

_INKS = ("text", "you", "companion", "bar", "quiet", "rule", "title", "warning", "error")
PARTS = (*_INKS, "cursor", "code", "heading", "link")
"""What the style sheet colours, each as ``transcript--PART``."""


def painter_for(view: Widget, columns: Columns, glyphs: Glyphs) -> Painter:
    """A painter in the view's present theme, for these columns.

    It has a Rich console of its own: Textual's has no place for the theme's Markdown styles.
    """
    console = Console(
        width=columns.width,
        color_system="truecolor",
        force_terminal=True,
        legacy_windows=False,
        emoji=False,
        markup=False,
        highlight=False,
        theme=_rich_theme(view),
        _environ={},
    )
    theme = view.app.current_theme
    if theme.ansi:
        code_theme = "ansi_dark" if theme.dark else "ansi_light"
    else:
        code_theme = "github-dark" if theme.dark else "default"
    return Painter(columns, _inks(view), glyphs, console, code_theme)


def ink(view: Widget, name: str, *, ground: bool = False) -> Style:
    """The style of a part of the transcript; its background only where ``ground`` asks for it."""
    style = view.get_component_rich_style(f"transcript--{name}")
    return Style(
        color=style.color,
        bgcolor=style.bgcolor if ground else None,
        bold=style.bold or None,
        italic=style.italic or None,
        underline=style.underline or None,
        dim=style.dim or None,
    )


def _inks(view: Widget) -> Inks:
    return Inks(**{name: ink(view, name) for name in _INKS})


def _rich_theme(view: Widget) -> RichTheme:
    quiet, heading, link = ink(view, "quiet"), ink(view, "heading"), ink(view, "link")
    code = ink(view, "code", ground=True)
    styles = {
        "markdown.code": code,
        "markdown.code_block": code,
        "markdown.block_quote": quiet,
        "markdown.hr": ink(view, "rule"),
        "markdown.item.bullet": ink(view, "bar"),
        "markdown.item.number": ink(view, "bar"),
        "markdown.link": link,
        "markdown.link_url": quiet,
        "markdown.table.border": ink(view, "rule"),
        "markdown.table.header": heading,
    }
    styles.update({f"markdown.h{level}": heading for level in range(1, 7)})
    return RichTheme(styles)
