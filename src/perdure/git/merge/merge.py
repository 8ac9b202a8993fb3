"""Merging a branch into the one that is checked out.

`merge_planning` says what would come of it; ``merge`` does it. Without conflicts that is one commit
with two parents, written like every operation. With conflicts the merge is left open as git leaves
one (`git.worktree.merge_state`), until ``conclude_merge`` or ``abort_merge``, or ``git commit`` and
``git merge --abort``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.git.errors import (
    HistoryError,
    RefElsewhere,
    StillInConflict,
    Unfinished,
)
from perdure.git.merge.plan import FileConflict, MergePlan, plan_merge
from perdure.git.merge.sides import Resolver
from perdure.git.objects.commit import Author
from perdure.git.objects.store import object_id
from perdure.git.objects.tree import FILE, Change, Node
from perdure.git.operations.operation import Operation, made_commit, perform
from perdure.git.refs.refs import HEADS, RefMove
from perdure.git.worktree.merge_state import FILES, MergeState, marked, work_content

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class MergeOutcome:
    """The outcome of a merge. ``operation`` is None if there was nothing to do, or it is open."""

    plan: MergePlan
    operation: Operation | None


@dataclass(frozen=True, slots=True)
class OpenMerge:
    """A merge that is not concluded yet."""

    theirs: str
    message: str
    conflicts: tuple[FileConflict, ...]


def merge(
    repo: Repository,
    name: str,
    *,
    author: Author,
    resolver: Resolver | None = None,
    at: datetime | None = None,
) -> MergeOutcome:
    """Merge a branch into the one that is checked out.

    Args:
        repo: the repository.
        name: the branch, or another revision.
        author: who does it.
        resolver: merges what needs more than lines.
        at: aware time; now without one.

    Returns:
        What was done. With ``plan.conflicts`` the merge is open, and nothing is committed yet.

    Raises:
        UnsavedEdits: files with edits are in the way; with conflicts also anything staged.
        Unfinished: a merge, rebase or the like is open already.
        CannotMerge, UnknownRevision, HistoryError: as `plan_merge`.
        Busy: git is writing.
    """
    state = repo.state_of_work()
    if state.open_operation:
        raise Unfinished(
            f"a {state.open_operation} is not finished",
            "nothing was changed",
            "finish or abort it, then try again",
        )
    for attempt in range(_ATTEMPTS):
        plan = plan_merge(repo, name, resolver=resolver)
        text = f"merge: {name} into {plan.branch}"
        try:
            return MergeOutcome(plan, _carry_out(repo, plan, text, author, at))
        except RefElsewhere:
            # A turn was committed meanwhile: the merge is planned again on top of it.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _carry_out(
    repo: Repository, plan: MergePlan, text: str, author: Author, at: datetime | None
) -> Operation | None:
    if plan.kind == "nothing":
        return None
    if plan.conflicts:
        _leave_open(repo, plan, text)
        return None
    parents = [plan.ours, plan.theirs]
    made: AbstractContextManager[str] = nullcontext(plan.theirs)
    if plan.kind == "merge":
        made = made_commit(repo, plan.changes, parents=parents, message=text, author=author, at=at)
    says = f"{plan.name} into {plan.branch}"
    with made as new:
        move = RefMove(f"{HEADS}{plan.branch}", plan.ours, new)
        return perform(repo, "merge", says, [move], author=author, at=at)


def _leave_open(repo: Repository, plan: MergePlan, text: str) -> None:
    parts = repo.parts()
    contents: dict[str, Node | None] = {}
    objects = []
    for change in plan.changes:
        if change.content is None:
            contents[change.path] = None
            continue
        oid = object_id(b"blob", change.content)
        contents[change.path] = (FILE, oid)
        objects.append((oid, b"blob", change.content))
    root = repo.commit_info(plan.ours).tree
    for path in plan.versions:
        contents.setdefault(path, parts.trees.node(root, path))
    for path, node in contents.items():
        known = parts.trees.node(root, path)
        if node is not None and known is not None:
            contents[path] = (known[0], node[1])
    with parts.writer.exclusive("leaving the merge open"):
        parts.writer.finish_operation()
        if parts.refs.head().commit != plan.ours:
            raise RefElsewhere(f"{plan.branch} was moved in the meantime", "nothing was changed")
        parts.writer.forget_commits()
        state = MergeState(parts)
        # Afterwards the index names them.
        with parts.writer.packs.write(objects) if objects else nullcontext():
            state.open(plan.theirs, text, contents, plan.versions)


def open_merge(repo: Repository) -> OpenMerge | None:
    """The open merge, whoever started it; None if there is none."""
    parts = repo.parts()
    state = MergeState(parts)
    theirs = state.other()
    if theirs is None:
        return None
    conflicts = []
    for path, entries in state.slots().items():
        if not any(entry.stage for entry in entries):
            continue
        stages = {entry.stage for entry in entries}
        data = work_content(parts.work, path)
        if data is not None and b"\0" in data:
            conflicts.append(FileConflict(path, "binary"))
        elif not {2, 3} <= stages:
            gone = "theirs" if 2 in stages else "ours" if 3 in stages else ""
            conflicts.append(FileConflict(path, "removed", gone=gone))
        else:
            pairs = marked(data or b"")
            settled = data is not None and not pairs
            conflicts.append(FileConflict(path, "text", pairs, settled=settled))
    return OpenMerge(theirs, state.message(), tuple(conflicts))


def content_to_settle(repo: Repository, path: str) -> bytes | None:
    """The content of a work file in conflict; None if it is gone.

    Raises:
        StillInConflict: a conflict's marks are left in it.
        HistoryError: something else than a file is there.
    """
    parts = repo.parts()
    data = work_content(parts.work, path)
    if data is not None and marked(data):
        raise StillInConflict([path])
    return data


def settle_conflict(repo: Repository, path: str, content: bytes | None) -> None:
    """Settle one file of an open merge, as ``git add`` does.

    Args:
        repo: the repository.
        path: a file that is in conflict.
        content: what it shall be, None: it goes.

    Raises:
        HistoryError: it is not in conflict.
        Busy: git is writing.
    """
    parts = repo.parts()
    with parts.writer.exclusive("resolving a conflict"):
        state = MergeState(parts)
        if content is None:
            state.settle(path, None)
            return
        with parts.writer.packs.write([(object_id(b"blob", content), b"blob", content)]):
            state.settle(path, content)


def conclude_merge(repo: Repository, *, author: Author, at: datetime | None = None) -> Operation:
    """Conclude the open merge with the files as they are.

    Raises:
        HistoryError: no merge is open.
        StillInConflict: files with marks in them, or taken away on one side, are not settled.
        UnsavedEdits, Busy: as `operations.perform`.
    """
    parts = repo.parts()
    state = MergeState(parts)
    opened = open_merge(repo)
    head = parts.refs.head()
    if opened is None or head.branch is None or head.commit is None:
        raise HistoryError("no merge is open", "nothing was changed")
    unsettled = [conflict.path for conflict in opened.conflicts if not conflict.settled]
    if unsettled:
        raise StillInConflict(unsettled)
    root = repo.commit_info(head.commit).tree
    staged = state.staged(root)
    changes = [Change(path, work_content(parts.work, path)) for path in staged]
    accepted: dict[str, set[str | None]] = {
        path: {entry.oid for entry in entries} or {None} for path, entries in staged.items()
    }
    made = made_commit(
        repo,
        changes,
        parents=[head.commit, opened.theirs],
        message=opened.message or f"merge: {opened.theirs[:7]} into {head.branch}",
        author=author,
        at=at,
    )
    with made as new:
        return perform(
            repo,
            "merge",
            f"{opened.theirs[:7]} into {head.branch}",
            [RefMove(f"{HEADS}{head.branch}", head.commit, new)],
            author=author,
            at=at,
            accepted=accepted,
            done=FILES,
        )


def abort_merge(repo: Repository) -> None:
    """Abort the open merge: bring files and index back to HEAD.

    Raises:
        HistoryError: no merge is open.
        UnsavedEdits: files that the merge had brought were edited since.
        Busy: git is writing.
    """
    parts = repo.parts()
    with parts.writer.exclusive("aborting the merge"):
        parts.writer.finish_operation()
        state = MergeState(parts)
        if state.other() is None:
            raise HistoryError("no merge is open", "nothing was changed")
        parts.writer.forget_commits()
        state.abort()
