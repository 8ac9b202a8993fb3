"""``perdure regenerate``."""

from __future__ import annotations

import sys

import click

from perdure.cli.plans import careful_options, confirm_plan
from perdure.cli.render.output import emit_json, json_option
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import chosen_companion, companion_option


@click.command("regenerate")
@click.argument("turn", metavar="TURN", default="@")
@click.option(
    "--as", "name", default="", metavar="NAME", help="Name of the new branch, if one is needed."
)
@click.option(
    "--backend",
    default="",
    metavar="NAME",
    help="Let this backend give the answer, just once; a hosted one is sent the conversation.",
)
@careful_options
@companion_option
@json_option
def command(
    turn: str, name: str, backend: str, *, dry_run: bool, yes: bool, as_json: bool
) -> None:  # fmt: skip
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
    agreed = confirm_plan(
        plan.describe() if plan.rewind or dry_run else [],
        "Start a branch there?",
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
        is_safe=plan.rewind is None,
    )
    if not agreed:
        if as_json:
            emit_json({"plan": plan.to_dict(), "turn": None})
        return
    from perdure.cli.chat.turn import run_turn

    branch = plan.rewind.name if plan.rewind else ""
    sys.exit(
        run_turn(
            path,
            lambda session: session.regenerate(str(plan.turn), branch),
            as_json=as_json,
            backend=backend,
        )
    )
