"""Bringing the work tree and the index from one tree to another, path by path.

A path that both trees have alike is not looked at: edits and staged work there go along, as with
``git switch``. A path that differs must be as the old tree has it, or already as the new one has
it; anything else is somebody's work and is refused by name before anything is changed.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import BadPath, CannotMerge, DamagedRepository, TooLargeObject
from perdure.git.index import file as index_file
from perdure.git.index import rewrite
from perdure.git.index.file import IndexEntry
from perdure.git.index.full import read_index
from perdure.git.index.rewrite import NewEntry
from perdure.git.objects.tree import PROGRAM, Node, Trees, is_regular, oid_of
from perdure.git.paths import is_path, shown
from perdure.git.worktree.files import NotRegular
from perdure.git.worktree.git_folder import GitFolder

_MOST_WRITTEN = 2 << 30
"""Bytes of all files of a commit that are written into an empty folder."""
_EACH = 64
"""Files up to which each is fsynced by itself; above, the whole system's writes are once."""


@dataclass(frozen=True, slots=True)
class Step:
    """One path whose entries differ between the old and the new tree."""

    path: str
    old: Node | None
    new: Node | None

    @property
    def ends(self) -> tuple[str | None, str | None]:
        """Blob ids before and after."""
        return oid_of(self.old), oid_of(self.new)


@dataclass(slots=True)
class Survey:
    """The present state of every path that a checkout would touch."""

    seen: dict[str, os.stat_result | None] = field(default_factory=dict)
    """Paths that may be brought to the new tree; None where no file is."""
    current: dict[str, os.stat_result] = field(default_factory=dict)
    """Paths whose file has the new content already."""
    dirty: list[tuple[str, str]] = field(default_factory=list)
    """Paths that are somebody's work, with the reason."""
    staged: set[str] = field(default_factory=set)
    """Paths whose index entries are neither the old nor the new one."""


def differing(trees: Trees, old: str | None, new: str | None) -> list[Step]:
    """What differs between two trees, as files to be written and removed.

    A name that no file can have is never in the work tree: that it goes is nothing to do.

    Raises:
        BadPath: the new tree has such a name where the old one has not.
        CannotMerge: links or submodules differ, which are git's business.
        TooManyFiles: there are more than are looked at.
    """
    found = []
    for change in trees.difference(old, new):
        if not is_path(change.path):
            if change.new_oid is not None:
                raise _unwritable(change.path)
            continue
        nodes = [trees.node(root, change.path) for root in (old, new)]
        files = [node if node and not stat.S_ISDIR(node[0]) else None for node in nodes]
        if any(node is not None and not is_regular(node) for node in files):
            raise CannotMerge(
                f"{change.path} is a link or a submodule on one side",
                "nothing was changed",
                "use git for this step",
            )
        found.append(Step(change.path, files[0], files[1]))
    return found


class Checkout:
    """The work tree and the index of one work tree. The caller holds ``index.lock``."""

    def __init__(self, git: GitFolder) -> None:
        self._git = git
        self._index = git.layout.own / "index"

    # Looking

    def survey(
        self,
        steps: Sequence[Step],
        *,
        torn: bool = False,
        accepted: Mapping[str, Collection[str | None]] | None = None,
    ) -> Survey:
        """Examine every path that would change.

        Args:
            steps: what would be done.
            torn: after a crash: a file that is the beginning of either version counts as that.
            accepted: more blobs, per path, that file and index may have, conflicts too.

        Raises:
            BadPath: no file can have one of the names.
            IndexTrouble: the index cannot be read.
        """
        for step in steps:
            if not is_path(step.path):
                raise _unwritable(step.path)
        slots, written = self._slots()
        outcome = Survey()
        going = {step.path for step in steps if step.old is not None}
        more = accepted or {}
        for step in steps:
            extra = more.get(step.path)
            entries = slots.get(step.path, [])
            oids = {*step.ends, *(extra or ()), *self._beginnings(step, entries)}
            reason = _staged(entries, oids, conflicts=extra is not None)
            if slots and reason:
                outcome.staged.add(step.path)
            else:
                reason = ""
            reason = self._look(step, entries, written, oids, going, outcome, torn=torn) or reason
            if reason:
                outcome.dirty.append((step.path, reason))
        return outcome

    def _slots(self) -> tuple[dict[str, list[IndexEntry]], int]:
        try:
            written = self._index.stat().st_mtime_ns
            return index_file.below(read_index(self._index, self._git.trees)), written
        except FileNotFoundError:
            return {}, 0

    def _beginnings(self, step: Step, entries: Sequence[IndexEntry]) -> set[str]:
        """Staged versions of a file that only the new tree has, and has to the end and beyond.

        A branch without a commit has everything staged: a conversation that went on elsewhere
        meanwhile has only made its files longer, and nothing in the older ones is anybody's work.
        """
        if step.old is not None or step.new is None:
            return set()
        staged = {slot.oid for slot in entries if not slot.stage} - {step.new[1]}
        return {oid for oid in staged if self._begins(oid, step.new[1])}

    def _begins(self, short: str, long: str) -> bool:
        try:
            return self._git.store.read(long)[1].startswith(self._git.store.read(short)[1])
        except DamagedRepository:
            return False

    def _look(
        self,
        step: Step,
        entries: Sequence[IndexEntry],
        written: int,
        oids: Collection[str | None],
        going: Collection[str],
        outcome: Survey,
        *,
        torn: bool,
    ) -> str:
        """Add one work file to the survey. Returns why it cannot be changed, or ""."""
        try:
            found = self._git.work.stat(step.path)
            oid = _known_oid(found, entries, written)
            is_whole = True
            if oid is None:
                seen = self._git.work.read(step.path)
                found = seen.stat if seen else None
                oid = seen.oid if seen else None
                if torn and seen is not None and oid not in oids and self._is_torn(seen.data, oids):
                    oid, is_whole = next(iter(oids)), False
        except NotRegular:
            if step.new is not None and self._is_blocked(step.path, going):
                return "something else is in its place"
            outcome.seen[step.path] = None
            return ""
        if oid not in oids:
            if oid is None:
                return "you deleted it"
            return "it is not in the history yet" if step.old is None else "you edited it"
        outcome.seen[step.path] = found
        if found is not None and step.new is not None and oid == step.new[1] and is_whole:
            is_program = bool(found.st_mode & stat.S_IXUSR)
            if is_program == (step.new[0] == PROGRAM):
                outcome.current[step.path] = found
        return ""

    def _is_torn(self, data: bytes, oids: Collection[str | None]) -> bool:
        start = data.rstrip(b"\0")
        for oid in oids:
            try:
                content = self._git.store.read(oid)[1] if oid else b""
            except DamagedRepository:
                continue
            if content.startswith(start) and len(data) <= len(content):
                return True
        return False

    def _is_blocked(self, path: str, going: Collection[str]) -> bool:
        """Whether something in the way of a path will not be removed."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            try:
                found = (self._git.work.root / here).lstat()
            except OSError:
                return False
            if not stat.S_ISDIR(found.st_mode):
                return not (stat.S_ISREG(found.st_mode) and here in going)
        return any(inner not in going for inner in self._files_below(path))

    def _files_below(self, path: str) -> Iterator[str]:
        for folder, _, files in os.walk(self._git.work.root / path):
            inner = Path(folder).relative_to(self._git.work.root).as_posix()
            yield from (f"{inner}/{name}" for name in files)

    # Changing

    def carry(self, steps: Sequence[Step], survey: Survey) -> dict[str, os.stat_result | None]:
        """Bring work files to the new tree; on disk when this returns.

        A file that changed since the survey stays.

        Returns:
            Per path the stat of a file that has the new content.
        """
        open_steps = [step for step in steps if step.path in survey.seen]
        each = _syncs_each(open_steps)
        stats: dict[str, os.stat_result | None] = dict(survey.current)
        for step in open_steps:
            over = survey.seen[step.path]
            if step.new is None and over is not None:
                self._git.work.remove(step.path, over=over)
                if each:
                    self._git.work.sync(step.path)
        for step in open_steps:
            if step.new is None or step.path in stats:
                continue
            self._git.work.clear(step.path)
            over = survey.seen[step.path]
            stats[step.path] = self._git.work.write(
                step.path,
                self._git.store.read(step.new[1])[1],
                over=over,
                synced=each,
                mode=_permissions(over, step.new),
            )
        if not each:
            os.sync()
        return stats

    def fill(self, root: str) -> list[tuple[str, str]]:
        """Write all files of a tree into an empty work tree, and git's index.

        Links and submodules are left out, and names that no file may have.

        Returns:
            The paths that were left out, each with the reason.

        Raises:
            DamagedRepository: an object is missing or broken.
            TooManyFiles, TooLargeObject: they are more, or larger, than are written.
        """
        nodes: dict[str, Node] = {}
        left_out: list[tuple[str, str]] = []
        size = 0
        for path, node in self._git.trees.leaves(root):
            reason = _why_not_written(path, node)
            if reason:
                left_out.append((path, reason))
                continue
            nodes[path] = node
            size += self._git.store.size(node[1])[1]
            if size > _MOST_WRITTEN:
                raise TooLargeObject("the commit's files together", size, _MOST_WRITTEN)
        each = _syncs_each(nodes)
        files = (
            (path, self._git.store.read(oid)[1], 0o700 if mode == PROGRAM else disk.FILE_MODE)
            for path, (mode, oid) in nodes.items()
        )
        stats = self._git.work.add(files, synced=each)
        if not each:
            os.sync()
        taken = [path for path, found in stats.items() if found is None]
        left_out += [(path, "another file has its name") for path in taken]
        disk.replace_file(
            self._index, index_file.build(self._git.trees.leaves(root), stats), synced=True
        )
        return sorted(left_out)

    def index(
        self,
        steps: Sequence[Step],
        stats: Mapping[str, os.stat_result | None],
        root: str | None,
        staged: Collection[str] = (),
    ) -> bytes:
        """The index after the steps; entries named in ``staged`` stay.

        Raises:
            IndexTrouble: the index is of a kind that is left alone.
        """
        try:
            written = self._index.stat().st_mtime_ns
            data = read_index(self._index, self._git.trees)
        except FileNotFoundError:
            return index_file.build(self._git.trees.leaves(root), stats)
        mine = [step for step in steps if step.path not in staged]
        entries = [
            NewEntry(step.path, step.new[0], step.new[1], stats.get(step.path))
            for step in mine
            if step.new is not None
        ]
        gone = [step.path for step in mine if step.new is None]
        return rewrite.rewrite(data, gone, entries, written=written, is_same=self._git.work.holds)

    def check_index(self) -> None:
        """Fail before anything is changed if the index cannot be written.

        Raises:
            IndexTrouble: it is damaged, or of an unknown kind.
        """
        try:
            data = read_index(self._index, self._git.trees)
        except FileNotFoundError:
            return
        rewrite.rewrite(data, (), (), written=None)


def _why_not_written(path: str, node: Node) -> str:
    """Why an entry of a tree is not written into a work tree, or ""."""
    if not is_path(path):
        return "no file may be called that"
    if is_regular(node):
        return ""
    return "it is a link" if stat.S_ISLNK(node[0]) else "it is another repository"


def _unwritable(path: str) -> BadPath:
    return BadPath(
        f"that commit holds a file called {shown(path)}, which may not be written to the disk",
        "nothing was changed",
        "perdure log and show still read it; choose another commit",
    )


def _staged(entries: Sequence[IndexEntry], oids: Collection[str | None], *, conflicts: bool) -> str:
    """Why the index's entries of a path are somebody's work, or ""."""
    if any(slot.stage for slot in entries):
        return "" if conflicts else "it is in conflict"
    present = entries[0].oid if entries else None
    if present in oids and not (entries and entries[0].only_intended):
        return ""
    return "something else is staged for it" if entries else "its removal is staged"


def _known_oid(
    found: os.stat_result | None, entries: Sequence[IndexEntry], written: int
) -> str | None:
    """The content's id as the index has it, where the stat says that it still holds."""
    if found is None or len(entries) != 1 or entries[0].stage:
        return None
    return entries[0].oid if entries[0].is_level(found, written) else None


def _syncs_each(files: Sized) -> bool:
    """Whether files are flushed one by one: beyond some, one call for all is cheaper."""
    return len(files) <= _EACH or sys.platform != "linux"


def _permissions(over: os.stat_result | None, node: Node) -> int | None:
    """Permissions of a written file; None: as before, or as the program makes files."""
    is_program = over is not None and bool(over.st_mode & stat.S_IXUSR)
    if is_program == (node[0] == PROGRAM):
        return None
    mode = stat.S_IMODE(over.st_mode) if over is not None else 0o600
    return mode | 0o100 if node[0] == PROGRAM else mode & ~0o111
