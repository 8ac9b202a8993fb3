"""Recovery after a crash: whatever a dead process left is finished or put away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from perdure.git import disk
from perdure.git.commit.journal_file import Record, dead_files
from perdure.git.locks import remove_dead_locks
from perdure.git.packs.small import PackWriter
from perdure.git.state import fields
from perdure.git.worktree.git_folder import GitFolder
from perdure.git.worktree.sync import WorktreeSync


@dataclass(slots=True)
class Recovery:
    """One recovery. The caller holds the commit lock."""

    _git: GitFolder
    _sync: WorktreeSync
    _packs: PackWriter
    _is_on_branch: Callable[[str, str], bool]

    def run(self) -> None:
        """Remove locks of dead processes, finish committed turns, and apply the pending sync.

        Uncommitted turns stay in their journals for `leftover`.
        """
        remove_dead_locks(self._git.layout.git_dir, self._git.layout.held)
        self._packs.remove_unfinished()
        self._packs.remove_dead_incoming()
        disk.empty_folder(self._git.layout.spare)
        for file, record in dead_files(self._git.layout.state / "journals"):
            try:
                for intent in record.intents:
                    fields.break_locks(record.boot, intent.locks, self._git.layout.git_dir)
                done = self._finish(record) or record.is_done
                self._restore(record)
                if done:
                    self._put_on_disk(record)
                    file.remove()
            finally:
                # Whatever became of it: `leftover` must find it free.
                file.abandon()

    def _finish(self, record: Record) -> bool:
        """Bring work files and index entries to the tip. True if the turn had been committed.

        They are forward of it when the crash came just before the commit point, behind it when it
        came just after.
        """
        done = False
        head = self._git.refs.head()
        for intent in record.intents:
            done = done or self._is_on_branch(intent.branch, intent.commit)
            if head.branch == intent.branch and head.commit is not None:
                former = {path: list(pair) for path, pair in intent.paths.items()}
                self._bring(intent.branch, head.commit, former)
        return done

    def _bring(self, branch: str, commit: str, former: Mapping[str, Sequence[str | None]]) -> None:
        """Sync some paths with the tip; what cannot be synced is noted as pending."""
        left = self._sync.apply(commit, former, wait=0.0)
        if left:
            self._sync.pending.note(branch, {path: former[path] for path in left})
        for path, blobs in former.items():
            if path not in left:
                self._sync.restore(commit, path, blobs)

    def _put_on_disk(self, record: Record) -> None:
        """Flush the work files before the journal that remembers them is removed."""
        for path in record.paths:
            with contextlib.suppress(OSError):
                self._git.work.sync(path)
        disk.sync_folder(self._git.layout.own)

    def _restore(self, record: Record) -> None:
        """Restore what a power cut may have undone of the turns before."""
        head = self._git.refs.head()
        former = {path: oids for branch, path, oids in record.recent if branch == head.branch}
        if former and head.branch is not None and head.commit is not None:
            self._bring(head.branch, head.commit, former)
