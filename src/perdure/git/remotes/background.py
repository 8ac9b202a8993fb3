"""Starts syncing in the background: one low-priority process per repository.

It outlives the command that starts it, and the turn waits for nothing of it. While it runs, it sees
what is new by itself; `nudge` tells it not to wait for a quiet moment.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from perdure import child
from perdure.git import disk

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

SYNC_MODULE = "perdure.rescue.process"
CARRIED = (
    "PERDURE_", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "GIT_SSH", "GIT_SSL_CAINFO", "SSL_CERT_",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
    "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "KRB5", "PYTHON_KEYRING_",
)  # fmt: skip
"""What the way to a remote may depend on: the user's agent, keyring, proxies and authorities."""


def start_sync(repo: Repository) -> bool:
    """Start the background process, unless it is running.

    Nothing is raised: a turn is saved whether this works or not.

    Returns:
        Whether a process was started.
    """
    return not is_syncing(repo) and child.spawn(SYNC_MODULE, repo.path, *CARRIED)


def nudge(repo: Repository) -> None:
    """Let the background process sync now, and start it if it is not running."""
    with contextlib.suppress(OSError):
        nudge_file(repo).touch()
    start_sync(repo)


def nudge_file(repo: Repository) -> Path:
    """The file that tells the process to wait no longer; it removes it."""
    return repo.state_dir / "sync.now"


def sync_lock(repo: Repository) -> disk.KernelLock:
    """The lock that whoever syncs in the background holds."""
    return disk.KernelLock(repo.state_dir / "sync.lock")


def is_syncing(repo: Repository) -> bool:
    """Whether some process syncs this repository in the background now."""
    return sync_lock(repo).is_held()
