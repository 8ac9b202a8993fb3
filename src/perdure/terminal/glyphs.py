"""The symbols on screen: one Unicode set, one ASCII set, and when to use colour."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Every symbol by meaning. Each is one cell wide, except `ellipsis` and `rehearsal`."""

    branch: str = "⎇"
    backend: str = "⚙"
    ready: str = "●"
    waiting: str = "◌"
    offline: str = "○"
    saved: str = "✓"
    warning: str = "▲"
    stopped: str = "◼"
    stand_in: str = "⇄"
    rehearsal: str = "◇"
    unanswered: str = "…"
    cursor: str = "▸"
    caret: str = "▌"
    bar: str = "▎"
    rule: str = "─"
    down: str = "↓"
    collapsed: str = "▸"
    expanded: str = "▾"
    filled: str = "▰"
    empty: str = "▱"
    ellipsis: str = "…"
    separator: str = "·"
    before: str = "‹"  # noqa: RUF001 - a glyph, not a less-than sign
    after: str = "›"  # noqa: RUF001 - a glyph, not a greater-than sign
    commit_here: str = "●"
    commit_aside: str = "○"
    lane: str = "│"
    lane_opens: str = "╮"
    lane_closes: str = "╯"
    lane_meets: str = "┤"
    lane_touches: str = "├"


UNICODE = Glyphs()

ASCII = Glyphs(
    branch="@",
    backend="*",
    ready="+",
    waiting="~",
    offline="-",
    saved="=",
    warning="!",
    stopped="#",
    stand_in="%",
    rehearsal="o",
    unanswered="?",
    cursor=">",
    caret="_",
    bar="|",
    rule="-",
    down="v",
    collapsed="+",
    expanded="-",
    filled="#",
    empty=".",
    ellipsis="...",
    separator="-",
    before="<",
    after=">",
    commit_here="*",
    commit_aside="o",
    lane="|",
    lane_opens="\\",
    lane_closes="/",
    lane_meets="+",
    lane_touches="+",
)


def choose_glyphs(environ: Mapping[str, str] | None = None, encoding: str | None = None) -> Glyphs:
    """The set that this terminal can show.

    ``PERDURE_ASCII=1`` (anything but empty or 0), ``TERM=dumb`` and a locale whose encoding is not
    UTF-8 ask for ASCII. ``encoding`` is the terminal's; None asks the locale.
    """
    environment = os.environ if environ is None else environ
    if environment.get("PERDURE_ASCII", "0") not in {"", "0"}:
        return ASCII
    if environment.get("TERM") == "dumb":
        return ASCII
    name = locale.getpreferredencoding(False) if encoding is None else encoding
    return UNICODE if name.lower().replace("-", "").replace("_", "") == "utf8" else ASCII


def wants_colour(environ: Mapping[str, str] | None = None) -> bool:
    """False if ``NO_COLOR`` is set to anything (https://no-color.org), or ``TERM=dumb``."""
    environment = os.environ if environ is None else environ
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
