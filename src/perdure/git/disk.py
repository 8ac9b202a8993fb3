"""Writes that are on disk when a function returns, and locks that the kernel frees."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from pathlib import Path

from perdure.git.errors import Busy

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


class NotPlain(OSError):
    """A link, pipe or device is in the place of a file."""


class TooLong(OSError):
    """A file is larger than what is read of it."""


def read_file(path: str | Path, *, most: int | None = None) -> bytes:
    """Read a plain file. Links are not followed, and pipes not waited for.

    Args:
        path: where.
        most: bytes up to which it is read.

    Raises:
        FileNotFoundError, NotADirectoryError, IsADirectoryError: there is none.
        NotPlain: something else is there.
        TooLong: it is larger than ``most``.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise NotPlain(error.errno, "is not a regular file", str(path)) from error
        raise
    try:
        found = os.fstat(fd)
        mode = found.st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise NotPlain(errno.EINVAL, "is not a regular file", str(path))
        if most is not None and found.st_size > most:
            raise TooLong(errno.EOVERFLOW, "it is too large", str(path))
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def tail(path: Path, size: int) -> bytes:
    """The last bytes of a file, all of it where it has no more. Raises OSError."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - size))
        return file.read()


def sync(fd: int) -> None:
    """Flush a file's content, or a folder's entries, to disk.

    On macOS fsync only reaches the drive's cache, so F_FULLFSYNC is asked for first; file systems
    that do not know it (network volumes) get the plain call.
    """
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(fd, _FULL_SYNC)
        except OSError:
            pass
        else:
            return
    os.fsync(fd)


def sync_data(fd: int) -> None:
    """Like `sync`, but without the times of a file whose size did not change."""
    if _FULL_SYNC is not None:
        sync(fd)
    else:
        os.fdatasync(fd)


def sync_folder(path: str | Path) -> None:
    """Flush a folder's entries to disk: files created, renamed and removed in it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all bytes, continuing after a short write."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_file(
    path: str | Path, data: bytes, *, synced: bool = True, mode: int = FILE_MODE
) -> None:
    """Create a file that must not exist yet, flushed to disk if asked for.

    The file is removed again when a write fails, so that a full disk leaves no half files.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        if synced:
            sync(fd)
    except BaseException:
        os.close(fd)
        Path(path).unlink(missing_ok=True)
        raise
    os.close(fd)


def replace_file(path: Path, data: bytes, *, synced: bool) -> None:
    """Replace a file's content in one step, through a temporary file beside it."""
    temporary = path.with_name(f"{path.name}.new-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    write_file(temporary, data, synced=synced)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def empty_folder(folder: Path) -> None:
    """Remove the files in a folder; what else is there stays, and there need be none."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            with contextlib.suppress(IsADirectoryError, PermissionError):
                path.unlink(missing_ok=True)


def make_folder(path: Path, *, synced: bool = False) -> None:
    """Create a folder and those above it, readable by the owner only."""
    if not path.is_dir():
        make_folder(path.parent, synced=synced)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=FOLDER_MODE)
        if synced:
            sync_folder(path.parent)


class KernelLock(contextlib.AbstractContextManager["KernelLock"]):
    """An exclusive lock on a file, which the kernel frees when its holder dies.

    `filelock` would do the same at the price of 80 ms of imports (it brings asyncio), half of what
    a whole `perdure log` may take; on the systems we run on it is this flock call.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = -1

    def try_take(self) -> bool:
        """Take the lock if it is free. Creates the file if needed."""
        while True:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
                fd = os.open(self.path, flags, FILE_MODE)
            except FileNotFoundError:
                make_folder(self.path.parent)
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            if self._is_still_there(fd):
                self.fd = fd
                return True
            os.close(fd)

    def _is_still_there(self, fd: int) -> bool:
        """Whether the locked file is still the one under this name."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(fd)
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)

    def take(self, *, wait: float) -> None:
        """Take the lock, waiting at most ``wait`` seconds.

        Raises:
            Busy: another process still has it.
        """
        deadline = time.monotonic() + wait
        pause = 0.001
        while not self.try_take():
            if time.monotonic() >= deadline:
                raise Busy(
                    "another process is writing this companion's history",
                    "nothing was changed",
                    "try again in a moment",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)

    def is_held(self) -> bool:
        """Whether some process has the lock now; False where that cannot be told."""
        try:
            is_free = self.try_take()
        except OSError:
            return False
        self.release()
        return not is_free

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __exit__(self, *_: object) -> None:
        self.release()
