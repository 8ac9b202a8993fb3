"""Conflicts between devices, in lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.cli.render.output import print_line, print_styled, styled

if TYPE_CHECKING:
    from perdure.actions.sync.conflicts import ConflictHunk, ConflictSide, OpenConflict

_WHAT = {
    "removed": "one device removed it, the other changed it; it is still there",
    "whole": "taken whole from one device",
    "folder": "a file on one device, a folder on the other; the folder is there",
}


def show_conflicts(found: Sequence[OpenConflict], file: str | None = None) -> None:
    """List conflicts with both versions; ``file``: what the list was narrowed to."""
    if not found:
        where = f" in {file}" if file else ""
        print_line(f"Nothing was changed differently on two devices{where}, or it is settled.")
        return
    for conflict in found:
        show_file(conflict)
        for hunk in conflict.hunks:
            show_hunk(conflict, hunk)
    print_line("To settle them one by one: perdure conflicts --settle")


def show_file(conflict: OpenConflict) -> None:
    """Name a file, and what is special about it."""
    what = _WHAT.get(conflict.kind, "")
    print_styled(styled(conflict.path, bold=True), styled(f"  {what}" if what else ""))


def show_hunk(conflict: OpenConflict, hunk: ConflictHunk) -> None:
    """Show both versions of a place."""
    if conflict.kind == "text":
        print_styled(styled(f"  line {hunk.start + 1}", "cyan"))
    _show_side("in use", conflict.kept, hunk.kept, "green")
    _show_side("other", conflict.other, hunk.other, "red")


def _show_side(name: str, side: ConflictSide, text: bytes, colour: str) -> None:
    print_styled(styled(f"  {name}: {side.author}, {side.at:%Y-%m-%d %H:%M}", dim=True))
    for line in text.decode("utf-8", "replace").splitlines() or ["(nothing)"]:
        print_styled(styled(f"    {line}", colour))
