"""``perdure remove``."""

from __future__ import annotations

import click

from perdure.cli.options import dry_run_option, given, json_option, yes_option
from perdure.cli.plans import confirm_plan
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import chosen_companion, complete_names, home


@click.command("remove")
@click.argument("name", shell_complete=complete_names)
@click.option(
    "--typed",
    default="",
    metavar="NAME",
    help="The companion's name, to remove her without a copy.",
)
@dry_run_option
@yes_option
@json_option
def command(name: str, typed: str) -> None:
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
        needs_name = plan.copy is None and not given("--dry-run")
        if needs_name and not typed and on_terminal():
            print_line("\n".join(plan.describe()), err=True)
            typed = ask(f"Type the name ({plan.name}) to remove her without a copy")
        if needs_name:
            check_agreed(plan, typed)
        if confirm_plan(plan.describe(), f"Remove {plan.name}?", is_agreed=needs_name):
            place = remove(workspace, plan)
    record = {"plan": plan.to_dict(), "trash": str(place) if place else None}
    if not as_json(record) and place is not None:
        print_line(f"{plan.name} is in {place}. To restore her, move the folder back.")
