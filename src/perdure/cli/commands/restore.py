"""``perdure restore``."""

from __future__ import annotations

import click

from perdure.cli.arguments import commit_of, path_of
from perdure.cli.completion import complete_files
from perdure.cli.plans import careful_options, confirm_plan, print_edits
from perdure.cli.render.output import emit_json, json_option, print_line
from perdure.cli.target import chosen_companion, companion_option
from perdure.errors import Problem


@click.command("restore")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=complete_files)
@click.option(
    "--at", "place", required=True, metavar="REV|DATE|TAG", help="The version to restore."
)
@careful_options
@companion_option
@json_option
def command(paths: tuple[str, ...], place: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Restore files to an earlier version, as a commit: persona, lore, memory, backends.

    PATH is a file or a folder. A file deleted since then comes back; one that did not exist then is
    removed, after being named. Conversations cannot be restored file by file: see perdure rewind.
    """
    from perdure.actions.errors import NothingToRestore
    from perdure.actions.history.restore import plan_restore, restore
    from perdure.actions.workspace import Workspace

    with Workspace.open(chosen_companion(lacking=True)) as workspace:
        commit = commit_of(workspace.repo, place)
        wanted_paths = [path_of(workspace.repo, path) for path in paths]
        try:
            plan = plan_restore(workspace, wanted_paths, commit, place)
        except NothingToRestore as same:
            _tell_same(same, as_json=as_json)
            return
        made: list[str] = []
        if confirm_plan(
            plan.describe(), "Restore this?", dry_run=dry_run, yes=yes, as_json=as_json
        ):
            edits = workspace.commit_hand_edits()
            print_edits(edits)
            if edits.committed:
                plan = plan_restore(workspace, wanted_paths, commit, place)
            made = restore(workspace, plan)
    if as_json:
        emit_json({"plan": plan.to_dict(), "commits": made})
    elif made:
        print_line("Restored. To undo: perdure undo")


def _tell_same(same: Problem, *, as_json: bool) -> None:
    print_line(f"{same}.", err=True)
    if as_json:
        emit_json({"plan": None, "commits": []})
