"""``perdure choose``."""

from __future__ import annotations

import click

from perdure.cli.plans import careful_options, confirm_plan
from perdure.cli.render.output import emit_json, json_option, print_line
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import chosen_companion, companion_option


@click.command("choose")
@click.argument("turn", metavar="TURN")
@click.argument("number", metavar="N", type=click.IntRange(1))
@click.option(
    "--as", "name", default="", metavar="NAME", help="Name of the new branch, if one is needed."
)
@careful_options
@companion_option
@json_option
def command(
    turn: str, number: int, name: str, *, dry_run: bool, yes: bool, as_json: bool
) -> None:  # fmt: skip
    """Show answer N to a turn; perdure alternatives lists the answers.

    The two swap places and keep their numbers. For an earlier turn, a new branch starts there; the
    old branch keeps its name and everything that came after.
    """
    from perdure.actions.turns.answers import choose, plan_choice
    from perdure.actions.workspace import Workspace

    with Workspace.open(chosen_companion()) as workspace:
        plan = plan_choice(workspace, turn, number, name, progress=IndexProgress())
        done = None
        if confirm_plan(
            plan.describe(),
            "Start a branch there?",
            dry_run=dry_run,
            yes=yes,
            as_json=as_json,
            is_safe=plan.again.rewind is None,
        ):
            done = choose(workspace, plan)
    if as_json:
        result = None
        if done:
            result = {"turn": str(done.turn), "commit": done.commit, "branch": done.branch}
        emit_json({"plan": plan.to_dict(), "done": result})
    elif done and plan.again.rewind is not None:
        leaves = plan.again.rewind.leaves
        print_line(f"You are now on {done.branch}. Go back with: perdure switch {leaves}")
