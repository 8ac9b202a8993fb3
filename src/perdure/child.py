"""Processes of perdure's own that outlive the one that starts them, each a module that is run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from perdure.environment import child_environment

spawned: set[int] = set()
"""Children of this process that have not been seen to end."""


def spawn(module: str, folder: Path, *prefixes: str) -> bool:
    """Run a module on a folder, without terminal and output.

    Nothing is raised: whoever starts it does not depend on it.

    Args:
        module: its whole name.
        folder: its one argument.
        prefixes: beginnings of more environment variables that it needs.

    Returns:
        Whether it was started.
    """
    reap()
    if not sys.executable:
        return False
    # -P: the folder one stands in may be a stranger's, with modules of its own.
    command = [sys.executable, "-P", "-m", module, str(folder.absolute())]
    try:
        pid = os.posix_spawn(
            sys.executable,
            command,
            child_environment(*prefixes),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
    except (OSError, NotImplementedError):
        return False
    spawned.add(pid)
    return True


def reap() -> None:
    """Collect the children that have ended."""
    for pid in list(spawned):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended = pid
        if ended:
            spawned.discard(pid)
