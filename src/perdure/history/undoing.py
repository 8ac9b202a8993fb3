"""Undo and redo: a walk back and forth over what was done, each step an operation itself.

``plan_undo`` and ``plan_redo`` find the step and say what it will do; ``undo`` and ``redo`` do it.
What stands above the last operation in the log on the branch that is checked out, plain commits,
goes first, one by one; then the operation itself; then what was before it.

A branch is moved back only where nothing that this hides is known to a remote. Otherwise a new
commit brings the files back as they were: what was pushed would return with the next sync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from perdure.history import oplog
from perdure.history.commits import Author, CommitInfo
from perdure.history.errors import HistoryError, NothingToUndo, RefElsewhere
from perdure.history.moving import OPS
from perdure.history.operations import as_entry, made_commit, perform
from perdure.history.oplog import Operation, Trail
from perdure.history.reach import Reach
from perdure.history.refs import Head, RefMove

if TYPE_CHECKING:
    from perdure.history.repository import Repository

_HEADS = "refs/heads/"
_REMOTES = "refs/remotes/"
_LOG_LIMIT = 2000
"""Operations that are looked through for commits which undo has made."""


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What an undo or a redo will do.

    Attributes:
        entry: what is taken back; for a redo the undo that is.
        says: what will happen, one line each, for the user to read beforehand.
        moves: refs that move. ``new`` of a move by a new commit is filled in when it is done.
        by_commit: refs that get a new commit, each with the commit whose files it brings back.
        head: branch that is checked out afterwards, None: the same.
        trail: where it leaves the walk.
        is_redo: whether it goes forth again.
    """

    entry: Operation
    says: tuple[str, ...]
    moves: tuple[RefMove, ...]
    by_commit: Mapping[str, str]
    head: str | None
    trail: Trail
    is_redo: bool = False


@dataclass(slots=True)
class _Draft:
    moves: list[RefMove] = field(default_factory=list)
    by_commit: dict[str, str] = field(default_factory=dict)
    says: list[str] = field(default_factory=list)
    head: str | None = None


def plan_undo(repo: Repository) -> UndoPlan:
    """What undo would take back now.

    Raises:
        NothingToUndo: there is nothing before this.
        RefElsewhere: git has moved a branch since; it says which, and what to do.
    """
    return _Walk(repo).undo()


def plan_redo(repo: Repository) -> UndoPlan:
    """What redo would bring back now.

    Raises:
        NothingToUndo: nothing was taken back, or something new was done since.
        RefElsewhere: git has moved a branch since.
    """
    return _Walk(repo).redo()


def undo(
    repo: Repository, plan: UndoPlan | None = None, *, author: Author, at: datetime | None = None
) -> Operation:
    """Take back the last thing that was done.

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
    """Take the last undo back. Arguments and errors as `undo`."""
    return _do(repo, plan or plan_redo(repo), author, at)


def _do(repo: Repository, plan: UndoPlan, author: Author, at: datetime | None) -> Operation:
    verb = "redo" if plan.is_redo else "undo"
    # An undo is called after what it took back.
    what = plan.entry.says if plan.is_redo else f"{plan.entry.kind}: {plan.entry.says}"
    moves = []
    stands_for: dict[str, str] = {}
    with ExitStack() as made:
        for move in plan.moves:
            target = plan.by_commit.get(move.ref)
            new = move.new
            if target is not None and move.old is not None:
                commit = made_commit(
                    repo,
                    (),
                    parents=[move.old],
                    files_of=target,
                    message=f"revert: {verb} {what}",
                    author=author,
                    at=at,
                )
                new = made.enter_context(commit)
                stands_for[new] = target
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


class _Walk:
    """One look at where the walk stands."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        parts = repo.parts()
        self._refs = parts.refs
        self._reach = Reach(repo.commit_info, parts.boundary)
        self._head = parts.refs.head()
        log = parts.refs.read(OPS)
        self._log = {
            entry.id: entry for entry in islice(oplog.walk(log, repo.commit_info), _LOG_LIMIT)
        }
        self._last = next(iter(self._log.values()), None)
        self._stands: dict[str, str] = {}
        for entry in self._log.values():
            self._stands.update(entry.trail.stands_for)

    def _meant(self, commit: str | None) -> str | None:
        """The commit that one stands for, when undo made it; else itself."""
        for _ in range(_LOG_LIMIT):
            if commit is None or commit not in self._stands:
                break
            commit = self._stands[commit]
        return commit

    # Back

    def undo(self) -> UndoPlan:
        if self._head.branch is None:
            raise HistoryError(
                "HEAD names a commit and no branch", "nothing was changed", "perdure switch main"
            )
        trail = self._last.trail if self._last else Trail()
        position = self._entry(trail.position)
        valid_redo = trail.redo if self._last and self._is_at(self._last.after) else None
        commit = self._commit_above(position)
        draft = _Draft()
        if commit is not None:
            entry = as_entry(commit, self._head.branch)
            self._take_back_commit(commit, draft)
            after = trail.position
        elif position is not None:
            entry = position
            self._reverse(entry, draft)
            after = position.trail.position_before
        else:
            raise NothingToUndo("there is nothing to undo", "nothing was changed")
        return UndoPlan(
            entry,
            tuple(draft.says),
            tuple(draft.moves),
            draft.by_commit,
            draft.head,
            Trail(position=after, position_before=trail.position, redo_before=valid_redo),
        )

    def _entry(self, oid: str | None) -> Operation | None:
        if oid is None:
            return None
        return self._log.get(oid) or oplog.parse(self._repo.commit_info(oid))

    def _is_at(self, head: Head) -> bool:
        return self._head.branch == head.branch and self._meant(self._head.commit) == self._meant(
            head.commit
        )

    def _commit_above(self, position: Operation | None) -> CommitInfo | None:
        """The plain commit that is taken back before the entry at ``position`` is."""
        meant = self._meant(self._head.commit)
        if meant is None:
            return None
        info = self._repo.commit_info(meant)
        if position is None:
            return info
        there = self._meant(position.after.commit)
        is_later = info.committed_at > position.at
        if position.after.branch != self._head.branch:
            # Of one and the same second it is later where git has switched since the last entry: an
            # earlier one would have been left, and come back to, within that second.
            has_switched = self._last is not None and self._last.after.branch != self._head.branch
            same = has_switched and info.committed_at == position.at
            return info if is_later or same else None
        if meant == there:
            return None
        if is_later or (there is not None and self._reach.is_ancestor(there, meant)):
            return info
        raise RefElsewhere(
            f"git has moved {self._head.branch} since the last operation ({position.says})",
            "nothing was changed",
            "use git reflog to see from where to where",
        )

    def _take_back_commit(self, info: CommitInfo, draft: _Draft) -> None:
        ref = f"{_HEADS}{self._head.branch}"
        parents = self._reach.parents(info.id)
        if not parents:
            raise NothingToUndo(
                f"{info.subject!r} is where this history begins", "nothing was changed"
            )
        draft.says.append(f"takes back {_named(info)}")
        self._bring(ref, self._head.commit, parents[0], draft)

    # Either way

    def _reverse(self, entry: Operation, draft: _Draft) -> None:
        """Put back what an entry moved."""
        if entry.undoes:
            draft.says.append(f"brings back {entry.says}")
        else:
            draft.says.append(f"takes back {entry.kind}: {entry.says} ({entry.at:%d %b %H:%M})")
        self._reverse_head(entry, draft)
        after = draft.head or self._head.branch
        for move in reversed(entry.moves):
            if move.ref.startswith("refs/perdure/"):
                continue
            now = self._refs.read(move.ref)
            if self._meant(now) != self._meant(move.new):
                raise RefElsewhere(
                    f"{_short(move.ref)} is not where “{entry.kind}: {entry.says}” left it",
                    "nothing was changed",
                    "see perdure log, and use perdure rewind or git instead",
                )
            if not move.ref.startswith(_HEADS):
                draft.moves.append(RefMove(move.ref, now, move.old))
                word = "goes" if move.old is None else "comes back"
                draft.says.append(f"the tag {_short(move.ref)} {word}")
            elif now is None:
                draft.moves.append(RefMove(move.ref, None, move.old))
                draft.says.append(f"the branch {_short(move.ref)} comes back")
            elif move.old is None:
                self._take_away(move.ref, now, after, draft)
            else:
                self._bring(move.ref, now, move.old, draft)

    def _reverse_head(self, entry: Operation, draft: _Draft) -> None:
        before, after = entry.before.branch, entry.after.branch
        if before == after or self._head.branch != after:
            return
        if before is None:
            raise RefElsewhere(
                "before that, HEAD named a commit and no branch",
                "nothing was changed",
                f"git switch --detach {(entry.before.commit or '')[:10]}",
            )
        returns = any(m.ref == f"{_HEADS}{before}" and m.new is None for m in entry.moves)
        if self._refs.read(f"{_HEADS}{before}") is None and not returns:
            raise RefElsewhere(
                f"the branch {before} is gone", "nothing was changed", "perdure branch"
            )
        draft.head = before
        draft.says.append(f"{before} is the current branch again")

    def _take_away(self, ref: str, now: str, after: str | None, draft: _Draft) -> None:
        """Remove a branch that the entry made, unless a remote knows what only it has."""
        name = _short(ref)
        if name == after:
            raise RefElsewhere(
                f"{name} is the current branch",
                "nothing was changed",
                "switch to another one first",
            )
        kept = [oid for other, oid in self._refs.names(_HEADS).items() if other != ref]
        if self._reach.holds_hidden(self._remote_tips(), now, kept):
            draft.says.append(f"the branch {name} stays, because it was pushed")
            return
        draft.moves.append(RefMove(ref, now, None))
        draft.says.append(
            f"the branch {name} goes; the log of operations keeps what was said there"
        )

    def _bring(self, ref: str, now: str | None, target: str, draft: _Draft) -> None:
        """Move a branch to a commit, or bring that commit's files back by a new one."""
        name = _short(ref)
        if now is None or now == target:
            return
        if self._reach.holds_hidden(self._remote_tips(), now, [target]):
            draft.by_commit[ref] = self._meant(target) or target
            draft.moves.append(RefMove(ref, now, None))
            draft.says.append(f"{name} gets a new commit that does so, because it was pushed")
            return
        draft.moves.append(RefMove(ref, now, target))
        meant = self._repo.commit_info(self._meant(target) or target)
        draft.says.append(f"{name} stands at {_named(meant)}")

    def _remote_tips(self) -> Sequence[str]:
        return list(self._refs.names(_REMOTES).values())

    # Forth

    def redo(self) -> UndoPlan:
        last = self._last
        entry = self._entry(last.trail.redo) if last else None
        if last is None or entry is None:
            raise NothingToUndo(
                "nothing was undone that could be done again", "nothing was changed"
            )
        if not self._is_at(last.after):
            raise NothingToUndo(
                "something new was done since the last undo",
                "nothing was changed; what was undone stays in the log of operations",
                "see perdure ops",
            )
        draft = _Draft()
        self._reverse(entry, draft)
        trail = Trail(
            position=entry.trail.position_before,
            position_before=last.trail.position,
            redo=entry.trail.redo_before,
            redo_before=last.trail.redo,
        )
        return UndoPlan(
            entry,
            tuple(draft.says),
            tuple(draft.moves),
            draft.by_commit,
            draft.head,
            trail,
            is_redo=True,
        )


def _short(ref: str) -> str:
    return ref.removeprefix(_HEADS).removeprefix("refs/tags/")


def _named(info: CommitInfo) -> str:
    return f"{info.id[:7]} “{info.subject}” ({info.at:%d %b %H:%M})"
