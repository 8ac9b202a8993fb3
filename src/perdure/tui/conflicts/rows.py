"""A file in conflict as text: one row, and what each side says."""

from __future__ import annotations

from rich.text import Text

from perdure.actions.history.merge import UnfinishedMerge
from perdure.git.merge.plan import FileConflict
from perdure.plural import plural
from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise
from perdure.tui.dialogs.question import one_row


def conflict_row(conflict: FileConflict, glyphs: Glyphs) -> Text:
    """The file, and how much of it is to be settled."""
    sign = glyphs.saved if conflict.settled else glyphs.warning
    row = Text().append(f"{sign} ", "green" if conflict.settled else "yellow")
    row.append(one_row(conflict.path), "bold")
    row.append(f"  {_what(conflict)}", "dim")
    return row


def conflict_text(conflict: FileConflict, join: UnfinishedMerge, glyphs: Glyphs) -> Text:
    """What each side says, place by place, and what can be done."""
    text = Text().append(one_row(conflict.path), "bold")
    text.append(f"\n{_what(conflict)}\n", "dim")
    here, there = one_row(join.branch), one_row(join.name)
    places = len(conflict.pairs)
    for number, sides in enumerate(conflict.pairs, 1):
        if places > 1:
            text.append(f"\nconflict {number} of {places}", "dim")
        for name, where, words in zip((here, there), ("here", "there"), sides, strict=True):
            text.append(f"\n{name}", "bold")
            text.append(f", {where}\n", "dim")
            text.append(quoted(words, glyphs))
    text.append("\n" + "\n".join(_next_steps(conflict, here, there)), "dim")
    return text


def _what(conflict: FileConflict) -> str:
    if conflict.settled:
        return "resolved"
    match conflict.kind:
        case "text":
            return plural(len(conflict.pairs), "conflict")
        case "removed":
            return {
                "ours": "deleted here, changed there",
                "theirs": "changed here, deleted there",
            }.get(conflict.gone, "deleted on both sides")
        case _:
            return "not text, and different on both sides"


def _next_steps(conflict: FileConflict, here: str, there: str) -> list[str]:
    if conflict.settled:
        return ["It has no conflict markers left; the version in the folder is used."]
    if conflict.kind == "removed":
        goes, stays = (here, there) if conflict.gone == "ours" else (there, here)
        keys = ("o", "t") if conflict.gone == "ours" else ("t", "o")
        return [
            f"{keys[0]}  delete it, as on {goes}",
            f"{keys[1]}  keep it, as on {stays}",
        ]
    steps = [f"o  the whole file as on {here}", f"t  the whole file as on {there}"]
    if conflict.kind == "text":
        steps.append("E  your editor: keep what stays, delete the markers")
    return steps


def quoted(words: bytes, glyphs: Glyphs) -> Text:
    """What one side says, line by line, a bar before each."""
    text = Text()
    lines = sanitise(words.decode("utf-8", "replace")).rstrip("\n")
    for line in lines.split("\n") if lines else ["(nothing)"]:
        text.append(f"{glyphs.bar} ", "dim")
        text.append(f"{line}\n", "" if lines else "dim")
    return text
