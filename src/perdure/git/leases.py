"""Leases: the right to append to a conversation, held by one process at a time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import storage_errors

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_KEPT = 512
_KEPT_DAYS = 90


def machine() -> str:
    """Identifies this machine across restarts, by its name if it has no id.

    The id itself is said to be confidential (machine-id(5)), so a hash of it is used.
    """
    text = machine_id() or os.uname().nodename
    return hashlib.sha256(b"perdure lease " + text.encode()).hexdigest()[:32]


def machine_id() -> str:
    """The machine's own id, which nobody outside knows; "" where it has none, as a container."""
    for place in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with contextlib.suppress(OSError):
            text = Path(place).read_text("ascii", "replace").strip()
            if text:
                return text
    return _darwin_machine() if sys.platform == "darwin" else ""


def _darwin_machine() -> str:
    import ctypes

    raw = (ctypes.c_ubyte * 16)()
    wait = (ctypes.c_long * 2)(1, 0)
    try:
        failed = ctypes.CDLL(None).gethostuuid(raw, wait)
    except (AttributeError, OSError):
        return ""
    return "" if failed else bytes(raw).hex()


class Lease(contextlib.AbstractContextManager["Lease"]):
    """The right to append to one conversation, for as long as it is held."""

    def __init__(self, lock: disk.KernelLock, git_dir: Path) -> None:
        self._lock = lock
        self._place = [machine(), git_dir.stat().st_ino]

    def matches(self, branch: str, path: str, oid: str | None) -> bool:
        """Whether what stands at the tip is what this very folder wrote last on the branch.

        False in a copied folder or a restored backup, after a reset, and where somebody else wrote:
        then a conversation of one's own is begun that ``continues:`` this one.

        Args:
            branch: name of the branch.
            path: the chunk that would be appended to.
            oid: its blob at the tip, None when it is not there.
        """
        data = os.pread(self._lock.fd, 4096, 0)
        try:
            lease = json.loads(data)
        except (ValueError, RecursionError):
            return False
        return lease == self._lease(branch, path, oid) and oid is not None

    def _lease(self, branch: str, path: str, oid: str | None) -> dict[str, object]:
        return {"place": self._place, "branch": branch, "path": path, "oid": oid}

    def renew(self, branch: str, path: str, oid: str) -> None:
        """Record what was written. Not synced: without a lease a new conversation begins."""
        data = json.dumps(self._lease(branch, path, oid)).encode()
        with storage_errors("keeping the conversation's lease"):
            os.ftruncate(self._lock.fd, 0)
            os.pwrite(self._lock.fd, data, 0)

    def release(self) -> None:
        """Release the lease."""
        self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.release()


def acquire(git_dir: Path, folder: Path, conversation: str) -> Lease | None:
    """Acquire a conversation's lease; None if another session holds it."""
    name = conversation
    if not _NAME.fullmatch(name):
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    with storage_errors("taking the conversation"):
        lock = disk.KernelLock(folder / name)
        try:
            if not lock.try_take():
                return None
        except IsADirectoryError:
            # Nobody can hold it; the turn goes into a conversation of its own.
            return None
        os.utime(lock.fd)
        _tidy(folder)
    return Lease(lock, git_dir)


def _tidy(folder: Path) -> None:
    """Remove old leases once there are many."""
    leases = list(folder.iterdir())
    if len(leases) <= _KEPT:
        return
    before = time.time() - _KEPT_DAYS * 86400
    for path in leases:
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before:
                lock = disk.KernelLock(path)
                if lock.try_take():
                    path.unlink()
                    lock.release()
