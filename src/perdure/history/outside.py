"""Edits that people made in the work tree, and whether they may be committed as they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from perdure.history import gitindex
from perdure.history.errors import BadPath
from perdure.history.gitindex import IndexTrouble, Slot
from perdure.history.layout import Layout, WorkState
from perdure.history.objects import ObjectStore
from perdure.history.paths import check_path, is_path
from perdure.history.trees import Change, Entry, Trees
from perdure.history.worktree import NotRegular, WorkFile, WorkTree

_SCRATCH = ("~", ".swp", ".swx", ".tmp", ".bak", ".orig", ".rej", ".part")


@dataclass(frozen=True, slots=True)
class OutsideEdits:
    """What differs from HEAD below some folders.

    Attributes:
        ready: changes that can be committed as their own commit.
        held: paths that differ too, each with the reason why they are left to their author.
    """

    ready: list[Change]
    held: list[tuple[str, str]]


class Outside:
    """Compares a work tree with a commit."""

    def __init__(self, layout: Layout, trees: Trees, work: WorkTree) -> None:
        self._layout = layout
        self._trees = trees
        self._work = work

    def find(self, root: str | None, prefixes: Sequence[str], state: WorkState) -> OutsideEdits:
        """Edits below some folders.

        Held is what is staged, in conflict, no regular file, or met while a merge, rebase,
        cherry-pick, revert or bisect is open or HEAD is detached.
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
            gone = bool(tracked) and not (self._layout.work / prefix).exists()
            for path in sorted(tracked.keys() | set(self._untracked(prefix, tracked.keys()))):
                entry = tracked.get(path)
                slots = staged.get(path, [])
                if self._is_hidden(slots) or self._looks_level(path, entry, slots):
                    continue
                self._judge(path, entry, slots, general or unusable, outcome, gone=gone)
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
        if not reason and gone:
            reason = "its whole folder is missing"
        if not reason:
            try:
                check_path(path)
            except BadPath as error:
                reason = error.what
        if reason:
            outcome.held.append((path, reason))
        else:
            outcome.ready.append(Change(path, seen.data if seen else None))

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

    def _untracked(self, prefix: str, tracked: Collection[str]) -> Iterator[str]:
        """New files below a folder: no scratch files of editors, nothing that git ignores."""
        new: list[str] = []
        top = self._layout.work / prefix
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            relative = Path(folder).relative_to(self._layout.work).as_posix()
            base = "" if relative == "." else f"{relative}/"
            for name in files:
                is_scratch = name.startswith((".", "#")) or name.endswith(_SCRATCH)
                if base + name not in tracked and not is_scratch:
                    new.append(base + name)
        if new:
            yield from self._not_ignored(new)

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
            for path in sorted({*tracked, *self._untracked(prefix, set(tracked))}):
                try:
                    seen = self._work.read(path)
                except (NotRegular, OSError):
                    seen = None
                here = seen.oid if seen else None
                if here != tracked.get(path):
                    rows.append((path, tracked.get(path), here))
        return rows


def _staged_reason(entry: Entry | None, slots: Sequence[Slot], seen: WorkFile | None) -> str:
    """Why a path's entry in the index keeps us from committing it, "" if it does not."""
    if any(slot.stage for slot in slots):
        return "it is in conflict"
    staged = slots[0].oid if slots else None
    if slots and slots[0].only_intended:
        return "it is staged"
    if staged == (entry.oid if entry else None):
        return ""
    if seen is not None and staged == seen.oid:
        return "it is staged"
    return "something else is staged for it"
