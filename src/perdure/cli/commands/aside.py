"""``perdure aside``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.render.output import emit_json, json_option, print_line, print_styled, styled
from perdure.cli.target import chosen_companion, companion_option

if TYPE_CHECKING:
    from perdure.actions.memory.exclude import ExcludedRow


@click.command("aside")
@click.argument("turns", metavar="TURN[..TURN]", required=False)
@click.option("--back", is_flag=True, help="Bring them back into prompts.")
@click.option("--list", "lists", is_flag=True, help="List what is set aside.")
@click.option("--reason", default="", metavar="TEXT", help="The reason, kept with them.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, and change nothing.")
@companion_option
@json_option
def command(
    turns: str | None, *, back: bool, lists: bool, reason: str, dry_run: bool, as_json: bool
) -> None:
    """Set turns aside: they stay in the history but out of prompts.

    Both ends of a range are included: 3..7 in the last conversation, or whole ids. Each range is
    one file in memory/aside and one commit; --back, or perdure undo, takes it back.
    """
    if lists == (turns is not None):
        raise click.UsageError("give TURN, TURN..TURN, or --list")
    from perdure.actions.memory import exclude
    from perdure.actions.workspace import Workspace

    with Workspace.open(chosen_companion()) as workspace:
        if turns is None:
            _show(exclude.excluded_rows(workspace), as_json=as_json)
            return
        plan = exclude.plan_exclude(workspace, turns, back=back, reason=reason)
        commit = None if dry_run else exclude.exclude_turns(workspace, plan)
    if as_json:
        emit_json({"plan": plan.to_dict(), "commit": commit})
        return
    for line in plan.describe():
        print_line(line)
    if dry_run:
        print_line("Nothing was changed.")


def _show(rows: list[ExcludedRow], *, as_json: bool) -> None:
    if as_json:
        emit_json([row.to_dict() for row in rows])
        return
    if not rows:
        print_line("Nothing is set aside.")
    for row in rows:
        what = ", ".join([*(str(one) for one in row.aside.turns), *row.aside.facts])
        print_styled(styled(what, "yellow"), styled(f"  {row.words}"))
        if row.aside.reason:
            print_styled(styled(f"  {row.aside.reason}", dim=True))
