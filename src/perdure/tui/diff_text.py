"""Differences by words, as lines of text: `+` and `-` before whole lines, brackets inside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich.text import Text

from perdure.git.diff.words import Row, changed_lines
from perdure.snapshot.revisions.diff import TextChange
from perdure.terminal.sanitise import sanitise

_MOST_LINES = 1_500
Ink = Literal["same", "gone", "come", "head", "quiet"]
Line = list[tuple[Ink, str]]


def difference(changes: Sequence[TextChange]) -> list[Line]:
    """Lines that tell all changes, one file after another."""
    lines: list[Line] = []
    for change in changes:
        if lines:
            lines.append([])
        lines.append([("head", f"{change.verb} {change.path}")])
        if change.not_shown:
            lines.append([("quiet", change.not_shown)])
            continue
        for line in _by_words(change.old or "", change.new or ""):
            if len(lines) >= _MOST_LINES:
                lines.append([("quiet", "… cut here; perdure diff shows all of it")])
                return lines
            lines.append(line)
    return lines


def inked(lines: Sequence[Line], styles: dict[Ink, str]) -> Text:
    """The lines in their colours; signs and brackets say the same without any."""
    text = Text()
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for ink, words in line:
            text.append(sanitise(words), styles.get(ink, ""))
    return text


def _by_words(old: str, new: str) -> Iterator[Line]:
    for place, (is_gap, row) in enumerate(changed_lines(old, new)):
        if is_gap and place:
            yield [("quiet", f"  line {row.number}")]
        yield _line(row)


def _line(row: Row) -> Line:
    kinds = {piece.kind for piece in row.pieces}
    if not kinds or kinds == {"same"}:
        return [("same", "  " + "".join(piece.text for piece in row.pieces))]
    if kinds == {"come"}:
        return [("come", "+ " + "".join(piece.text for piece in row.pieces))]
    if kinds == {"gone"}:
        return [("gone", "- " + "".join(piece.text for piece in row.pieces))]
    line: Line = [("same", "  ")]
    for piece in row.pieces:
        if piece.kind == "same":
            line.append(("same", piece.text))
        else:
            marks = ("[-", "-]") if piece.kind == "gone" else ("{+", "+}")
            line.append((piece.kind, f"{marks[0]}{piece.text}{marks[1]}"))
    return line
