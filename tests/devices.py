"""Two devices on one companion, without a server between them."""

from __future__ import annotations

from pathlib import Path

from perdure.actions.sync.tips import merge_tips
from perdure.git.operations.operation import perform
from perdure.git.refs.refs import RefMove
from perdure.git.repository.repository import Author, Repository
from tests.conftest import git

ANA = Author("Ana", "ana@example.org")


def meet(path: Path, other: Path, branch: str = "main") -> None:
    """Merge another device's tip of a branch, as sync does."""
    there = f"refs/remotes/origin/{branch}"
    git(path, "fetch", "-q", str(other), f"+{branch}:{there}")
    with Repository.open(path) as repo:
        ours, theirs = repo.resolve(f"refs/heads/{branch}"), repo.resolve(there)
        with merge_tips(repo, ours, theirs) as met:
            if met.commit != ours:
                move = RefMove(f"refs/heads/{branch}", ours, met.commit)
                perform(repo, "sync", branch, [move], author=ANA)
