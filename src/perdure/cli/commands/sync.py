"""``perdure push``, ``pull``, ``sync`` and ``backup``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

from perdure.cli.options import given, yes_option
from perdure.cli.render.output import as_json, print_line
from perdure.cli.render.progress import SpokenProgress
from perdure.cli.target import open_repository, open_workspace, usual_options
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.git.errors import HistoryError
    from perdure.git.remotes.settings import Remote
    from perdure.rescue.sync import SyncResult

_UNPROVEN = 3

keep_option = click.option(
    "--keep",
    type=click.Choice(["here", "there"]),
    help="Which side counts where something was lost on the other.",
)


@click.command("sync")
@click.argument("remote", required=False)
@keep_option
@yes_option
@usual_options
def command(remote: str | None, keep: Literal["here", "there"] | None) -> None:
    """Bring this companion and a remote to the same state, both ways.

    Conversations are combined and never conflict. Where both sides changed the same lines of the
    persona, the newer change counts and the other is kept to choose from. Nothing is ever forced:
    if one side has lost a tenth of its turns, a persona file or a month, or was put back to an
    earlier state, it stops and says so, and --keep decides.

    Without REMOTE: all of them.
    """
    _run(remote, keep=keep)


@click.command("push")
@click.argument("remote", required=False)
@keep_option
@yes_option
@usual_options
def push(remote: str | None, keep: Literal["here", "there"] | None) -> None:
    """Send what is new to a remote: all branches, tags and kept lines.

    Without REMOTE: to all of them. If the remote has something that is not here, perdure sync
    brings both together.
    """
    _run(remote, takes=False, keep=keep)


@click.command("pull")
@click.argument("remote", required=False)
@keep_option
@usual_options
def pull(remote: str | None, keep: Literal["here", "there"] | None) -> None:
    """Get what a remote has and this machine lacks, and bring it together with what is here.

    Without REMOTE: from all of them.
    """
    _run(remote, gives=False, keep=keep)


@click.command("backup")
@yes_option
@usual_options
def backup() -> None:
    """Push to every remote, and say what is not proven to be safe.

    Exit code 3: something is on no remote, or no restore is proven (perdure drill).
    """
    from perdure.views.proof import proof_state

    _run(None, takes=False)
    with open_repository() as repo:
        state = proof_state(repo)
    if state is not None and not state.is_well:
        print_line(f"perdure: {state}. To prove that a restore works: perdure drill", err=True)
        sys.exit(_UNPROVEN)


def _run(
    name: str | None,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Literal["here", "there"] | None = None,
) -> None:
    from perdure.git.errors import HistoryError
    from perdure.rescue.run import chosen_remotes, sync_each

    progress = SpokenProgress()
    done: list[SyncResult] = []
    problems: list[HistoryError] = []
    with open_workspace() as workspace:
        remotes = [_keep_secret(workspace, each) for each in chosen_remotes(workspace.repo, name)]
        if gives:
            for remote in remotes:
                _agree_to_first_push(workspace, remote, progress)
        for _, found in sync_each(
            workspace, remotes, takes=takes, gives=gives, keep=keep, progress=progress
        ):
            progress.clear()
            if isinstance(found, HistoryError):
                problems.append(found)
            else:
                done.append(found)
        places = _places(workspace) if any(each.came for each in done) else 0
    if not as_json([each.to_dict() for each in done]):
        from perdure.cli.render.sync import result_lines

        for result in done:
            for line in result_lines(result):
                print_line(line)
        if places:
            differ = plural(places, "place differs", "places differ")
            print_line(f"{differ} between your devices. To see both: perdure conflicts")
    _end(done, problems)


def _keep_secret(workspace: Workspace, remote: Remote) -> Remote:
    """Move a password that somebody else wrote into the remote's address, and say so."""
    from perdure.git.wire.errors import RemoteProblem
    from perdure.rescue.run import keep_secret

    if remote.secret is None:
        return remote
    try:
        remote = keep_secret(workspace.repo, remote)
    except RemoteProblem:
        # Said in its turn, after the remotes before it.
        return remote
    print_line(
        f"The password in the address of {remote.name} is in the keyring by now, and no longer in "
        ".git/config.",
        err=True,
    )
    return remote


def _places(workspace: Workspace) -> int:
    """How many places two devices changed differently, and nobody has settled."""
    from perdure.actions.sync.conflicts import recent_places

    tip = workspace.repo.head().commit
    return recent_places(workspace.repo, tip) if tip else 0


def _agree_to_first_push(workspace: Workspace, remote: Remote, progress: SpokenProgress) -> None:
    """Show what a first push would take along that looks like keys, and ask.

    Where nobody agrees, that is said in its turn, after the remotes before it.
    """
    from perdure.git.wire.errors import RemoteProblem
    from perdure.rescue.first_push import HoldsFindings, check_first_push

    try:
        check_first_push(workspace.repo, remote, progress)
    except HoldsFindings as problem:
        from perdure.actions.companion.outgoing_check import accept
        from perdure.cli.input.ask import ask_yes_no, on_terminal

        progress.clear()
        for line in problem.findings.describe():
            print_line(line, err=True)
        agreed = given("--yes") or (
            on_terminal() and ask_yes_no(f"Push all of it to {remote.name} all the same?")
        )
        if agreed:
            accept(workspace.repo, problem.findings, remote.url)
    except RemoteProblem:
        return


def _end(done: list[SyncResult], problems: list[HistoryError]) -> None:
    """Fail with the first problem; the others are said before it."""
    from perdure.rescue.sync import not_level

    left = [problem for result in done if (problem := not_level(result)) is not None]
    found = [*problems, *left]
    for each in found[:-1]:
        print_line(f"perdure: {each}", err=True)
    if found:
        raise found[-1]
