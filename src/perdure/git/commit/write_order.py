"""Landing a commit: the one order in which everything is written (docs/durability.md)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from perdure.git.commit.journal_file import Intent, JournalFile
from perdure.git.errors import BranchGone, Busy, TipMoved
from perdure.git.index.file import IndexTrouble
from perdure.git.locks import GitLock
from perdure.git.objects.commit import Author, is_before_git, parse_commit, render_commit, stamp
from perdure.git.objects.store import ObjectStore, object_id
from perdure.git.objects.tree import Blobs, Change, Edit, Trees
from perdure.git.packs.small import PackWriter
from perdure.git.refs.refs import HEADS, Moved, Refs, check_branch
from perdure.git.worktree.sync import Level

_ATTEMPTS = 100


class HasJournal(Protocol):
    """A `Journal` or a `Leftover`."""

    @property
    def file(self) -> JournalFile:
        """Where its records are."""

    def finish(self) -> None:
        """Drop the turn."""


Message = str | Callable[[str | None], str]
"""A commit's message, or what makes it from the parent that the commit comes to have."""


@dataclass(frozen=True, slots=True)
class Order:
    """What shall be committed."""

    changes: Sequence[Change]
    message: Message
    author: Author
    committer: Author
    branch: str
    at: datetime
    expect: Mapping[str, str | None]
    start: str | None
    journal: HasJournal | None

    def text(self, parent: str | None) -> str:
        """The commit's message on top of ``parent``."""
        return self.message if isinstance(self.message, str) else self.message(parent)


@dataclass(slots=True)
class _Locks:
    """The locks of one attempt; whichever are there are released together."""

    ref: GitLock
    index: GitLock | None = None
    head: GitLock | None = None
    has_index: bool = False

    def release(self) -> None:
        for lock in (self.head, self.index, self.ref):
            if lock is not None:
                lock.release()


class Lander:
    """Lands commits in one repository. The caller holds the commit lock."""

    def __init__(
        self, store: ObjectStore, trees: Trees, refs: Refs, packs: PackWriter, level: Level
    ) -> None:
        self._store = store
        self._trees = trees
        self._refs = refs
        self._packs = packs
        self._level = level

    def land(self, order: Order) -> str:
        """Commit, again on the new tip for as long as someone else is quicker.

        Returns:
            Id of the commit; the tip's when the changes are there already.
        """
        ref = check_branch(order.branch)
        for _ in range(_ATTEMPTS):
            self._level.check_not_rewritten(order.branch)
            tip = self._refs.read(ref)
            parent = tip or order.start
            if parent is None and self._refs.names(HEADS):
                raise BranchGone(
                    f"the branch {order.branch} is gone",
                    "nothing was changed",
                    "perdure branch lists those there are",
                )
            root = self._trees.root(parent) if parent else None
            self._check(root, order.expect)
            edit = self._trees.edit(root, order.changes)
            if tip is not None and edit.root == root:
                if order.journal is not None:
                    order.journal.finish()
                return tip
            merged = self._level.is_merged(edit.blobs)
            if merged is not None and self._refs.head().branch == order.branch:
                raise TipMoved(merged)
            with contextlib.suppress(Moved):
                return self._attempt(order, ref, tip, parent, edit)
        raise Busy(
            f"{order.branch} is being moved by someone else all the time",
            "nothing was changed",
            "repeat in a moment",
        )

    def _unreached(self, start: str) -> list[tuple[str, bytes, bytes]]:
        """What a branch begins on and no ref reaches: its own branch may be gone since."""
        from perdure.git.refs.unreachable import unreached

        return unreached(start, self._store, self._trees, self._refs)

    def _check(self, root: str | None, expect: Mapping[str, str | None]) -> None:
        for path, oid in expect.items():
            node = self._trees.node(root, path) if root else None
            if (node[1] if node else None) != oid:
                raise TipMoved(path)

    def _attempt(
        self, order: Order, ref: str, tip: str | None, parent: str | None, edit: Edit
    ) -> str:
        if parent and is_before_git(order.at):
            # By a clock that was reset nothing is newer than anything: the parent's time is nearer.
            info = parse_commit(parent, self._store.read(parent)[1])
            order = replace(order, at=info.committed_at)
        data = render_commit(
            tree=edit.root,
            parents=(parent,) if parent else (),
            author=order.author,
            committer=order.committer,
            at=order.at,
            message=order.text(parent),
        )
        new = object_id(b"commit", data)
        unreached = self._unreached(parent) if tip is None and parent else ()
        with self._packs.write([*unreached, *edit.objects, (new, b"commit", data)]):
            self._bring(order, ref, tip, new, edit)
        return new

    def _bring(self, order: Order, ref: str, tip: str | None, new: str, edit: Edit) -> None:
        """Move the branch to a commit that is stored, with index and work files."""
        locks = _Locks(self._refs.prepare(ref, new))
        try:
            if self._refs.head().branch == order.branch:
                locks.index = self._level.prepare_index()
                locks.head = self._level.prepare_head()
            self._intend(order, new, edit, locks)
            if locks.index is not None:
                locks.has_index = self._level.lock_index(locks.index)
                if locks.head is not None:
                    self._level.hold_head(locks.head)
            is_here = self._refs.head().branch == order.branch
            self._refs.hold(locks.ref, ref, tip)
            # Now, with the lock: a rebase that begins later has read where the branch goes.
            self._level.check_not_rewritten(order.branch)
            self._move(order, edit, locks, is_here=is_here)
            self._log(order, ref, tip, new, is_here=is_here)
        finally:
            locks.release()

    @staticmethod
    def _intend(order: Order, new: str, edit: Edit, locks: _Locks) -> None:
        if order.journal is None:
            return
        paths = {
            path: (old[1] if old else None, node[1] if node else None)
            for path, (old, node) in edit.blobs.items()
        }
        names = [lock.identity for lock in (locks.ref, locks.index, locks.head) if lock is not None]
        order.journal.file.intend(Intent(order.branch, new, paths, names))

    def _move(self, order: Order, edit: Edit, locks: _Locks, *, is_here: bool) -> None:
        """The commit point, with the index just before it.

        ``git commit`` reads HEAD, then the index, and holds only what it read of HEAD against the
        branch. With the old tip and the new index it fails, since we have the branch's lock until
        the branch has moved; with the new tip and the old index it would succeed and take the turn
        out again. So where a journal names what is done, work file and index come first.
        """
        early = is_here and order.journal is not None
        owed: Blobs = {}
        promised = is_here and not early and self._level.debts.promise(order.branch, edit.blobs)
        try:
            if early:
                owed = self._fill(order, edit, locks)
                owed = self._publish_index(edit, locks, owed)
            self._refs.publish(locks.ref)
        except BaseException:
            if early:
                self._take_back(order, edit)
            if promised:
                self._level.debts.keep_promise()
            raise
        # From here on the turn is in history: nothing may fail it but the disk under the ref.
        if is_here and not early:
            owed = self._publish_index(edit, locks, self._fill(order, edit, locks))
        if is_here:
            self._level.landings.note(order.branch, edit.blobs)
        self._refs.settle(locks.ref)
        if promised and not owed:
            # Given back first: synced with their folder, they would outlive a power cut.
            locks.release()
            self._level.debts.keep_promise()
        if self._note_owed(order, owed) and order.journal is not None:
            order.journal.finish()

    def _take_back(self, order: Order, edit: Edit) -> None:
        """Work files as they were; the index is a debt, paid by the next commit or open."""
        back = {path: (new, old) for path, (old, new) in edit.blobs.items()}
        self._level.update_work(back, synced=False)
        self._note_owed(order, back)

    def _log(self, order: Order, ref: str, tip: str | None, new: str, *, is_here: bool) -> None:
        who = stamp(order.committer, order.at)
        with contextlib.suppress(OSError):
            self._refs.log(ref, tip, new, who, order.text(tip))
            if is_here:
                self._refs.log("HEAD", tip, new, who, order.text(tip))

    def _fill(self, order: Order, edit: Edit, locks: _Locks) -> Blobs:
        """Write the work files, and the new index into its lock. Returns what could not be."""
        level = self._level
        former = level.landings.ours(edit.blobs)
        for path, oids in level.debts.former(order.branch).items():
            former[path] = [*former.get(path, ()), *oids]
        stats = level.update_work(edit.blobs, former=former, synced=order.journal is None)
        owed = {path: edit.blobs[path] for path in level.unwritten}
        if not locks.has_index or locks.index is None:
            return edit.blobs
        try:
            level.fill_index(
                locks.index,
                edit.blobs,
                edit.folders,
                stats,
                tip=edit.root,
                former=level.landings.stale(order.branch, stats),
            )
        except IndexTrouble as error:
            level.trouble = str(error)
            locks.has_index = False
        except OSError as error:
            level.trouble = f"the index could not be written: {error}"
            locks.has_index = False
            owed = edit.blobs
        return owed

    def _publish_index(self, edit: Edit, locks: _Locks, owed: Blobs) -> Blobs:
        if locks.has_index and locks.index is not None:
            try:
                self._level.publish_index(locks.index)
            except OSError as error:
                self._level.trouble = f"the index could not be written: {error}"
                return edit.blobs
        return owed

    def _note_owed(self, order: Order, owed: Blobs) -> bool:
        """Write down what is not level yet. False when not even that can be written."""
        if owed:
            try:
                self._level.debts.add(order.branch, owed)
            except OSError:
                return False
        return True
