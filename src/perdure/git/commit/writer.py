"""The writing half of a repository: commit lock, commits, recovery and pending sync."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

from perdure.git import disk
from perdure.git.commit.journal_file import JournalFile
from perdure.git.commit.recovery import Recovery
from perdure.git.commit.write_order import Committer, PendingCommit
from perdure.git.errors import (
    BranchRewritten,
    Busy,
    DamagedRepository,
    HistoryError,
    TipMoved,
    storage_errors,
)
from perdure.git.locks import remove_dead_locks
from perdure.git.objects.tree import oid_of
from perdure.git.packs import background
from perdure.git.packs.small import PackWriter
from perdure.git.refs.ancestry import first_line
from perdure.git.refs.refs import Head, check_branch
from perdure.git.state.fields import UnreadableState
from perdure.git.state.folder import StateFolder
from perdure.git.worktree.git_folder import GitFolder
from perdure.git.worktree.races import NOTHING
from perdure.git.worktree.sync import WorktreeSync

COMMIT_WAIT = 30.0
"""Seconds to wait for another process of ours: one turn of it, with an ``index.lock`` to wait for,
takes up to five."""
_AT_ONCE = 2.0
"""Seconds in which nobody has seen a turn, staged its former version by hand and committed that."""
_WATCH = 0.5
"""Seconds after a commit in which a ``git checkout`` that began before it may switch HEAD."""
_AT_REST = 0.15
"""Seconds after which a ``git switch`` that has written files and index has moved HEAD as well."""
_CHASE = 600.0
"""Seconds for which a session keeps trying to level the index in the background."""


class Writer:
    """Writes to one repository. Threads of one process and processes exclude one another."""

    def __init__(
        self,
        git: GitFolder,
        state: StateFolder,
        mutex: threading.RLock,
        is_on_branch: Callable[[str, str], bool],
    ) -> None:
        self._git = git
        self._state = state
        self._mutex = mutex
        self._is_on_branch = is_on_branch
        self.packs = PackWriter(git.store, git.layout.state)
        self.sync = WorktreeSync(git)
        self._committer = Committer(git, self.packs, self.sync)
        self._lock = disk.KernelLock(git.layout.state / "commit.lock")
        self._journal: JournalFile | None = None
        self._chaser: threading.Thread | None = None
        self._last: tuple[PendingCommit, str] | None = None
        self._committed_at = 0.0
        self._synced_at = 0.0
        self._found_right = ("", "")
        """The commit and the tip for which `_taken_away` found that all is well."""
        self._watcher: threading.Thread | None = None
        self._watch_until = 0.0
        self._closed = threading.Event()
        self.unreadable = ""
        """What was found in the state folder and could not be followed."""

    @contextmanager
    def _commit_lock(self) -> Iterator[None]:
        with self._mutex:
            self._state.own()
            self._lock.take(wait=COMMIT_WAIT)
            with self._lock:
                yield

    @contextmanager
    def exclusive(self, doing: str) -> Iterator[None]:
        """Hold the commit lock, after finishing whatever was left to do.

        Args:
            doing: what is going to be done, for errors.
        """
        with storage_errors(doing), self._commit_lock():
            self._put_refs_in_files()
            # What cannot be finished now stays written down: a turn is saved all the same.
            with contextlib.suppress(HistoryError):
                self.finish_operation()
            self._apply_pending()
            self._commit_again()
            yield

    def _put_refs_in_files(self) -> None:
        """Remove what dead processes left, and make files of refs that are in tables."""
        git = self._git
        if git.layout.conversion.exists() or git.refs.look_for_tables():
            from perdure.git.commit.conversion import put_refs_in_files

            put_refs_in_files(git.layout, git.refs)
        else:
            remove_dead_locks(git.layout.git_dir, git.layout.held)

    def _finish_conversion(self) -> None:
        if self._git.layout.conversion.exists():
            from perdure.git.commit.conversion import finish_conversion

            finish_conversion(self._git.layout)

    def _apply_pending(self) -> None:
        """Apply the pending sync as far as possible. The caller holds the commit lock."""
        if not self.sync.pending.is_waiting:
            return
        head = self._git.refs.head()
        if head.branch is not None and head.commit is not None:
            former = dict(self.sync.pending.former(head.branch))
            # What cannot be done now is looked at with the next commit.
            with contextlib.suppress(HistoryError):
                self._restore_taken_out(head.branch, head.commit, former)
        self.sync.apply_pending(wait=0.0)

    def _restore_taken_out(
        self, branch: str, tip: str, former: Mapping[str, Sequence[str | None]]
    ) -> None:
        """Commit again what another commit removed by accident, judged by the blobs it put back."""
        from perdure.git.commit import dropped

        for order in list(
            dropped.commits_to_restore(branch, tip, former, self._git.store, self._git.trees)
        ):
            self._committer.commit(order)

    def finish_operation(self) -> None:
        """Finish the operation of a process that died. The caller holds the commit lock.

        Before another is begun this must succeed: there is room for one plan on the disk.

        Raises:
            Busy, HistoryError: it cannot be finished now.
        """
        if (self._git.layout.state / "operation.json").exists():
            from perdure.git.commit.transaction import Mover

            try:
                with storage_errors("finishing what was begun"):
                    Mover(self._git).finish()
            except UnreadableState as error:
                self.unreadable = str(error)
            self.forget_commits()
            self.packs.remove_dead_keeps()

    def forget_commits(self) -> None:
        """Stop watching earlier commits, because an operation has moved branches on purpose."""
        self._last = None
        self.sync.races.last = NOTHING

    def commit(self, order: PendingCommit) -> str:
        """Make one commit, then join small packs if there are enough of them."""
        with self.exclusive("saving the commit"):
            commit = self._committer.commit(order)
            self._last, self._committed_at = (order, commit), time.time()
            # The turn is saved: a pack that cannot be joined now is joined another time.
            joined = 0
            with contextlib.suppress(OSError, DamagedRepository):
                joined = self.packs.consolidate()
            behind = self.sync.pending.is_waiting
        background.start_if_due(self._git.layout.git_dir, joined)
        if behind:
            self._chase()
        self._watch_head()
        return commit

    @property
    def index_trouble(self) -> str:
        """Why git's index is not in sync with the tip; "" if it is."""
        with self._mutex:
            return self.sync.trouble

    def apply_pending(self) -> bool:
        """Apply the pending sync, if there is one."""
        with storage_errors("updating git's index"), self._commit_lock():
            # A commit by an index from before the turns may have been quicker than this: in sync
            # with it, their files would go.
            self._apply_pending()
            return not self.sync.pending.is_waiting

    def _watch_head(self) -> None:
        """Watch for a moment whether git undoes the commit just made (`_bring_back`)."""
        self._watch_until = time.monotonic() + _WATCH
        if self._watcher is None or not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()

    def _watch(self) -> None:
        while time.monotonic() < self._watch_until and not self._closed.wait(0.01):
            with contextlib.suppress(HistoryError, OSError):
                self._bring_back()

    def _taken_away(self) -> dict[str, str | None]:
        """Blobs at the tip where git removed those of the last commits by accident.

        Either the last one left its branch by the race that `Refs.was_reset_away` tells; or a
        commit made within two seconds of it, or of when the index was synced after it, has older
        blobs of ours: `git commit` had read the index before. Empty where all is well, and where
        somebody meant it.
        """
        branch, known = self.sync.races.last
        if self._last is None or self._last[0].branch != branch:
            return {}
        _, commit = self._last
        ref = check_branch(branch)
        tip = self._git.refs.read(ref)
        # Not by the tip alone: the watch looks at one while its own commit is not noted yet, and
        # a reset may bring the branch back to it later.
        if tip is None or tip == commit or (commit, tip) == self._found_right:
            return {}
        root = self._git.trees.root(tip)
        there: dict[str, str | None] = {}
        for path, (former, new) in known.items():
            oid = oid_of(self._git.trees.node(root, path))
            if oid != new and oid in former:
                there[path] = oid
        if there and self._is_on_branch(branch, commit):
            is_race = self._is_followed_at_once(tip, commit) and all(
                self._git.work.holds(path, known[path][1]) for path in there
            )
        else:
            is_race = bool(there) and self._git.refs.was_reset_away(ref, commit, self._committed_at)
        if is_race:
            return there
        self._found_right = (commit, tip)
        return {}

    def _is_followed_at_once(self, tip: str, commit: str) -> bool:
        """Whether the commit on top of ours was made within two seconds of it."""
        for info in islice(first_line(self._git.store.commit, tip), 32):
            if info.parents[:1] == (commit,):
                since = max(self._committed_at, self._synced_at)
                return info.committed_at.timestamp() - since < _AT_ONCE
        return False

    def _commit_again(self) -> None:
        """Repeat the last commits where git removed them by accident.

        On the same parent the last one gives the very same commit. The caller holds the commit
        lock.
        """
        there = self._taken_away()
        if self._last is None or not there:
            return
        order, _ = self._last
        branch, known = self.sync.races.last
        last = {path: there.pop(path) for change in order.changes if (path := change.path) in there}
        former = {path: [*known[path][0], known[path][1]] for path in there}
        again = dataclasses.replace(order, journal=None, expect=last)
        try:
            tip = self._git.refs.read(check_branch(branch))
            if tip is not None:
                self._restore_taken_out(branch, tip, former)
            if last:
                self._last = (order, self._committer.commit(again))
        except BranchRewritten:
            # It comes back when git is done with the branch.
            return
        except TipMoved as error:
            self._last = None
            self.sync.trouble = str(error)

    def _bring_back(self) -> None:
        """Undo what a git command that began before our commit did to it.

        It took the turn out of the tip; or HEAD is on another branch now, and our turn in its index
        and files; or an index from before the commit was put over ours.
        """
        if self._taken_away():
            with storage_errors("saving the commit"), self._commit_lock():
                self._commit_again()
            return
        branch, known = self.sync.races.last
        head = self._git.refs.head()
        if not known or head.branch is None or head.commit is None:
            return
        # Looked at before the lock is taken: a git command that follows a switch at once needs it.
        is_other = head.branch != branch
        if is_other:
            is_undone = self.sync.races.is_carried_over(head.commit) and self._rests(head)
        else:
            # The watch is over long before anybody could have meant that.
            is_undone = self.sync.races.is_overwritten(
                lambda: time.monotonic() < self._watch_until and self._rests(head)
            )
        if not is_undone:
            return
        with storage_errors("updating git's index"), self._commit_lock():
            if (branch, known) != self.sync.races.last or self._git.refs.head() != head:
                return
            former = {path: [new] if is_other else olds for path, (olds, new) in known.items()}
            if not self.sync.apply(head.commit, former, wait=0.0) and is_other:
                self.sync.races.last = NOTHING

    def _rests(self, head: Head) -> bool:
        """Whether HEAD and the index stay the same for a moment.

        `git switch` back to our branch brings files and index there first, and HEAD last.
        """
        before = self.sync.index_mark()
        time.sleep(_AT_REST)
        return self._git.refs.head() == head and self.sync.index_mark() == before

    def _chase(self) -> None:
        """Sync the index as soon as its lock is free.

        Until then a plain ``git commit`` beside us would take the turn out of the tip.
        """
        if self._chaser is None or not self._chaser.is_alive():
            self._chaser = threading.Thread(target=self._chase_lock, daemon=True)
            self._chaser.start()

    def _chase_lock(self) -> None:
        lock = self._git.layout.own / "index.lock"
        until = time.monotonic() + _CHASE
        pause = 0.02
        while time.monotonic() < until and not self._closed.wait(pause):
            if lock.exists() or not self._rests(self._git.refs.head()):
                pause = 0.02
                continue
            with contextlib.suppress(HistoryError):
                if self.apply_pending():
                    self._synced_at = time.time()
                    self._watch_head()
                    return
            # Not the lock keeps it back: a file that cannot be written is tried less and less.
            pause = min(pause * 2, 5.0)

    def recover(self) -> None:
        """Finish what a dead process left, unless another process is working right now."""
        recovery = Recovery(self._git, self.sync, self.packs, self._is_on_branch)
        with storage_errors("recovering"), self._mutex:
            self._state.own()
            try:
                self._lock.take(wait=0.2)
            except Busy:
                # Someone of ours is writing: he has swept, and a later open does the rest.
                return
            with self._lock:
                self._finish_conversion()
                recovery.run()
                self._apply_pending()
                self.finish_operation()
                self.packs.remove_dead_keeps()

    def journal_file(self) -> JournalFile:
        """The session's journal file; a new one if the old one still holds a turn."""
        with self._mutex:
            self._state.own()
            self.set_aside_journal()
            if self._journal is None:
                folder = self._git.layout.state / "journals"
                disk.make_folder(folder, synced=True)
                self._journal = JournalFile.create(folder)
            return self._journal

    def set_aside_journal(self) -> bool:
        """Leave an uncommitted turn to `leftover`. False if there is none."""
        with self._mutex:
            if self._journal is None or not self._journal.is_used():
                return False
            self._journal.abandon()
            self._journal = None
            return True

    def stop(self) -> None:
        """Stop the background threads. Must not be called under the mutex, which they may need."""
        self._closed.set()
        for thread in (self._chaser, self._watcher):
            if thread is not None:
                thread.join()

    def close(self) -> None:
        """Sync once more after `stop`, and give up the journal file."""
        with contextlib.suppress(HistoryError, OSError):
            self._bring_back()
        if self._journal is not None:
            if self._journal.is_used() or not self._put_on_disk(self._journal.recent_paths()):
                self._journal.abandon()
            else:
                self._journal.remove()
            self._journal = None

    def _put_on_disk(self, paths: Sequence[str]) -> bool:
        """Flush work files and index, since no journal will restore them after a power cut."""
        try:
            for path in paths:
                self._git.work.sync(path)
            if paths:
                disk.sync_folder(self._git.layout.own)
        except OSError:
            return False
        return True
