"""Starts background packing: one low-priority process per repository.

A thread would not do: `perdure say` ends before it would have finished, and it would take turns
with the one that streams. Asking whether anything is due costs two listings of small folders.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from perdure.environment import child_environment
from perdure.git import disk

JOINED_LIMIT = 8
"""Joined packs, of 32 turns each, that are made small together."""
LOOSE_LIMIT = 1024
"""Loose objects that are packed; git's own ``gc.auto`` would be 6,700."""
MODULE = "perdure.git.maintenance.process"
_PAUSE = 600.0
"""Seconds before packing is tried again where it failed."""
_children: set[int] = set()
"""Children of this process that have not been seen to end."""


def start_if_due(git_dir: Path, joined: int) -> bool:
    """Start packing in the background if there is enough to pack.

    Nothing is raised: a turn is saved whether packing works or not.

    Args:
        git_dir: the common git folder.
        joined: how many joined packs wait, 0 where nobody has counted.

    Returns:
        Whether a process was started.
    """
    _reap()
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
    _reap()
    if not sys.executable or is_running(git_dir) or _failed_lately(git_dir):
        return False
    try:
        _children.add(_spawn(git_dir))
    except (OSError, NotImplementedError):
        return False
    return True


def loose_are_many(objects: Path) -> bool:
    """Whether there are more loose objects than `LOOSE_LIMIT`, judged by two of 256 folders."""
    found = 0
    for sample in ("17", "e4"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found += sum(1 for _ in os.scandir(objects / sample))
    return found * 128 >= LOOSE_LIMIT


def _spawn(git_dir: Path) -> int:
    # -P: the folder one stands in may be a stranger's, with modules of its own.
    command = [sys.executable, "-P", "-m", MODULE, str(git_dir.absolute())]
    return os.posix_spawn(
        sys.executable,
        command,
        child_environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def packing_lock(git_dir: Path) -> disk.KernelLock:
    """The lock that whoever packs holds."""
    return disk.KernelLock(git_dir / "perdure" / "state" / "packing.lock")


def failure_file(git_dir: Path) -> Path:
    """The file in which a failed packing process says why."""
    return git_dir / "perdure" / "state" / "packing.failed"


def is_running(git_dir: Path) -> bool:
    """Whether some process is packing this repository now."""
    lock = packing_lock(git_dir)
    try:
        is_free = lock.try_take()
    except OSError:
        return False
    lock.release()
    return not is_free


def _failed_lately(git_dir: Path) -> bool:
    try:
        age = time.time() - failure_file(git_dir).stat().st_mtime
    except OSError:
        return False
    return 0 <= age < _PAUSE


def _reap() -> None:
    """Reap child processes that have ended."""
    for pid in list(_children):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended = pid
        if ended:
            _children.discard(pid)
