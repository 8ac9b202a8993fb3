"""Differences between text files in colour: by word, or by line as git shows them."""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import click

from perdure.cli.render.output import styled
from perdure.git.diff.words import Kind, changed_lines, compare, split_lines
from perdure.snapshot.revisions.diff import MOST_SHOWN, TextChange
from perdure.terminal.glyphs import wants_colour
from perdure.terminal.sanitise import sanitise

_MOST_LINES = 2_000
"""Lines printed for one file; a difference longer than that is cut, and says so."""


def difference_lines(changes: Sequence[TextChange], *, words: bool) -> Iterator[str]:
    """The lines to print for all changes, file by file."""
    for change in changes[:MOST_SHOWN]:
        yield styled(f"{change.verb} {change.path}", bold=True)
        if change.not_shown:
            yield styled(f"  {change.not_shown}", dim=True)
        else:
            shown = _by_words if words else _by_lines
            yield from _bounded(shown(change.old or "", change.new or ""))
        yield ""
    if len(changes) > MOST_SHOWN:
        rest = len(changes) - MOST_SHOWN
        yield styled(f"and {rest:,} more files; --json lists them, git shows them", dim=True)


def difference_records(changes: Sequence[TextChange]) -> list[dict[str, object]]:
    """The changes as plain data.

    Path, what happened, both texts (None where there is no file, or none that can be compared), and
    the pieces of text that are the same, gone, or have come.
    """
    return [
        {
            "path": change.path,
            "what": change.verb,
            "old": None if change.sizes else change.old,
            "new": None if change.sizes else change.new,
            "pieces": None
            if change.sizes
            else [
                [piece.kind, piece.text] for piece in compare(change.old or "", change.new or "")
            ],
        }
        for change in changes
    ]


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == _MOST_LINES:
            yield styled(f"  cut here after {_MOST_LINES:,} lines; --json has all of it", dim=True)
            return
        yield line


def _by_lines(old: str, new: str) -> Iterator[str]:
    before, after = ([line.removesuffix("\n") for line in split_lines(text)] for text in (old, new))
    lines = difflib.unified_diff(before, after, lineterm="", n=2)
    for number, line in enumerate(lines):
        if number < 2:
            continue
        if line.startswith("@@"):
            yield styled(line, "cyan")
        elif line.startswith("+"):
            yield styled(line, "green")
        elif line.startswith("-"):
            yield styled(line, "red")
        else:
            yield styled(line)
    if old.endswith("\n") != new.endswith("\n") and old and new:
        yield styled("\\ one of them has no line end at its end", dim=True)


def _by_words(old: str, new: str) -> Iterator[str]:
    """Changed lines with context, with removed and added words marked."""
    around: list[str] = []
    is_begun = False
    for is_gap, row in changed_lines(old, new):
        is_begun &= not is_gap
        line = "".join(_mark(piece.kind, piece.text) for piece in row.pieces)
        if is_begun:
            yield line
            continue
        around = [line] if is_gap else [*around, line]
        if row.changed:
            yield styled(f"@@ line {row.number} @@", "cyan")
            yield from around
            around, is_begun = [], True


@lru_cache(maxsize=1)
def _coloured() -> bool:
    """Whether colours reach the screen: click strips them for any pager but `less`."""
    if not (sys.stdout.isatty() and sys.stdin.isatty() and wants_colour()):
        return False
    pager = shlex.split(os.environ.get("PAGER", "")) or ["less" if shutil.which("less") else ""]
    flags = os.environ.get("LESS", "") + " ".join(pager[1:])
    return Path(pager[0]).name == "less" and (not flags or "r" in flags.lower())


def _mark(kind: Kind, text: str) -> str:
    """Text in its colour; without colours, removed words as [-…-] and added ones as {+…+}."""
    clean = sanitise(text)
    if kind == "same":
        return clean
    if not _coloured():
        return f"[-{clean}-]" if kind == "gone" else f"{{+{clean}+}}"
    blank = not clean.strip()
    if kind == "gone":
        return click.style(clean, fg="red", strikethrough=not blank or None, reverse=blank or None)
    return click.style(clean, fg="green", bold=True, reverse=blank or None)
