"""Turns during a rebase: on a branch of their own, joined when git is done.

A join takes what came to the side branch since it began. Where the branch that is checked out has
that beginning, it moves on, or gets a commit with two parents, as by a merge. Where the rebase has
rewritten it, the commit has one parent: what was rewritten, and may have been dropped on purpose,
does not come back.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.companion.clock import now
from perdure.git.errors import DamagedRepository, HistoryError, RefElsewhere, UnknownRevision
from perdure.git.layout import WorkState
from perdure.git.operations.branches import branch_tip
from perdure.git.operations.operation import RefMove, made_commit, perform
from perdure.git.operations.side_branch import Side, aborted, mark, sides
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS
from perdure.git.repository.repository import Author, Repository
from perdure.notice import Notice
from perdure.snapshot.author import device

if TYPE_CHECKING:
    from perdure.git.merge.plan import MergePlan

_TALK = (
    "conversations/",
    "alternatives/",
    "memory/summaries/",
    "memory/review/",
    "backends.lock/",
    "README.md",
)
"""What perdure commits by itself beside turns, too."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class TurnBranch:
    """A branch to chat on.

    Attributes:
        name: its name.
        start: the commit that it begins at, None where it is there.
        notices: what there is to tell.
    """

    name: str
    start: str | None = None
    notices: tuple[Notice, ...] = ()


def side_branch(repo: Repository, state: WorkState) -> TurnBranch:
    """The branch to chat on while git rewrites another one, made or found.

    Returns:
        Its name; the commit that it begins at, None where it is there; and what to tell.
    """
    name, start = _find(repo, state)
    after = f"{state.branch} has it" if state.branch else "It is merged into your branch"
    what = {"am": "`git am`"}.get(state.open_operation, f"a {state.open_operation}")
    text = (
        f"git is in the middle of {what} here, so the conversation continues on a separate "
        f"branch, {name}. {after} once that is over."
    )
    return TurnBranch(name, start, (Notice(text, "warning"),))


def _find(repo: Repository, state: WorkState) -> tuple[str, str | None]:
    waiting = sides(repo)
    for side in reversed(waiting):
        if side.tip is not None:
            return side.name, None
    start = _start(repo, state)
    for side in waiting:
        if side.start == start:
            return side.name, start
    name = repo.free_branch(f"chat-{start[:8]}-{device()}")
    mark(repo, name, start)
    return name, start


def _start(repo: Repository, state: WorkState) -> str:
    """The branch that is rewritten, as it is; else what is checked out."""
    tip = branch_tip(repo, state.branch) if state.branch is not None else None
    return tip or repo.resolve("HEAD")


def join_sides(repo: Repository, author: Author) -> list[Notice]:
    """Join what waits to the branch that is checked out; the notices about it.

    Nothing where git is not done yet, or no branch is checked out: then a notice says what waits.
    """
    waiting = sides(repo)
    branch = repo.head().branch
    if repo.state_of_work().is_rewriting:
        return []
    if branch is None:
        return [
            Notice(
                f"What was said on {side.name} waits: it is merged into the branch that you check "
                "out next. See perdure branch",
                "warning",
            )
            for side in waiting
            if side.tip is not None
        ]
    notices = []
    lost = [side for side in aborted(repo, branch) if _has_turns_only(repo, side)]
    for side in [*waiting, *lost]:
        if side.name == branch:
            continue
        try:
            notices += _join(repo, branch, side, author)
        except HistoryError as problem:
            notices.append(_not_joined(branch, side, problem.what))
    return notices


def _has_turns_only(repo: Repository, side: Side) -> bool:
    """Whether a line that lost its name has conversations only, and is in no branch."""
    if side.tip is None:
        return False
    try:
        old, new = (repo.commit_info(oid).tree for oid in (side.start, side.tip))
        changed = repo.folder_difference(old, new)
    except (DamagedRepository, UnknownRevision):
        return False
    return bool(changed) and all(change.path.startswith(_TALK) for change in changed)


def _join(repo: Repository, branch: str, side: Side, author: Author) -> list[Notice]:
    for attempt in range(_ATTEMPTS):
        tip = repo.resolve(f"{HEADS}{side.name}") if side.name and side.tip else side.tip
        if tip is None:
            mark(repo, side.name, None)
            return []
        try:
            done = _join_once(repo, branch, side, tip, author)
        except RefElsewhere:
            # A turn landed meanwhile: it is thought out again on top of it.
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        if side.name:
            mark(repo, side.name, None)
        return done
    raise AssertionError


def _join_once(repo: Repository, branch: str, side: Side, tip: str, author: Author) -> list[Notice]:
    from perdure.actions.history.merge import RESOLVER
    from perdure.git.merge.plan import plan_merge

    ours = repo.resolve(f"{HEADS}{branch}")
    reach = Reach(repo.commit_info, repo.commits.shallow_ends())
    moves = [RefMove(f"{HEADS}{side.name}", tip, None)] if side.name else []
    if reach.is_ancestor(tip, ours):
        # Somebody has merged it.
        if moves:
            perform(repo, "drop", f"the branch {side.name}", moves, author=author, at=now())
        return []
    has_start = reach.is_ancestor(side.start, ours)
    plan = plan_merge(repo, tip, resolver=RESOLVER, since=None if has_start else side.start)
    if plan.conflicts:
        files = ", ".join(conflict.path for conflict in plan.conflicts)
        return [_not_joined(branch, side, f"both have changed {files}")]
    what = side.name or "what was said"
    with _joined(repo, plan, has_start=has_start, what=what, author=author) as new:
        all_moves = [RefMove(f"{HEADS}{branch}", ours, new), *moves]
        perform(repo, "merge", f"{what} into {branch}", all_moves, author=author, at=now())
    return [Notice(f"What was said while git was at work is now on {branch}.")]


def _joined(
    repo: Repository, plan: MergePlan, *, has_start: bool, what: str, author: Author
) -> AbstractContextManager[str]:
    """The commit that has both."""
    if has_start and plan.kind == "forward":
        return nullcontext(plan.theirs)
    return made_commit(
        repo,
        plan.changes,
        parents=[plan.ours, plan.theirs] if has_start else [plan.ours],
        message=f"merge: {what} into {plan.branch}\n\nSaid while git was at work on its branch.\n",
        author=author,
        at=now(),
    )


def _not_joined(branch: str, side: Side, why: str) -> Notice:
    name = side.name or (side.tip or "")[:10]
    return Notice(
        f"What was said on {name} is not on {branch} yet: {why}. It is kept. To merge it: perdure "
        f"merge {name}",
        "warning",
    )
