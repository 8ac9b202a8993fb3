"""Marks the state folder as this user's own; state from elsewhere is set aside.

What a crash left there is carried out by the next open, and what a stranger wrote there looks the
same. So a state folder has a random mark, and the user's own data folder, which no archive and no
other user writes to, knows the mark together with the inode of the git folder. A copy, a restored
backup and a stranger's folder have no such mark, or another inode; their state is renamed away as a
whole and nothing in it is obeyed. Only words are taken from it
(`perdure.git.repository.foreign_words`).

The mark moves with ``mv``, as the inode does. An inode's number is used again by the next file that
is made, so its generation counts too where the file system tells it; where it does not (NFS, FUSE,
tmpfs), the machine must be the same one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import struct
import time
from pathlib import Path

from perdure.git import disk, locks
from perdure.git.errors import storage_errors
from perdure.git.layout import Layout
from perdure.git.leases import machine, machine_id

_MARK = re.compile(rb"([0-9a-f]{32})\n")
_FOLDERS = frozenset({"held", "spare", "journals", "leases", "remotes", "drills"})
_GET_GENERATION = 0x80087601
"""FS_IOC_GETVERSION of 64-bit Linux, ``_IOR('v', 1, long)``: ext4, XFS, Btrfs and F2FS answer."""
_PLACES = 16
_KNOWN = 4096
_TOLD = 256
_NOTE_LIMIT = 1 << 20
_KEPT = 8
"""Folders set aside that are kept when more come: where inodes change, each mount makes one."""


def own(layout: Layout) -> None:
    """Make sure that the state folder is this user's own, and marked as such.

    Raises:
        ReadOnly, StorageFull, WriteFailed: it cannot be set aside, or not be marked; nothing in it
            may be obeyed then.
        Busy: another process is just doing it.
    """
    if is_own(layout):
        return
    if _is_marked(layout):
        with storage_errors("putting away what is in the place of state"):
            _put_away_odd(layout.state)
        return
    with storage_errors("setting aside what came with this folder"):
        # Not in the state folder: that one is going to be moved.
        lock = disk.KernelLock(_aside(layout) / "lock")
        lock.take(wait=5.0)
        with lock:
            if is_own(layout):
                return
            mark = _read_mark(layout.state)
            is_elsewhere = mark is not None and _is_known_inode(layout, mark)
            if _is_older(layout) and _is_whole(layout.state):
                mark = None
            else:
                _set_aside(layout)
                for folder in set_aside(layout):
                    locks.remove_copied_locks(layout.git_dir, folder / "held")
            fresh = mark if mark is not None and is_elsewhere else secrets.token_hex(16)
            disk.make_folder(layout.state, synced=True)
            # Known first: a mark that nobody knows would be taken for a stranger's.
            _learn(layout, fresh)
            disk.replace_file(layout.state / "mark", f"{fresh}\n".encode(), synced=True)
            disk.sync_folder(layout.state)


def is_own(layout: Layout) -> bool:
    """Whether the state folder has a mark that is known here, and is in order."""
    return _is_marked(layout) and _is_whole(layout.state)


def _is_marked(layout: Layout) -> bool:
    mark = _read_mark(layout.state)
    if mark is None:
        return False
    inode, generation = _inode(layout.git_dir)
    here = machine()
    return any(
        (where[1], where[2]) == (inode, generation) and (generation or where[0] == here)
        for where in _places(mark)
    )


def set_aside(layout: Layout) -> list[Path]:
    """Folders with state that came from elsewhere, oldest first."""
    try:
        with os.scandir(_aside(layout)) as found:
            names = [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [_aside(layout) / name for name in sorted(names)]


def anything_in(state: Path) -> bool:
    """Whether a state folder holds anything."""
    try:
        with os.scandir(state) as found:
            return any(True for _ in found)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _aside(layout: Layout) -> Path:
    return layout.git_dir / "perdure" / "aside"


# The mark


def _read_mark(state: Path) -> str | None:
    try:
        found = _MARK.fullmatch(disk.read_file(state / "mark", most=64))
    except OSError:
        return None
    return found[1].decode() if found else None


def _inode(folder: Path) -> tuple[int, int]:
    """Inode of a folder and its generation; 0 where the file system does not tell one."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        generation = int(getattr(found, "st_gen", 0) or getattr(found, "st_birthtime", 0))
        if not generation:
            answer = bytearray(8)
            with contextlib.suppress(OSError):
                fcntl.ioctl(fd, _GET_GENERATION, answer)
            (generation,) = struct.unpack_from("=i", answer)
        return found.st_ino, generation
    finally:
        os.close(fd)


def _is_whole(state: Path) -> bool:
    """Whether everything in a state folder is of the kind that it should be, folder or file."""
    try:
        return not _odd(state)
    except OSError:
        return False


def _odd(state: Path) -> list[str]:
    """Names in a state folder behind which a file stands for a folder, or the other way round."""
    with os.scandir(state) as found:
        return [
            entry.name
            for entry in found
            if not (
                entry.is_dir(follow_symlinks=False)
                if entry.name in _FOLDERS
                else entry.is_file(follow_symlinks=False)
            )
        ]


def _put_away_odd(state: Path) -> None:
    """Move what stands in the place of state to ``odd`` beside it; the rest is ours, and stays."""
    for name in _odd(state):
        place = state.parent / "odd"
        disk.make_folder(place, synced=True)
        with contextlib.suppress(FileNotFoundError):  # another process has just done it
            (state / name).rename(place / f"{name}-{secrets.token_hex(4)}")
    disk.sync_folder(state)


def _is_older(layout: Layout) -> bool:
    """Whether an older perdure has left the state here, without a mark.

    What it noted down names machine and inode: the machine's id is a secret that nobody outside
    has. Where it has none the name alone would do, which can be guessed.
    """
    if (layout.state / "mark").exists() or not machine_id():
        return False
    place = [machine(), layout.git_dir.stat().st_ino]
    noted = [*layout.state.glob("*.json"), *(layout.state / "leases").glob("*")]
    return any(_place_in(path) == place for path in noted)


def _place_in(path: Path) -> object:
    try:
        value = json.loads(disk.read_file(path, most=_NOTE_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    return value.get("place") if isinstance(value, dict) else None


# What is known of marks


def known_folder() -> Path:
    """The folder that remembers which marks are this user's own."""
    from platformdirs import user_data_path

    return user_data_path("perdure", appauthor=False) / "known"


def _file_of(mark: str) -> Path:
    # The mark itself stands in the state folder alone.
    return known_folder() / hashlib.sha256(b"perdure state " + mark.encode()).hexdigest()[:32]


def _places(mark: str) -> list[tuple[str, int, int]]:
    """Machine, inode and generation of the git folders that a mark is known of."""
    try:
        rows = json.loads(disk.read_file(_file_of(mark)))
        return [(str(row[0]), int(row[1]), int(row[2])) for row in rows]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return []


def _is_known_inode(layout: Layout, mark: str) -> bool:
    """Whether only the machine is another: a home on a network, a container made anew."""
    return any(where[1:] == _inode(layout.git_dir) for where in _places(mark))


def _learn(layout: Layout, mark: str) -> None:
    """Remember a mark, if the user's data folder can be written."""
    here = (machine(), *_inode(layout.git_dir))
    rows = [row for row in _places(mark) if row != here][1 - _PLACES :]
    with contextlib.suppress(OSError):
        disk.make_folder(known_folder(), synced=True)
        _forget_oldest()
        disk.replace_file(_file_of(mark), json.dumps([*rows, here]).encode(), synced=True)
        disk.sync_folder(known_folder())


def forget(layout: Layout) -> None:
    """Forget the mark of a copy that is about to be removed, unless another folder has it too."""
    mark = _read_mark(layout.state)
    if mark is None or any(where[1:] != _inode(layout.git_dir) for where in _places(mark)):
        return
    for path in (_file_of(mark), _file_of(mark).with_suffix(".told")):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _forget_oldest() -> None:
    files = list(known_folder().iterdir())
    if len(files) >= _KNOWN:
        files.sort(key=lambda path: path.stat().st_mtime)
        for path in files[: len(files) - _KNOWN + 1]:
            path.unlink(missing_ok=True)


def is_told(layout: Layout, what: str) -> bool:
    """Whether the user was told of this folder before; remembered beside its mark."""
    mark = _read_mark(layout.state)
    if mark is None or not is_own(layout):
        return False
    digest = hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    path = _file_of(mark).with_suffix(".told")
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = disk.read_file(path).decode("ascii", "replace").split()
    if digest in lines:
        return True
    with contextlib.suppress(OSError):
        text = "\n".join([*lines[1 - _TOLD :], digest, ""])
        disk.replace_file(path, text.encode(), synced=False)
    return False


# Setting aside


def _set_aside(layout: Layout) -> None:
    """Move the state away in one step; from then on nothing in it is obeyed."""
    cache = layout.git_dir / "perdure" / "cache"
    if anything_in(layout.state):
        now = time.time_ns()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now // 10**9))
        name = f"{stamp}-{now % 10**9:09d}-{secrets.token_hex(2)}"
        place = _aside(layout) / name
        layout.state.rename(place)
        disk.sync_folder(place.parent)
        disk.sync_folder(layout.state.parent)
    # An index may say anything of the conversations; it is made anew from the commits.
    if cache.is_dir():
        gone = _aside(layout) / f"cache-{secrets.token_hex(3)}"
        cache.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
    _forget_harmless(layout)


def _forget_harmless(layout: Layout) -> None:
    """Remove the oldest folders that were set aside and hold no unsaved words."""
    found = set_aside(layout)
    for place in found[:-_KEPT]:
        if not any((place / "journals").glob("*.journal")):
            shutil.rmtree(place, ignore_errors=True)
            place.with_name(f"{place.name}.told").unlink(missing_ok=True)


def tell_set_aside(layout: Layout) -> list[Path]:
    """Folders set aside that the user has not been told of; each is returned only once."""
    fresh = []
    for place in set_aside(layout):
        if place.name.startswith("cache-"):
            continue
        told = place.with_name(f"{place.name}.told")
        try:
            os.close(os.open(told, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            continue
        except OSError:
            pass
        fresh.append(place)
    return fresh
