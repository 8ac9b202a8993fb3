"""Keeps the index and the work tree in sync with the tip, so that git can be used alongside.

With an index that lags behind, a plain ``git add x && git commit`` takes a turn out of the tip.
What could not be made level at once, because another program held ``index.lock``, is written down
(`PendingSync`) and done as soon as that lock is gone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Mapping

from perdure.git.errors import BranchRewritten, Busy, DamagedRepository, storage_errors
from perdure.git.index import file as index_file
from perdure.git.index import patch
from perdure.git.index.file import IndexTrouble
from perdure.git.index.full import read_index
from perdure.git.index.patch import IndexEdit
from perdure.git.index.session_cache import Folders, KeptIndex, Mark, mark_of
from perdure.git.layout import rewritten_branch
from perdure.git.locks import GitLock
from perdure.git.objects.tree import FILE, Blobs, Node, oid_of
from perdure.git.worktree.files import NotRegular
from perdure.git.worktree.git_folder import GitFolder
from perdure.git.worktree.races import RaceDetector
from perdure.git.worktree.unsynced import PendingSync

INDEX_WAIT = 2.0
"""Seconds that a turn waits for another program's ``index.lock``."""
_KNOWN_WAIT = 0.02
_HEAD_WAIT = 0.2


class WorktreeSync:
    """The index and the work files of one work tree. The caller holds the commit lock."""

    def __init__(self, git: GitFolder) -> None:
        self._git = git
        self._index = git.layout.own / "index"
        self._waited_for: tuple[int, int] | None = None
        self._kept: KeptIndex | None = None
        self._filled: tuple[KeptIndex | None, Mapping[str, os.stat_result | None]] = (None, {})
        self.trouble = ""
        """Why the index is not level, "" when it is."""
        self.unwritten: list[str] = []
        """Work files that the last update could not write."""
        self.pending = PendingSync(git.layout)
        self.races = RaceDetector(git)

    # Locks

    def lock_index(self, lock: GitLock) -> bool:
        """Take ``index.lock``; False if it stays taken. The same holder is waited for once."""
        mark = self._mark(lock)
        wait = _KNOWN_WAIT if mark is not None and mark == self._waited_for else INDEX_WAIT
        try:
            lock.take(wait=wait)
        except Busy as error:
            self._waited_for = self._mark(lock)
            self.trouble = error.what
            return False
        self._waited_for = None
        return True

    @staticmethod
    def _mark(lock: GitLock) -> tuple[int, int] | None:
        try:
            found = lock.lock.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def index_mark(self) -> Mark | None:
        """Identifies the index file; None if there is none."""
        try:
            return mark_of(self._index.stat())
        except OSError:
            return None

    def prepare_index(self) -> GitLock:
        """A lock for the index, not taken yet."""
        return self._git.layout.lock(self._index)

    def prepare_head(self) -> GitLock:
        """A lock for HEAD, not taken yet."""
        return self._git.layout.lock(self._git.layout.own / "HEAD")

    @staticmethod
    def hold_head(lock: GitLock) -> None:
        """Take ``HEAD.lock``, so that ``git checkout -b`` cannot switch between ref and index.

        git tries again for 0.1 s, longer than we hold it. Where someone else has it, we go without.
        """
        with contextlib.suppress(Busy):
            lock.take(wait=_HEAD_WAIT)

    def check_not_rewritten(self, branch: str) -> None:
        """Refuse a branch on which a rebase, ``git am`` or a series of picks is in progress.

        Raises:
            BranchRewritten: it is.
        """
        if rewritten_branch(self._git.layout, self._git.refs.head().branch) == branch:
            raise BranchRewritten(
                f"git is at work on {branch}: a rebase, or a sequence of commits, is not finished",
                "nothing was changed",
                "finish it, or give it up, and repeat; git status tells how",
            )

    def is_merged(self, blobs: Blobs) -> str | None:
        """A path for which an open merge has staged something else; None if there is none.

        A turn must not be saved on it: whoever concludes the merge would take the turn out again.
        """
        if not (self._git.layout.own / "MERGE_HEAD").exists():
            return None
        try:
            present = index_file.below(read_index(self._index, self._git.trees), blobs)
        except (OSError, IndexTrouble):
            return None
        for path, pair in blobs.items():
            slots = present.get(path, [])
            oids = {node[1] for node in pair if node}
            if any(slot.stage or slot.oid not in oids for slot in slots):
                return path
            if pair[0] and not slots:
                return path
        return None

    # Work files

    def update_work(
        self,
        blobs: Blobs,
        *,
        synced: bool,
        former: Mapping[str, Iterable[str | None]] | None = None,
    ) -> dict[str, os.stat_result | None]:
        """Update work files that still hold the old blob, or an earlier one of ours.

        Edited ones stay.

        Returns:
            Per path the stat of the work file where it now has the new content, else None.
        """
        self.unwritten.clear()
        stats: dict[str, os.stat_result | None] = {}
        for path, (old, new) in blobs.items():
            try:
                accepted = {oid_of(old), *(former or {}).get(path, ())}
                stats[path] = self._update_file(path, accepted, new, synced=synced)
            except NotRegular:
                stats[path] = None
            except OSError as error:
                self.trouble = (
                    f"{path} cannot be written ({error.strerror}); it follows once it can be"
                )
                self.unwritten.append(path)
                stats[path] = None
        return stats

    def _update_file(
        self, path: str, accepted: Collection[str | None], new: Node | None, *, synced: bool
    ) -> os.stat_result | None:
        seen = self._git.work.read(path)
        present = seen.oid if seen else None
        if present == oid_of(new):
            return seen.stat if seen else None
        if present not in accepted:
            return None
        if new is None:
            if seen is not None:
                self._git.work.remove(path, over=seen.stat)
                if synced:
                    self._git.work.sync(path)
            return None
        content = self._git.store.read(new[1])[1]
        over = seen.stat if seen else None
        return self._git.work.write(path, content, over=over, synced=synced)

    # The index

    def fill_index(
        self,
        lock: GitLock,
        blobs: Blobs,
        folders: Folders,
        stats: Mapping[str, os.stat_result | None],
        *,
        tip: str,
        former: Mapping[str, Iterable[str | None]] | None = None,
    ) -> None:
        """Write the patched index into its lock, on the disk at return.

        Raises:
            IndexTrouble: it is of a kind that is left alone.
            OSError: it could not be written; the old one stays.
        """
        edits = [
            IndexEdit(
                path,
                frozenset((oid_of(old), oid_of(new), *(former or {}).get(path, ()))),
                oid_of(new),
                new[0] if new else FILE,
                stats.get(path),
            )
            for path, (old, new) in blobs.items()
        ]
        kept, self._kept, self._filled = self._kept, None, (None, {})
        if kept is not None and kept.is_still(self._index):
            filled = kept.patched(edits, folders, self._git.work.holds)
        else:
            try:
                written = self._index.stat().st_mtime_ns
                data = read_index(self._index, self._git.trees)
            except FileNotFoundError:
                lock.write(index_file.build(self._git.trees.leaves(tip), stats))
                return
            patched = patch.patch(
                data, edits, folders=folders, written=written, is_same=self._git.work.holds
            )
            filled = KeptIndex(b"", patched.data, patched.end)
        lock.write(filled.before, filled.rest)
        self._filled = (filled, stats)

    def publish_index(self, lock: GitLock) -> None:
        """Move the new index into place.

        The rename is not waited for: the next open repairs an index that a power cut threw back.
        """
        # Asked for before the rename: after it the file may be another program's already.
        found = os.fstat(lock.fd)
        self.races.seen = mark_of(found)
        lock.publish()
        if not self.unwritten:
            self.trouble = ""
        filled, stats = self._filled
        self._kept = filled.published(found, stats) if filled else None

    # Later

    def apply_pending(self, *, wait: float) -> bool:
        """Apply what is pending for the branch that is checked out. False: not all of it yet."""
        waiting = self.pending.read()
        head = self._git.refs.head()
        former = waiting.pop(head.branch or "", None)
        left: Collection[str] = ()
        if former and head.branch and head.commit:
            left = self.apply(head.commit, former, wait=wait)
            if left:
                waiting[head.branch] = {path: former[path] for path in left}
        if former is None or len(left) < len(former):
            with storage_errors("updating git's index"):
                self.pending.replace(waiting)
        return not left

    def apply(
        self, commit: str, former: Mapping[str, Iterable[str | None]], *, wait: float
    ) -> Collection[str]:
        """Bring index entries and work files that hold a former blob to a commit.

        Returns:
            Those that could not follow: somebody else holds ``index.lock``, or the file, or the
            index, cannot be written; or HEAD is not there any more, or about to go.
        """
        lock = self.prepare_index()
        try:
            try:
                lock.take(wait=wait)
            except Busy as error:
                self.trouble = error.what
                return list(former)
            if self._is_left(commit):
                return list(former)
            root = self._git.trees.root(commit)
            nodes = {path: self._git.trees.node(root, path) for path in former}
            blobs: Blobs = {path: (node, node) for path, node in nodes.items()}
            stats = self.update_work(blobs, former=former, synced=True)
            try:
                self.fill_index(lock, blobs, {}, stats, tip=root, former=former)
                self.publish_index(lock)
            except IndexTrouble as error:
                self.trouble = str(error)
            except OSError as error:
                self.trouble = f"the index could not be written: {error}"
                return list(former)
        finally:
            lock.release()
        return list(self.unwritten)

    def _is_left(self, commit: str) -> bool:
        """Whether HEAD has left a commit, or a rebase is about to move it.

        Asked under ``index.lock``: git brings files and index to the other commit first, and gives
        the lock back before it moves HEAD.
        """
        head = self._git.refs.head()
        is_going = head.branch and rewritten_branch(self._git.layout, head.branch) == head.branch
        return head.commit != commit or bool(is_going)

    def restore(self, commit: str, path: str, wrote: Iterable[str | None]) -> None:
        """Restore a work file that a power cut left empty, cut short or full of NULs.

        Args:
            commit: the tip.
            path: a file that we wrote shortly before.
            wrote: the blobs that it may be the beginning of.
        """
        node = self._git.trees.node(self._git.trees.root(commit), path)
        try:
            seen = self._git.work.read(path)
        except NotRegular:
            return
        if seen is None or (node is not None and seen.oid == node[1]):
            return
        start = seen.data.rstrip(b"\0")
        for oid in {*wrote, oid_of(node)} - {None}:
            content = self._stored(oid)
            if content.startswith(start) and len(seen.data) <= len(content):
                break
        else:
            return
        if node is None:
            self._git.work.remove(path, over=seen.stat)
            return
        self._git.work.write(path, self._stored(node[1]), over=seen.stat, synced=True)
        self.apply(commit, {path: [node[1]]}, wait=0.0)

    def _stored(self, oid: str | None) -> bytes:
        """A blob's content; empty if the power cut took it, too."""
        try:
            return self._git.store.read(oid)[1] if oid else b""
        except DamagedRepository:
            return b""
