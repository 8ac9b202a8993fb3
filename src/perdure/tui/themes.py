"""The program's own two themes; Textual's built-in ones stay available."""

from __future__ import annotations

from collections.abc import Mapping

from rich.terminal_theme import TerminalTheme
from textual.color import Color
from textual.theme import Theme

DARK = Theme(
    name="perdure-dark",
    primary="#7fa8c9",
    secondary="#5f7f99",
    accent="#d8a26a",
    foreground="#d9d5cc",
    background="#15171c",
    surface="#1a1d23",
    panel="#22262e",
    success="#8fb573",
    warning="#e0b35c",
    error="#dc766f",
    dark=True,
    variables={
        "transcript-you": "#8b97a8",
        "transcript-quiet": "#757d8a",
        "transcript-rule": "#343943",
        "transcript-bar": "#8a6a48",
        "border": "#4b6478",
        "border-blurred": "#2d323b",
        "footer-key-foreground": "#d8a26a",
        "input-selection-background": "#7fa8c9 35%",
        "scrollbar": "#343943",
        "scrollbar-hover": "#4a515e",
        "scrollbar-active": "#7fa8c9",
        "scrollbar-background": "#15171c",
        "scrollbar-background-hover": "#15171c",
        "scrollbar-background-active": "#15171c",
        "scrollbar-corner-color": "#15171c",
        "block-cursor-background": "#2b3440",
        "block-cursor-foreground": "#f1ede4",
        "block-cursor-blurred-background": "#22262e",
        "block-cursor-blurred-foreground": "#d9d5cc",
        "screen-selection-background": "#33506a",
        "screen-selection-foreground": "#f4f1ea",
    },
)

LIGHT = Theme(
    name="perdure-light",
    primary="#36678f",
    secondary="#5d7f9a",
    accent="#9a5b23",
    foreground="#2f2d29",
    background="#fbf9f5",
    surface="#f4f1ea",
    panel="#eae6dc",
    success="#46743a",
    warning="#8a5f0c",
    error="#ad3d36",
    dark=False,
    variables={
        "transcript-you": "#5c6673",
        "transcript-quiet": "#767268",
        "transcript-rule": "#d8d2c5",
        "transcript-bar": "#c99f72",
        "border": "#8aa7bd",
        "border-blurred": "#d8d2c5",
        "footer-key-foreground": "#9a5b23",
        "input-selection-background": "#36678f 25%",
        "scrollbar": "#d8d2c5",
        "scrollbar-hover": "#bdb6a6",
        "scrollbar-active": "#36678f",
        "scrollbar-background": "#fbf9f5",
        "scrollbar-background-hover": "#fbf9f5",
        "scrollbar-background-active": "#fbf9f5",
        "scrollbar-corner-color": "#fbf9f5",
        "block-cursor-background": "#dfe7ee",
        "block-cursor-foreground": "#1f1d1a",
        "block-cursor-blurred-background": "#eae6dc",
        "block-cursor-blurred-foreground": "#2f2d29",
        "screen-selection-background": "#bcd3e6",
        "screen-selection-foreground": "#1f1d1a",
    },
)

OWN = (DARK, LIGHT)
WIDTHS = [(0, "-narrow"), (90, "-normal"), (130, "-wide")]
"""Cells of width from which a screen has a class that the style sheet knows."""


def ansi_colours(theme: Theme) -> TerminalTheme:
    """Red, green and their like as a theme has them: what is drawn by these names fits in."""
    names = (
        theme.panel,
        theme.error,
        theme.success,
        theme.warning,
        theme.primary,
        theme.accent,
        theme.secondary,
        theme.foreground,
    )
    colours = [_rgb(name) for name in names]
    return TerminalTheme(_rgb(theme.background), _rgb(theme.foreground), colours, colours)


def _rgb(name: str | None) -> tuple[int, int, int]:
    return Color.parse(name or "#000000").rgb


def derived(variables: Mapping[str, str]) -> dict[str, str]:
    """The transcript's own variables, from a theme's common ones."""
    foreground, accent = variables["foreground"], variables["accent"]
    return {
        "transcript-you": variables["secondary"],
        "transcript-quiet": f"{foreground} 60%",
        "transcript-rule": f"{foreground} 25%",
        "transcript-bar": f"{accent} 60%",
    }
