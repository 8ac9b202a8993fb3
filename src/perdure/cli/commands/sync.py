"""``perdure push``, ``pull``, ``sync`` and ``backup``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from perdure.cli.options import given, yes_option
from perdure.cli.remotes import print_outcome, synced
from perdure.cli.render.output import as_json, print_line
from perdure.cli.render.proof import end_by_state
from perdure.cli.target import announced, chosen_companion, open_repository, usual_options

if TYPE_CHECKING:
    from perdure.rescue.attended import SyncOutcome

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
        has_remote = proof_state(repo) is not None
    done = _synced(None, takes=False) if has_remote else None
    with open_repository() as repo:
        state = proof_state(repo)
    rows = done.to_dicts() if done else []
    problems = done.problems() if done else []
    if not as_json({"state": state.to_dict() if state else None, "remotes": rows}) and done:
        print_outcome(done)
    for problem in problems:
        print_line(f"perdure: {problem}", err=True)
    end_by_state(state, is_whole=not problems)


def _run(
    name: str | None,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Literal["here", "there"] | None = None,
) -> None:
    done = _synced(name, takes=takes, gives=gives, keep=keep)
    if not as_json(done.to_dicts()):
        print_outcome(done, gives=gives)
    problems = done.problems()
    for problem in problems[:-1]:
        print_line(f"perdure: {problem}", err=True)
    if problems:
        raise problems[-1]


def _synced(
    name: str | None,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Literal["here", "there"] | None = None,
) -> SyncOutcome:
    """Sync with the remote of that name, or with all. Raises HistoryError where none is there."""
    path = announced(chosen_companion())
    return synced(path, name, takes=takes, gives=gives, keep=keep, is_agreed=given("--yes"))
