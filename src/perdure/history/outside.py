"""Edits that people made in the work tree, and whether they may be committed as they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from perdure.history import gitindex
from perdure.history.errors import BadPath
from perdure.history.gitindex import IndexTrouble, Slot
from perdure.history.layout import Layout, WorkState
from perdure.history.objects import ObjectStore
from perdure.history.paths import check_path, is_path
from perdure.history.trees import Change, Entry, Trees
from perdure.history.worktree import NotRegular, WorkFile, WorkTree
from perdure.leavings import is_scratch, originals, same_name

STAGED = "it is staged"
STAGED_OTHERWISE = "something else is staged for it"
FOLDER_GONE = "its whole folder is missing"


@dataclass(frozen=True, slots=True)
class ConflictCopy:
    """A file or folder that a sync program or an editor has made, and what it is a copy of."""

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


class Outside:
    """Compares a work tree with a commit."""

    def __init__(self, layout: Layout, trees: Trees, work: WorkTree) -> None:
        self._layout = layout
        self._trees = trees
        self._work = work

    def find(self, root: str | None, prefixes: Sequence[str], state: WorkState) -> OutsideEdits:
        """Edits below some folders.

        Held is what is staged, in conflict, no regular file, or met while a merge, rebase,
        cherry-pick, revert or bisect is open or HEAD is detached; and a folder that is missing as a
        whole, in one row.
        """
        outcome = OutsideEdits([], [])
        general = ""
        if state.open_operation:
            general = f"a {state.open_operation} is not finished"
        elif state.detached:
            general = "HEAD is detached"
        try:
            staged, unusable = self._index(prefixes), ""
        except IndexTrouble as error:
            staged, unusable = {}, str(error)
        for prefix in prefixes:
            tracked = self._tracked(root, prefix)
            is_folder = bool(tracked) and prefix not in tracked
            gone = is_folder and not (self._layout.work / prefix).exists()
            new = self._untracked(prefix, tracked.keys(), outcome.copies)
            for path in sorted({*tracked, *new}):
                entry = tracked.get(path)
                slots = staged.get(path, [])
                if self._is_hidden(slots) or self._looks_level(path, entry, slots):
                    continue
                self._judge(path, entry, slots, general or unusable, outcome, gone=gone)
            if gone and any(reason == FOLDER_GONE for _, reason in outcome.held):
                kept = [
                    row for row in outcome.held if row[1] != FOLDER_GONE or row[0] not in tracked
                ]
                outcome.held[:] = [*kept, (prefix, FOLDER_GONE)]
        return outcome

    def _tracked(self, root: str | None, prefix: str) -> dict[str, Entry]:
        """Files of a tree by path; a name that no file can have is in no work tree."""
        found = self._trees.files(root, prefix) if root else ()
        return {entry.path: entry for entry in found if is_path(entry.path)}

    def _judge(
        self,
        path: str,
        entry: Entry | None,
        slots: Sequence[Slot],
        reason: str,
        outcome: OutsideEdits,
        *,
        gone: bool,
    ) -> None:
        try:
            seen = self._work.read(path)
        except NotRegular:
            outcome.held.append((path, "it is not a regular file"))
            return
        except OSError as error:
            outcome.held.append((path, f"it cannot be read: {error.strerror}"))
            return
        if entry is not None and seen is not None and seen.oid == entry.oid:
            return
        reason = reason or _staged_reason(entry, slots, seen)
        if not reason and seen is None and self._is_in_icloud(path):
            reason = "iCloud has taken it off this disk; open it once in the Finder"
        if not reason and gone:
            reason = FOLDER_GONE
        if not reason:
            try:
                check_path(path)
            except BadPath as error:
                reason = error.what
        if reason:
            outcome.held.append((path, reason))
        else:
            outcome.ready.append(Change(path, seen.data if seen else None))

    def _is_in_icloud(self, path: str) -> bool:
        """Whether a file that is gone was only moved away: macOS leaves ``.name.icloud`` then."""
        place = self._layout.work / path
        return (place.parent / f".{place.name}.icloud").exists()

    @staticmethod
    def _is_hidden(slots: Sequence[Slot]) -> bool:
        return any(slot.hidden for slot in slots)

    def _looks_level(self, path: str, entry: Entry | None, slots: Sequence[Slot]) -> bool:
        """Whether the stat says that the file is as in HEAD, without reading it.

        Only for a file that is older than the index: a younger one may have changed in the same
        tick of the clock.
        """
        if entry is None or len(slots) != 1 or slots[0].oid != entry.oid or slots[0].stage:
            return False
        found = self._work.stat(path)
        if found is None or not stat.S_ISREG(found.st_mode):
            return False
        slot = slots[0]
        try:
            written = (self._layout.own / "index").stat().st_mtime_ns
        except OSError:
            return False
        mtime = slot.mtime[0] * 10**9 + slot.mtime[1]
        return (
            mtime == found.st_mtime_ns
            and slot.size == found.st_size & 0xFFFFFFFF
            and slot.size > 0
            and mtime < written
        )

    def _index(self, prefixes: Sequence[str]) -> dict[str, list[Slot]]:
        """The index's entries below some folders, by path."""
        try:
            data = (self._layout.own / "index").read_bytes()
        except FileNotFoundError:
            raise IndexTrouble("git's index is missing") from None
        return gitindex.below(data, prefixes)

    def _untracked(
        self, prefix: str, tracked: Collection[str], copies: list[ConflictCopy]
    ) -> Iterator[str]:
        """New files below a folder: no scratch files of editors, nothing that git ignores.

        Copies that sync programs made are put into ``copies`` instead.
        """
        new: list[str] = []
        copied: dict[str, str] = {}
        top = self._layout.work / prefix
        for folder, folders, files in os.walk(top):
            relative = Path(folder).relative_to(self._layout.work).as_posix()
            base = "" if relative == "." else f"{relative}/"
            beside = _Beside([*files, *folders], base, tracked)
            for name in files:
                original = beside.original_of(name)
                if original:
                    copied[base + name] = base + original
                elif base + name not in tracked and not is_scratch(name):
                    new.append(base + name)
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in folders.copy():
                original = beside.original_of(name)
                if original and not any(each.startswith(f"{base}{name}/") for each in tracked):
                    folders.remove(name)
                    copied[f"{base}{name}/"] = f"{base}{original}/"
        for path in self._not_ignored([*new, *copied]) if new or copied else ():
            if path in copied:
                copies.append(ConflictCopy(path, copied[path]))
            else:
                yield path

    def copies(self, root: str | None, folder: str) -> list[ConflictCopy]:
        """Copies that sync programs made below a folder, or directly in the root folder for ""."""
        found: list[ConflictCopy] = []
        if folder:
            list(self._untracked(folder, self._tracked(root, folder).keys(), found))
            return found
        with os.scandir(self._layout.work) as entries:
            names = sorted(entry.name for entry in entries)
        beside = _Beside(names, "", self._trees.entries(root).keys() if root else ())
        found_for = {name: beside.original_of(name) for name in names}
        kept = set(self._not_ignored([name for name, original in found_for.items() if original]))
        return [
            ConflictCopy(name, original)
            for name, original in found_for.items()
            if original and name in kept
        ]

    def _not_ignored(self, paths: Sequence[str]) -> Iterator[str]:
        from dulwich.ignore import IgnoreFilter, IgnoreFilterStack

        filters = [
            IgnoreFilter.from_path(str(place))
            for place in (
                self._layout.work / ".gitignore",
                self._layout.git_dir / "info" / "exclude",
            )
            if place.is_file()
        ]
        stack = IgnoreFilterStack(filters)
        for path in paths:
            parts = path.split("/")
            folders = ["/".join(parts[: i + 1]) + "/" for i in range(len(parts) - 1)]
            if not any(stack.is_ignored(name) for name in [*folders, path]):
                yield path

    def is_edited(self, path: str, oid: str, store: ObjectStore) -> bool:
        """Whether a hand has changed the work file of a chunk that has a blob at the tip.

        Not edited is an older or newer version of ours, which a full disk or a `git checkout`
        beside us may leave there for a moment: a chunk grows at its end only. Nor one that is gone.
        """
        try:
            seen = self._work.read(path)
        except NotRegular:
            return True
        except OSError:
            return False
        if seen is None or seen.oid == oid:
            return False
        if store.find(seen.oid) is None:
            return True
        _, there = store.read(oid)
        return not (there.startswith(seen.data) or seen.data.startswith(there))

    def against_work(
        self, root: str | None, paths: Sequence[str]
    ) -> list[tuple[str, str | None, str | None]]:
        """Paths whose work file differs from a tree: path, blob there, id of the content here."""
        rows: list[tuple[str, str | None, str | None]] = []
        for prefix in paths or ("",):
            tracked = {path: e.oid for path, e in self._tracked(root, prefix).items()}
            for path in sorted({*tracked, *self._untracked(prefix, set(tracked), [])}):
                try:
                    seen = self._work.read(path)
                except (NotRegular, OSError):
                    seen = None
                here = seen.oid if seen else None
                if here != tracked.get(path):
                    rows.append((path, tracked.get(path), here))
        return rows


class _Beside:
    """The names in one folder, on the disk and in the tree."""

    def __init__(self, names: Sequence[str], base: str, tracked: Collection[str]) -> None:
        self._names = names
        self._base = base
        self._tracked = tracked

    def original_of(self, name: str) -> str | None:
        """What an untracked file or folder is a copy of; None for one of its own."""
        if self._base + name in self._tracked:
            return None
        for original, is_sure in originals(name):
            if is_sure or same_name(original) in self._all:
                return original
        return None

    @cached_property
    def _all(self) -> frozenset[str]:
        names = [*self._names, *(
            path[len(self._base) :].partition("/")[0]
            for path in self._tracked
            if path.startswith(self._base)
        )]  # fmt: skip
        return frozenset(map(same_name, names))


def _staged_reason(entry: Entry | None, slots: Sequence[Slot], seen: WorkFile | None) -> str:
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
