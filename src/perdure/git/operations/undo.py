"""Undo and redo; each is an operation itself.

``plan_undo`` and ``plan_redo`` find the step and say what it will do; ``undo`` and ``redo`` do it.
What stands above the last operation in the log on the branch that is checked out, plain commits,
goes first, one by one; then the operation itself; then what was before it.

The program's own commits, which `Program` tells, are no steps: those about what is taken back go
with it, the others are made again on top of what is left, in the same operation.

A branch is moved back only where nothing that this hides is known to a remote. Otherwise a new
commit brings the files back as they were: what was pushed would return with the next sync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from perdure.git.errors import HistoryError, NothingToUndo, RefElsewhere
from perdure.git.objects.commit import Author, CommitInfo
from perdure.git.objects.tree import Change
from perdure.git.operations import log as oplog
from perdure.git.operations.log import Operation, Trail
from perdure.git.operations.operation import as_entry, made_commit, perform
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, OPS, REMOTES, Head, RefMove, short_name

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_Own = list[CommitInfo]
_LOG_LIMIT = 2000
"""Operations that are looked through for commits which undo has made."""


class Program(Protocol):
    """Tells which commits the program made by itself."""

    def is_own(self, info: CommitInfo, /) -> bool:
        """Whether the program made it by itself."""
        ...

    def is_brought_by(self, info: CommitInfo, act: CommitInfo) -> bool:
        """Whether an own commit right before an act was made for it."""
        ...

    def goes_with(self, info: CommitInfo, act: CommitInfo | None, target: str) -> bool:
        """Whether an own commit after an act goes with it; ``target``: what is left."""
        ...


class _Nobody:
    """Treats every commit as the user's."""

    def is_own(self, _info: CommitInfo, /) -> bool:
        return False

    def is_brought_by(self, info: CommitInfo, act: CommitInfo) -> bool:  # noqa: ARG002
        return False

    def goes_with(self, info: CommitInfo, act: CommitInfo | None, target: str) -> bool:  # noqa: ARG002
        return False


NOBODY: Program = _Nobody()


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What an undo or a redo will do.

    Attributes:
        entry: what is taken back; for a redo the undo that is.
        sentences: what will happen, one line each, for the user to read beforehand.
        moves: refs that move. ``new`` of a move by a new commit is filled in when it is done.
        by_commit: refs that get a new commit, each with the commit whose files it brings back.
        head: branch that is checked out afterwards, None: the same.
        trail: where it leaves the walk.
        is_redo: whether it goes forth again.
        kept: refs with the program's own commits that are made again on top, oldest first.
        commit: what is taken back, where it is a plain commit.
    """

    entry: Operation
    sentences: tuple[str, ...]
    moves: tuple[RefMove, ...]
    by_commit: Mapping[str, str]
    head: str | None
    trail: Trail
    is_redo: bool = False
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    commit: CommitInfo | None = None


@dataclass(slots=True)
class _Draft:
    moves: list[RefMove] = field(default_factory=list)
    by_commit: dict[str, str] = field(default_factory=dict)
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    head: str | None = None

    def plan(self, entry: Operation, trail: Trail) -> UndoPlan:
        sentences, moves = tuple(self.sentences), tuple(self.moves)
        return UndoPlan(entry, sentences, moves, self.by_commit, self.head, trail, kept=self.kept)


def plan_undo(repo: Repository, program: Program = NOBODY) -> UndoPlan:
    """Plan an undo.

    Args:
        repo: the repository.
        program: tells which commits nobody asked for.

    Raises:
        NothingToUndo: there is nothing before this.
        RefElsewhere: git has moved a branch since; it says which, and what to do.
    """
    return _Walk(repo, program).undo()


def plan_redo(repo: Repository, program: Program = NOBODY) -> UndoPlan:
    """Plan a redo. Arguments as for `plan_undo`.

    Raises:
        NothingToUndo: nothing was taken back, or something new was done since.
        RefElsewhere: git has moved a branch since.
    """
    return _Walk(repo, program).redo()


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


class _Walk:
    """Works out the next undo or redo."""

    def __init__(self, repo: Repository, program: Program) -> None:
        self._repo = repo
        self._program = program
        parts = repo.parts()
        self._refs = parts.refs
        self._reach = Reach(repo.commit_info, parts.boundary)
        self._head = parts.refs.head()
        log = parts.refs.read(OPS)
        self._log = {
            entry.id: entry for entry in islice(oplog.walk_log(log, repo.commit_info), _LOG_LIMIT)
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
        commit, own = self._commit_above(position)
        draft = _Draft()
        if commit is not None:
            entry = as_entry(commit, self._head.branch)
            self._take_back_commit(commit, own, draft)
            after = trail.position
        elif position is not None:
            entry = position
            self._reverse(entry, draft)
            after = position.trail.position_before
        else:
            raise NothingToUndo("there is nothing to undo", "nothing was changed")
        left = Trail(position=after, position_before=trail.position, redo_before=valid_redo)
        return replace(draft.plan(entry, left), commit=commit)

    def _entry(self, oid: str | None) -> Operation | None:
        if oid is None:
            return None
        return self._log.get(oid) or oplog.parse_entry(self._repo.commit_info(oid))

    def _is_at(self, head: Head) -> bool:
        """Whether one stands there, but for what the program has committed by itself."""
        above = self._own_above(self._head.commit, head.commit)
        return self._head.branch == head.branch and above is not None

    def _own_above(self, tip: str | None, base: str | None) -> list[CommitInfo] | None:
        """The program's commits from ``tip`` down to ``base``; None where there are others."""
        own: list[CommitInfo] = []
        base, here = self._meant(base), self._meant(tip)
        while here != base:
            info = self._repo.commit_info(here) if here is not None else None
            if info is None or not self._program.is_own(info):
                return None
            own.append(info)
            here = self._before(info)
        return own

    def _before(self, info: CommitInfo) -> str | None:
        parents = self._reach.parents(info.id)
        return self._meant(parents[0]) if parents else None

    def _commit_above(self, position: Operation | None) -> tuple[CommitInfo | None, _Own]:
        """What is taken back before the entry at ``position`` is.

        The newest plain commit that is somebody's, and the program's own above it, newest first.
        """
        own: _Own = []
        here = self._meant(self._head.commit)
        while here is not None:
            info = self._repo.commit_info(here)
            if not self._is_above(info, position):
                break
            if not self._program.is_own(info):
                return info, own
            own.append(info)
            here = self._before(info)
        return None, own

    def _is_above(self, info: CommitInfo, position: Operation | None) -> bool:
        """Whether a commit of the branch came after an entry."""
        if position is None:
            return True
        there = self._meant(position.after.commit)
        is_later = info.committed_at > position.at
        if position.after.branch != self._head.branch:
            # Of one and the same second it is later where git has switched since the last entry: an
            # earlier one would have been left, and come back to, within that second.
            has_switched = self._last is not None and self._last.after.branch != self._head.branch
            return is_later or (has_switched and info.committed_at == position.at)
        if info.id == there:
            return False
        if is_later or (there is not None and self._reach.is_ancestor(there, info.id)):
            return True
        raise RefElsewhere(
            f"git has moved {self._head.branch} since the last operation ({position.description})",
            "nothing was changed",
            "git reflog shows from where to where",
        )

    def _take_back_commit(self, info: CommitInfo, own: _Own, draft: _Draft) -> None:
        ref = f"{HEADS}{self._head.branch}"
        parents = self._reach.parents(info.id)
        if not parents:
            raise NothingToUndo(
                f"{info.subject!r} is where this history begins", "nothing was changed"
            )
        target = parents[0]
        while (meant := self._meant(target)) is not None:
            below = self._repo.commit_info(meant)
            earlier = self._reach.parents(below.id)
            is_brought = self._program.is_own(below) and self._program.is_brought_by(below, info)
            if not is_brought or not earlier:
                break
            target = earlier[0]
        kept = [each for each in own if not self._program.goes_with(each, info, target)]
        self._bring(ref, self._head.commit, target, kept, draft)

    # Either way

    def _reverse(self, entry: Operation, draft: _Draft) -> None:
        """Put back what an entry moved."""
        self._reverse_head(entry, draft)
        after = draft.head or self._head.branch
        for move in reversed(entry.moves):
            if move.ref.startswith("refs/perdure/"):
                continue
            now = self._refs.read(move.ref)
            own = self._own_above(now, move.new)
            if own is None:
                raise RefElsewhere(
                    f"{short_name(move.ref)} is not where "
                    f"“{entry.kind}: {entry.description}” left it",
                    "nothing was changed",
                    "see perdure log, and use perdure rewind or git instead",
                )
            if not move.ref.startswith(HEADS):
                draft.moves.append(RefMove(move.ref, now, move.old))
                word = "goes" if move.old is None else "comes back"
                draft.sentences.append(f"the tag {short_name(move.ref)} {word}")
            elif now is None:
                draft.moves.append(RefMove(move.ref, None, move.old))
                draft.sentences.append(f"the branch {short_name(move.ref)} comes back")
            elif move.old is None:
                self._take_away(move.ref, now, after, draft)
            else:
                target = move.old
                kept = [e for e in own if not self._program.goes_with(e, None, target)]
                self._bring(move.ref, now, target, kept, draft)

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
        returns = any(m.ref == f"{HEADS}{before}" and m.new is None for m in entry.moves)
        if self._refs.read(f"{HEADS}{before}") is None and not returns:
            raise RefElsewhere(
                f"the branch {before} is gone", "nothing was changed", "perdure branch"
            )
        draft.head = before
        draft.sentences.append(f"{before} is the current branch again")

    def _take_away(self, ref: str, now: str, after: str | None, draft: _Draft) -> None:
        """Remove a branch that the entry made, unless a remote knows what only it has."""
        name = short_name(ref)
        if name == after:
            raise RefElsewhere(
                f"{name} is the current branch",
                "nothing was changed",
                "switch to another one first",
            )
        kept = [oid for other, oid in self._refs.names(HEADS).items() if other != ref]
        if self._reach.holds_hidden(self._remote_tips(), now, kept):
            draft.sentences.append(f"the branch {name} stays, because it was pushed")
            return
        draft.moves.append(RefMove(ref, now, None))
        draft.sentences.append(
            f"the branch {name} is deleted; the operation log keeps what was said there"
        )

    def _bring(
        self, ref: str, now: str | None, target: str, own: Sequence[CommitInfo], draft: _Draft
    ) -> None:
        """Move a branch to a commit, or bring that commit's files back by a new one.

        ``own``: commits of the program, newest first, that are to be there afterwards.
        """
        name = short_name(ref)
        if now is None or now == target:
            return
        if name == self._head.branch:
            self._check_here(now, target)
        if kept := self._fitting(own, self._meant(target) or target):
            draft.kept[ref] = kept
        if self._reach.holds_hidden(self._remote_tips(), now, [target]):
            draft.by_commit[ref] = self._meant(target) or target
            draft.moves.append(RefMove(ref, now, None))
            draft.sentences.append(
                f"{name} gets a new commit that does this, because it was pushed"
            )
            return
        draft.moves.append(RefMove(ref, now, target))

    def _fitting(self, own: Sequence[CommitInfo], target: str) -> tuple[str, ...]:
        """Those whose files are at ``target`` as they were before them, oldest first."""
        files: dict[str, str | None] = {}
        fit: list[str] = []
        for info in reversed(own):
            changes = self._repo.commits.changed(info.id)
            there = [
                files[each.path] if each.path in files else self._repo.oid(each.path, target)
                for each in changes
            ]
            if there == [each.old_oid for each in changes]:
                files |= {each.path: each.new_oid for each in changes}
                fit.append(info.id)
        return tuple(fit)

    def _check_here(self, now: str, target: str) -> None:
        """Refuse where the files that come back are not here: a partial clone leaves them out."""
        parts = self._repo.parts()
        for change in parts.trees.difference(parts.trees.root(now), parts.trees.root(target)):
            if change.new_oid is not None and not parts.store.has(change.new_oid):
                raise parts.store.missing(change.new_oid)

    def _remote_tips(self) -> Sequence[str]:
        return list(self._refs.names(REMOTES).values())

    # Forth

    def redo(self) -> UndoPlan:
        last = self._last
        entry = self._entry(last.trail.redo) if last else None
        if last is None or entry is None:
            raise NothingToUndo("there is nothing to redo", "nothing was changed")
        if not self._is_at(last.after):
            raise NothingToUndo(
                "something new has been done since the last undo",
                "nothing was changed; what was undone stays in the operation log",
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
        return replace(draft.plan(entry, trail), is_redo=True)
