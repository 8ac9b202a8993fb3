"""Branches: listed with the last turn on each, begun, checked out, removed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from perdure.actions.agreement import own_step
from perdure.actions.history.rewind import find_target
from perdure.actions.workspace import Workspace, refuse_key
from perdure.companion.clock import now
from perdure.git.errors import HistoryError, UnknownRevision
from perdure.git.operations.branches import (
    Branch,
    branches,
    check_checkout,
    drop_branch,
    start_branch,
    switch,
)
from perdure.git.operations.operation import Operation
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.progress import Progress
from perdure.snapshot.revisions.ahead import Ahead, ahead

_LOOKED_AT = 100
"""Commits that are looked at for the last turn on a branch."""


@dataclass(frozen=True, slots=True)
class BranchRow:
    """A branch in a list. ``turn`` is its newest turn's commit; None where none is near."""

    branch: Branch
    turn: CommitInfo | None

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "name": self.branch.name,
            "current": self.branch.is_current,
            "commit": self.branch.commit,
            "at": self.branch.at.isoformat(),
            "subject": self.branch.subject,
            "last_talk": self.turn.at.isoformat() if self.turn else None,
            "last_words": subject_words(self.turn) if self.turn else None,
            "elsewhere": self.branch.elsewhere or None,
        }


@dataclass(frozen=True, slots=True)
class DropPlan:
    """What removing a branch will do. ``ahead`` is what no other branch has."""

    name: str
    commit: str
    ahead: Ahead

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        if not self.ahead:
            return [f"Deletes the name {self.name}; everything on it is also on other branches."]
        return [
            f"Deletes the name {self.name}. Only on that branch: {self.ahead}.",
            (
                f"The operation log keeps it: perdure undo, or perdure branch {self.name} "
                f"--at {self.commit[:10]}, brings it back."
            ),
        ]

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {"branch": self.name, "commit": self.commit, "left": self.ahead.to_dict()}


def subject_words(info: CommitInfo) -> str:
    """The first words of a turn, taken from its commit's subject."""
    return info.subject.partition(": ")[2] or info.subject


def list_branches(workspace: Workspace) -> list[BranchRow]:
    """All branches, the one last committed to first."""
    found = branches(workspace.repo)
    last = {
        commit: _last_turn(workspace.repo, commit) for commit in {each.commit for each in found}
    }
    return [BranchRow(each, last[each.commit]) for each in found]


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A line that no branch leads to. ``has`` counts what only it has; ``last`` is its end."""

    commit: str
    has: Ahead
    last: CommitInfo

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "commit": self.commit,
            "at": self.last.at.isoformat(),
            "last_words": subject_words(self.last),
            "has": self.has.to_dict(),
        }


def list_kept(workspace: Workspace) -> list[KeptRow]:
    """The lines that no branch leads to, here or since a sync, the newest first."""
    from perdure.git.remotes.kept import kept_commits

    repo = workspace.repo
    tips = [each.commit for each in branches(repo)]
    rows = [
        KeptRow(oid, has, _last_turn(repo, oid) or repo.commit_info(oid))
        for oid in kept_commits(repo)
        if (has := ahead(repo, oid, tips))
    ]
    return sorted(rows, key=lambda row: row.last.at, reverse=True)


def _last_turn(repo: Repository, tip: str) -> CommitInfo | None:
    for info in islice(repo.commits.log(rev=tip), _LOOKED_AT):
        parents = repo.commits.parents(info.id)
        before = repo.folder_oid("conversations", parents[0]) if parents else None
        if len(parents) < 2 and repo.folder_oid("conversations", info.id) != before:
            return info
    return None


def begin_branch(
    workspace: Workspace, name: str, at: str = "", progress: Progress | None = None
) -> Operation:
    """Create a branch without checking it out.

    Args:
        workspace: the companion.
        name: its name.
        at: a turn, date or revision; the last commit without.
        progress: called while an index of the history is made.

    Raises:
        BadPath: the name is taken, or git would not take it.
        CannotAct: the name holds a key.
        UnknownTurn, NoRevision, UnknownRevision: there is no such place.
    """
    refuse_key(name)
    commit = find_target(workspace.repo, at, progress).commit if at else workspace.tip
    return start_branch(
        workspace.repo, name, commit, author=workspace.author, switch_to=False, at=now()
    )


def check_out_branch(workspace: Workspace, name: str) -> Operation | None:
    """Check out a branch. Hand edits are committed first, to the branch that one leaves.

    Returns:
        None where it is checked out already: then there is nothing to take back.

    Raises:
        UnknownRevision: there is no such branch; a near one is named.
        BadPath, CannotMerge, TooManyFiles: its files cannot be written to the disk.
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy: nothing was changed.
    """
    names = [each.name for each in branches(workspace.repo)]
    if name not in names:
        near = [each for each in names if name.casefold() in each.casefold()]
        raise UnknownRevision(
            f"there is no branch {name}",
            "nothing was changed",
            f"did you mean {near[0]}?" if near else "perdure branch lists them",
        )
    current = workspace.repo.head().branch
    if current != name:
        check_checkout(workspace.repo, workspace.repo.resolve(f"refs/heads/{name}"))
    if current is not None:
        workspace.commit_hand_edits()
    if current == name:
        return None
    with own_step(workspace.repo):
        return switch(workspace.repo, name, author=workspace.author, at=now())


def plan_drop(workspace: Workspace, name: str) -> DropPlan:
    """Plan to remove a branch: what would be hidden.

    Raises:
        UnknownRevision: there is no such branch.
        HistoryError: it is checked out.
    """
    found = {each.name: each for each in branches(workspace.repo)}
    if name not in found:
        raise UnknownRevision(
            f"there is no branch {name}", "nothing was changed", "perdure branch lists them"
        )
    if found[name].is_current:
        raise HistoryError(
            f"{name} is checked out", "nothing was changed", "switch to another branch first"
        )
    others = [each.commit for each in found.values() if each.name != name]
    return DropPlan(name, found[name].commit, ahead(workspace.repo, found[name].commit, others))


def remove_branch(workspace: Workspace, plan: DropPlan) -> Operation:
    """Do what a plan says."""
    return drop_branch(workspace.repo, plan.name, author=workspace.author, at=now())
