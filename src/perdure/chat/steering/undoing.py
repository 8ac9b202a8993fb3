"""Undo, redo and the list of what was done, with words for the user."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.chat.clock import now
from perdure.chat.steering.helm import Helm
from perdure.chat.steering.leaving import Left, left
from perdure.history import oplog, undoing
from perdure.history.branches import branches
from perdure.history.errors import HistoryError, UnknownRevision
from perdure.history.operations import Operation, operations
from perdure.history.undoing import UndoPlan

_QUIET = {"switch", "tag", "untag"}
"""Kinds that hide nothing: taking one back is not asked about."""


@dataclass(frozen=True, slots=True)
class Step:
    """One undo or redo that was thought out.

    Attributes:
        plan: the engine's plan.
        hidden: what no branch has afterwards.
    """

    plan: UndoPlan
    hidden: Left

    @property
    def is_safe(self) -> bool:
        """Whether it needs no question: no turn is hidden, and no branch's name goes."""
        goes = any(m.new is None and m.ref not in self.plan.by_commit for m in self.plan.moves)
        takes_branch = goes and self.plan.entry.kind not in _QUIET
        return self.plan.is_redo or not (self.hidden.turns or (takes_branch and self.hidden))

    def says(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        lines = list(self.plan.says)
        if self.hidden:
            back = "perdure undo" if self.plan.is_redo else "perdure redo"
            lines.append(
                f"on no branch afterwards: {self.hidden}. "
                f"The log of operations keeps it; {back} brings it back"
            )
        return lines

    def record(self) -> dict[str, object]:
        """As plain data."""
        entry = self.plan.entry
        return {
            "undoes": None if self.plan.is_redo else entry.id,
            "redoes": entry.id if self.plan.is_redo else None,
            "kind": entry.kind,
            "what": entry.says,
            "says": self.says(),
            "hidden": self.hidden.record(),
            "asks": not self.is_safe,
        }


@dataclass(frozen=True, slots=True)
class OpsRow:
    """An entry as it is listed.

    Attributes:
        entry: the entry.
        mark: ``undo`` on what undo would take back next, ``redo`` on the undo that redo would take
            back.
        is_undone: it was taken back, and not brought back since.
    """

    entry: Operation
    mark: str = ""
    is_undone: bool = False

    def record(self) -> dict[str, object]:
        """As plain data."""
        entry = self.entry
        return {
            "id": entry.id,
            "kind": entry.kind,
            "what": entry.says,
            "at": entry.at.isoformat(),
            "author": entry.author.name,
            "device": entry.device or None,
            "commit": entry.is_commit,
            "branch_before": entry.before.branch,
            "branch_after": entry.after.branch,
            "next": self.mark or None,
            "undone": self.is_undone,
        }


def next_undo(helm: Helm) -> Step:
    """What undo would take back now. Raises NothingToUndo, RefElsewhere."""
    return _step(helm, undoing.plan_undo(helm.repo))


def next_redo(helm: Helm) -> Step:
    """What redo would bring back now. Raises NothingToUndo, RefElsewhere."""
    return _step(helm, undoing.plan_redo(helm.repo))


def _step(helm: Helm, plan: UndoPlan) -> Step:
    """Count what no branch has once the moves are made."""
    tips = {f"refs/heads/{each.name}": each.commit for each in branches(helm.repo)}
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
    found = [left(helm.repo, old, tips.values()) for old in gone]
    return Step(
        plan,
        Left(
            sum(each.turns for each in found),
            sum(each.persona for each in found),
            sum(each.other for each in found),
            all(each.is_all for each in found),
        ),
    )


def take(helm: Helm, step: Step) -> Operation:
    """Do a step.

    Raises:
        RefElsewhere: something was done meanwhile.
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy: nothing was changed.
    """
    do = undoing.redo if step.plan.is_redo else undoing.undo
    return do(helm.repo, step.plan, author=helm.author, at=now())


def coming(helm: Helm, count: int) -> list[Operation]:
    """The entries that so many undos would take back, as far as can be told beforehand."""
    first = undoing.plan_undo(helm.repo).entry
    entries = operations(helm.repo, limit=None)
    undone = _undone(helm)
    places = [place for place, entry in enumerate(entries) if entry.id == first.id]
    rest = entries[places[0] :] if places else [first]
    done = [e for e in rest if not (e.undoes or e.redoes or e.id in undone)]
    return done[:count]


def rows(helm: Helm, limit: int | None = 50) -> list[OpsRow]:
    """What was done, newest first."""
    entries = operations(helm.repo, limit=limit)
    undone = _undone(helm)
    marks: dict[str, str] = {}
    for mark, plan in (("undo", undoing.plan_undo), ("redo", undoing.plan_redo)):
        try:
            found = plan(helm.repo).entry
        except HistoryError:
            continue
        marks[found.id] = mark
    return [OpsRow(entry, marks.get(entry.id, ""), entry.id in undone) for entry in entries]


def _undone(helm: Helm) -> set[str]:
    """Ids of what is taken back now: undone, and not brought back since."""
    try:
        log = helm.repo.resolve("refs/perdure/ops")
    except UnknownRevision:
        return set()
    by_id = {entry.id: entry for entry in oplog.walk(log, helm.repo.commit_info)}
    undone: set[str] = set()
    for entry in reversed(list(by_id.values())):
        if entry.undoes:
            undone.add(entry.undoes)
        elif entry.redoes and entry.redoes in by_id:
            undone.discard(by_id[entry.redoes].undoes)
    return undone
