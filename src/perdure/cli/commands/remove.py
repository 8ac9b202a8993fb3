"""``perdure remove``."""

from __future__ import annotations

import click

from perdure.cli.plans import careful_options, confirm_plan
from perdure.cli.render.output import emit_json, json_option, print_line
from perdure.cli.target import chosen_companion, complete_names, home


@click.command("remove")
@click.argument("name", shell_complete=complete_names)
@click.option(
    "--typed",
    default="",
    metavar="NAME",
    help="The companion's name, to remove her without a copy.",
)
@careful_options
@json_option
def command(name: str, typed: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Move a companion's folder to the trash.

    Only if there is a proven copy of everything: a bundle written by perdure archive, unchanged
    since it was checked, with every branch and tag as they are now. Otherwise you have to type the
    companion's name.
    """
    from perdure.actions.companion.remove import check_agreed, plan_remove, remove
    from perdure.actions.workspace import Workspace
    from perdure.cli.input.ask import ask, on_terminal

    with Workspace.open(chosen_companion(name), reading=True) as workspace:
        plan = plan_remove(workspace, home())
        place = None
        needs_name = plan.copy is None and not dry_run
        if needs_name and not typed and on_terminal():
            for line in plan.describe():
                print_line(line, err=True)
            typed = ask(f"Type the name ({plan.name}) to remove her without a copy")
        if needs_name:
            check_agreed(plan, typed)
        if confirm_plan(
            plan.describe(),
            f"Remove {plan.name}?",
            dry_run=dry_run,
            yes=yes or needs_name,
            as_json=as_json,
        ):
            place = remove(workspace, plan)
    if as_json:
        emit_json({"plan": plan.to_dict(), "trash": str(place) if place else None})
    elif place is not None:
        print_line(f"{plan.name} is in {place}. To restore her, move the folder back.")
