"""Selecting with the mouse: row numbers that survive scrolling, and the source that is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

from perdure.tui.transcript.blocks import Block, Divider, Speech
from perdure.tui.transcript.painter import Columns
from perdure.tui.transcript.scrollback import Location, Scrollback

_BITS = 20
_MASK = (1 << _BITS) - 1


def address(location: Location) -> int:
    """A row's number for Textual's selections.

    Textual only compares these. A count of rows would slide under a selection whenever an
    estimated height above it is corrected; this does not.
    """
    return (location.page << (2 * _BITS)) | (location.block << _BITS) | location.row


def location_of(line: int) -> Location:
    """The location that has this address."""
    return Location(line >> (2 * _BITS), (line >> _BITS) & _MASK, line & _MASK)


def with_selection(strip: Strip, start: int, end: int, columns: Columns, style: Style) -> Strip:
    """A row with the selected cells marked, as far as they are words; ``end`` -1: to its end."""
    left = max(strip.index_to_cell_position(start), columns.before_text)
    last = columns.before_text + columns.text
    right = last if end < 0 else min(last, strip.index_to_cell_position(end))
    if right <= left:
        return strip
    marked = [
        Segment(text, (own + style) if own else style) for text, own, _ in strip.crop(left, right)
    ]
    return Strip.join([strip.crop(0, left), Strip(marked), strip.crop(right)])


def selected_source(
    selection: Selection,
    back: Scrollback,
    window: Sequence[Location],
    row_at: Callable[[Location], Strip],
    columns: Columns,
) -> str:
    """The source text under a selection; names are put before speeches where it spans several.

    An end that lies outside the transcript is taken to be the view's.
    """
    first = location_of(selection.start.y) if selection.start is not None else window[0]
    last = location_of(selection.end.y) if selection.end is not None else window[-1]
    start_x = selection.start.x if selection.start is not None else 0
    end_x = selection.end.x if selection.end is not None else None
    parts: list[tuple[str, str]] = []
    here: tuple[int, int] | None = (first.page, first.block)
    while here is not None and here <= (last.page, last.block):
        page, block = here
        rows = [row_at(Location(page, block, row)) for row in range(back.height(page, block))]
        cells = [
            strip.crop(columns.before_text, columns.before_text + columns.text) for strip in rows
        ]
        lines = [strip.text for strip in cells]
        start = 0
        if here == (first.page, first.block) and first.row < len(rows):
            start = _index(
                lines, first.row, _column(rows[first.row], start_x, columns, lines[first.row])
            )
        end = sum(len(line) + 1 for line in lines)
        if here == (last.page, last.block) and end_x is not None and last.row < len(rows):
            end = _index(lines, last.row, _column(rows[last.row], end_x, columns, lines[last.row]))
        name, text = _words(back.blocks(page)[block], "\n".join(lines), start, end)
        if text:
            parts.append((name, text))
        here = back.after(page, block)
    speeches = [name for name, _ in parts if name]
    if len(speeches) <= 1:
        return "\n\n".join(text for name, text in parts if name or not speeches)
    return "\n\n".join(f"{name}: {text}" if name else text for name, text in parts)


def _words(block: Block, shown: str, start: int, end: int) -> tuple[str, str]:
    """Who said what was selected of a block, and the words."""
    if isinstance(block, Speech):
        return block.speaker, source_under(shown, block.text, start, end)
    return "", block.label if isinstance(block, Divider) else shown[start:end].strip()


def _column(strip: Strip, x: int, columns: Columns, line: str) -> int:
    """An index into a row's whole text as an index into its words."""
    cells = cell_len(strip.text[:x]) - columns.before_text
    index = 0
    while index < len(line) and cell_len(line[:index]) < cells:
        index += 1
    return index


def _index(lines: Sequence[str], row: int, column: int) -> int:
    return sum(len(line) + 1 for line in lines[:row]) + column


_LOOKAHEAD = 160
"""Source characters that may lie between two shown ones: link addresses, fences, emphasis."""


def source_under(shown: str, source: str, start: int, end: int) -> str:
    """The part of ``source`` from which ``shown[start:end]`` was drawn.

    Rendering drops marks, folds lines and adds bullets, but keeps the order of the words; so the
    shown characters are found one after another in the source, and those that are not there were
    drawn by the renderer.
    """
    locations: list[int | None] = []
    at = 0
    for character in shown:
        found = -1 if character.isspace() else source.find(character, at, at + _LOOKAHEAD)
        if found < 0:
            locations.append(None)
        else:
            locations.append(found)
            at = found + 1
    marked = [location for location in locations[start:end] if location is not None]
    if not marked:
        return ""
    everything = [location for location in locations if location is not None]
    first = 0 if marked[0] == everything[0] else marked[0]
    last = len(source) if marked[-1] == everything[-1] else marked[-1] + 1
    return source[first:last].strip("\n")
