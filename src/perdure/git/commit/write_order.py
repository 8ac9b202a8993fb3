"""The order in which a commit is written (docs/durability.md)."""

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
from perdure.git.objects.commit import Author, is_before_git, render_commit, stamp
from perdure.git.objects.store import object_id
from perdure.git.objects.tree import Blobs, Change, Edit, oid_of
from perdure.git.packs.small import PackWriter
from perdure.git.refs.refs import HEADS, Moved, check_branch
from perdure.git.worktree.git_folder import GitFolder
from perdure.git.worktree.sync import WorktreeSync

_ATTEMPTS = 100


class HasJournal(Protocol):
    """What has a journal: a `Journal` or a `Leftover`."""

    @property
    def file(self) -> JournalFile:
        """The file that holds its records."""

    def finish(self) -> None:
        """Mark the turn as finished."""


Message = str | Callable[[str | None], str]
"""A commit's message, or what makes it from the parent that the commit comes to have."""


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """A commit that is still to be made."""

    changes: Sequence[Change]
    message: Message
    author: Author
    branch: str
    at: datetime
    expect: Mapping[str, str | None]
    start: str | None = None
    journal: HasJournal | None = None

    def text(self, parent: str | None) -> str:
        """The commit's message, given its parent."""
        return self.message if isinstance(self.message, str) else self.message(parent)


@dataclass(slots=True)
class _Locks:
    """The locks of one attempt, released together."""

    ref: GitLock
    index: GitLock | None = None
    head: GitLock | None = None
    has_index: bool = False

    def release(self) -> None:
        for lock in (self.head, self.index, self.ref):
            if lock is not None:
                lock.release()


class Committer:
    """Makes commits in one repository. The caller holds the commit lock."""

    def __init__(self, git: GitFolder, packs: PackWriter, sync: WorktreeSync) -> None:
        self._git = git
        self._packs = packs
        self._sync = sync

    def commit(self, pending: PendingCommit) -> str:
        """Make the commit; retry on the new tip whenever somebody else was quicker.

        Returns:
            Id of the commit; the tip's when the changes are there already.
        """
        ref = check_branch(pending.branch)
        for _ in range(_ATTEMPTS):
            self._sync.check_not_rewritten(pending.branch)
            tip = self._git.refs.read(ref)
            parent = tip or pending.start
            if parent is None and self._git.refs.names(HEADS):
                raise BranchGone(
                    f"the branch {pending.branch} is gone",
                    "nothing was changed",
                    "perdure branch lists the ones there are",
                )
            root = self._git.trees.root_of(parent)
            self._check(root, pending.expect)
            edit = self._git.trees.edit(root, pending.changes)
            if tip is not None and edit.root == root:
                if pending.journal is not None:
                    pending.journal.finish()
                return tip
            merged = self._sync.is_merged(edit.blobs)
            if merged is not None and self._git.refs.head().branch == pending.branch:
                raise TipMoved(merged)
            with contextlib.suppress(Moved):
                return self._attempt(pending, ref, tip, parent, edit)
        raise Busy(
            f"{pending.branch} keeps being moved by someone else",
            "nothing was changed",
            "try again in a moment",
        )

    def _check(self, root: str | None, expect: Mapping[str, str | None]) -> None:
        for path, oid in expect.items():
            if oid_of(self._git.trees.node(root, path)) != oid:
                raise TipMoved(path)

    def _attempt(
        self, pending: PendingCommit, ref: str, tip: str | None, parent: str | None, edit: Edit
    ) -> str:
        if parent and is_before_git(pending.at):
            # By a clock that was reset nothing is newer than anything: the parent's time is nearer.
            pending = replace(pending, at=self._git.store.commit(parent).committed_at)
        data = render_commit(
            tree=edit.root,
            parents=(parent,) if parent else (),
            author=pending.author,
            at=pending.at,
            message=pending.text(parent),
        )
        new = object_id(b"commit", data)
        objects = [*edit.objects, (new, b"commit", data)]
        if tip is None and parent:
            from perdure.git.refs.unreachable import unreached

            # What a new branch starts from, no ref may reach any more.
            objects[:0] = unreached(parent, self._git.store, self._git.refs)
        with self._packs.write(objects):
            self._bring(pending, ref, tip, new, edit)
        return new

    def _bring(
        self, pending: PendingCommit, ref: str, tip: str | None, new: str, edit: Edit
    ) -> None:
        """Move the branch to a stored commit, and the index and work files with it."""
        locks = _Locks(self._git.refs.prepare(ref, new))
        try:
            if self._git.refs.head().branch == pending.branch:
                locks.index = self._sync.prepare_index()
                locks.head = self._sync.prepare_head()
            self._intend(pending, new, edit, locks)
            if locks.index is not None:
                locks.has_index = self._sync.lock_index(locks.index)
                if locks.head is not None:
                    self._sync.hold_head(locks.head)
            is_here = self._git.refs.head().branch == pending.branch
            self._git.refs.hold(locks.ref, ref, tip)
            # Now, with the lock: a rebase that begins later has read where the branch goes.
            self._sync.check_not_rewritten(pending.branch)
            self._move(pending, edit, locks, is_here=is_here)
            self._log(pending, ref, tip, new, is_here=is_here)
        finally:
            locks.release()

    @staticmethod
    def _intend(pending: PendingCommit, new: str, edit: Edit, locks: _Locks) -> None:
        if pending.journal is None:
            return
        paths = {path: (oid_of(old), oid_of(node)) for path, (old, node) in edit.blobs.items()}
        names = [lock.identity for lock in (locks.ref, locks.index, locks.head) if lock is not None]
        pending.journal.file.intend(Intent(pending.branch, new, paths, names))

    def _move(self, pending: PendingCommit, edit: Edit, locks: _Locks, *, is_here: bool) -> None:
        """The commit point: the branch moves, just after the index.

        ``git commit`` reads HEAD, then the index, and holds only what it read of HEAD against the
        branch. With the old tip and the new index it fails, since we have the branch's lock until
        the branch has moved; with the new tip and the old index it would succeed and take the turn
        out again. So where a journal names what is done, work file and index come first.
        """
        early = is_here and pending.journal is not None
        left: Blobs = {}
        announced = (
            is_here and not early and self._sync.pending.announce(pending.branch, edit.blobs)
        )
        try:
            if early:
                left = self._fill(pending, edit, locks)
                left = self._publish_index(edit, locks, left)
            self._git.refs.publish(locks.ref)
        except BaseException:
            if early:
                self._take_back(pending, edit)
            if announced:
                self._sync.pending.withdraw()
            raise
        # From here on the turn is in history: nothing may fail it but the disk under the ref.
        if is_here and not early:
            left = self._publish_index(edit, locks, self._fill(pending, edit, locks))
        if is_here:
            self._sync.races.note(pending.branch, edit.blobs)
        self._git.refs.sync_folder(locks.ref)
        if announced and not left:
            # Given back first: synced with their folder, they would outlive a power cut.
            locks.release()
            self._sync.pending.withdraw()
        if self._note_pending(pending, left) and pending.journal is not None:
            pending.journal.finish()

    def _take_back(self, pending: PendingCommit, edit: Edit) -> None:
        """Put the work files back; the index follows with the next commit or open."""
        back = {path: (new, old) for path, (old, new) in edit.blobs.items()}
        self._sync.update_work(back, synced=False)
        self._note_pending(pending, back)

    def _log(
        self, pending: PendingCommit, ref: str, tip: str | None, new: str, *, is_here: bool
    ) -> None:
        who = stamp(pending.author, pending.at)
        with contextlib.suppress(OSError):
            self._git.refs.log(ref, tip, new, who, pending.text(tip))
            if is_here:
                self._git.refs.log("HEAD", tip, new, who, pending.text(tip))

    def _fill(self, pending: PendingCommit, edit: Edit, locks: _Locks) -> Blobs:
        """Write the work files, and the new index into its lock. Returns the paths that failed."""
        sync = self._sync
        former = sync.races.ours(edit.blobs)
        for path, oids in sync.pending.former(pending.branch).items():
            former[path] = [*former.get(path, ()), *oids]
        stats = sync.update_work(edit.blobs, former=former, synced=pending.journal is None)
        left = {path: edit.blobs[path] for path in sync.unwritten}
        if not locks.has_index or locks.index is None:
            return edit.blobs
        try:
            sync.fill_index(
                locks.index,
                edit.blobs,
                edit.folders,
                stats,
                tip=edit.root,
                former=sync.races.stale(pending.branch, stats),
            )
        except IndexTrouble as error:
            sync.trouble = str(error)
            locks.has_index = False
        except OSError as error:
            sync.trouble = f"the index could not be written: {error}"
            locks.has_index = False
            left = edit.blobs
        return left

    def _publish_index(self, edit: Edit, locks: _Locks, left: Blobs) -> Blobs:
        if locks.has_index and locks.index is not None:
            try:
                self._sync.publish_index(locks.index)
            except OSError as error:
                self._sync.trouble = f"the index could not be written: {error}"
                return edit.blobs
        return left

    def _note_pending(self, pending: PendingCommit, left: Blobs) -> bool:
        """Record what is not in sync yet. False if even that cannot be written."""
        if left:
            try:
                self._sync.pending.add(pending.branch, left)
            except OSError:
                return False
        return True
