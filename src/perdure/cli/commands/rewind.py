"""``perdure rewind``."""

from __future__ import annotations

import click

from perdure.cli.plans import confirm_plan, plan_options, print_edits, print_result
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import open_workspace


@click.command("rewind")
@click.argument("turn", metavar="TURN")
@click.option("--as", "name", default="", metavar="NAME", help="Name of the new branch.")
@plan_options
def command(turn: str, name: str) -> None:
    """Continue from an earlier turn, on a new branch; the old branch keeps its name.

    TURN is `@` (the last one), `@-3`, a number in the last conversation, a piece of a turn's id, a
    date (the last turn on it), or a revision. Persona and memory are as they were then.

    To take back one change and keep the conversation since, use perdure revert. To take this back,
    use perdure undo.
    """
    from perdure.actions.history.rewind import plan_rewind, rewind

    with open_workspace() as workspace:
        plan = plan_rewind(workspace, turn, name, IndexProgress())
        operation = None
        if confirm_plan(plan.describe(), f"Rewind to {turn}?"):
            print_edits(workspace.commit_hand_edits())
            operation = rewind(workspace, plan)
        said = f"You are now on {plan.name}. Go back with: perdure switch {plan.leaves}"
        if workspace.repo.remotes():
            # "git push backup main" goes on saying that everything is up to date.
            said += "\nNo remote has this branch yet: perdure push"
        print_result(plan.to_dict(), operation, said=said)
