"""The branch that turns go to, also where git has moved or deleted it meanwhile.

As a rule it is the branch that is checked out. Where none is, or git is rewriting it, the chat has
a branch of its own; where the branch of a prompt was renamed the turn follows it, and where it was
deleted the turn begins a branch at the commit that the prompt was made from.
"""

from __future__ import annotations

from perdure.chat.turn.side_branch import TurnBranch, side_branch
from perdure.git.errors import DamagedRepository, UnknownRevision
from perdure.git.operations.branches import branch_tip, branches
from perdure.git.operations.side_branch import renamed, sides
from perdure.git.refs.ancestry import Reach
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.author import device


def current_branch(repo: Repository) -> TurnBranch:
    """The branch that is checked out; else one of its own, with the commit that it begins at.

    Whoever says one thing after another beside the same commit, each in a process of its own, goes
    on with the same conversation: the branch is named by that commit.
    """
    state = repo.state_of_work()
    if state.is_rewriting:
        return side_branch(repo, state)
    head = repo.head()
    if head.branch is not None:
        return TurnBranch(head.branch)
    waiting = [side for side in sides(repo) if side.tip is not None]
    if waiting:
        # A rebase has ended without a branch checked out: what it belongs to is still to come.
        return TurnBranch(waiting[-1].name)
    commit = repo.resolve("HEAD")
    name = f"chat-{commit[:8]}-{device()}"
    there = next((each for each in branches(repo) if each.name == name), None)
    is_new = there is None or bool(there.elsewhere)
    branch = repo.free_branch(name) if is_new else name
    text = (
        f"No branch is checked out here, so the conversation continues on {branch}. To go there: "
        f"perdure switch {branch}"
    )
    return TurnBranch(branch, commit if is_new else None, (Notice(text, "warning"),))


def branch_to_commit_on(
    repo: Repository, branch: str, *, start: str | None, base: str, since: float | None
) -> TurnBranch:
    """Where a turn lands that was prompted on a branch.

    Args:
        repo: the repository.
        branch: the branch.
        start: the commit that it was to begin at, where it was not there yet.
        base: the commit that the prompt was made from.
        since: when that was, in seconds; None where nobody knows.
    """
    state = repo.state_of_work()
    if state.is_rewriting and state.branch == branch:
        return side_branch(repo, state)
    tip = branch_tip(repo, branch)
    head = repo.head()
    if start is None and (tip is None or (since is not None and head.branch != branch)):
        name = renamed(repo, branch, since or 0.0)
        if name is not None:
            text = f"{branch} was renamed to {name} during the reply; the turn is there."
            return TurnBranch(name, None, (Notice(text),))
    if tip is not None:
        return TurnBranch(branch)
    if start is not None:
        return TurnBranch(branch, start)
    for side in sides(repo):
        if side.name == branch:
            return TurnBranch(branch, side.start)
    return _gone(repo, branch, base)


def _gone(repo: Repository, branch: str, base: str) -> TurnBranch:
    """The branch was deleted."""
    head = repo.head()
    if not _is_here(repo, base):
        base = repo.resolve("HEAD")
    reach = Reach(repo.commit_info, repo.commits.shallow_ends())
    if head.branch and head.commit and reach.is_ancestor(base, head.commit):
        text = f"{branch} was deleted during the reply; the turn is on {head.branch}."
        return TurnBranch(head.branch, None, (Notice(text, "warning"),))
    name = repo.free_branch(branch)
    what = "is a branch again" if name == branch else f"has a successor, {name}"
    text = (
        f"{branch} was deleted during the reply. It {what}, starting at the commit that the "
        f"prompt was made from, with this turn. To go there: perdure switch {name}"
    )
    return TurnBranch(name, base, (Notice(text, "warning"),))


def _is_here(repo: Repository, commit: str) -> bool:
    try:
        repo.commit_info(commit)
    except (DamagedRepository, UnknownRevision):
        return False
    return True
