"""``perdure aside``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from perdure.cli.options import dry_run_option, given
from perdure.cli.render.output import as_json, print_line, print_styled, styled
from perdure.cli.target import open_workspace, usual_options

if TYPE_CHECKING:
    from perdure.actions.memory.exclude import ExcludedRow


@click.command("aside")
@click.argument("turns", metavar="TURN[..TURN]", required=False)
@click.option("--back", is_flag=True, help="Bring them back into prompts.")
@click.option("--list", "lists", is_flag=True, help="List what is set aside.")
@click.option("--reason", default="", metavar="TEXT", help="The reason, kept with them.")
@dry_run_option
@usual_options
def command(turns: str | None, *, back: bool, lists: bool, reason: str) -> None:
    """Set turns aside: they stay in the history but out of prompts.

    Both ends of a range are included: 3..7 in the last conversation, or whole ids. Each range is
    one file in memory/aside and one commit; --back, or perdure undo, takes it back.
    """
    if lists == (turns is not None):
        raise click.UsageError("give TURN, TURN..TURN, or --list")
    from perdure.actions.memory import exclude

    with open_workspace() as workspace:
        if turns is None:
            _show(exclude.excluded_rows(workspace))
            return
        plan = exclude.plan_exclude(workspace, turns, back=back, reason=reason)
        commit = None if given("--dry-run") else exclude.exclude_turns(workspace, plan)
    if as_json({"plan": plan.to_dict(), "commit": commit}):
        return
    print_line("\n".join(plan.describe()))
    if given("--dry-run"):
        print_line("Nothing was changed.")


def _show(rows: list[ExcludedRow]) -> None:
    if as_json([row.to_dict() for row in rows]):
        return
    if not rows:
        print_line("Nothing is set aside.")
    for row in rows:
        what = ", ".join([*(str(one) for one in row.aside.turns), *row.aside.facts])
        print_styled(styled(what, "yellow"), styled(f"  {row.words}"))
        if row.aside.reason:
            print_styled(styled(f"  {row.aside.reason}", dim=True))
