"""``perdure archive``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.plans import careful_options, confirm_plan, print_edits
from perdure.cli.render.output import emit_json, json_option, print_line, progress_line
from perdure.cli.target import chosen_companion, companion_option

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
@careful_options
@companion_option
@json_option
def command(folder: Path | None, *, reopen: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Archive a companion: make a copy of everything, tag it, and end the conversation.

    The copy is a folder with a git bundle (all branches and tags, checked after writing) and every
    conversation as plain Markdown. From then on you can read her but not chat with her, until
    --reopen. If she is already archived, this writes another copy.
    """
    from perdure.actions.companion.archive import archive, plan_archive
    from perdure.actions.workspace import Workspace

    with Workspace.open(chosen_companion()) as workspace:
        if reopen:
            _reopen(workspace, dry_run=dry_run, as_json=as_json)
            return
        plan = plan_archive(workspace, folder.expanduser() if folder else None)
        copy = None
        if confirm_plan(
            plan.describe(), f"Archive {plan.name}?", dry_run=dry_run, yes=yes, as_json=as_json
        ):
            print_edits(workspace.commit_hand_edits())
            with progress_line(f"Writing {plan.folder}"):
                copy = archive(workspace, plan)
    if as_json:
        made = None
        if copy is not None:
            made = {"bundle": str(copy.bundle), "sha256": copy.sha256}
        emit_json({"plan": plan.to_dict(), "copy": made})
    elif copy is not None:
        print_line(
            f"{copy.bundle} contains everything; it was read back and every object "
            f"compared. Conversations in the reading copy: {copy.conversations}."
        )


def _reopen(workspace: Workspace, *, dry_run: bool, as_json: bool) -> None:
    from perdure.actions.companion.archive import reopen

    commit = None if dry_run else reopen(workspace)
    if as_json:
        emit_json({"name": workspace.settings.name, "commit": commit})
    elif commit is None:
        print_line(f"{workspace.settings.name} would be out of the archive. Nothing was changed.")
    else:
        print_line(f"{workspace.settings.name} is out of the archive. Talk: perdure chat")
