"""Undo, redo, and the list of what was done, in words for the user."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from perdure.actions.history.merge import RESOLVER
from perdure.actions.history.operation_text import act_of, row_words
from perdure.actions.workspace import Workspace
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.git.errors import HistoryError, UnknownRevision
from perdure.git.operations.branches import branches, check_checkout
from perdure.git.operations.log import SYNC, logged_operations
from perdure.git.operations.operation import Operation, operations
from perdure.git.undo import perform as undo
from perdure.git.undo import plan as undo_plan
from perdure.git.undo.plan import UndoPlan
from perdure.snapshot.revisions.ahead import NOTHING_AHEAD, Ahead, ahead
from perdure.snapshot.revisions.program_commits import ProgramCommits, turn_of_commit


@dataclass(frozen=True, slots=True)
class UndoStep:
    """What one undo or redo will do.

    Attributes:
        plan: the engine's plan.
        hidden: what no branch has afterwards, the program's own commits left out.
        what: what is taken back or brought back, in words.
        turn: the turn that it is about, where it is about one.
    """

    plan: UndoPlan
    hidden: Ahead
    what: str
    turn: TurnId | None = None

    @property
    def is_safe(self) -> bool:
        """Whether it needs no question: it hides one act at most, which redo brings back."""
        return self.plan.is_redo or (self.hidden.is_all and self.hidden.acts <= 1)

    def notes(self) -> list[str]:
        """What else happens: branches that come, go, or are checked out."""
        lines = list(self.plan.sentences)
        if not self.is_safe:
            lines.append(f"on no branch afterwards: {self.hidden}; redo brings it back")
        return lines

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        return [f"{'brings' if self.plan.is_redo else 'takes'} back {self.what}", *self.notes()]

    def said(self) -> str:
        """What was done, in one sentence."""
        where = f" You are back on {self.plan.head}." if self.plan.head else ""
        pushed = ""
        if self.plan.changes:
            pushed = " What came from elsewhere since stays, so a new commit does it."
        elif self.plan.by_commit:
            pushed = " It was pushed, so a new commit does it."
        done = "Redone" if self.plan.is_redo else "Undone"
        return f"{done}: {self.what}.{where}{pushed}"

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        entry = self.plan.entry
        return {
            "undoes": None if self.plan.is_redo else entry.id,
            "redoes": entry.id if self.plan.is_redo else None,
            "kind": entry.kind,
            "what": entry.description,
            "words": self.what,
            "says": self.describe(),
            "hidden": self.hidden.to_dict(),
            "asks": not self.is_safe,
        }


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation in a list.

    Attributes:
        entry: the entry.
        mark: ``undo`` on what undo would take back next, ``redo`` on the undo that redo would take
            back.
        is_undone: it was taken back, and not brought back since.
        words: what was done, without ids.
    """

    entry: Operation
    mark: str = ""
    is_undone: bool = False
    words: str = ""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        entry = self.entry
        return {
            "id": entry.id,
            "kind": entry.kind,
            "what": entry.description,
            "at": entry.at.isoformat(),
            "author": entry.author.name,
            "device": entry.device or None,
            "commit": entry.is_commit,
            "branch_before": entry.before.branch,
            "branch_after": entry.after.branch,
            "next": self.mark or None,
            "undone": self.is_undone,
        }


def next_undo(workspace: Workspace) -> UndoStep:
    """Plan the next undo. Raises NothingToUndo, RefElsewhere."""
    program = ProgramCommits(workspace.repo)
    return _step(workspace, undo_plan.plan_undo(workspace.repo, program, RESOLVER.is_sound))


def next_redo(workspace: Workspace) -> UndoStep:
    """Plan the next redo. Raises NothingToUndo, RefElsewhere."""
    program = ProgramCommits(workspace.repo)
    return _step(workspace, undo_plan.plan_redo(workspace.repo, program, RESOLVER.is_sound))


def _step(workspace: Workspace, plan: UndoPlan) -> UndoStep:
    """Add to a plan what no branch will have afterwards.

    Raises:
        BadPath, CannotMerge, TooManyFiles: the files there cannot be written to the disk.
    """
    goal = _goal(workspace, plan)
    if goal is not None:
        check_checkout(workspace.repo, goal)
    tips = {f"refs/heads/{each.name}": each.commit for each in branches(workspace.repo)}
    gone = []
    for move in plan.moves:
        if not move.ref.startswith("refs/heads/") or move.ref in plan.by_commit:
            continue
        if move.old is not None:
            gone.append(move.old)
        if move.new is None:
            tips.pop(move.ref, None)
        else:
            tips[move.ref] = move.new
    found = [ahead(workspace.repo, old, tips.values()) for old in gone]
    return UndoStep(
        plan,
        sum(found, NOTHING_AHEAD),
        act_of(workspace.repo, plan.entry),
        _turn(workspace, plan),
    )


def _goal(workspace: Workspace, plan: UndoPlan) -> str | None:
    """The commit whose files will be checked out; None where it stays the same."""
    branch = plan.head or workspace.repo.head().branch
    ref = f"refs/heads/{branch}"
    for move in plan.moves:
        if move.ref == ref:
            return plan.by_commit.get(ref) or move.new
    return workspace.repo.resolve(ref) if plan.head else None


def _turn(workspace: Workspace, plan: UndoPlan) -> TurnId | None:
    """The turn that a step is about."""
    if plan.commit is not None:
        return turn_of_commit(plan.commit)
    with suppress(UnknownRevision):
        if plan.entry.undoes:
            return turn_of_commit(workspace.repo.commit_info(plan.entry.undoes))
    return None


def perform_step(workspace: Workspace, step: UndoStep) -> Operation:
    """Do what a step says.

    Raises:
        RefElsewhere: something was done meanwhile.
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy: nothing was changed.
    """
    from perdure.actions.agreement import own_step

    do = undo.redo if step.plan.is_redo else undo.undo
    with own_step(workspace.repo):
        return do(workspace.repo, step.plan, author=workspace.author, at=now())


def next_undone(workspace: Workspace, count: int) -> list[Operation]:
    """The operations that so many undos would take back, as far as one can tell beforehand."""
    program = ProgramCommits(workspace.repo)
    first = undo_plan.plan_undo(workspace.repo, program).entry
    entries = operations(workspace.repo, limit=None, is_own=program.is_own)
    undone = _undone(workspace)
    places = [place for place, entry in enumerate(entries) if entry.id == first.id]
    rest = entries[places[0] :] if places else [first]
    steps = (e for e in rest if e.kind != SYNC)
    done = [e for e in steps if not (e.undoes or e.redoes or e.id in undone)]
    return done[:count]


def list_operations(workspace: Workspace, limit: int | None = 50) -> list[OperationRow]:
    """The log of operations, newest first."""
    program = ProgramCommits(workspace.repo)
    entries = operations(workspace.repo, limit=limit, is_own=program.is_own)
    undone = _undone(workspace)
    marks: dict[str, str] = {}
    for mark, plan in (("undo", undo_plan.plan_undo), ("redo", undo_plan.plan_redo)):
        try:
            found = plan(workspace.repo, program).entry
        except HistoryError:
            continue
        marks[found.id] = mark
    return [
        OperationRow(
            entry, marks.get(entry.id, ""), entry.id in undone, row_words(workspace.repo, entry)
        )
        for entry in entries
    ]


def _undone(workspace: Workspace) -> set[str]:
    """Ids of the operations that are undone, and were not brought back."""
    by_id = {entry.id: entry for entry in logged_operations(workspace.repo)}
    undone: set[str] = set()
    for entry in reversed(list(by_id.values())):
        if entry.undoes:
            undone.add(entry.undoes)
        elif entry.redoes and entry.redoes in by_id:
            undone.discard(by_id[entry.redoes].undoes)
    return undone
