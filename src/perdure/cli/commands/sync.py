"""``perdure push``, ``pull``, ``sync`` and ``backup``."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import click

from perdure.cli.options import given, yes_option
from perdure.cli.render.output import as_json, print_line
from perdure.cli.render.progress import SpokenProgress
from perdure.cli.render.proof import end_by_state
from perdure.cli.target import announced, chosen_companion, open_repository, usual_options
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.git.errors import HistoryError
    from perdure.git.remotes.settings import Remote
    from perdure.rescue.sync import SyncResult

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
    if one side has lost a tenth of its turns, a file of the persona or all conversations of a
    month, or went back to an earlier state, perdure stops and says so, and --keep decides.

    Without REMOTE: all of them.
    """
    _run(remote, keep=keep)


@click.command("push")
@click.argument("remote", required=False)
@keep_option
@yes_option
@usual_options
def push(remote: str | None, keep: Literal["here", "there"] | None) -> None:
    """Send what is new to a remote: all branches and tags, and what you undid or deleted.

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

    The exit code is 0 if a restore is proven and no turn is at risk; 3 if a remote could not be
    pushed to, no restore is proven (perdure drill), or a turn is on no remote or newer than the
    proof; 1 if the last drill found a backup that cannot be restored.
    """
    from perdure.views.proof import proof_state

    with open_repository() as repo:
        done = _Done() if proof_state(repo) is None else None
    if done is None:
        done = _synced(None, takes=False)
    with open_repository() as repo:
        state = proof_state(repo)
    if not as_json({"state": state.to_dict() if state else None, "remotes": done.to_dicts()}):
        done.print()
    for problem in done.problems():
        print_line(f"perdure: {problem}", err=True)
    end_by_state(state, is_whole=not done.problems())


def _run(
    name: str | None,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Literal["here", "there"] | None = None,
) -> None:
    done = _synced(name, takes=takes, gives=gives, keep=keep)
    if not as_json(done.to_dicts()):
        done.print(gives=gives)
    problems = done.problems()
    for problem in problems[:-1]:
        print_line(f"perdure: {problem}", err=True)
    if problems:
        raise problems[-1]


@dataclass
class _Done:
    """What came of syncing with one or several remotes."""

    results: list[SyncResult] = field(default_factory=list)
    failed: list[tuple[Remote, HistoryError]] = field(default_factory=list)
    conflicts: int = 0

    def problems(self) -> list[HistoryError]:
        """What went wrong, and what was left undone."""
        from perdure.rescue.sync import not_level

        found = [_named(remote, problem) for remote, problem in self.failed]
        return found + [each for result in self.results if (each := not_level(result)) is not None]

    def to_dicts(self) -> list[dict[str, object]]:
        """As plain data, a remote each."""
        rows = [result.to_dict() for result in self.results]
        return rows + [
            {"remote": remote.name, "level": False, "problem": problem.what}
            for remote, problem in self.failed
        ]

    def print(self, *, gives: bool = True) -> None:
        """Say it in lines for people; what went wrong is left out."""
        from perdure.cli.render.sync import result_lines

        for result in self.results:
            for line in result_lines(result, gives=gives):
                print_line(line)
        if self.conflicts:
            differ = plural(self.conflicts, "place differs", "places differ")
            print_line(f"{differ} between your devices. To see both: perdure conflicts")


def _synced(
    name: str | None,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Literal["here", "there"] | None = None,
) -> _Done:
    """Sync with the remote of that name, or with all. Raises HistoryError where none is there."""
    from perdure.git.errors import HistoryError
    from perdure.git.remotes.early import connected_early

    progress = SpokenProgress()
    done = _Done()
    path = announced(chosen_companion())
    with connected_early(path, name) if gives else nullcontext() as early:
        # While the remote answers.
        from perdure.actions.workspace import Workspace
        from perdure.rescue.run import chosen_remotes, sync_each

        with Workspace.open(path) as workspace:
            chosen = chosen_remotes(workspace.repo, name)
            remotes = [_keep_secret(workspace, each) for each in chosen]
            if gives:
                _save_edits(workspace)
                for remote in remotes:
                    _agree_to_first_push(workspace, remote, progress)
            for remote, found in sync_each(
                workspace,
                remotes,
                takes=takes,
                gives=gives,
                keep=keep,
                progress=progress,
                early=early,
            ):
                progress.clear()
                if isinstance(found, HistoryError):
                    done.failed.append((remote, found))
                else:
                    done.results.append(found)
            if any(each.came for each in done.results):
                done.conflicts = _places(workspace)
    return done


def _named(remote: Remote, problem: HistoryError) -> HistoryError:
    """A problem that says which remote it is about."""
    from perdure.git.errors import HistoryError

    if re.search(rf"\b{re.escape(remote.name)}\b", problem.what):
        return problem
    return HistoryError(f"{remote.name}: {problem.what}", problem.kept, problem.next_step)


def _save_edits(workspace: Workspace) -> None:
    """Commit what was edited by hand: whoever backs up means the files that they see."""
    from perdure.actions.concerns import KINDS
    from perdure.errors import Problem

    try:
        found = workspace.repo.edits.find(tuple(KINDS))
        if not (found.ready or found.held):
            return
        from perdure.cli.plans import print_edits

        print_edits(workspace.commit_hand_edits())
    except Problem as problem:
        # What is committed goes all the same.
        print_line(f"Not committed, and so not sent: {problem}", err=True)


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
        f"The password in the address of {remote.name} was moved to the keyring; .git/config no "
        "longer has it.",
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
