"""Refuses links inside a git folder, which could lead a write or a removal outside.

git makes none there (but for what ``git-new-workdir`` and a very old HEAD are), while a folder that
one was given may have them anywhere: ``logs/HEAD`` into a shell's start-up file, ``spare`` into the
user's documents. Above the git folder links are the user's business.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import LinkInside

_FILES = frozenset(
    {
        "HEAD", "ORIG_HEAD", "FETCH_HEAD", "index", "config", "config.worktree", "packed-refs",
        "shallow", "commondir", "gitdir", "gc.pid",
        "MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE", "CHERRY_PICK_HEAD", "REVERT_HEAD",
        "BISECT_LOG",
    }
)  # fmt: skip
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_WHOLE = frozenset(
    {"refs", "reftable", "logs", "perdure", "rebase-merge", "rebase-apply", "sequencer"}
)
"""Folders in which everything is looked at. ``hooks``, ``modules`` and the like are git's alone."""


def check_links(git_dir: Path, own: Path) -> None:
    """Refuse a repository with a link, pipe or device where perdure reads or writes.

    Raises:
        LinkInside: names the first.
    """
    for folder in {git_dir, own}:
        for entry in _entries(folder):
            _look(entry)
    for tree in _entries(git_dir / "worktrees"):
        _refuse_link(tree)
        for entry in _entries(Path(tree.path)):
            _look(entry)


_HISTORY = frozenset({"HEAD", "packed-refs", "shallow", "config", "refs", "reftable", "objects"})


def check_history(git_dir: Path) -> None:
    """Refuse a git folder with a link, pipe or device where the history itself lies.

    Raises:
        LinkInside: names the first.
    """
    _refuse_linked(git_dir)
    for entry in _entries(git_dir):
        if entry.name in _HISTORY:
            _look(entry)


_WRITTEN = (
    "logs", "logs/refs", "logs/refs/heads", "refs", "refs/heads", "refs/tags", "refs/perdure",
    "objects", "objects/pack", "perdure", "perdure/state", "perdure/state/held",
    "perdure/state/spare", "perdure/state/journals", "perdure/state/leases",
)  # fmt: skip
"""Folders that a turn or an operation writes into."""


def check_folders(git_dir: Path, own: Path) -> None:
    """Check the folders again before each write, since a session may be long.

    Raises:
        LinkInside: one has become a link since the opening.
    """
    for base in {git_dir, own}:
        for name in _WRITTEN:
            _refuse_linked(base / name)


def check_way(base: Path, path: Path) -> None:
    """Look at each folder on the way from ``base`` to a file below it.

    Raises:
        LinkInside: one is a link.
    """
    for folder in path.parents:
        if folder == base:
            return
        _refuse_linked(folder)


def open_below(base: Path, path: Path, flags: int) -> int:
    """Open a file below a git folder, each part without following, so that no swap is missed.

    Raises:
        OSError: a link is on the way or there, or there is no such folder.
    """
    *folders, name = path.relative_to(base).parts
    fd = open_folder(base, folders)
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, disk.FILE_MODE, dir_fd=fd)
    finally:
        os.close(fd)


def open_folder(base: Path, folders: Sequence[str], *, create: bool = False) -> int:
    """A folder's descriptor, each folder on the way from ``base`` opened without following links.

    Raises:
        OSError: a link is on the way, or there is no such folder; with ``create`` it is made.
    """
    fd = os.open(base, _FOLDER)
    try:
        for folder in folders:
            try:
                inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
            except FileNotFoundError:
                if not create:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, disk.FOLDER_MODE, dir_fd=fd)
                disk.sync(fd)
                inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
    except BaseException:
        os.close(fd)
        raise
    return fd


def _refuse_linked(folder: Path) -> None:
    try:
        mode = folder.lstat().st_mode
    except OSError:
        # Not there: it will be made, and whoever cannot says so.
        return
    if stat.S_ISLNK(mode):
        raise _refused(str(folder), "a link")


def _look(entry: os.DirEntry[str]) -> None:
    """One name directly in a git folder."""
    name = entry.name
    if name in _FILES:
        if not entry.is_dir(follow_symlinks=False):
            _refuse_odd(entry)
    elif name in _WHOLE:
        _refuse_link(entry)
        _look_below(entry.path)
    elif name in {"objects", "info"}:
        _refuse_link(entry)
        for inner in _entries(Path(entry.path)):
            _refuse_odd(inner)
            if name == "objects" and inner.name in {"pack", "info"}:
                for file in _entries(Path(inner.path)):
                    _refuse_odd(file)
    elif name == "worktrees":
        _refuse_link(entry)


def _look_below(folder: str) -> None:
    waiting = [folder]
    while waiting:
        for entry in _entries(Path(waiting.pop())):
            _refuse_odd(entry)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError:
        # Not there, or not to be read: whoever needs it says so.
        return


def _refuse_link(entry: os.DirEntry[str]) -> None:
    if entry.is_symlink():
        raise _refused(entry.path, "a link")


def _refuse_odd(entry: os.DirEntry[str]) -> None:
    if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
        return
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return
    raise _refused(entry.path, "a link" if stat.S_ISLNK(mode) else "a pipe or a device")


def _refused(path: str, kind: str) -> LinkInside:
    return LinkInside(
        f"{path} is {kind}, and inside a git folder perdure follows none",
        "nothing was read through it and nothing was changed",
        "Put the file or folder itself in its place; or make a safe companion of this one: "
        "perdure adopt FOLDER",
    )
