"""Undo and redo; each is an operation itself. What it will do is planned by `plan`."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.git.objects.commit import Author
from perdure.git.objects.tree import Change
from perdure.git.operations.log import Operation
from perdure.git.operations.operation import made_commit, perform
from perdure.git.refs.refs import RefMove
from perdure.git.undo.plan import UndoPlan, plan_redo, plan_undo

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository


def undo(
    repo: Repository, plan: UndoPlan | None = None, *, author: Author, at: datetime | None = None
) -> Operation:
    """Undo the last operation or commit.

    Args:
        repo: the repository.
        plan: what `plan_undo` said; it is refused when the repository has moved on since.
        author: who does it.
        at: aware time; now without one.

    Raises:
        NothingToUndo, RefElsewhere: as `plan_undo`.
        UnsavedEdits, Unfinished, CheckedOutElsewhere, Busy: as `operations.perform`.
    """
    return _do(repo, plan or plan_undo(repo), author, at)


def redo(
    repo: Repository, plan: UndoPlan | None = None, *, author: Author, at: datetime | None = None
) -> Operation:
    """Redo what was last undone. Arguments and errors as for `undo`."""
    return _do(repo, plan or plan_redo(repo), author, at)


def _do(repo: Repository, plan: UndoPlan, author: Author, at: datetime | None) -> Operation:
    verb = "redo" if plan.is_redo else "undo"
    # An undo is called after what it took back.
    what = (
        plan.entry.description if plan.is_redo else f"{plan.entry.kind}: {plan.entry.description}"
    )
    moves = []
    stands_for: dict[str, str] = {}
    with ExitStack() as made:
        for move in plan.moves:
            target = plan.by_commit.get(move.ref)
            new = move.new
            if target is not None and move.old is not None:
                changes = plan.changes.get(move.ref)
                commit = made_commit(
                    repo,
                    changes or (),
                    parents=[move.old],
                    files_of=target if changes is None else None,
                    message=f"revert: {verb} {what}",
                    author=author,
                    at=at,
                )
                new = made.enter_context(commit)
                stands_for[new] = target
            for own in plan.kept.get(move.ref, ()):
                new = made.enter_context(_made_again(repo, own, new, at))
            moves.append(RefMove(move.ref, move.old, new))
        trail = replace(plan.trail, stands_for=stands_for)
        return perform(
            repo,
            verb,
            what,
            moves,
            author=author,
            head=plan.head,
            at=at,
            undoes="" if plan.is_redo else plan.entry.id,
            redoes=plan.entry.id if plan.is_redo else "",
            trail=trail,
        )


def _made_again(
    repo: Repository, own: str, parent: str | None, at: datetime | None
) -> AbstractContextManager[str]:
    """One of the program's commits on top of another commit, with its words and its files."""
    info = repo.commit_info(own)
    trailers = "\n".join(f"{key}: {value}" for key, value in info.trailers)
    message = "\n\n".join(part for part in (info.subject, info.body, trailers) if part)
    changes = [
        Change(each.path, repo.blob(each.new_oid) if each.new_oid else None)
        for each in repo.commits.changed(own)
    ]
    parents = [parent] if parent is not None else []
    return made_commit(
        repo, changes, parents=parents, message=f"{message}\n", author=info.author, at=at
    )
