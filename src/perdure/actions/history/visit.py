"""Talk to her as she was, on a scratch branch that begins in the past.

The entry in the log of operations is all that tells a visit from another branch, so a crash leaves
nothing half done: the scratch branch is checked out, the next session says so, and every way back
is an ordinary one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

from perdure.actions.agreement import own_step
from perdure.actions.errors import CannotAct
from perdure.actions.history.next_message import refuse_archived
from perdure.actions.history.rewind import RewindPlan, plan_rewind, rewind
from perdure.actions.workspace import Workspace, refuse_key
from perdure.companion.clock import now
from perdure.git.errors import BadPath
from perdure.git.operations.branches import branch_tip
from perdure.git.operations.log import logged_operations
from perdure.git.operations.operation import Operation, RefMove, perform
from perdure.git.refs.refs import HEADS, check_branch
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.progress import Progress
from perdure.snapshot.revisions.ahead import NOTHING_AHEAD, Ahead, ahead

_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """A scratch branch that is checked out.

    Attributes:
        name: the branch.
        back: the branch that was left for it.
        start: the commit at which it begins.
    """

    name: str
    back: str
    start: str


def plan_visit(workspace: Workspace, where: str, progress: Progress | None = None) -> RewindPlan:
    """Plan to chat with her as she was at a turn, date or revision.

    Raises:
        Archived: she is in the archive.
        CannotAct: no branch is checked out, a visit is under way already, or nothing was said
            since that place.
        UnknownTurn, NoRevision, UnknownRevision: there is no such place.
    """
    refuse_archived(workspace.settings)
    here = current_visit(workspace.repo)
    if here is not None:
        raise CannotAct(
            f"you are already talking with her as she was, on {here.name}",
            next_step=f"go back first with: perdure switch {here.back}",
        )
    plan = plan_rewind(workspace, where, progress=progress)
    return replace(plan, name=workspace.repo.free_branch(workspace.generated("visit")))


def begin_visit(workspace: Workspace, plan: RewindPlan) -> Visit:
    """Check out the scratch branch. Hand edits are committed first.

    Raises:
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy: nothing was changed.
    """
    workspace.commit_hand_edits()
    rewind(workspace, plan, kind="visit")
    return Visit(plan.name, plan.leaves, plan.target.commit)


def current_visit(repo: Repository) -> Visit | None:
    """The visit that is under way; None without one."""
    branch = repo.head().branch
    if branch is None:
        return None
    undone: set[str] = set()
    cancelled: set[str] = set()
    for entry in islice(logged_operations(repo), _LOOKED_AT):
        if entry.redoes:
            cancelled.add(entry.redoes)
        elif entry.undoes and entry.id not in cancelled:
            undone.add(entry.undoes)
        elif entry.id in undone:
            continue
        elif entry.kind == "leave" and entry.before.branch == branch:
            return None
        elif entry.kind == "visit" and entry.after.branch == branch and entry.before.branch:
            start = next((m.new for m in entry.moves if m.ref == f"{HEADS}{branch}"), None)
            return Visit(branch, entry.before.branch, start) if start else None
    return None


def visit_notice(repo: Repository) -> list[Notice]:
    """Tell that a visit is under way, and how to go back."""
    visit = current_visit(repo)
    if visit is None:
        return []
    at = repo.commit_info(visit.start).at
    return [
        Notice(
            f"You are talking with her as she was on {at:%d %b %Y, %H:%M}, on the branch "
            f"{visit.name}. {visit.back} stays as it is; go back with: perdure switch {visit.back}"
        )
    ]


def ahead_of_start(workspace: Workspace, visit: Visit) -> Ahead:
    """What the scratch branch has gained since it began; nothing where it is gone."""
    tip = branch_tip(workspace.repo, visit.name)
    return ahead(workspace.repo, tip, [visit.start]) if tip is not None else NOTHING_AHEAD


def end_visit(
    workspace: Workspace, visit: Visit, *, keep: str = "", drop: bool = False
) -> Operation | None:
    """Go back to where the visit began, as one entry in the log of operations.

    A branch on which nothing was done goes in any case.

    Args:
        workspace: the companion.
        visit: the visit.
        keep: the name under which it is kept; its own without one.
        drop: take its name away; undo brings it back.

    Returns:
        The entry; None where the branch is gone already.

    Raises:
        BadPath: the name is taken, or git would not take it.
        UnknownRevision: the branch to go back to is gone.
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy: nothing was changed.
    """
    repo = workspace.repo
    ref = check_branch(visit.name)
    is_here = repo.head().branch == visit.name
    if is_here:
        workspace.commit_hand_edits()
    tip = branch_tip(repo, visit.name)
    if tip is None:
        return None
    drops = drop or tip == visit.start
    moves, description = [], f"{visit.name}, kept"
    if drops:
        moves, description = [RefMove(ref, tip, None)], f"{visit.name}, dropped"
    elif keep and keep != visit.name:
        new = check_branch(keep)
        check_name(repo, keep)
        moves = [RefMove(ref, tip, None), RefMove(new, None, tip)]
        description = f"{visit.name}, kept as {keep}"
    if not moves and not is_here:
        return None
    head = visit.back if is_here else None
    author = workspace.author
    with own_step(repo):
        return perform(repo, "leave", description, moves, author=author, head=head, at=now())


def check_name(repo: Repository, name: str) -> None:
    """Raise BadPath for a bad branch name, or CannotAct for one that holds a key."""
    refuse_key(name)
    check_branch(name)
    if branch_tip(repo, name) is not None:
        raise BadPath(
            f"there is already a branch {name}", "it stays as it is", "choose another name"
        )
