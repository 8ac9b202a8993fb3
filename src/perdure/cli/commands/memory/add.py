"""``perdure memory add``."""

from __future__ import annotations

import click

from perdure.cli.options import dry_run_option, given
from perdure.cli.plans import print_edits
from perdure.cli.render.memory import print_done
from perdure.cli.target import open_workspace, usual_options


@click.command("add")
@click.argument("topic")
@click.argument("fact")
@click.option("--turn", default="", metavar="TURN", help="The turn it was learned from.")
@click.option("--pin", is_flag=True, help="Put it before all others.")
@dry_run_option
@usual_options
def add(topic: str, fact: str, turn: str, *, pin: bool) -> None:
    """Write down a fact: one more line in memory/facts/TOPIC.md, committed in your name.

    Shows existing facts that say the same, or the opposite, beside it.
    """
    from perdure.actions.memory.facts import commit_plan, known, plan_add_fact

    with open_workspace() as workspace:
        if not given("--dry-run"):
            print_edits(workspace.commit_hand_edits())
        plan = plan_add_fact(workspace, known(workspace), topic, fact, turn=turn, pinned=pin)
        commit = None if given("--dry-run") else commit_plan(workspace, plan)
    print_done(plan, commit)
