"""``perdure switch``."""

from __future__ import annotations

import click

from perdure.cli.completion import complete_branches
from perdure.cli.plans import print_result
from perdure.cli.render.output import json_option, print_line
from perdure.cli.target import chosen_companion, companion_option


@click.command("switch")
@click.argument("name", shell_complete=complete_branches)
@companion_option
@json_option
def command(name: str, *, as_json: bool) -> None:
    """Switch to another branch: its files and its conversation.

    What you edited by hand is committed first, on the branch that you leave.
    """
    from perdure.actions.history import branch
    from perdure.actions.workspace import Workspace

    with Workspace.open(chosen_companion(lacking=True)) as workspace:
        before = workspace.repo.head().branch
        operation = branch.check_out_branch(workspace, name)
    if operation is None and not as_json:
        print_line(f"You are already on {name}.")
    back = f" Go back with: perdure switch {before}" if before and before != name else ""
    print_result(
        {"branch": name, "leaves": before},
        operation,
        as_json=as_json,
        said=f"You are now on {name}.{back}",
    )
