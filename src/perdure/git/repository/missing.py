"""A quick check for missing pieces of the history, at each start.

Packs that are cut, gone or others than their index is for, and the last commits. What is damaged
further down is found when it is read, or by `git.maintenance.verify`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk
from perdure.git.errors import DamagedRepository, UnknownRevision

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_LAST = 32
"""Commits of the first line that are read."""
_SUM = 20


def hole(repo: Repository, tip: str) -> str:
    """What part of the history is missing, in one line; "" if nothing is.

    A pack ends with its checksum, and its index has that too: two short reads a pack.
    """
    folder = repo.git_dir / "objects" / "pack"
    try:
        names = sorted(path.stem for path in folder.iterdir() if path.suffix == ".idx")
    except OSError:
        names = []
    for name in names:
        # git may just have replaced it.
        if not _is_whole(folder, name) and (folder / f"{name}.idx").exists():
            return f"the pack {name}.pack is cut, gone or not the one that its index is for"
    commit: str | None = tip
    try:
        for _ in range(_LAST):
            if commit is None:
                break
            info = repo.commit_info(commit)
            repo.names("", commit)
            commit = info.parents[0] if info.parents else None
    except (DamagedRepository, UnknownRevision):
        return f"a commit before the last one, or what it names, is missing or broken ({commit})"
    return ""


def _is_whole(folder: Path, name: str) -> bool:
    try:
        index = disk.tail(folder / f"{name}.idx", 2 * _SUM)
        return len(index) == 2 * _SUM and index[:_SUM] == disk.tail(folder / f"{name}.pack", _SUM)
    except OSError:
        return False
