"""Plans an undo or a redo: finds the step, and says what it will do.

What stands above the last operation in the log on the branch that is checked out, plain commits,
goes first, one by one; then the operation itself; then what was before it.

The program's own commits, which `Program` tells, are no steps: those about what is taken back go
with it, the others are made again on top of what is left, in the same operation.

A branch is moved back only where nothing that this hides is known to a remote. Otherwise a new
commit brings the files back as they were: what was pushed would return with the next sync.

What came from elsewhere (`Arrivals`) is no step either, and a sync is none. Where it stands above
what is taken back, a new commit takes only that out, and leaves the rest as it is (`inverse`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from perdure.git.errors import HistoryError, NothingToUndo, RefElsewhere
from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.tree import Change, Placed
from perdure.git.operations import log as oplog
from perdure.git.operations.arrivals import Arrivals
from perdure.git.operations.log import Operation, Trail
from perdure.git.operations.operation import as_entry
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, OPS, REMOTES, Head, RefMove, short_name
from perdure.git.undo.inverse import IsSound, inverse

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

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
        changes: of refs in ``by_commit`` on which something came from elsewhere since: what the new
            commit changes.
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
    changes: Mapping[str, tuple[Change | Placed, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Draft:
    moves: list[RefMove] = field(default_factory=list)
    by_commit: dict[str, str] = field(default_factory=dict)
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    changes: dict[str, tuple[Change | Placed, ...]] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    head: str | None = None

    def plan(self, entry: Operation, trail: Trail) -> UndoPlan:
        return UndoPlan(
            entry,
            tuple(self.sentences),
            tuple(self.moves),
            self.by_commit,
            self.head,
            trail,
            kept=self.kept,
            changes=self.changes,
        )


def plan_undo(
    repo: Repository, program: Program = NOBODY, is_sound: IsSound = lambda _path, _content: True
) -> UndoPlan:
    """Plan an undo.

    Args:
        repo: the repository.
        program: tells which commits nobody asked for.
        is_sound: whether a file can still be read, after an act was taken out of it.

    Raises:
        NothingToUndo: there is nothing before this that was done here.
        RefElsewhere: git has moved a branch since; it says which, and what to do.
    """
    return _Walk(repo, program, is_sound).undo()


def plan_redo(
    repo: Repository, program: Program = NOBODY, is_sound: IsSound = lambda _path, _content: True
) -> UndoPlan:
    """Plan a redo. Arguments as for `plan_undo`.

    Raises:
        NothingToUndo: nothing was taken back, or something new was done since.
        RefElsewhere: git has moved a branch since.
    """
    return _Walk(repo, program, is_sound).redo()


@dataclass(slots=True)
class _Above:
    """What stands above something on a branch.

    Attributes:
        own: the program's commits, newest first.
        mixed: whether something came from elsewhere since.
    """

    own: list[CommitInfo] = field(default_factory=list)
    mixed: bool = False


class _Walk:
    """Works out the next undo or redo."""

    def __init__(self, repo: Repository, program: Program, is_sound: IsSound) -> None:
        self._repo = repo
        self._program = program
        self._is_sound = is_sound
        parts = repo.parts()
        self._refs = parts.refs
        self._reach = Reach(repo.commit_info, parts.boundary)
        self._head = parts.refs.head()
        log = parts.refs.read(OPS)
        self._log = {
            entry.id: entry for entry in islice(oplog.walk_log(log, repo.commit_info), _LOG_LIMIT)
        }
        self._last = next((e for e in self._log.values() if e.kind != oplog.SYNC), None)
        self._stands: dict[str, str] = {}
        for entry in self._log.values():
            self._stands.update(entry.trail.stands_for)
        self._arrivals = Arrivals(repo, self._log.values(), self._head.branch)

    def _meant(self, commit: str | None) -> str | None:
        """The commit that one stands for, when undo made it with the same files; else itself."""
        for _ in range(_LOG_LIMIT):
            if commit is None or commit not in self._stands or self._has_more(commit):
                break
            commit = self._stands[commit]
        return commit

    def _has_more(self, made: str) -> bool:
        """Whether a commit that undo made has other files than what it stands for."""
        info = self._repo.commit_info
        return info(made).tree != info(self._stands[made]).tree

    def _line(self, tip: str | None) -> Iterator[tuple[CommitInfo, bool, bool]]:
        """This device's commits, from a tip down, and what is passed on the way.

        Yields:
            The commit; whether it was made here, by hand or by the program, and not by undo;
            whether something came from elsewhere since.
        """
        mixed = False
        seen: set[str] = set()
        while tip is not None and tip not in seen:
            seen.add(tip)
            info = self._repo.commit_info(tip)
            if tip in self._stands:
                yield info, False, mixed
                mixed = mixed or self._has_more(tip)
                tip = self._stands[tip]
                continue
            below = self._arrivals.below(info)
            yield info, below is None, mixed
            mixed = mixed or below is not None
            tip = next(iter(self._reach.parents(tip)), None) if below is None else below[0]

    # Back

    def undo(self) -> UndoPlan:
        if self._head.branch is None:
            raise HistoryError(
                "HEAD names a commit and no branch", "nothing was changed", "perdure switch main"
            )
        trail = self._last.trail if self._last else Trail()
        position = self._entry(trail.position)
        valid_redo = trail.redo if self._last and self._is_at(self._last.after) else None
        commit, above = self._commit_above(position)
        draft = _Draft()
        if commit is not None:
            entry = as_entry(commit, self._head.branch)
            self._take_back_commit(commit, above, draft)
            after = trail.position
        elif position is not None:
            entry = position
            self._reverse(entry, draft)
            after = position.trail.position_before
        elif above.mixed:
            raise NothingToUndo(
                "nothing that was done on this device is left to undo",
                "what came from elsewhere stays as it is",
                "to change that too: perdure rewind, or perdure revert",
            )
        else:
            raise NothingToUndo("there is nothing to undo", "nothing was changed")
        left = Trail(position=after, position_before=trail.position, redo_before=valid_redo)
        return replace(draft.plan(entry, left), commit=commit)

    def _entry(self, oid: str | None) -> Operation | None:
        """An entry; for a sync what was done before it."""
        while oid is not None:
            entry = self._log.get(oid) or oplog.parse_entry(self._repo.commit_info(oid))
            if entry.kind != oplog.SYNC:
                return entry
            oid = entry.trail.position_before
        return None

    def _is_at(self, head: Head) -> bool:
        """Whether one stands there, but for what the program has committed by itself."""
        above = self._own_above(self._head.commit, head.commit)
        return self._head.branch == head.branch and above is not None

    def _own_above(self, tip: str | None, base: str | None) -> _Above | None:
        """What stands above ``base`` at ``tip``; None where there is something of the user's."""
        above = _Above()
        goals = {base, self._meant(base)}
        if tip in goals:
            return above
        for info, is_here, above.mixed in self._line(tip):
            if info.id in goals:
                return above
            if is_here and not self._program.is_own(info):
                return None
            if is_here:
                above.own.append(info)
        return above if base is None else None

    def _commit_above(self, position: Operation | None) -> tuple[CommitInfo | None, _Above]:
        """What is taken back before the entry at ``position`` is.

        The newest plain commit that is the user's and was made here, and what stands above it.
        """
        above = _Above()
        info = None
        after = position.after if position is not None else None
        for info, is_here, above.mixed in self._line(self._head.commit):
            if after is not None and (self._head.branch, info.id) == (after.branch, after.commit):
                break
            if not is_here:
                continue
            if not self._is_above(info, position):
                break
            if not self._program.is_own(info):
                return info, above
            above.own.append(info)
        else:
            above.mixed |= info is not None and self._arrivals.below(info) is not None
        return None, above

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

    def _take_back_commit(self, info: CommitInfo, above: _Above, draft: _Draft) -> None:
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
            if not is_brought or not earlier or self._arrivals.below(below) is not None:
                break
            target = earlier[0]
        self._bring(ref, self._head.commit, info.id, target, above, draft, act=info)

    # Either way

    def _reverse(self, entry: Operation, draft: _Draft) -> None:
        """Put back what an entry moved."""
        self._reverse_head(entry, draft)
        after = draft.head or self._head.branch
        for move in reversed(entry.moves):
            if move.ref.startswith("refs/perdure/"):
                continue
            now = self._refs.read(move.ref)
            if self._is_settled(entry, move, now, draft):
                continue
            above = self._own_above(now, move.new)
            if above is None:
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
                self._take_away(move.ref, now, after, above, draft)
            else:
                self._bring(move.ref, now, move.new, move.old, above, draft)

    def _is_settled(self, entry: Operation, move: RefMove, now: str | None, draft: _Draft) -> bool:
        """Whether a branch or tag was made, or taken away, elsewhere as it is to be here."""
        syncs = (each for each in self._log.values() if each.kind == oplog.SYNC)
        if not any(m.ref == move.ref for e in syncs if e.at >= entry.at for m in e.moves):
            return False
        name = short_name(move.ref)
        if now is None and move.old is None and move.new is not None:
            draft.sentences.append(f"{name} is already gone")
            return True
        if now is not None and move.new is None:
            draft.sentences.append(f"{name} is already back, and stays as it is")
            return True
        return False

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

    def _take_away(
        self, ref: str, now: str, after: str | None, above: _Above, draft: _Draft
    ) -> None:
        """Remove a branch that the entry made, unless somebody went on there elsewhere."""
        name = short_name(ref)
        if name == after:
            raise RefElsewhere(
                f"{name} is the current branch",
                "nothing was changed",
                "switch to another one first",
            )
        if above.mixed:
            draft.sentences.append(f"the branch {name} stays, because another device went on there")
            return
        draft.moves.append(RefMove(ref, now, None))
        kept = [oid for other, oid in self._refs.names(HEADS).items() if other != ref]
        if self._reach.holds_hidden(self._remote_tips(), now, kept):
            draft.sentences.append(
                f"the branch {name} is deleted, and with the next sync on the remote too; what was "
                "said there is kept on both"
            )
            return
        draft.sentences.append(
            f"the branch {name} is deleted; the operation log keeps what was said there"
        )

    def _bring(
        self,
        ref: str,
        now: str | None,
        done: str | None,
        target: str,
        above: _Above,
        draft: _Draft,
        act: CommitInfo | None = None,
    ) -> None:
        """Move a branch back to ``target``, or take out by a new commit what came between.

        Args:
            ref: the branch.
            now: where it is.
            done: the commit that is taken back, with all down to ``target``.
            target: what is left of this device's line.
            above: what stands above ``done``; the program's commits about other things stay.
            draft: where it is written down.
            act: what is taken back, where it is one commit.
        """
        name = short_name(ref)
        if now is None or now == target:
            return
        if name == self._head.branch:
            self._check_here(now, target)
        goes = [e for e in above.own if self._program.goes_with(e, act, target)]
        if above.mixed:
            steps = [(e.id, next(iter(self._reach.parents(e.id)), None)) for e in goes]
            left = inverse(self._repo, now, [*steps, (done or now, target)], self._is_sound)
            draft.changes[ref] = left.changes
            draft.by_commit[ref] = target
            draft.moves.append(RefMove(ref, now, None))
            draft.sentences.append(
                f"{name} gets a new commit that does this, because something came from elsewhere "
                "since; that stays"
            )
            draft.sentences += [
                f"{path} was changed again since: that part stays" for path in left.stays
            ]
            return
        kept = self._fitting([e for e in above.own if e not in goes], target)
        if kept:
            draft.kept[ref] = kept
        if self._reach.holds_hidden(self._remote_tips(), now, [target]):
            draft.by_commit[ref] = target
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
