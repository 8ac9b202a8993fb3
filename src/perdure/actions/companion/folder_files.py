"""The files of a folder that somebody handed over, beside the commit that is checked out there.

What differs from the commit is an edit, and is taken; or it is left, and then said with a reason.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from perdure.actions.concerns import KINDS
from perdure.git.errors import HistoryError
from perdure.git.objects.tree import PROGRAM, Node, is_regular
from perdure.git.paths import is_path
from perdure.git.repository.repository import Repository
from perdure.git.repository.stranger import Staged, StrangerFolder
from perdure.git.worktree.files import NotRegular, TooLarge, WorkFile, WorkTree
from perdure.stray_files import is_scratch_file

_TOPS = {*KINDS, "conversations", "alternatives", "backends.lock"}
_MOST_LISTED = 200_000
_MOST_BYTES = 16 * 1024 * 1024
_MOST_TOGETHER = 96 * 1024 * 1024

_MISSING = "it is missing there, and comes as it was committed"
_LINK = "it is a link, and none is followed"
_ODD = "it is a pipe, a socket or a device"
_HIDDEN = "a folder that begins with a dot is not looked into"
_NO_NAME = "no file may have this name, or lie so deep"
_TOO_LARGE = f"it has more than {_MOST_BYTES >> 20} MiB"
_IN_CONFLICT = "a merge there is in conflict about it"
_STAGED = "what is staged for it is neither in a commit nor in the file"
_OTHER_BRANCH = "it is an edit on a branch without a companion"
_TAKEN_NAME = "another file has its name here"
_MODE = "whether it may be run stays as it was committed"


@dataclass(slots=True)
class FolderEdits:
    """What is in no commit of a folder.

    Attributes:
        taken: paths that were written as they stand there.
        left: what was not taken, each with the reason.
        others: what is directly in it, new or edited, and no companion's; a folder with a slash.
    """

    taken: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def files_of(stranger: StrangerFolder) -> tuple[dict[str, bytes], FolderEdits]:
    """The companion's files in a folder without git, with their content; and what was left.

    Raises:
        TooManyFiles: there are more than are looked through.
        HistoryError: they are larger than a companion's.
    """
    folder = _Folder(stranger)
    files = {path: seen.data for path, seen in folder.ours()}
    folder.edits.others = sorted({_top(path) for path in folder.files if not _is_ours(path)})
    return files, folder.edits


def take_edits(stranger: StrangerFolder, repo: Repository, named: str | None) -> FolderEdits:
    """Write what differs in a folder from its commit into a companion that was copied from it.

    Args:
        stranger: the folder.
        repo: the copy, with nothing in its work tree but what its branch has.
        named: the ref that the folder's HEAD names.

    Raises:
        TooManyFiles, HistoryError: as for `files_of`.
        StorageFull, ReadOnly, WriteFailed: they could not be written.
    """
    tip = repo.head().commit
    base = (repo.parts().refs.read(named) if named is not None else None) or tip
    trees = repo.parts().trees
    committed = dict(trees.leaves(trees.root_of(base)))
    folder = _Folder(stranger)
    edits, staged = folder.edits, stranger.staged()
    if staged is None:
        edits.left.append(("git's index", "it cannot be read, so that nothing staged is known"))
    slots = staged or {}
    for path, seen in folder.ours():
        old = committed.get(path)
        reason = _staged_reason(slots.get(path, ()), old, seen.oid)
        if reason:
            edits.left.append((path, reason))
        if reason == _IN_CONFLICT:
            continue
        if old is None or old[1] != seen.oid or not is_regular(old):
            if base != tip:
                edits.left.append((path, _OTHER_BRANCH))
            else:
                _put(repo.work_tree(), path, seen.data, edits)
        elif stranger.tells_programs and (old[0] == PROGRAM) != bool(seen.stat.st_mode & 0o100):
            edits.left.append((path, _MODE))
    others = (path for path in folder.files if not _is_ours(path))
    edits.others = sorted({_top(path) for path in others if folder.differs(path, committed)})
    edits.left += _missing(folder.files, committed, slots, set(edits.taken))
    return edits


class _Folder:
    """The files there, as they were listed once. ``files``: their stats by path."""

    def __init__(self, stranger: StrangerFolder) -> None:
        self.edits = FolderEdits()
        self.files: dict[str, os.stat_result] = {}
        self._work = stranger.work_tree()
        for folder, names, files in self._work.walk("", most=_MOST_LISTED, unread=self._unread):
            start = f"{folder}/" if folder else ""
            self.files |= {start + name: found for name, found in files.items()}
            for path in (start + name for name in names if folder in _TOPS or "/" in folder):
                if path.rpartition("/")[2].startswith("."):
                    self.edits.left.append((f"{path}/", _HIDDEN))
                elif not is_path(path):
                    self.edits.left.append((f"{path}/", _NO_NAME))

    def _unread(self, folder: str, error: OSError) -> None:
        self.edits.left.append((f"{folder}/", _unreadable(error)))

    def ours(self) -> Iterator[tuple[str, WorkFile]]:
        """The companion's files in their order, as they are read; what cannot be is noted.

        Raises:
            HistoryError: they are larger than a companion's.
        """
        left = _MOST_TOGETHER
        for path in sorted(filter(_is_ours, self.files)):
            seen, reason = self._read(path)
            if seen is None:
                self.edits.left += [(path, reason)] if reason else []
                continue
            left -= len(seen.data)
            if left < 0:
                raise HistoryError(
                    f"the files of {self._work.root} have more than {_MOST_TOGETHER >> 20} MiB",
                    "nothing was changed",
                    "move away what does not belong to a companion",
                )
            yield path, seen

    def _read(self, path: str) -> tuple[WorkFile | None, str]:
        """A file, and why it is not read."""
        mode = self.files[path].st_mode
        if not is_path(path):
            return None, _NO_NAME
        if not stat.S_ISREG(mode):
            return None, _LINK if stat.S_ISLNK(mode) else _ODD
        try:
            return self._work.read(path, most=_MOST_BYTES), ""
        except TooLarge:
            return None, _TOO_LARGE
        except NotRegular:
            return None, _ODD
        except OSError as error:
            return None, _unreadable(error)

    def differs(self, path: str, committed: Mapping[str, Node]) -> bool:
        """Whether a file of no companion is another than the committed one."""
        old = committed.get(path)
        return old is None or not self._work.holds(path, old[1])


def _is_ours(path: str) -> bool:
    return path in KINDS or (path.partition("/")[0] in _TOPS and not is_scratch_file(path))


def _top(path: str) -> str:
    name, slash, _ = path.partition("/")
    return name + slash


def _unreadable(error: OSError) -> str:
    return f"it cannot be read: {error.strerror}"


def _staged_reason(slots: Sequence[Staged], old: Node | None, here: str | None) -> str:
    """Why what git's index has for a path is not taken; "" where nothing else is staged."""
    if any(each.stage for each in slots):
        return _IN_CONFLICT
    known = {here, old[1] if old else None}
    return _STAGED if any(each.oid not in known for each in slots) else ""


def _missing(
    files: Mapping[str, os.stat_result],
    committed: Mapping[str, Node],
    staged: Mapping[str, Sequence[Staged]],
    taken: set[str],
) -> Iterator[tuple[str, str]]:
    """What is committed or staged, and not in the folder; each with what becomes of it."""
    above = {path[:at] for path in taken for at in range(len(path)) if path[at] == "/"}
    for path in sorted((committed.keys() | staged.keys()) - files.keys()):
        old = committed.get(path)
        reason = _staged_reason(staged.get(path, ()), old, None)
        if reason:
            if _is_ours(path):
                yield path, reason
        elif old is not None and is_regular(old) and is_path(path):
            # Something that was taken may stand in its place.
            folders = {path[:at] for at in range(len(path)) if path[at] == "/"}
            if path not in above and folders.isdisjoint(taken):
                yield path, _MISSING


def _put(work: WorkTree, path: str, data: bytes, edits: FolderEdits) -> None:
    """Write one file, in place of what is committed there."""
    folders = path.split("/")[:-1]
    for count in range(1, len(folders) + 1):
        above = "/".join(folders[:count])
        there = work.stat(above)
        if there is not None and stat.S_ISREG(there.st_mode):
            work.remove(above, over=there)
    over = work.stat(path)
    if over is not None and stat.S_ISDIR(over.st_mode):
        for below, found in work.below(path, most=_MOST_LISTED).items():
            work.remove(below, over=found)
        work.clear(path)
        over = work.stat(path)
    if work.write(path, data, over=over, synced=False) is not None:
        edits.taken.append(path)
    else:
        edits.left.append((path, _TAKEN_NAME))
