"""The rows of the timeline as text: history, branches, operations."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from perdure.actions.history.undo import OperationRow
from perdure.git.operations.branches import Branch
from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row
from perdure.tui.timeline.lanes import Drawn
from perdure.views.timeline import TimelineRow

YOU_ARE_HERE = "YOU ARE HERE"
_KIND = 10
_NO_KIND = frozenset({"mixed", "founding"})
"""Kinds in whose place the commit's own word stands."""
_WHEN = 12


def history_row(
    row: TimelineRow,
    glyphs: Glyphs,
    *,
    before: datetime | None,
    year: int,
    drawn: Drawn | None = None,
) -> Text:
    """One row of the history. ``before`` is the time of the row above: a day is shown once.

    ``year``: this one, which goes without saying. ``drawn``: the lanes of the graph, where one is
    shown.
    """
    info = row.commit
    fold = glyphs.collapsed if row.is_folded else glyphs.expanded if row.begins_run else " "
    line = Text(f"{drawn.lanes} " if drawn is not None else " ")
    line.append(_when(info.at, before, year), "dim")
    prefix, _, says = info.subject.partition(": ")
    kind = "chat" if row.turns else row.first.kind
    if kind in _NO_KIND and says and prefix.isalpha():
        kind = prefix
    line.append(f"{fold} ")
    line.append(f"{kind:<{_KIND}}", "bold" if not row.turns else "")
    for name in row.branches:
        line.append(f"{glyphs.branch} {one_row(name)}  ", "bold")
    if drawn is not None and drawn.is_tip:
        line.append(f"{YOU_ARE_HERE}  ", "bold italic")
    for name in row.tags:
        line.append(f"[{one_row(name)}]  ", "bold")
    if row.turns > 1:
        line.append(f"{row.turns} turns  ", "dim")
    added, removed = row.first.words
    if kind == "persona":
        line.append(f"+{added} -{removed} words  ", "bold")
    if row.is_answer and not row.is_folded:
        line.append("another answer to ", "dim")
    line.append(one_row(says or info.subject))
    return line


def branch_row(branch: Branch, glyphs: Glyphs, *, year: int) -> Text:
    """One branch; the current one says so."""
    sign = glyphs.ready if branch.is_current else glyphs.offline
    line = Text(f"{sign} ")
    line.append(_when(branch.at, None, year), "dim")
    line.append(one_row(branch.name), "bold")
    if branch.is_current:
        line.append(f"  {YOU_ARE_HERE}", "bold italic")
    line.append(f"  {one_row(branch.subject.partition(': ')[2] or branch.subject)}", "dim")
    return line


def operation_row(row: OperationRow, glyphs: Glyphs, *, before: datetime | None, year: int) -> Text:
    """One thing that was done; what undo and redo take next says so."""
    entry = row.entry
    sign = {"undo": glyphs.cursor, "redo": glyphs.waiting}.get(row.mark, " ")
    quiet = "dim" if row.is_undone else ""
    line = Text(f"{sign} ", "bold")
    line.append(_when(entry.at, before, year), "dim")
    line.append(f"{one_row(entry.kind):<{_KIND}}", quiet or "bold")
    if row.is_undone:
        line.append("undone  ", "italic dim")
    if row.mark:
        key = "z" if row.mark == "undo" else "Z"
        line.append(
            f"{key} {'takes this back' if row.mark == 'undo' else 'redoes this'}  ", "italic"
        )
    line.append(one_row(row.words), quiet)
    return line


def _when(at: datetime, before: datetime | None, year: int) -> str:
    """Day and time, the day only where it is another than above."""
    if before is not None and before.date() == at.date():
        return f"{at:%H:%M}".rjust(_WHEN) + "  "
    day = f"{at.day} {at:%b}" if at.year == year else f"{at:%b %Y}"
    return f"{day:>6} {at:%H:%M}".rjust(_WHEN) + "  "
