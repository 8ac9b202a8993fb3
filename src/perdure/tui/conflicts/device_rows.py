"""A conflict between devices as text: one row for each place, and what each device says."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from perdure.actions.sync.conflicts import Choice, ConflictHunk, ConflictSide, OpenConflict
from perdure.terminal.glyphs import Glyphs
from perdure.tui.conflicts.rows import quoted
from perdure.tui.dialogs.question import one_row

WHAT = {
    "removed": "removed on one device, changed on the other; it is still there",
    "whole": "taken whole from one device",
    "folder": "a file on one device, a folder on the other; the folder is there",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a file that two devices changed differently.

    Attributes:
        conflict: the file.
        at: which of its places.
    """

    conflict: OpenConflict
    at: int

    @property
    def hunk(self) -> ConflictHunk:
        """What stands against each other."""
        return self.conflict.hunks[self.at]

    @property
    def is_whole(self) -> bool:
        """Whether only the whole file can be chosen."""
        return self.conflict.kind != "text"

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What can be chosen, besides words of one's own where both is among it."""
        if self.conflict.kind == "folder":
            return ("keep",)
        return ("keep", "other") if self.is_whole else ("keep", "other", "both")

    @property
    def keys(self) -> list[tuple[object, ...]]:
        """What it is known by: one of these for each merge that holds it."""
        return [(self.conflict.path, *origin) for origin in self.hunk.origins]


def places_of(conflicts: list[OpenConflict]) -> list[Place]:
    """All places, one after another."""
    return [Place(each, at) for each in conflicts for at in range(len(each.hunks))]


def place_row(place: Place, glyphs: Glyphs) -> Text:
    """The file, and where in it."""
    row = Text().append(f"{glyphs.warning} ", "yellow")
    row.append(one_row(place.conflict.path), "bold")
    row.append(f"  {_where(place)}", "dim")
    return row


def place_text(place: Place, glyphs: Glyphs) -> Text:
    """What each device says, and what can be done."""
    conflict, hunk = place.conflict, place.hunk
    text = Text().append(one_row(conflict.path), "bold")
    text.append(f"\n{_where(place)}\n", "dim")
    sides = (("in use", conflict.kept, hunk.kept), ("other", conflict.other, hunk.other))
    for name, side, words in sides:
        text.append(f"\n{name}", "bold")
        text.append(f", {_who(side)}\n", "dim")
        text.append(quoted(words, glyphs))
    text.append("\n" + "\n".join(_next_steps(place)), "dim")
    return text


def _where(place: Place) -> str:
    if place.is_whole:
        return WHAT.get(place.conflict.kind, "")
    return f"line {place.hunk.start + 1}"


def _who(side: ConflictSide) -> str:
    return f"{one_row(side.author)}, {side.at:%Y-%m-%d %H:%M}"


def _next_steps(place: Place) -> list[str]:
    if place.conflict.kind == "folder":
        return ["o  keep the folder"]
    if place.is_whole:
        other = "keep" if place.conflict.other_content is not None else "remove"
        return ["o  keep it as it is", f"t  {other} it, as on the other device"]
    return [
        "o  keep what is in use",
        "t  take the other one",
        "b  both, one after the other",
        "e  words of your own",
    ]
