"""``perdure archive``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.options import given
from perdure.cli.plans import confirm_plan, plan_options, print_edits
from perdure.cli.render.output import as_json, print_line, progress_line
from perdure.cli.target import open_workspace

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace


@click.command("archive")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    help="A new folder for the copy.  [default: beside the companion]",
)
@click.option("--reopen", is_flag=True, help="Take her out of the archive to chat again.")
@plan_options
def command(folder: Path | None, *, reopen: bool) -> None:
    """Archive a companion: make a copy of everything, tag it, and end the conversation.

    The copy is a folder with a git bundle (all branches and tags, checked after writing) and every
    conversation as plain Markdown. From then on you can read her but not chat with her, until
    --reopen. If she is already archived, this writes another copy.
    """
    from perdure.actions.companion.archive import archive, plan_archive

    with open_workspace() as workspace:
        if reopen:
            _reopen(workspace)
            return
        plan = plan_archive(workspace, folder.expanduser() if folder else None)
        copy = None
        if confirm_plan(plan.describe(), f"Archive {plan.name}?"):
            print_edits(workspace.commit_hand_edits())
            with progress_line(f"Writing {plan.folder}"):
                copy = archive(workspace, plan)
    made = {"bundle": str(copy.bundle), "sha256": copy.sha256} if copy is not None else None
    if not as_json({"plan": plan.to_dict(), "copy": made}) and copy is not None:
        print_line(
            f"{copy.bundle} contains everything; it was read back and every object "
            f"compared. Conversations in the reading copy: {copy.conversations}."
        )


def _reopen(workspace: Workspace) -> None:
    from perdure.actions.companion.archive import reopen

    commit = None if given("--dry-run") else reopen(workspace)
    name = workspace.settings.name
    if as_json({"name": name, "commit": commit}):
        return
    if commit is None:
        print_line(f"{name} would be out of the archive. Nothing was changed.")
    else:
        print_line(f"{name} is out of the archive. Chat: perdure chat")
