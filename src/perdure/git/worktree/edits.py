"""Edits that people made in the work tree, and whether they can be committed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from perdure.git import disk
from perdure.git.config import repository as config
from perdure.git.errors import BadPath, HistoryError, TooManyFiles
from perdure.git.index import file as index_file
from perdure.git.index.file import IndexEntry, IndexTrouble
from perdure.git.index.full import read_index
from perdure.git.layout import state_of_work
from perdure.git.objects.tree import Change, Entry, FileChange, is_regular
from perdure.git.paths import check_path, is_path
from perdure.git.worktree.files import FolderListing, NotRegular, TooLarge, WorkFile, files_in
from perdure.git.worktree.git_folder import GitFolder
from perdure.git.worktree.ignore import Ignored, RulesTrouble
from perdure.stray_files import is_scratch_file, possible_originals, same_name

STAGED = "it is staged"
STAGED_OTHERWISE = "something else is staged for it"
FOLDER_GONE = "its whole folder is missing"
MOST_LISTED = 200_000
"""Of one folder that is looked through."""
_MOST_BYTES = 16 * 1024 * 1024
"""Of one file that is committed as an edit."""
_MOST_EDITS = 5_000
_MOST_TOGETHER = 64 * 1024 * 1024
"""Bytes of all edits that are taken at once."""


@dataclass(frozen=True, slots=True)
class ConflictCopy:
    """A copy that a sync program or an editor made, and its original."""

    path: str
    original: str


@dataclass(frozen=True, slots=True)
class OutsideEdits:
    """What differs from HEAD below some folders.

    Attributes:
        ready: changes that can be committed as their own commit.
        held: paths that differ too, each with the reason why they are left to their author.
        copies: what is no edit but a copy of another file.
    """

    ready: list[Change]
    held: list[tuple[str, str]]
    copies: list[ConflictCopy] = field(default_factory=list)


class WorkTreeEdits:
    """What people changed in a work tree, against the commit that is checked out."""

    def __init__(self, git: GitFolder) -> None:
        self._git = git

    def _root(self) -> str | None:
        return self._git.trees.root_of(self._git.refs.head().commit)

    def find(self, prefixes: Sequence[str]) -> OutsideEdits:
        """Edits below some folders: those that may be committed, and those held.

        Held is what is staged, in conflict, no regular file, or met while a merge, rebase,
        cherry-pick, revert or bisect is open or HEAD is detached; a folder that is missing as a
        whole, in one row; and what is larger, or more, than is read at once.
        """
        prefixes = [prefix.strip("/") for prefix in prefixes]
        root = self._root()
        refs = self._git.refs
        state = state_of_work(self._git.layout, refs.head().branch, refs.root_names())
        general = ""
        if state.open_operation:
            general = f"a {state.open_operation} is not finished"
        elif state.detached:
            general = "HEAD is detached"
        try:
            staged = self._index(prefixes)
        except IndexTrouble as error:
            staged, general = _Staged({}, 0), general or str(error)
        search = _Search(staged, general, _MOST_EDITS, _MOST_TOGETHER)
        held = search.outcome.held
        for prefix in prefixes:
            try:
                tracked = self._tracked(root, prefix)
                present = list(self._git.work.walk(prefix, most=MOST_LISTED))
            except TooManyFiles as error:
                held.append((prefix, error.what))
            except OSError as error:
                held.append((prefix, f"it cannot be read: {error.strerror}"))
            else:
                self._find_below(prefix, tracked, present, search)
        if search.is_spent:
            held.append(("the rest", "there is more to commit than perdure reads at once"))
        return search.outcome

    def _find_below(
        self,
        prefix: str,
        tracked: Mapping[str, Entry],
        present: Sequence[FolderListing],
        search: _Search,
    ) -> None:
        held = search.outcome.held
        is_folder = bool(tracked) and prefix not in tracked
        gone = is_folder and not (self._git.layout.work / prefix).exists()
        try:
            new = list(self._untracked(present, tracked, search.outcome.copies))
        except RulesTrouble as error:
            held.append((prefix, f"new files stay as they are: {error}"))
            new = []
        for path, entry, slots in self._not_level(tracked, new, present, search.staged):
            if not any(slot.hidden for slot in slots):
                self._judge(path, entry, slots, search, gone=gone)
        if gone and any(reason == FOLDER_GONE for _, reason in held):
            kept = [row for row in held if row[1] != FOLDER_GONE or row[0] not in tracked]
            held[:] = [*kept, (prefix, FOLDER_GONE)]

    def _tracked(self, root: str | None, prefix: str) -> dict[str, Entry]:
        """Files of a tree by path; a name that no file can have is in no work tree."""
        found = self._git.trees.files(root, prefix)
        return {entry.path: entry for entry in found if is_path(entry.path)}

    def _judge(
        self,
        path: str,
        entry: Entry | None,
        slots: Sequence[IndexEntry],
        search: _Search,
        *,
        gone: bool,
    ) -> None:
        """Decide what becomes of one path: an edit to be committed, or held, or none."""
        if search.count <= 0 or search.size <= 0:
            search.is_spent = True
            return
        seen = None
        try:
            seen = self._git.work.read(path, most=_MOST_BYTES)
        except TooLarge:
            reason = f"it is larger than {_MOST_BYTES >> 20} MiB; commit it with git"
        except NotRegular:
            reason = "it is not a regular file"
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
        else:
            if entry is not None and seen is not None and seen.oid == entry.oid:
                return
            reason = search.reason or _staged_reason(entry, slots, seen)
            reason = reason or self._other_reason(path, seen, gone=gone)
        if reason:
            search.outcome.held.append((path, reason))
        else:
            search.outcome.ready.append(Change(path, seen.data if seen else None))
            search.count -= 1
            search.size -= len(seen.data) if seen else 0

    def _other_reason(self, path: str, seen: WorkFile | None, *, gone: bool) -> str:
        """Why a path that nobody has staged is held, "" if it is not."""
        place = self._git.layout.work / path
        # iCloud leaves a mark where it has only offloaded a file.
        if seen is None and (place.parent / f".{place.name}.icloud").exists():
            return "iCloud has removed it from this disk; open it once in the Finder"
        if gone:
            return FOLDER_GONE
        try:
            check_path(path)
        except BadPath as error:
            return error.what
        return ""

    def _not_level(
        self,
        tracked: Mapping[str, Entry],
        new: Collection[str],
        present: Sequence[FolderListing],
        staged: _Staged,
    ) -> Iterator[tuple[str, Entry | None, list[IndexEntry]]]:
        """Paths of which the file's stat does not show that it is unchanged: it has to be read.

        Each with its entries in the tree and in the index.
        """
        here = files_in(present)
        for path in sorted(tracked.keys() | set(new)):
            entry, slots = tracked.get(path), staged.slots.get(path, [])
            if entry is not None and len(slots) == 1 and slots[0].oid == entry.oid:
                found = here.get(path) or self._git.work.stat(path)
                if found and not slots[0].stage and slots[0].is_level(found, staged.written):
                    continue
            yield path, entry, slots

    def _index(self, prefixes: Sequence[str]) -> _Staged:
        """The index's entries below some folders, by path."""
        place = self._git.layout.own / "index"
        try:
            written = place.stat().st_mtime_ns
            return _Staged(index_file.below(read_index(place, self._git.trees), prefixes), written)
        except FileNotFoundError:
            raise IndexTrouble("git's index is missing") from None
        except disk.NotPlain as error:
            raise IndexTrouble("git's index is no plain file") from error

    def _untracked(
        self, present: Sequence[FolderListing], tracked: Collection[str], copies: list[ConflictCopy]
    ) -> Iterator[str]:
        """New files below a folder, without editors' scratch files and ignored ones.

        Copies that sync programs made are put into ``copies`` instead.

        Raises:
            RulesTrouble: what git ignores cannot be told.
        """
        new: list[str] = []
        copied: dict[str, str] = {}
        away: tuple[str, ...] = ()
        known, root = _Names(tracked), self._git.work.root
        for folder, names, files in present:
            base = f"{folder}/" if folder else ""
            if base.startswith(away):
                continue
            beside = _Beside([*files, *names], base, known)
            for name, found in files.items():
                original = beside.original_of(name)
                if original:
                    copied[base + name] = base + original
                elif not (
                    base + name in tracked
                    or is_scratch_file(name)
                    # A link to a folder counts as nobody's edit.
                    or (stat.S_ISLNK(found.st_mode) and (root / base / name).is_dir())
                ):
                    new.append(base + name)
            for name in names:
                original = beside.original_of(name)
                if original and not known.below(base + name):
                    copied[f"{base}{name}/"] = f"{base}{original}/"
                    away += (f"{base}{name}/",)
        for path in self._not_ignored([*new, *copied]) if new or copied else ():
            if path in copied:
                copies.append(ConflictCopy(path, copied[path]))
            else:
                yield path

    def copies(self, folder: str = "") -> list[ConflictCopy]:
        """Copies that sync programs made below a folder, or directly in the root folder without.

        Raises:
            TooManyFiles: there are more files than are looked through.
        """
        root = self._root()
        found: list[ConflictCopy] = []
        with contextlib.suppress(RulesTrouble):
            if folder:
                present = list(self._git.work.walk(folder, most=MOST_LISTED))
                list(self._untracked(present, self._tracked(root, folder).keys(), found))
                return found
            with os.scandir(self._git.layout.work) as entries:
                names = sorted(entry.name for entry in entries)
            tracked = self._git.trees.entries(root).keys() if root else ()
            beside = _Beside(names, "", _Names(tracked))
            copied = {name: made_of for name in names if (made_of := beside.original_of(name))}
            found += [ConflictCopy(name, copied[name]) for name in self._not_ignored([*copied])]
        return found

    def _not_ignored(self, paths: Sequence[str]) -> Iterator[str]:
        """The paths that git does not ignore; a folder's ends in a slash."""
        if not paths:
            return
        from perdure.git.config.user import users_ignored

        values = config.read_config(self._git.layout.git_dir)
        folded = config.is_true(values.get("core.ignorecase", "false"))
        rules = Ignored(self._git.work, self._git.layout.git_dir, users_ignored(), folded=folded)
        for path in paths:
            if not rules.is_ignored(path.rstrip("/"), is_folder=path.endswith("/")):
                yield path

    def is_edited(self, branch: str, path: str) -> bool:
        """Whether somebody edited a chunk's work file, if ``branch`` is checked out.

        A turn must not be saved over it: who commits the edit with git would take the turn out
        again. Not edited is an older or newer version of ours, which a full disk or a `git
        checkout` beside us may leave there for a moment: a chunk grows at its end only. Nor one
        that is gone.
        """
        oid = self._at_tip(branch, path)
        if oid is None:
            return False
        try:
            seen = self._git.work.read(path)
        except NotRegular:
            return True
        except OSError:
            return False
        if seen is None or seen.oid == oid:
            return False
        if self._git.store.find(seen.oid) is None:
            return True
        _, there = self._git.store.read(oid)
        return not (there.startswith(seen.data) or seen.data.startswith(there))

    def is_gone(self, branch: str, path: str) -> bool:
        """Whether a file of the tip is missing from the folder, if ``branch`` is checked out."""
        if self._at_tip(branch, path) is None:
            return False
        try:
            is_missing = self._git.work.stat(path) is None
            # One that is hidden git does not look for either.
            slots = self._index((path,)).slots.get(path, ()) if is_missing else ()
            return is_missing and not any(slot.hidden for slot in slots)
        except (NotRegular, OSError, IndexTrouble):
            return False

    def _at_tip(self, branch: str, path: str) -> str | None:
        """Blob id of a regular file at a branch's tip, where the branch is checked out."""
        root = self._root() if self._git.refs.head().branch == branch else None
        node = self._git.trees.node(root, path)
        return node[1] if node is not None and is_regular(node) else None

    def against(self, root: str | None, paths: Sequence[str]) -> list[FileChange]:
        """Paths whose work file differs from a tree; the new id is that of the content here."""
        found: list[FileChange] = []
        try:
            staged = self._index(paths or ("",))
        except IndexTrouble:
            staged = _Staged({}, 0)
        for prefix in paths or ("",):
            tracked = self._tracked(root, prefix)
            present = list(self._git.work.walk(prefix, most=MOST_LISTED))
            try:
                new = set(self._untracked(present, tracked, []))
            except RulesTrouble as error:
                raise HistoryError(
                    f"new files cannot be told from ignored ones: {error}",
                    "nothing was changed",
                    "put that file right, or look with git status",
                ) from error
            for path, entry, _ in self._not_level(tracked, new, present, staged):
                try:
                    seen = self._git.work.read(path)
                except (NotRegular, OSError):
                    seen = None
                here = seen.oid if seen else None
                there = entry.oid if entry else None
                if here != there:
                    found.append(FileChange(path, there, here))
        return found


class _Names:
    """The paths of a tree, and the names in each folder."""

    def __init__(self, paths: Collection[str]) -> None:
        self.paths = paths

    @cached_property
    def _in_folder(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path in self.paths:
            at = -1
            while True:
                start, at = at + 1, path.find("/", at + 1)
                found.setdefault(path[:start], set()).add(path[start : at if at >= 0 else None])
                if at < 0:
                    break
        return found

    def below(self, base: str) -> set[str]:
        """Names in a folder."""
        return self._in_folder.get(base if base.endswith("/") or not base else f"{base}/", set())


class _Beside:
    """The names in one folder, on the disk and in the tree."""

    def __init__(self, names: Sequence[str], base: str, tracked: _Names) -> None:
        self._names = names
        self._base = base
        self._tracked = tracked

    def original_of(self, name: str) -> str | None:
        """What an untracked file or folder is a copy of; None for one of its own."""
        if self._base + name in self._tracked.paths:
            return None
        for original, is_sure in possible_originals(name):
            if is_sure or same_name(original) in self._all:
                return original
        return None

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(map(same_name, [*self._names, *self._tracked.below(self._base)]))


@dataclass(frozen=True, slots=True)
class _Staged:
    """The index's entries by path, and when it was written, in ns."""

    slots: dict[str, list[IndexEntry]]
    written: int


@dataclass(slots=True)
class _Search:
    """What was found so far, and how much may still be read for one commit.

    Attributes:
        staged: the index below the folders that are looked through.
        reason: why everything is held, "" where it is not.
        count: files that may still be taken.
        size: bytes that may still be taken.
        is_spent: something was left for the next time.
    """

    staged: _Staged
    reason: str
    count: int
    size: int
    outcome: OutsideEdits = field(default_factory=lambda: OutsideEdits([], []))
    is_spent: bool = False


def _staged_reason(entry: Entry | None, slots: Sequence[IndexEntry], seen: WorkFile | None) -> str:
    """Why a path's entry in the index keeps us from committing it, "" if it does not."""
    if any(slot.stage for slot in slots):
        return "it is in conflict"
    staged = slots[0].oid if slots else None
    if slots and slots[0].only_intended:
        return STAGED
    if staged == (entry.oid if entry else None):
        return ""
    if seen is not None and staged == seen.oid:
        return STAGED
    return STAGED_OTHERWISE
