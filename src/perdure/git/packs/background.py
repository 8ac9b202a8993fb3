"""Starts background packing: one low-priority process per repository.

A thread would not do: `perdure say` ends before it would have finished, and it would take turns
with the one that streams. Asking whether anything is due costs two listings of small folders.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from perdure import child
from perdure.git import disk

JOINED_LIMIT = 8
"""Joined packs, of 32 turns each, that are made small together."""
LOOSE_LIMIT = 1024
"""Loose objects that are packed; git's own ``gc.auto`` would be 6,700."""
MODULE = "perdure.git.maintenance.process"
_PAUSE = 600.0
"""Seconds before packing is tried again where it failed."""


def start_if_due(git_dir: Path, joined: int) -> bool:
    """Start packing in the background if there is enough to pack.

    Nothing is raised: a turn is saved whether packing works or not.

    Args:
        git_dir: the common git folder.
        joined: how many joined packs wait, 0 where nobody has counted.

    Returns:
        Whether a process was started.
    """
    child.reap()
    if joined < JOINED_LIMIT and not loose_are_many(git_dir / "objects"):
        return False
    return start(git_dir)


def start(git_dir: Path) -> bool:
    """Start the background process, unless it is running or failed recently.

    Nothing is raised.

    Args:
        git_dir: the common git folder.

    Returns:
        Whether a process was started.
    """
    if is_running(git_dir) or _failed_lately(git_dir):
        return False
    return child.spawn(MODULE, git_dir)


def loose_are_many(objects: Path) -> bool:
    """Whether there are more loose objects than `LOOSE_LIMIT`, judged by two of 256 folders."""
    found = 0
    for sample in ("17", "e4"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found += sum(1 for _ in os.scandir(objects / sample))
    return found * 128 >= LOOSE_LIMIT


def packing_lock(git_dir: Path) -> disk.KernelLock:
    """The lock that whoever packs holds."""
    return disk.KernelLock(git_dir / "perdure" / "state" / "packing.lock")


def failure_file(git_dir: Path) -> Path:
    """The file in which a failed packing process says why."""
    return git_dir / "perdure" / "state" / "packing.failed"


def is_running(git_dir: Path) -> bool:
    """Whether some process is packing this repository now."""
    return packing_lock(git_dir).is_held()


def _failed_lately(git_dir: Path) -> bool:
    try:
        age = time.time() - failure_file(git_dir).stat().st_mtime
    except OSError:
        return False
    return 0 <= age < _PAUSE
