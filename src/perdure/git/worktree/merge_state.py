"""A merge with conflicts, left open in the work tree the way git does.

``MERGE_HEAD`` names the other side, the index holds what is merged and, for what is in conflict,
the three versions, and the work files have the marks. So ``git status`` tells the truth, and
``git merge --abort`` and ``git commit`` do what they always do.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perdure.git import disk
from perdure.git.errors import HistoryError, UnsavedEdits
from perdure.git.host import boot
from perdure.git.index import file as index_file
from perdure.git.index import rewrite
from perdure.git.index.file import IndexEntry, IndexTrouble
from perdure.git.index.full import read_index
from perdure.git.index.rewrite import NewEntry
from perdure.git.layout import intent_file
from perdure.git.locks import GitLock
from perdure.git.objects.store import object_id
from perdure.git.objects.tree import FILE, Node
from perdure.git.paths import is_path
from perdure.git.state.fields import is_oid
from perdure.git.worktree.checkout import Checkout, Step, Survey
from perdure.git.worktree.files import NotRegular, WorkTree
from perdure.git.worktree.git_folder import GitFolder

FILES = ("MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE")
"""What git keeps of an open merge, besides the index; MERGE_HEAD is what makes it one."""

_MARKS = re.compile(
    rb"^<{7}(?: .*)?\n((?:.*\n)*?)(?:\|{7}(?: .*)?\n(?:.*\n)*?)?={7}\r?\n((?:.*\n)*?)>{7}"
    rb"(?:[ \r]|$)",
    re.MULTILINE,
)
"""One place in conflict, as git marks it; the common past may stand in the middle (diff3)."""


@dataclass(frozen=True, slots=True)
class Versions:
    """One path in conflict: its base, ours and theirs."""

    base: Node | None
    ours: Node | None
    theirs: Node | None


def marked(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """What still stands between a conflict's marks in a text: ours and theirs, place by place."""
    return tuple((found[1], found[2]) for found in _MARKS.finditer(data))


class MergeState:
    """The open merge of one work tree. The caller holds the commit lock."""

    def __init__(self, git: GitFolder) -> None:
        self._git = git
        self._index = git.layout.own / "index"
        self._checkout = Checkout(git)

    # Reading

    def other(self) -> str | None:
        """The commit that is being merged; None if no merge is open.

        Raises:
            HistoryError: several at once, which is git's business.
        """
        try:
            text = disk.read_file(self._git.layout.own / "MERGE_HEAD")
        except FileNotFoundError:
            return None
        ids = text.decode("ascii", "replace").split()
        if not all(map(is_oid, ids)) or not ids:
            raise HistoryError(
                "MERGE_HEAD does not name a commit", "nothing was changed", "git merge --abort"
            )
        if len(ids) != 1:
            raise HistoryError("several branches are merged at once", "", "finish it with git")
        return ids[0]

    def message(self) -> str:
        """The message that git would propose, without comments."""
        try:
            text = disk.read_file(self._git.layout.own / "MERGE_MSG").decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(line for line in text.split("\n") if not line.startswith("#")).strip()

    def slots(self) -> dict[str, list[IndexEntry]]:
        """The index by path.

        Raises:
            HistoryError: it cannot be read.
        """
        try:
            return index_file.below(read_index(self._index, self._git.trees))
        except FileNotFoundError:
            return {}
        except IndexTrouble as error:
            raise HistoryError(
                str(error), "nothing was changed", "git status tells more"
            ) from error

    def staged(self, root: str | None) -> dict[str, list[IndexEntry]]:
        """Paths that the index has otherwise than a tree; no slots: its removal is staged."""
        slots = self.slots()
        leaves = self._git.trees.leaves(root)
        there = {path: node for path, node in leaves if is_path(path)}
        found: dict[str, list[IndexEntry]] = {path: [] for path in there.keys() - slots.keys()}
        for path, entries in slots.items():
            node = there.get(path)
            if len(entries) > 1 or entries[0].stage or node != (entries[0].mode, entries[0].oid):
                found[path] = entries
        return dict(sorted(found.items()))

    # Opening

    def open(
        self,
        other: str,
        message: str,
        contents: Mapping[str, Node | None],
        conflicts: Mapping[str, Versions],
    ) -> None:
        """Leave a merge open.

        Args:
            other: the commit that is merged.
            message: message of the commit to come.
            contents: per path what the work file gets; stored already.
            conflicts: those among them that are in conflict.

        Raises:
            UnsavedEdits: somebody's edits are in the way, or something is staged.
            Busy: git is writing.
        """
        root = self._root()
        steps = [
            Step(path, self._git.trees.node(root, path), node) for path, node in contents.items()
        ]
        lock = self._git.layout.lock(self._index)
        try:
            lock.take(wait=2.0)
            staged = self.staged(root)
            if staged:
                raise UnsavedEdits([(path, "something is staged for it") for path in staged])
            try:
                self._checkout.check_index()
            except IndexTrouble as error:
                raise HistoryError(str(error), "nothing was changed") from error
            survey = self._checkout.survey(steps)
            if survey.dirty:
                raise UnsavedEdits(survey.dirty)
            self._intend({step.path: list(step.ends) for step in steps}, [], lock)
            stats = self._checkout.carry(steps, survey)
            self._write("MERGE_MSG", f"{message}\n\n{_listed(conflicts)}")
            self._write("MERGE_MODE", "")
            self._write("MERGE_HEAD", f"{other}\n")
            plain = [step for step in steps if step.path not in conflicts]
            data = self._checkout.index(plain, stats, root)
            lock.write(rewrite.rewrite(data, (), _stages(conflicts), written=None))
            lock.publish()
            disk.sync_folder(self._git.layout.own)
            self._drop_intent()
        finally:
            lock.release()

    def _root(self) -> str | None:
        return self._git.trees.root_of(self._git.refs.head().commit)

    def _write(self, name: str, text: str) -> None:
        disk.replace_file(self._git.layout.own / name, text.encode("utf-8", "replace"), synced=True)

    def _intend(
        self,
        paths: Mapping[str, Sequence[str | None]],
        forced: Collection[str],
        lock: GitLock | None = None,
    ) -> None:
        value = {
            "kind": "merge",
            "version": 1,
            "paths": {path: list(oids) for path, oids in paths.items()},
            "forced": list(forced),
            "own": self._git.layout.own_name,
            "boot": boot(),
            "locks": [list(lock.identity)] if lock is not None else [],
        }
        place = intent_file(self._git.layout)
        disk.replace_file(place, json.dumps(value).encode(), synced=True)
        disk.sync_folder(place.parent)

    def _drop_intent(self) -> None:
        place = intent_file(self._git.layout)
        place.unlink(missing_ok=True)
        disk.sync_folder(place.parent)

    # Settling

    def settle(self, path: str, content: bytes | None) -> None:
        """Settle a conflict: write the file and give it one plain entry.

        Raises:
            HistoryError: it is not in conflict.
        """
        lock = self._git.layout.lock(self._index)
        try:
            lock.take(wait=2.0)
            entries = self.slots().get(path, [])
            if not any(entry.stage for entry in entries):
                raise HistoryError(
                    f"{path} is not in conflict",
                    "nothing was changed",
                    "perdure merge lists what is",
                )
            seen = self._git.work.read(path)
            new = []
            if content is not None:
                over = seen.stat if seen else None
                found = self._git.work.write(path, content, over=over, synced=True)
                new = [NewEntry(path, FILE, object_id(b"blob", content), found)]
            elif seen is not None:
                self._git.work.remove(path, over=seen.stat)
                self._git.work.sync(path)
            data = read_index(self._index, self._git.trees)
            lock.write(rewrite.rewrite(data, [path], new, written=None))
            lock.publish()
            disk.sync_folder(self._git.layout.own)
        except NotRegular as error:
            raise HistoryError(f"{path} is not a file", "nothing was changed") from error
        except IndexTrouble as error:
            raise HistoryError(str(error), "nothing was changed", "see git status") from error
        finally:
            lock.release()

    # Giving up

    def abort(self) -> None:
        """Abort the merge: bring index and work files back to HEAD.

        Raises:
            UnsavedEdits: files that the merge had brought were edited since.
        """
        staged = self.staged(self._root())
        forced = [path for path, entries in staged.items() if any(e.stage for e in entries)]
        paths: dict[str, list[str | None]] = {}
        dirty: list[tuple[str, str]] = []
        for path, entries in staged.items():
            oid = entries[0].oid if entries else None
            paths[path] = [oid]
            if path not in forced and not self._is(path, oid):
                dirty.append((path, "you edited it"))
        if dirty:
            raise UnsavedEdits(dirty)
        self._intend(paths, forced)
        self.put_back({"paths": paths, "forced": forced})

    def _is(self, path: str, oid: str | None) -> bool:
        try:
            seen = self._git.work.read(path)
        except NotRegular:
            return False
        return (seen.oid if seen else None) == oid

    def put_back(self, value: Mapping[str, Any]) -> None:
        """Undo what an intent names; may be done again."""
        root = self._root()
        steps: list[Step] = []
        accepted: dict[str, set[str | None]] = {}
        for path, oids in value["paths"].items():
            node = self._git.trees.node(root, path)
            accepted[path] = set(oids)
            steps.append(Step(path, node, node))
        lock = self._git.layout.lock(self._index)
        try:
            lock.take(wait=2.0)
            survey = self._checkout.survey(steps, torn=True, accepted=accepted)
            self._force(survey, value["forced"])
            stats = self._checkout.carry(steps, survey)
            try:
                lock.write(self._checkout.index(steps, stats, root, survey.staged))
            except IndexTrouble as error:
                raise HistoryError(str(error), "", "git merge --abort") from error
            lock.publish()
        finally:
            lock.release()
        for name in (*FILES[1:], FILES[0]):
            (self._git.layout.own / name).unlink(missing_ok=True)
        disk.sync_folder(self._git.layout.own)
        self._drop_intent()

    def _force(self, survey: Survey, paths: Collection[str]) -> None:
        """Put back files with conflict markers, even if they were edited."""
        for path in paths:
            if path not in survey.seen:
                survey.seen[path] = self._git.work.stat(path)


def _listed(conflicts: Collection[str]) -> str:
    lines = ["# Conflicts:", *(f"#\t{path}" for path in sorted(conflicts))]
    return "\n".join(lines) + "\n"


def _stages(conflicts: Mapping[str, Versions]) -> list[NewEntry]:
    return [
        NewEntry(path, node[0] or FILE, node[1], stage=stage)
        for path, versions in conflicts.items()
        for stage, node in enumerate((versions.base, versions.ours, versions.theirs), 1)
        if node is not None
    ]


def work_content(work: WorkTree, path: str) -> bytes | None:
    """A work file's content; None if there is no file.

    Raises:
        HistoryError: something else than a file is there.
    """
    try:
        seen = work.read(path)
    except (NotRegular, OSError) as error:
        raise HistoryError(f"{os.fsdecode(path)} is not a file", "nothing was changed") from error
    return seen.data if seen else None
