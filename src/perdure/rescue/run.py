"""Runs a sync with one remote or with all of them, each with what must be looked at first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from perdure.git.remotes.settings import Remote, find_remote, list_remotes
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.errors import RemoteProblem
from perdure.rescue.first_push import check_first_push
from perdure.rescue.guards import Side
from perdure.rescue.sync import Sync, SyncResult

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.git.repository.repository import Repository
    from perdure.git.wire.transport import Transport


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
def opened(remote: Remote) -> Iterator[Transport]:
    """The way to a remote. Raises RemoteProblem."""
    transport = connect(parse_address(remote.url), name=remote.name)
    try:
        yield transport
    finally:
        transport.close()


def sync_with(
    workspace: Workspace,
    remote: Remote,
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Side | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> SyncResult:
    """Sync with one remote. Arguments and errors as for `Sync` and `check_first_push`."""
    if gives:
        check_first_push(workspace.repo, remote, progress)
    with opened(remote) as transport:
        sync = Sync(
            workspace, remote, transport, takes=takes, gives=gives, keep=keep, progress=progress
        )
        return sync.run()


def sync_each(
    workspace: Workspace,
    remotes: Sequence[Remote],
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Side | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Remote, SyncResult | RemoteProblem]]:
    """Sync with several remotes, one after another; one that fails keeps none from its turn."""
    for remote in remotes:
        try:
            yield (
                remote,
                sync_with(
                    workspace, remote, takes=takes, gives=gives, keep=keep, progress=progress
                ),
            )
        except RemoteProblem as problem:
            yield remote, problem
