"""Git's own ``X.lock`` files, taken so that a dead owner can be told from a living one.

git excludes writers by creating ``X.lock`` with O_EXCL and never says who did. We create the file
in our state folder first and then link it to ``X.lock``: the link fails exactly when O_EXCL would.
All of this happens under the commit lock, which the kernel frees. So whoever holds the commit lock
and finds such a twin knows that its maker is dead, and that an ``X.lock`` with the same inode was
his. Where hard links do not exist, ``X~pid.lock`` (a line ``pid N``) stands in for the twin; it is
what newer git writes when ``core.lockfilePid`` is set, and is understood for foreign locks too.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from perdure.git import disk
from perdure.git.errors import Busy

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.ENOSYS}
_LONGEST = 180
_FRESH = 2.0
"""Seconds for which a lock is taken to be alive whatever its side-car says."""


def _side_car(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix(".lock") + "~pid.lock")


def _owner_is_dead(lock: Path) -> bool:
    """Whether the lock's side-car names a process of this machine that is gone."""
    try:
        word, number = disk.read_file(_side_car(lock), most=64).decode("ascii").split()
        age = time.time() - lock.stat().st_mtime
        pid = int(number)
    except (OSError, ValueError):
        return False
    if word != "pid" or pid <= 0 or age < _FRESH:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _twin_name(target: Path) -> str:
    """A file name for the twin of a lock, from the path within the git folder that is locked.

    Long ones, such as a branch of twenty Chinese characters has, do not tell the path any more.
    """
    name = quote(str(target), safe="")
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha1(name.encode("ascii"), usedforsecurity=False).hexdigest()
    # No ref has a "~" in its name.
    return f"{name[:_LONGEST]}~{digest[:16]}"


def _locks_of(name: str, git_dir: Path) -> Iterable[Path]:
    """Where the lock of a twin with such a name may be."""
    if name[-17:-16] == "~":
        return (git_dir / "refs").rglob("*.lock")
    inside = unquote(name, errors="surrogateescape")
    if "\0" in inside or not set(inside.split("/")).isdisjoint({"", ".", ".."}):
        return []
    return [git_dir / f"{inside}.lock"]


class GitLock:
    """One ``X.lock``: prepared (a twin with its content), then taken, then renamed or released."""

    def __init__(self, git_dir: Path, held: Path, target: Path) -> None:
        self.target = target
        self.lock = target.with_name(target.name + ".lock")
        self._twin = held / f"{_twin_name(target.relative_to(git_dir))}.{os.getpid()}"
        self._taken = False
        self._twin.unlink(missing_ok=True)
        try:
            self.fd = self._create()
        except FileNotFoundError:
            disk.make_folder(held)
            self.fd = self._create()

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(self._twin, flags, disk.FILE_MODE)

    @property
    def identity(self) -> tuple[str, int]:
        """Name of the lock and its inode: how a journal names it."""
        return str(self.lock), os.fstat(self.fd).st_ino

    def write(self, *pieces: bytes) -> None:
        """Write the content that the rename will publish, and flush it to disk."""
        for piece in pieces:
            disk.write_all(self.fd, piece)
        disk.sync(self.fd)

    def take(self, *, wait: float) -> None:
        """Make the lock visible to git.

        Args:
            wait: seconds to wait for a holder; one that is provably dead is not waited for.

        Raises:
            Busy: someone else holds the lock.
        """
        deadline = time.monotonic() + wait
        pause = 0.001
        while not self._try_take():
            if _owner_is_dead(self.lock):
                _side_car(self.lock).unlink(missing_ok=True)
                self.lock.unlink(missing_ok=True)
                continue
            if time.monotonic() >= deadline:
                raise Busy(
                    f"another program holds {self.lock}",
                    "",
                    "finish or close the git command that is running; if none is, remove that file",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        self._taken = True

    def _try_take(self) -> bool:
        try:
            os.link(self._twin, self.lock)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._try_exclusive()
        return True

    def _try_exclusive(self) -> bool:
        """Without hard links: side-car first, so that a lock of ours always has an owner."""
        if self.lock.exists():
            return False
        _side_car(self.lock).write_text(f"pid {os.getpid()}\n", "ascii")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open(self.lock, flags, disk.FILE_MODE)
        except FileExistsError:
            return False
        disk.write_all(fd, self._twin.read_bytes())
        disk.sync(fd)
        os.close(self.fd)
        self.fd = fd
        return True

    def publish(self) -> None:
        """Rename the lock over its target, which also releases it."""
        self.lock.replace(self.target)
        self._taken = False
        self.release()

    def release(self) -> None:
        """Release the lock and drop what was prepared."""
        if self.fd < 0:
            return
        os.close(self.fd)
        self.fd = -1
        if self._taken:
            self.lock.unlink(missing_ok=True)
            self._taken = False
        side_car = _side_car(self.lock)
        with contextlib.suppress(OSError):
            if side_car.exists() and side_car.read_text("ascii") == f"pid {os.getpid()}\n":
                side_car.unlink()
        self._twin.unlink(missing_ok=True)


def remove_dead_locks(git_dir: Path, held: Path) -> None:
    """Remove locks of dead owners. The caller holds the commit lock, so none is alive."""
    for twin, lock in _pairs(git_dir, held):
        with contextlib.suppress(OSError):
            if lock.exists() and lock.samefile(twin):
                lock.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            # Without hard links the side-car, which goes first, tells whose it was.
            side_car = _side_car(lock)
            if side_car.read_text("ascii").split() == ["pid", twin.name.rpartition(".")[2]]:
                lock.unlink(missing_ok=True)
                side_car.unlink(missing_ok=True)
    disk.empty_folder(held)


def remove_copied_locks(git_dir: Path, held: Path) -> None:
    """Remove our locks from a copy that was made while they were held.

    Their owner is at work where the copy was made from. A twin that came along tells which they
    are: it is the same file, or has the same content.

    Args:
        git_dir: the copy's git folder.
        held: the twins that came with it.
    """
    for twin, lock in _pairs(git_dir, held):
        with contextlib.suppress(OSError):
            content = lock.read_bytes()
            # An empty one may be anybody's, unless it was made in the very same moment.
            is_same = content or lock.stat().st_mtime_ns == twin.stat().st_mtime_ns
            if is_same and content == twin.read_bytes():
                lock.unlink(missing_ok=True)
                _side_car(lock).unlink(missing_ok=True)


def _pairs(git_dir: Path, held: Path) -> Iterator[tuple[Path, Path]]:
    """Twins, each with the lock that may be its own."""
    try:
        twins = list(held.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for twin in twins:
        for lock in _locks_of(twin.name.rpartition(".")[0], git_dir):
            yield twin, lock
