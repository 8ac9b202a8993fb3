"""``perdure choose``."""

from __future__ import annotations

import click

from perdure.cli.plans import branch_name_option, confirm_plan, plan_options
from perdure.cli.render.output import as_json, print_line
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import open_workspace


@click.command("choose")
@click.argument("turn", metavar="TURN")
@click.argument("number", metavar="N", type=click.IntRange(1))
@branch_name_option
@plan_options
def command(turn: str, number: int, name: str) -> None:
    """Show answer N to a turn; perdure alternatives lists the answers.

    The two swap places and keep their numbers. For an earlier turn, a new branch starts there; the
    old branch keeps its name and everything that came after.
    """
    from perdure.actions.turns.answers import choose, plan_choice

    with open_workspace() as workspace:
        plan = plan_choice(workspace, turn, number, name, progress=IndexProgress())
        rewind, done, result = plan.again.rewind, None, None
        if confirm_plan(plan.describe(), "Start a branch there?", is_safe=rewind is None):
            done = choose(workspace, plan)
            result = {"turn": str(done.turn), "commit": done.commit, "branch": done.branch}
    if not as_json({"plan": plan.to_dict(), "done": result}) and done and rewind:
        print_line(f"You are now on {done.branch}. Go back with: perdure switch {rewind.leaves}")
