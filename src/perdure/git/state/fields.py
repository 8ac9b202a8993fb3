"""Checks every value in our own state files before anything follows from it.

The files are written by perdure alone, but a power cut may cut one, a hand may edit one, and a bug
of another version may have filled one: a path in it must lead nowhere else all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from perdure.git import paths
from perdure.git.errors import BadPath, HistoryError
from perdure.git.host import boot
from perdure.git.refs.refs import check_branch

_OID = re.compile(r"[0-9a-f]{40}")
_LONGEST = 1024


class UnreadableState(HistoryError):
    """A state file could not be followed. It was put aside and is not in the way any more."""


def put_away(path: Path, why: str) -> UnreadableState:
    """Put aside a state file that cannot be followed. Returns the error to raise.

    Raises:
        OSError: not even that can be done.
    """
    away = path.with_name(f"{path.name}.broken")
    path.replace(away)
    return UnreadableState(
        f"{path.name}, which perdure uses to recover from a crash, cannot be used: {why}",
        f"nothing in it was done; it is kept as {away}, and commits and branches are as git shows "
        "them",
        "Look at perdure ops, and at git status; that file may be removed",
    )


def is_oid(value: object) -> bool:
    """Whether it is an object's id in hex."""
    return isinstance(value, str) and _OID.fullmatch(value) is not None


def is_oid_or_none(value: object) -> bool:
    """Whether it is an object's id in hex, or None."""
    return value is None or is_oid(value)


def is_tree_path(value: object) -> bool:
    """Whether it is a path that a tree of ours may have."""
    try:
        return isinstance(value, str) and paths.is_path(value)
    except UnicodeError:
        return False


def is_branch(value: object) -> bool:
    """Whether it can be the name of a branch."""
    try:
        return isinstance(value, str) and len(check_branch(value).encode()) < _LONGEST
    except (BadPath, UnicodeError):
        return False


def blobs(value: object) -> dict[str, list[str | None]]:
    """The blobs that each path may have, without invalid values."""
    if not isinstance(value, Mapping):
        return {}
    return {
        path: list(oids)
        for path, oids in value.items()
        if is_tree_path(path) and isinstance(oids, list | tuple) and all(map(is_oid_or_none, oids))
    }


def lock_files(value: object, git_dir: Path | None = None) -> list[tuple[str, int]]:
    """Lock files of git's and their inodes, as journals and plans name them.

    Args:
        value: rows of path and inode.
        git_dir: only locks inside this folder; all of them without.
    """
    found = []
    for row in value if isinstance(value, list | tuple) else ():
        if not isinstance(row, list | tuple) or len(row) != 2:
            continue
        name, inode = row
        if not isinstance(name, str) or type(inode) is not int or "\0" in name:
            continue
        path = Path(name)
        is_inside = git_dir is None or (path.is_relative_to(git_dir) and ".." not in path.parts)
        if is_inside and path.name.endswith(".lock"):
            found.append((name, inode))
    return found


def break_locks(then: str, value: object, git_dir: Path) -> None:
    """Remove the named locks that are still the named files, if the machine restarted since.

    Within one start the twin tells (`git.locks`); a power cut may keep the lock and lose the twin.

    Args:
        then: the start of the machine in which they were named; "" where it is not known.
        value: rows of path and inode.
        git_dir: only locks inside this folder.
    """
    if not then or then == boot():
        return
    for name, inode in lock_files(value, git_dir):
        try:
            if Path(name).lstat().st_ino == inode:
                Path(name).unlink(missing_ok=True)
        except (OSError, ValueError):
            continue
