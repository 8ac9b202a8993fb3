"""Clones a companion from a remote into a repository of our own.

Nothing of the remote's settings comes along, and no backend is used before somebody has confirmed
it here. What arrives is hashed and connected before it is called a companion.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perdure.actions.agreement import begin_agreement
from perdure.actions.workspace import Workspace
from perdure.git.errors import HistoryError
from perdure.git.operations.log import SYNC, Trail
from perdure.git.operations.operation import perform
from perdure.git.refs.refs import HEADS, REMOTES
from perdure.git.remotes.fetch import Fetched, fetched
from perdure.git.remotes.record import RemoteRecord, write_record
from perdure.git.remotes.settings import add_remote
from perdure.git.repository.create import FreshRepository, fresh_repository
from perdure.git.repository.repository import Repository
from perdure.git.wire.errors import EmptyRemote
from perdure.git.wire.transport import Transport
from perdure.snapshot.companion import best_branch


@dataclass(frozen=True, slots=True)
class Cloned:
    """A companion that came from a remote.

    Attributes:
        path: her folder.
        branch: the one that is checked out.
        named: the branch that the remote's HEAD names; "" where it is not known.
        branches: how many there are.
        tags: how many there are.
        left_out: files that were not written, each with the reason.
    """

    path: Path
    branch: str
    named: str
    branches: int
    tags: int
    left_out: tuple[tuple[str, str], ...] = ()


def clone(
    transport: Transport,
    path: Path,
    *,
    url: str,
    remote: str = "origin",
    progress: Callable[[str], None] = lambda _: None,
) -> Cloned:
    """Clone a companion; the folder appears complete or not at all.

    Args:
        transport: the way to the remote.
        path: where she will be; must not exist, or be an empty folder.
        url: the address, as it is to be written into git's configuration.
        remote: name that the remote gets.
        progress: called with what is being done, in words.

    Raises:
        EmptyRemote: the remote has nothing yet.
        RemoteProblem: it cannot be reached, or sends what cannot be taken.
        HistoryError: the place is taken, or cannot be written.
    """
    with fresh_repository(path) as fresh:
        got, branch, left_out = restore_into(fresh, transport, url, progress, remote=remote)
        add_remote(fresh.repo, remote, url)
    heads = {oid for ref, oid in got.refs.items() if ref.startswith(HEADS)}
    # Without the note nothing is lost, so the clone stands all the same.
    with suppress(HistoryError), Repository.open(path) as repo:
        begin_agreement(repo)
        at = time.time()
        write_record(repo, remote, RemoteRecord(url, agreed=got.refs, synced_at=at, added_at=at))
        # What came is nothing that undo takes back.
        perform(
            repo,
            SYNC,
            f"cloned from {remote}",
            author=Workspace(repo).author,
            trail=Trail(came=tuple(sorted(heads))),
        )
    return Cloned(
        path,
        branch,
        (got.head or "").removeprefix(HEADS),
        sum(ref.startswith(HEADS) for ref in got.refs),
        sum(ref.startswith("refs/tags/") for ref in got.refs),
        tuple(left_out),
    )


def restore_into(
    fresh: FreshRepository,
    transport: Transport,
    url: str,
    progress: Callable[[str], None],
    *,
    remote: str | None = None,
) -> tuple[Fetched, str, list[tuple[str, str]]]:
    """Fetch everything, and check out the branch that has the companion.

    Args:
        fresh: where to.
        transport: the way to the remote.
        url: the address, for errors.
        progress: called with what is being done, in words.
        remote: name under which its branches are noted as seen; None: they are not.

    Returns:
        What came, the branch, and the files that were not written, each with the reason.

    Raises:
        EmptyRemote, RemoteProblem, HistoryError: as for `clone`.
    """
    with fetched(fresh.repo, transport, progress) as got:
        heads = {ref: oid for ref, oid in got.refs.items() if ref.startswith(HEADS)}
        if not heads:
            raise EmptyRemote(
                f"there is no companion at {url} yet: it is empty",
                "nothing was made here",
                "on the machine that has her: perdure push",
            )
        seen = {f"{REMOTES}{remote}/{ref.removeprefix(HEADS)}": oid for ref, oid in heads.items()}
        fresh.put_refs({**got.refs, **(seen if remote else {})})
        branch = best_branch(fresh.repo, got.head)
        progress("writing her files")
        return got, branch, fresh.check_out(branch)
