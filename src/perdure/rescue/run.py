"""Runs a sync with one remote or with all of them, each with what must be looked at first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from perdure.git.errors import HistoryError
from perdure.git.remotes.record import Pause, read_record, write_record
from perdure.git.remotes.settings import Remote, clean_address, find_remote, list_remotes
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.errors import (
    ChangedHostKey,
    NeedsTyping,
    RemoteProblem,
    SignInRefused,
    UnknownHostKey,
)
from perdure.rescue.first_push import HoldsFindings, PublicPlace, check_first_push
from perdure.rescue.guards import Side
from perdure.rescue.sync import Sync, SyncResult, not_level

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.git.repository.repository import Repository
    from perdure.git.wire.connect import EarlyConnection
    from perdure.git.wire.transport import Transport


_WAITS_FOR_SOMEBODY = (
    NeedsTyping, UnknownHostKey, ChangedHostKey, SignInRefused, HoldsFindings, PublicPlace
)  # fmt: skip


def chosen_remotes(repo: Repository, name: str | None) -> list[Remote]:
    """The remote of that name, or all of them.

    Raises:
        RemoteProblem: there is none.
    """
    if name is not None:
        return [find_remote(repo, name)]
    found = list_remotes(repo)
    if not found:
        raise RemoteProblem(
            "this companion has no remote yet",
            "everything is on this machine, and only here",
            "perdure remote add backup ADDRESS",
        )
    return found


@contextmanager
def opened(remote: Remote, early: EarlyConnection | None = None) -> Iterator[Transport]:
    """The way to a remote. Raises RemoteProblem."""
    transport = connect(parse_address(remote.url), name=remote.name, early=early)
    try:
        yield transport
    finally:
        transport.close()


def keep_secret(repo: Repository, remote: Remote) -> Remote:
    """Move the password that stands in a remote's address into the keyring.

    Returns:
        The remote, whose address has none any more.

    Raises:
        SignInRefused: there is no keyring, or it refuses; the address stays as it is.
        HistoryError: git's configuration cannot be written.
    """
    if remote.secret is None:
        return remote
    from perdure.git.wire.credentials import store_token, token_variable

    user, secret = remote.secret.user, remote.secret.secret
    try:
        store_token(parse_address(remote.url), user, secret, name=remote.name)
    except SignInRefused as problem:
        raise SignInRefused(
            f"the address of {remote.name} in .git/config has a password, and {problem.what}",
            "nothing was sent, and it stays there",
            f"set {token_variable(remote.name)} in the environment, and take it out there: "
            f"git remote set-url {remote.name} {remote.url}",
        ) from None
    clean_address(repo, remote)
    return replace(remote, secret=None)


def sync_with(
    workspace: Workspace,
    remote: Remote,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Side | None = None,
    progress: Callable[[str], None] = lambda _: None,
    early: EarlyConnection | None = None,
) -> SyncResult:
    """Sync with one remote. Arguments and errors: `Sync`, `check_first_push`, `keep_secret`."""
    remote = keep_secret(workspace.repo, remote)
    if gives:
        check_first_push(workspace.repo, remote, progress)
    with opened(remote, early) as transport:
        sync = Sync(
            workspace, remote, transport, takes=takes, gives=gives, keep=keep, progress=progress
        )
        return sync.run()


def sync_by_itself(workspace: Workspace) -> bool:
    """Sync with every remote that is not paused, nobody looking on; what fails is written down.

    Where somebody would have to do something first, such as type a password, syncing with that
    remote is paused until ``perdure sync`` has worked.

    Returns:
        Whether nothing is left that may go better by itself later.
    """
    is_done = True
    for remote in list_remotes(workspace.repo):
        if read_record(workspace.repo, remote.name, remote.url).pause is not None:
            continue
        problem: HistoryError | None
        try:
            result = sync_with(workspace, remote)
            problem = not_level(result) if result.pause is None else None
        except HistoryError as caught:
            problem = caught
        if problem is not None:
            is_done = _note_trouble(workspace.repo, remote, problem) and is_done
    return is_done


def _note_trouble(repo: Repository, remote: Remote, problem: HistoryError) -> bool:
    """Write down why nothing was synced; returns whether that waits for somebody."""
    is_paused = isinstance(problem, _WAITS_FOR_SOMEBODY)
    pause = Pause(problem.what) if is_paused else None
    _note(repo, remote, trouble="" if is_paused else problem.what, pause=pause)
    return is_paused


def _note(repo: Repository, remote: Remote, trouble: str, pause: Pause | None) -> None:
    record = read_record(repo, remote.name, remote.url)
    record = msgspec.structs.replace(record, trouble=trouble, pause=pause, tried_at=time.time())
    write_record(repo, remote.name, record)


def sync_each(
    workspace: Workspace,
    remotes: Sequence[Remote],
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Side | None = None,
    progress: Callable[[str], None] = lambda _: None,
    early: EarlyConnection | None = None,
) -> Iterator[tuple[Remote, SyncResult | HistoryError]]:
    """Sync with several remotes, one after another; one that fails keeps none from its turn."""
    for remote in remotes:
        try:
            yield (
                remote,
                sync_with(
                    workspace,
                    remote,
                    takes=takes,
                    gives=gives,
                    keep=keep,
                    progress=progress,
                    early=early,
                ),
            )
        except HistoryError as problem:
            pause = read_record(workspace.repo, remote.name, remote.url).pause
            # What cannot be written here is the problem already.
            with suppress(HistoryError):
                _note(workspace.repo, remote, problem.what, pause)
            yield remote, problem
