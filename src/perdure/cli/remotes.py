"""A sync on the command line, as a command of its own or between two lines of a chat."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

from perdure.cli.render.output import print_line
from perdure.cli.render.progress import SpokenProgress
from perdure.plural import plural

if TYPE_CHECKING:
    from pathlib import Path

    from perdure.actions.companion.outgoing_check import HistoryFindings
    from perdure.actions.workspace import Workspace
    from perdure.git.remotes.settings import Remote
    from perdure.rescue.attended import SyncOutcome


def print_outcome(done: SyncOutcome, *, gives: bool = True) -> None:
    """Say it in lines for people; what went wrong is left out."""
    for line in done.describe(gives=gives):
        print_line(line)
    if done.conflicts:
        differ = plural(done.conflicts, "place differs", "places differ")
        print_line(f"{differ} between your devices. To see both: perdure conflicts")


def synced(
    path: Path,
    name: str | None = None,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Literal["here", "there"] | None = None,
    is_agreed: bool = False,
) -> SyncOutcome:
    """Sync the companion at ``path``; what is done beside that is said on stderr.

    Args:
        path: her folder.
        name: of the remote; None: all of them.
        takes: whether what the remote has comes here.
        gives: whether what is here goes there.
        keep: which side counts where something was lost on the other.
        is_agreed: what looks like keys may be pushed without a question.

    Raises:
        HistoryError: there is no such remote.
    """
    from perdure.git.remotes.early import connected_early

    progress = SpokenProgress()
    with connected_early(path, name) if gives else nullcontext() as early:
        # While the remote answers.
        from perdure.actions.workspace import Workspace
        from perdure.rescue import attended

        with Workspace.open(path) as workspace:
            remotes = attended.chosen_for(workspace, name, _note)
            if gives:
                attended.save_edits(workspace, _note)
                for remote, findings in attended.unagreed_findings(workspace, remotes, progress):
                    progress.clear()
                    _agree(workspace, remote, findings, is_agreed=is_agreed)
            try:
                return attended.sync_attended(
                    workspace,
                    remotes,
                    takes=takes,
                    gives=gives,
                    keep=keep,
                    progress=progress,
                    early=early,
                )
            finally:
                progress.clear()


def _note(text: str) -> None:
    print_line(text, err=True)


def _agree(
    workspace: Workspace, remote: Remote, findings: HistoryFindings, *, is_agreed: bool
) -> None:
    """Show what a first push would take along that looks like keys, and ask.

    Where nobody agrees, that is said in its turn, after the remotes before it.
    """
    from perdure.actions.companion.outgoing_check import accept
    from perdure.cli.input.ask import ask_yes_no, on_terminal

    for line in findings.describe():
        print_line(line, err=True)
    words = f"Push all of it to {remote.name} all the same?"
    if is_agreed or (on_terminal() and ask_yes_no(words)):
        accept(workspace.repo, findings, remote.url)
