"""The ``.keep`` file of a pack whose objects no ref reaches yet.

`git repack -ad` lists the packs, reads the refs after that, and then removes each listed pack, with
all in it that those refs do not reach: a turn's, where the turn is committed in between. It leaves
alone a pack that had a ``.keep`` when it was listed (git-repack(1); `git receive-pack` does the
same). Ours is there before the pack is, and goes when the ref has moved, or never will.

A ``.keep`` of ours holds `MARK`, and is locked by its owner for as long as he lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import NotCarriedOut

MARK = b"perdure: this pack is not in its branch yet\n"
SESSION_PREFIX = "perdure_new_"
"""Start of the names of unfinished files. `git prune` removes what begins with ``tmp_``, in use or
not, and what it does not know it leaves alone."""

INCOMING_PREFIX = "perdure_in_"
"""Start of the names of packs that are being received. They are locked by who receives them."""


class Keep(contextlib.AbstractContextManager["Keep"]):
    """Keeps git from removing one pack, until it is released."""

    def __init__(self, folder: Path, name: str) -> None:
        """Keep a pack that is going to be written.

        Args:
            folder: the folder of packs.
            name: ``pack-…``; of no pack that there is, or was.

        Raises:
            OSError: it could not be written; nothing is left of it.
        """
        self.name = name
        self._path = folder / f"{name}.keep"
        # Locked and written first: nobody ever sees one that does not tell whose it is.
        fresh = folder / f"{SESSION_PREFIX}{name}.keep"
        self._fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, disk.FILE_MODE)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            disk.write_all(self._fd, MARK)
            fresh.rename(self._path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            self.abandon()
            raise

    def release(self) -> None:
        """Remove the ``.keep``: the ref has moved, or never will."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            self.abandon()

    def abandon(self) -> None:
        """Leave it to `remove_dead_keeps`: a plan still to be carried out needs the pack."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if isinstance(error, NotCarriedOut):
            self.abandon()
        else:
            self.release()


def are_left(folder: Path) -> bool:
    """Whether there is half a received pack, or a ``.keep`` that by its size seems to be ours."""
    try:
        with os.scandir(folder) as entries:
            return any(
                each.name.startswith(INCOMING_PREFIX)
                or (
                    each.name.endswith(".keep")
                    and each.stat(follow_symlinks=False).st_size == len(MARK)
                )
                for each in entries
            )
    except OSError:
        return False


def remove_dead_keeps(folder: Path) -> None:
    """Remove ``.keep`` files of dead owners. The caller holds the commit lock."""
    for path in folder.glob("*.keep"):
        with contextlib.suppress(OSError):
            _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    # For writing, although nothing is written: NFS gives no exclusive lock otherwise.
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if os.read(fd, len(MARK) + 1) == MARK:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    finally:
        os.close(fd)


def remove_dead_incoming(folder: Path) -> None:
    """Remove packs that a dead process had begun to receive. The caller holds the commit lock."""
    for path in folder.glob(f"{INCOMING_PREFIX}*_pack"):
        lock = disk.KernelLock(path)
        with contextlib.suppress(OSError), lock:
            if lock.try_take():
                path.unlink(missing_ok=True)
    for path in folder.glob(f"{INCOMING_PREFIX}*_idx"):
        start = path.name.removesuffix("_idx")
        if not (folder / f"{start}_pack").exists():
            # Killed between the two renames: nobody reads a pack that has no index.
            name = start.removeprefix(INCOMING_PREFIX)
            with contextlib.suppress(OSError):
                (folder / f"{name}.pack").unlink(missing_ok=True)
                path.unlink(missing_ok=True)
