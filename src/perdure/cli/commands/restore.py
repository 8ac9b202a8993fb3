"""``perdure restore``."""

from __future__ import annotations

import click

from perdure.cli.arguments import commit_of, path_of
from perdure.cli.completion import complete_files
from perdure.cli.plans import confirm_plan, plan_options, print_edits
from perdure.cli.render.output import as_json, print_line
from perdure.cli.target import open_workspace


@click.command("restore")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=complete_files)
@click.option(
    "--at", "place", required=True, metavar="REV|DATE|TAG", help="The version to restore."
)
@plan_options
def command(paths: tuple[str, ...], place: str) -> None:
    """Restore files to an earlier version, as a commit: persona, lore, memory, backends.

    PATH is a file or a folder. A file deleted since then comes back; one that did not exist then is
    removed, after being named. Conversations cannot be restored file by file: see perdure rewind.
    What belongs to them stays with them when you restore memory: summaries, what you set aside,
    what waits for review; name memory/summaries to restore that too.

    Each concern is one commit: persona and memory are two.
    """
    from perdure.actions.errors import NothingToRestore
    from perdure.actions.history.restore import plan_restore, restore

    with open_workspace(lacking=True) as workspace:
        commit = commit_of(workspace.repo, place)
        wanted_paths = [path_of(workspace.repo, path) for path in paths]
        try:
            plan = plan_restore(workspace, wanted_paths, commit, place)
        except NothingToRestore as same:
            print_line(f"{same}.", err=True)
            as_json({"plan": None, "commits": []})
            return
        made: list[str] = []
        if confirm_plan(plan.describe(), "Restore this?"):
            edits = workspace.commit_hand_edits()
            print_edits(edits)
            if edits.committed:
                plan = plan_restore(workspace, wanted_paths, commit, place)
            made = restore(workspace, plan)
    if not as_json({"plan": plan.to_dict(), "commits": made}) and made:
        steps = f" -n {len(made)}" if len(made) > 1 else ""
        print_line(f"Restored. To undo: perdure undo{steps}")
