"""Moving several refs, HEAD, the index and the work tree as one write (docs/durability.md).

The plan is written down first; then the log of operations is moved to a commit that tells what was
done, which is the commit point; then everything follows. A crash before that point leaves nothing
to do, one after it is finished by whoever holds the commit lock next.
"""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perdure.git import disk
from perdure.git.commit.plan import Plan
from perdure.git.errors import (
    BadPath,
    CannotMerge,
    DamagedRepository,
    HistoryError,
    NotCarriedOut,
    RefElsewhere,
    UnsavedEdits,
    WriteFailed,
    storage_errors,
)
from perdure.git.host import boot
from perdure.git.index.file import IndexTrouble
from perdure.git.layout import beside, intent_file
from perdure.git.locks import GitLock
from perdure.git.refs.refs import HEADS, OPS, Moved, RefMove, short_name
from perdure.git.state.fields import UnreadableState, break_locks, put_away
from perdure.git.worktree.checkout import Checkout, Step, Survey, differing
from perdure.git.worktree.git_folder import GitFolder

if TYPE_CHECKING:
    from perdure.git.commit.plan_file import WrittenMerge, WrittenOperation

_INDEX_WAIT = 2.0
_NEVER = {
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP
}  # fmt: skip
"""Errors that no later try is without: something stands where a plan has something else."""


@dataclass(slots=True)
class _Locks:
    log: GitLock | None = None
    index: GitLock | None = None
    head: GitLock | None = None
    refs: list[tuple[RefMove, GitLock]] = field(default_factory=list)

    def each(self) -> Iterator[GitLock]:
        yield from (lock for lock in (self.log, self.index, self.head) if lock is not None)
        yield from (lock for _, lock in self.refs)

    def release(self) -> None:
        for lock in self.each():
            lock.release()


class Mover:
    """Carries out plans in one work tree. The caller holds the commit lock."""

    def __init__(self, git: GitFolder) -> None:
        self._git = git
        self._checkout = Checkout(git)
        self._intent = intent_file(git.layout)

    def carry_out(self, plan: Plan, who: bytes, says: str) -> None:
        """Carry out a plan.

        Args:
            plan: what; its op commit and all new commits are stored already.
            who: name and time for the reflogs.
            says: line for the reflogs.

        Raises:
            RefElsewhere: a ref is not where the plan has it.
            UnsavedEdits: somebody's edits are in the way.
            Busy: another program holds one of git's locks.
            NotCarriedOut: after all that was decided; the plan stays to be finished.
        """
        locks = _Locks()
        try:
            survey = self._take_all(plan, locks)
            self._write_intent(plan, locks)
            try:
                assert locks.log is not None  # noqa: S101 (taken by _take_all)
                self._git.refs.publish(locks.log)
                self._git.refs.sync_folder(locks.log)
            except BaseException:
                if self._git.refs.read(OPS) != plan.op:
                    self._drop_intent()
                raise
            try:
                with storage_errors("moving files and branches"):
                    self._follow(plan, locks, survey)
            except HistoryError as error:
                raise NotCarriedOut(error) from error
            with contextlib.suppress(OSError):
                self._log(plan, who, says)
            self._drop_intent()
        finally:
            locks.release()

    # Before the commit point

    def _take_all(self, plan: Plan, locks: _Locks) -> Survey:
        survey = Survey()
        if plan.touches_work:
            locks.index = self._lock("index")
            locks.index.take(wait=_INDEX_WAIT)
            locks.head = self._head_lock(plan)
            locks.head.take(wait=_INDEX_WAIT)
            if self._git.refs.head() != plan.before:
                raise _elsewhere("HEAD")
            survey = self._survey(plan)
        for move in plan.moves:
            self._hold(locks, move)
        locks.log = self._git.refs.prepare(OPS, plan.op)
        try:
            self._git.refs.hold(locks.log, OPS, plan.log)
        except Moved as error:
            raise _elsewhere(OPS) from error
        return survey

    def _lock(self, name: str) -> GitLock:
        return self._git.layout.lock(self._git.layout.own / name)

    def _head_lock(self, plan: Plan) -> GitLock:
        if plan.before.branch == plan.after.branch or plan.after.branch is None:
            return self._lock("HEAD")
        return self._git.refs.prepare_head(plan.after.branch)

    def _hold(self, locks: _Locks, move: RefMove) -> None:
        lock = self._git.refs.prepare(move.ref, move.new)
        locks.refs.append((move, lock))
        try:
            self._git.refs.hold(lock, move.ref, move.old)
        except Moved as error:
            raise _elsewhere(move.ref) from error

    def _survey(self, plan: Plan) -> Survey:
        try:
            self._checkout.check_index()
            steps = differing(
                self._git.trees,
                self._git.trees.root_of(plan.before.commit),
                self._git.trees.root_of(plan.after.commit),
            )
            survey = self._checkout.survey(steps, accepted=plan.accepted)
        except IndexTrouble as error:
            raise HistoryError(
                str(error), "nothing was changed", "fix it with git, then try again"
            ) from error
        if survey.dirty:
            raise UnsavedEdits(survey.dirty)
        for step in steps:
            # A clone may be without it, and what is decided must be carried out.
            if step.new is not None and not self._git.store.has(step.new[1]):
                raise self._git.store.missing(step.new[1])
        return survey

    def _steps(self, plan: Plan) -> list[Step]:
        old, new = (
            self._git.trees.root_of(plan.before.commit),
            self._git.trees.root_of(plan.after.commit),
        )
        steps = differing(self._git.trees, old, new)
        known = {step.path for step in steps}
        # What a merge left in conflict gets a plain entry, also where it ends as it was.
        for path in plan.accepted.keys() - known:
            node = self._git.trees.node(new, path)
            steps.append(Step(path, node, node))
        return steps

    # The plan on the disk

    def _write_intent(self, plan: Plan, locks: _Locks) -> None:
        value = {
            "version": 1,
            "op": plan.op,
            "log": plan.log,
            "moves": [[move.ref, move.old, move.new] for move in plan.moves],
            "before": [plan.before.branch, plan.before.commit],
            "after": [plan.after.branch, plan.after.commit],
            "accepted": {path: list(oids) for path, oids in plan.accepted.items()},
            "done": list(plan.done),
            "own": self._git.layout.own_name,
            "boot": boot(),
            "locks": [list(lock.identity) for lock in locks.each()],
        }
        disk.replace_file(self._intent, json.dumps(value).encode(), synced=True)
        disk.sync_folder(self._intent.parent)

    def _drop_intent(self) -> None:
        """Remove the plan, on disk when this returns: if it came back, it would run again."""
        self._intent.unlink(missing_ok=True)
        disk.sync_folder(self._intent.parent)

    # After the commit point: everything here may be done again

    def _follow(self, plan: Plan, locks: _Locks, survey: Survey) -> None:
        if locks.index is not None:
            self._move_work(plan, locks.index, survey)
        folders = {self._git.layout.own}
        for move, lock in locks.refs:
            if move.new is not None:
                self._git.refs.publish(lock)
                folders.add(lock.target.parent)
        if locks.head is not None and plan.before.branch != plan.after.branch:
            locks.head.publish()
        for move, lock in locks.refs:
            if move.new is None:
                self._git.refs.remove(lock, move.ref)
        for name in plan.done:
            (self._git.layout.own / name).unlink(missing_ok=True)
        # Given back first: synced with their folders, they would outlive a power cut.
        locks.release()
        for folder in folders:
            disk.sync_folder(folder)

    def _move_work(self, plan: Plan, lock: GitLock, survey: Survey) -> None:
        new = self._git.trees.root_of(plan.after.commit)
        steps = self._steps(plan)
        if not steps and not plan.accepted:
            return
        stats = self._checkout.carry(steps, survey)
        lock.write(self._checkout.index(steps, stats, new, survey.staged))
        lock.publish()

    def _log(self, plan: Plan, who: bytes, says: str) -> None:
        for move in plan.moves:
            if move.new is not None and move.ref.startswith(HEADS):
                self._git.refs.note(move.ref, move.old, move.new, who, f"perdure: {says}")
        before, after = plan.before, plan.after
        if before == after or after.commit is None:
            return
        if before.branch != after.branch:
            # The words that `git switch -` looks for.
            old = before.branch or before.commit or "nothing"
            says = f"checkout: moving from {old} to {after.branch}"
        else:
            says = f"perdure: {says}"
        self._git.refs.note("HEAD", before.commit, after.commit, who, says)

    # After a crash

    def finish(self) -> bool:
        """Finish a plan whose owner died after its commit point; drop one that had not reached it.

        Returns:
            Whether there was one.

        Raises:
            Busy: another program holds one of git's locks; the plan stays for the next time.
            HistoryError: the index is damaged, or of a kind that is left alone; likewise.
            UnreadableState: it cannot be followed, and was put away.
        """
        try:
            data = disk.read_file(self._intent)
        except FileNotFoundError:
            return False
        # The schema library is for who has something to finish.
        from perdure.git.commit import plan_file

        try:
            found = plan_file.read_plan(data)
        except plan_file.BadPlan as error:
            raise self._put_away(str(error)) from error
        break_locks(found.boot, found.locks, self._git.layout.git_dir)
        layout = beside(self._git.layout, found.own)
        if layout is None:
            # The work tree was removed since; what it was about went with it.
            self._drop_intent()
            return True
        try:
            with storage_errors("finishing what was begun"):
                self._finish_in(GitFolder.at(layout, self._git.store), found)
        except IndexTrouble as error:
            raise HistoryError(
                f"what was begun cannot be finished: {error}",
                "what was done is recorded, and is finished once the index is fixed",
                "fix it with git, then try again",
            ) from error
        except (DamagedRepository, BadPath, CannotMerge) as error:
            raise self._put_away(error.what) from error
        except WriteFailed as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NEVER:
                raise self._put_away(error.what) from error
            raise
        return True

    def _finish_in(self, git: GitFolder, found: WrittenMerge | WrittenOperation) -> None:
        from perdure.git.commit.plan_file import WrittenMerge

        if isinstance(found, WrittenMerge):
            from perdure.git.worktree.merge_state import MergeState

            MergeState(git).put_back({"paths": found.paths, "forced": found.forced})
        else:
            Mover(git).finish_plan(found.plan())

    def _put_away(self, why: str) -> UnreadableState:
        error = put_away(self._intent, why)
        disk.sync_folder(self._intent.parent)
        return error

    def finish_plan(self, plan: Plan) -> None:
        """Carry out the rest of a plan that had reached its commit point."""
        if self._git.refs.read(OPS) != plan.op:
            self._drop_intent()
            return
        for move in plan.moves:
            if move.new is not None:
                self._git.store.read(move.new)
        locks = _Locks()
        try:
            survey = self._take_again(plan, locks)
            self._follow(plan, locks, survey)
            self._drop_intent()
        finally:
            locks.release()

    def _take_again(self, plan: Plan, locks: _Locks) -> Survey:
        """Take the locks for what is left to do. Whatever git moved since the crash stays."""
        survey = Survey()
        if plan.touches_work and self._is_on_the_way(plan):
            locks.index = self._lock("index")
            locks.index.take(wait=0.0)
            if self._git.refs.head().branch != plan.after.branch:
                locks.head = self._head_lock(plan)
                locks.head.take(wait=0.0)
            survey = self._checkout.survey(self._steps(plan), torn=True, accepted=plan.accepted)
        for move in plan.moves:
            if self._git.refs.read(move.ref) == move.old != move.new:
                with contextlib.suppress(RefElsewhere):
                    self._hold(locks, move)
        return survey

    def _is_on_the_way(self, plan: Plan) -> bool:
        """Whether HEAD is at the plan's start, at its end, or between the two."""
        head = self._git.refs.head()
        values = {end.commit for end in (plan.before, plan.after) if end.branch == head.branch}
        for move in plan.moves:
            if move.ref == f"refs/heads/{head.branch}":
                values.update((move.old, move.new))
        return head.commit in values


def _elsewhere(ref: str) -> RefElsewhere:
    name = short_name(ref)
    return RefElsewhere(
        f"{name} was moved by someone else in the meantime",
        "nothing was changed",
        "look again, then repeat",
    )
