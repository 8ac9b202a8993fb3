"""The folder in which a drill restores: the user's alone, and gone afterwards.

What a killed drill left is removed by the next one: the kernel has freed its lock.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure.git import disk, layout
from perdure.git.errors import HistoryError, StorageFull, storage_errors
from perdure.git.state import mark

_ENDING = ".lock"


@contextmanager
def scratch_folder(room: int) -> Iterator[Path]:
    """A new folder for the block.

    Args:
        room: bytes that it will take, about.

    Raises:
        StorageFull: no place has that much room.
        ReadOnly, WriteFailed: it cannot be made.
    """
    for place in _places():
        sweep(place)
    with storage_errors("making room for the drill"):
        place = _with_room(room)
        name = f"drill-{secrets.token_hex(6)}"
        lock = disk.KernelLock(place / f"{name}{_ENDING}")
        lock.take(wait=0)
        try:
            folder = place / name
            folder.mkdir(mode=disk.FOLDER_MODE)
            try:
                yield folder
            finally:
                _remove(folder)
        finally:
            lock.path.unlink(missing_ok=True)
            lock.release()


def sweep(place: Path) -> None:
    """Remove what drills left in a place that are not running any more."""
    with contextlib.suppress(OSError):
        for path in sorted(place.glob(f"*{_ENDING}")):
            lock = disk.KernelLock(path)
            if lock.try_take():
                _remove(path.with_suffix(""))
                path.unlink(missing_ok=True)
                lock.release()


def _remove(folder: Path) -> None:
    for git_dir in (*folder.glob("*/.git"), *folder.glob(".*/.git")):
        # Its mark stands in the user's data folder, where there is room for so many only.
        with contextlib.suppress(HistoryError, OSError):
            mark.forget(layout.find(git_dir.parent))
    shutil.rmtree(folder, ignore_errors=True)


def _places() -> list[Path]:
    from platformdirs import user_cache_path

    shared = Path(tempfile.gettempdir()) / f"perdure-drills-{os.getuid()}"
    return [user_cache_path("perdure", appauthor=False) / "drills", shared]


def _with_room(room: int) -> Path:
    """The first place with so much room, made where it is not there."""
    most = 0
    for place in _places():
        with contextlib.suppress(OSError):
            disk.make_folder(place)
            # In a folder that everybody writes to, somebody else may have made it.
            found = place.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            free = shutil.disk_usage(place).free
            if free >= room:
                return place
            most = max(most, free)
    raise StorageFull(
        f"a drill needs about {room // 1_000_000 + 1:,} MB, and only {most // 1_000_000:,} MB "
        "are free",
        "nothing was changed",
        f"make room in {_places()[0].parent}, or set TMPDIR to a place that has some",
    )
