"""``perdure switch``."""

from __future__ import annotations

import click

from perdure.cli.completion import complete_branches
from perdure.cli.options import given
from perdure.cli.plans import print_result
from perdure.cli.render.output import print_line
from perdure.cli.target import open_workspace, usual_options


@click.command("switch")
@click.argument("name", shell_complete=complete_branches)
@usual_options
def command(name: str) -> None:
    """Switch to another branch: its files and its conversation.

    What you edited by hand is committed first, on the branch that you leave.
    """
    from perdure.actions.history import branch

    with open_workspace(lacking=True) as workspace:
        before = workspace.repo.head().branch
        operation = branch.check_out_branch(workspace, name)
    if operation is None and not given("--json"):
        print_line(f"You are already on {name}.")
    back = f" Go back with: perdure switch {before}" if before and before != name else ""
    print_result(
        {"branch": name, "leaves": before}, operation, said=f"You are now on {name}.{back}"
    )
