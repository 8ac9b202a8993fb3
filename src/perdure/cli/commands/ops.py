"""``perdure ops``."""

from __future__ import annotations

import click

from perdure.cli.render.output import as_json, show_lines, styled
from perdure.cli.target import open_workspace, usual_options

_MARKS = {"undo": "u", "redo": "r", "": " "}


@click.command("ops")
@click.option("-n", "limit", type=click.IntRange(min=1), default=30, help="At most this many.")
@click.option("--all", "everything", is_flag=True, help="All, without a limit.")
@usual_options
def command(limit: int, *, everything: bool) -> None:
    """List past operations, newest first: turns, edits, rewinds, switches, merges, tags, undos.

    `u` marks what perdure undo takes back next, `r` the undo that perdure redo takes back, and `-`
    what is already undone. The list belongs to this machine and is not pushed.
    """
    from perdure.actions.history import undo

    with open_workspace(lacking=True, reading=True) as workspace:
        rows = undo.list_operations(workspace, None if everything else limit)
    if as_json([row.to_dict() for row in rows]):
        return
    show_lines(
        styled(f"{'-' if row.is_undone else _MARKS[row.mark]} ", "yellow")
        + styled(f"{row.entry.at:%Y-%m-%d %H:%M}  ", dim=True)
        + styled(row.entry.kind, "cyan", dim=row.is_undone)
        + styled(f": {row.words}", dim=row.is_undone)
        for row in rows
    )
