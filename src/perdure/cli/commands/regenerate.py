"""``perdure regenerate``."""

from __future__ import annotations

import sys

import click

from perdure.cli.options import given
from perdure.cli.plans import branch_name_option, confirm_plan, plan_options
from perdure.cli.render.output import as_json
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import chosen_companion


@click.command("regenerate")
@click.argument("turn", metavar="TURN", default="@")
@branch_name_option
@click.option(
    "--backend",
    default="",
    metavar="NAME",
    help="Let this backend give the answer, just once; a hosted one is sent the conversation.",
)
@plan_options
def command(turn: str, name: str, backend: str) -> None:
    """Ask for another answer to a turn, by default the last one.

    The new answer replaces the old one, which is kept: perdure alternatives lists them, perdure
    choose swaps them. Ctrl-C ends the answer; the part that came is kept. If nothing comes,
    everything stays as it was.

    For an earlier turn, a new branch starts there; the old branch keeps its name and everything
    that came after. A greeting is replaced by the next one in persona/greetings.
    """
    from perdure.actions.turns.regenerate import plan_regenerate
    from perdure.actions.workspace import Workspace

    path = chosen_companion()
    with Workspace.open(path) as workspace:
        plan = plan_regenerate(workspace, turn, name, progress=IndexProgress())
    lines = plan.describe() if plan.rewind or given("--dry-run") else []
    if not confirm_plan(lines, "Start a branch there?", is_safe=plan.rewind is None):
        as_json({"plan": plan.to_dict(), "turn": None})
        return
    from perdure.cli.chat.turn import run_turn

    branch = plan.rewind.name if plan.rewind else ""
    sys.exit(run_turn(path, lambda session: session.regenerate(str(plan.turn), branch), backend))
