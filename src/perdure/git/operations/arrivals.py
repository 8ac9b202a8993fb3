"""Commits that came from elsewhere, told from those that were made on this device.

Author and time tell nothing: on each device the same user talks to the same companion. What a sync
brought stands in the log of operations, where its entry moves a branch (kind ``sync``); what plain
git brought stands in a branch's reflog, as git 2.47 words it (``builtin/pull.c``,
``builtin/clone.c``), and in the subject that git gives a merge (``builtin/fmt-merge-msg.c``).
Everything else was made here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from perdure.git.objects.commit import CommitInfo
from perdure.git.operations.log import SYNC, Operation
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.reflog import read_reflog
from perdure.git.refs.refs import HEADS

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_MOST = 16 * 1024 * 1024
_BROUGHT = re.compile(r"(?:pull|clone|fetch)\b")
_PULLED = re.compile(r"Merge (?:remote-tracking branch|branch '[^']*' of) ")
_SKEW = timedelta(days=1)
"""How far the clocks of two devices are trusted to differ."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A branch moved from ``old`` to ``new`` by what came; ``had``: what was here before."""

    new: str
    old: str | None
    had: tuple[str, ...]
    at: float = 0.0


class Arrivals:
    """What came from elsewhere, of one repository.

    Args:
        repo: the repository.
        entries: of the log of operations.
        branch: the one whose reflog is read too; None: none.
    """

    def __init__(self, repo: Repository, entries: Iterable[Operation], branch: str | None) -> None:
        self._repo = repo
        self._reach = Reach(repo.commit_info, repo.parts().boundary)
        self._all = [*_logged(entries), *(_reflog(repo, branch) if branch else ())]
        self._by_new: dict[str, _Arrival] = {}
        for each in reversed(self._all):
            # A branch that came beside one that moved tells less than that.
            if each.new not in each.had and (each.old is not None or each.new not in self._by_new):
                self._by_new[each.new] = each
        self._came: dict[_Arrival, frozenset[str]] = {}

    def below(self, info: CommitInfo) -> tuple[str | None] | None:
        """Where this device's line goes on below a commit that came from elsewhere.

        Returns:
            A commit, or None where there is nothing of this device's; all in a tuple. None: the
            commit was made here.
        """
        arrival = self._by_new.get(info.id)
        if arrival is not None:
            old = arrival.old
            if old is None or self._reach.is_ancestor(old, arrival.new):
                return (old,)
            # A place that went back, and was followed: what both have was here before.
            if not self._reach.is_ancestor(arrival.new, old):
                return (next(iter(self._reach.merge_bases(old, arrival.new)), None),)
        if len(info.parents) > 1 and _PULLED.match(info.subject):
            return (info.parents[0],)
        if any(self._brought(each, info) for each in self._all):
            return (next(iter(self._reach.parents(info.id)), None),)
        return None

    def line(self, tip: str | None) -> Iterator[CommitInfo]:
        """The commits of a branch that were made here, newest first."""
        seen: set[str] = set()
        while tip is not None and tip not in seen:
            seen.add(tip)
            info = self._repo.commit_info(tip)
            below = self.below(info)
            if below is None:
                yield info
                below = (next(iter(self._reach.parents(tip)), None),)
            tip = below[0]

    def _brought(self, arrival: _Arrival, info: CommitInfo) -> bool:
        latest = max(self._repo.commit_info(arrival.new).committed_at.timestamp(), arrival.at)
        if info.committed_at.timestamp() > latest + _SKEW.total_seconds():
            return False
        if not arrival.had:
            return self._reach.is_ancestor(info.id, arrival.new)
        if arrival not in self._came:
            self._came[arrival] = frozenset(self._reach.hidden(arrival.new, arrival.had))
        return info.id in self._came[arrival]


def _logged(entries: Iterable[Operation]) -> Iterator[_Arrival]:
    for entry in entries:
        if entry.kind != SYNC:
            continue
        yield from (_Arrival(tip, None, (), entry.at.timestamp()) for tip in entry.trail.came)
        moves = [move for move in entry.moves if move.ref.startswith(HEADS)]
        had = {*entry.trail.known, *(move.old for move in moves if move.old is not None)}
        for move in moves:
            if move.new is not None:
                yield _Arrival(move.new, move.old, tuple(sorted(had)), entry.at.timestamp())


def _reflog(repo: Repository, branch: str) -> list[_Arrival]:
    """What git itself brought to a branch, as far as its reflog goes back; the newest first."""
    has = repo.parts().store.has
    return [
        _Arrival(move.new, move.old, (move.old,) if move.old else ())
        for move in reversed(read_reflog(repo.git_dir, HEADS + branch, _MOST))
        if _BROUGHT.match(move.says) and has(move.new) and (move.old is None or has(move.old))
    ]


def known_before(
    read: Callable[[str], CommitInfo], boundary: Iterable[str], new: Iterable[str], had: list[str]
) -> tuple[str, ...]:
    """Where commits that are about to come meet those that are here, sorted.

    Args:
        read: reads a commit.
        boundary: edge of a shallow clone.
        new: tips that come.
        had: the tips of all branches before.
    """
    reach = Reach(read, frozenset(boundary))
    new = list(new)
    came = set(reach.unreached(new, had))
    edge = {parent for oid in came for parent in reach.parents(oid)} - came
    return tuple(sorted(edge | (set(new) - came)))
