"""``perdure memory add``."""

from __future__ import annotations

import click

from perdure.cli.plans import print_edits
from perdure.cli.render.memory import print_done, show_beside
from perdure.cli.render.output import json_option
from perdure.cli.target import chosen_companion, companion_option


@click.command("add")
@click.argument("topic")
@click.argument("fact")
@click.option("--turn", default="", metavar="TURN", help="The turn it was learned from.")
@click.option("--pin", is_flag=True, help="Put it before all others.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, and change nothing.")
@companion_option
@json_option
def add(topic: str, fact: str, turn: str, *, pin: bool, dry_run: bool, as_json: bool) -> None:
    """Write down a fact: one more line in memory/facts/TOPIC.md, committed in your name.

    Shows existing facts that say the same, or the opposite, beside it.
    """
    from perdure.actions.memory.facts import commit_plan, known, plan_add_fact
    from perdure.actions.workspace import Workspace

    with Workspace.open(chosen_companion()) as workspace:
        if not dry_run:
            print_edits(workspace.commit_hand_edits())
        plan = plan_add_fact(workspace, known(workspace), topic, fact, turn=turn, pinned=pin)
        commit = None if dry_run else commit_plan(workspace, plan)
    if not as_json:
        show_beside(plan.like, plan.against)
    print_done(plan, commit, as_json=as_json)
