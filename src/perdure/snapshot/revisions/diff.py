"""Compare the texts of two states, file by file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.git.errors import DamagedRepository
from perdure.git.repository.repository import FileChange, Repository
from perdure.git.worktree.files import NotRegular, TooLarge, WorkTree

MOST_BYTES = 2 * 1024 * 1024
"""Both versions of a file together; above that only the sizes are shown."""


MOST_SHOWN = 1_000
"""Files whose texts are read; of those after them only sizes are shown."""
_MOST_TOGETHER = 4 * 1024 * 1024
"""Bytes of all files whose texts are read; of those after them, too, only sizes are shown."""


@dataclass(frozen=True, slots=True)
class TextChange:
    """A file's text before and after; None where the file did not exist.

    Attributes:
        path: the file.
        old: its text before.
        new: its text after.
        binary: it is no text; both are empty then.
        sizes: bytes before and after, of a file that is no text, larger than `MOST_BYTES`, or
            beyond what is compared together; both texts are empty then.
    """

    path: str
    old: str | None
    new: str | None
    binary: bool = False
    sizes: tuple[int, int] | None = None

    @property
    def verb(self) -> str:
        """What happened to the file: added, removed or changed."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def not_shown(self) -> str:
        """Why the texts are not shown, with the sizes; empty where they are."""
        if self.sizes is None:
            return ""
        reason = "not text" if self.binary else "too large to compare"
        return f"{reason}: {self.sizes[0]:,} bytes before, {self.sizes[1]:,} after"


def changes_in(repo: Repository, commit: str) -> list[TextChange]:
    """The texts that a commit changed against its first parent."""
    return _texts(repo, repo.commits.changed(commit))


def changes_between(
    repo: Repository, old: str, new: str | None, paths: Sequence[str] = ()
) -> list[TextChange]:
    """The texts that differ between two states.

    Args:
        repo: the repository.
        old: id of the older commit.
        new: id of the newer one; None is the files in the folder.
        paths: files or folders to look at; everything without.
    """
    changes = repo.diff(old, new, paths)
    return _texts(repo, changes, work=repo.work_tree() if new is None else None)


def _texts(
    repo: Repository, changes: Sequence[FileChange], *, work: WorkTree | None = None
) -> list[TextChange]:
    found: list[TextChange] = []
    left = _MOST_TOGETHER
    for change in changes:
        most = min(MOST_BYTES, left) if len(found) < MOST_SHOWN else 0
        old = _stored(repo, change.old_oid, most)
        new = _stored(repo, change.new_oid, most) if work is None else _work_file(work, change.path)
        sizes = (old[1] if old else 0, new[1] if new else 0)
        data = [each[0] if each else None for each in (old, new)]
        is_binary = any(b"\0" in each for each in data if each is not None)
        if sum(sizes) > most or is_binary:
            before, after = (None if side is None else "" for side in (old, new))
            found.append(TextChange(change.path, before, after, binary=is_binary, sizes=sizes))
        else:
            left -= sum(sizes)
            found.append(TextChange(change.path, _text(data[0]), _text(data[1])))
    return found


_Side = tuple[bytes, int] | None
"""Content, empty for a file that is too large to be shown, and size."""


def _stored(repo: Repository, oid: str | None, most: int) -> _Side:
    """One side as it is stored, if it is small enough to be read.

    A submodule's, or what is missing here, counts as binary.
    """
    if oid is None:
        return None
    try:
        size = repo.size(oid)
        return repo.small(oid, most), size
    except DamagedRepository:
        return b"\0", 0


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")


def _work_file(work: WorkTree, path: str) -> _Side:
    """Read a file of the work tree. Links are not followed, so nothing outside is ever shown."""
    try:
        seen = work.read(path, most=MOST_BYTES)
    except TooLarge as error:
        return b"", error.size
    except (NotRegular, OSError):
        return None
    return (seen.data, len(seen.data)) if seen else None
