"""The branches of a remote as they were last seen: ``refs/remotes/NAME/…``, as git keeps them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from perdure.git.errors import HistoryError
from perdure.git.paths import shown
from perdure.git.refs.refs import HEADS, REMOTES, Moved, RefMove
from perdure.git.wire.errors import OddContent

if TYPE_CHECKING:
    from perdure.git.objects.store import ObjectStore
    from perdure.git.repository.repository import Repository

_MOST = 500
"""Branches that are noted at once."""
_IN_THE_WAY = (NotADirectoryError, IsADirectoryError, FileExistsError)


def refuse_odd_branches(store: ObjectStore, refs: Mapping[str, str]) -> None:
    """Raise OddContent where a branch names anything but a commit; all objects are here."""
    for ref, oid in refs.items():
        if ref.startswith(HEADS) and store.size(oid)[0] != b"commit":
            raise OddContent(
                f"the remote's branch {shown(ref.removeprefix(HEADS))} leads to no commit",
                "nothing of it was taken, and all that is here stays as it is",
                "look at it with git, in a clone that you throw away",
            )


def note_branches(repo: Repository, remote: str, there: Mapping[str, str]) -> None:
    """Write down where a remote's branches stand; those that are gone there go.

    A ref that git is writing at this moment is left to git, and many are written in several calls.
    The objects must be here.

    Args:
        repo: the repository.
        remote: name of the remote.
        there: its refs, by full name.

    Raises:
        Busy, StorageFull, ReadOnly, WriteFailed: some of them are as they were.
    """
    parts = repo.parts()
    prefix = f"{REMOTES}{remote}/"
    wanted = {
        prefix + ref.removeprefix(HEADS): oid for ref, oid in there.items() if ref.startswith(HEADS)
    }
    known = {ref: oid for ref, oid in parts.refs.names(prefix).items() if ref != f"{prefix}HEAD"}
    if wanted == known:
        return
    with parts.writer.exclusive(f"noting what {remote} has"):
        for ref in sorted(known.keys() - wanted.keys()):
            _move(repo, RefMove(ref, known[ref], None))
        other = [ref for ref in sorted(wanted) if known.get(ref) != wanted[ref]]
        for ref in other[:_MOST]:
            _move(repo, RefMove(ref, known.get(ref), wanted[ref]))


def make_refs(repo: Repository, moves: Sequence[RefMove]) -> None:
    """Make refs that nobody works on, beside the log of operations.

    Raises:
        Busy, StorageFull, ReadOnly, WriteFailed: some of them are not made.
    """
    if moves:
        with repo.parts().writer.exclusive("keeping lines"):
            for move in moves:
                _move(repo, move)


def forget_branches(repo: Repository, remote: str) -> None:
    """Remove every note about a remote's branches, and what its HEAD was seen to name."""
    parts = repo.parts()
    note_branches(repo, remote, {})
    with parts.writer.exclusive(f"forgetting what {remote} had"):
        head = parts.layout.git_dir / "refs" / "remotes" / remote / "HEAD"
        head.unlink(missing_ok=True)


def _move(repo: Repository, move: RefMove) -> None:
    # A branch "a" there, where "a/b" was, cannot be noted beside it: it is fetched all the same.
    with contextlib.suppress(Moved, HistoryError, *_IN_THE_WAY):
        repo.parts().refs.move(move)
