"""What a disk has after a power cut: only what was synced, in the worst way that POSIX allows.

A process watches its own writes (`Disk.watch`), and at the chosen moment undoes on the spot, under
the same names and inodes, what it had not synced. Two extremes: the *contents* of files that were
not fsynced are as they last were, or empty; with *entries*, folders that were not fsynced also have
the names that they had: what was made or renamed is gone, what was removed is back. *Any* lies in
between, as far as a file system with a journal allows: at some moment on the way it wrote back the
names of all folders of itself (`Disk.write_back`), since a journal does not keep a later name
and lose an earlier one; of the contents, each file's by dice.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODES = ("contents", "entries", "any")
_CALLS = ("link", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "fsync", "fdatasync")
_WRITES = ("write", "pwrite", "ftruncate")
_ORIGINAL = {name: getattr(os, name) for name in (*_CALLS, *_WRITES, "open")}


class Disk:
    """Knows what is on the disk under a folder. ``shadow`` keeps what was removed since."""

    def __init__(self, root: Path, shadow: Path) -> None:
        self.root, self.shadow = root, shadow
        self.contents: dict[int, bytes] = {}
        self.listings: dict[int, dict[str, tuple[int, bool]]] = {}
        self.restored: set[Path] = set()
        self.undoing = 0
        shadow.mkdir()
        for folder, _, files in os.walk(root):
            for name in files:
                path = Path(folder, name)
                self.contents[path.stat().st_ino] = path.read_bytes()
            self._note_folder(Path(folder))

    def _note_folder(self, folder: Path) -> None:
        rows: dict[str, tuple[int, bool]] = {}
        for entry in os.scandir(folder):
            is_folder = entry.is_dir(follow_symlinks=False)
            rows[entry.name] = entry.inode(), is_folder
            if not is_folder and not (self.shadow / str(entry.inode())).exists():
                # The inode cannot be given to another file while it may have to come back.
                kept = self.shadow / str(entry.inode())
                _ORIGINAL["link"](entry.path, kept, follow_symlinks=False)
        self.listings[folder.stat().st_ino] = rows

    def write_back(self) -> None:
        """The file system puts all names on the disk, unasked."""
        for folder, _, _ in os.walk(self.root):
            self._note_folder(Path(folder))

    def _note(self, fd: int) -> None:
        place = Path(f"/proc/self/fd/{fd}")
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            self._note_folder(place.resolve())
        else:
            self.contents[os.fstat(fd).st_ino] = place.read_bytes()

    def watch(self, step: Callable[[], None]) -> None:
        """From now on: take note of syncs, call ``step`` before all that changes the disk.

        For a process that will end with the power cut: nothing is put back.
        """

        def live(inner: Callable[..., Any], *, counts: bool) -> Callable[..., Any]:
            def call(*given: Any, **more: Any) -> Any:
                if self._is_over():
                    return inner(*given, **more)
                if counts:
                    step()
                return inner(*given, **more)

            return call

        def opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if flags & os.O_CREAT and not self._is_over():
                step()
            fd: int = _ORIGINAL["open"](path, flags, *more, **named)
            if flags & os.O_EXCL:  # a new file, whose inode may have been another's before
                self.contents.pop(os.fstat(fd).st_ino, None)
            return fd

        def synced(fd: int) -> None:
            _ORIGINAL["fsync"](fd)
            self._note(fd)

        for name in (*_CALLS, *_WRITES):
            inner = synced if "sync" in name else _ORIGINAL[name]
            setattr(os, name, live(inner, counts=name in _CALLS))
        setattr(os, "open", opened)  # noqa: B010 - as above

    def _is_over(self) -> bool:
        """Whether the power is gone: then only the thread that undoes things goes on."""
        if self.undoing not in {0, threading.get_ident()}:
            threading.Event().wait()
        return self.undoing != 0

    # The cut

    def lose(self, mode: str, dice: random.Random) -> None:
        """The power goes, and comes back."""
        self.undoing = threading.get_ident()
        if mode != "contents":
            self._undo_entries(self.root)
        for folder, _, files in os.walk(self.root):
            for name in files:
                path = Path(folder, name)
                if mode != "any" or dice.random() < 0.5:
                    self._undo_content(path)

    def _undo_entries(self, folder: Path) -> None:
        self._as_listed(folder, self.listings.get(folder.stat().st_ino, {}))
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False) and Path(entry.path) not in self.restored:
                self._undo_entries(Path(entry.path))

    def _as_listed(self, folder: Path, rows: dict[str, tuple[int, bool]]) -> None:
        for entry in list(os.scandir(folder)):
            if rows.get(entry.name, (0, False))[0] != entry.inode():
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    Path(entry.path).unlink()
        for name, (inode, is_folder) in rows.items():
            place = folder / name
            if place.exists():
                continue
            if is_folder:
                place.mkdir(mode=0o700)
                self.restored.add(place)
                self._as_listed(place, self.listings.get(inode, {}))
            else:
                os.link(self.shadow / str(inode), place)

    def _undo_content(self, path: Path) -> None:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return
        known = self.contents.get(found.st_ino, b"")
        if path.read_bytes() != known:
            path.chmod(0o600)
            path.write_bytes(known)
            path.chmod(stat.S_IMODE(found.st_mode))
