"""Ancestry: common ancestors, and what moving a branch would hide."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from perdure.git.objects.commit import CommitInfo, ReadCommit

_LEFT, _RIGHT, _STALE = 1, 2, 4


def first_line(
    read: ReadCommit, tip: str | None, boundary: Collection[str] = ()
) -> Iterator[CommitInfo]:
    """A commit, its first parent, and so on."""
    while tip is not None:
        info = read(tip)
        yield info
        tip = next(iter(info.parents), None) if tip not in boundary else None


@dataclass(frozen=True, slots=True)
class _Relation:
    """Two commits: whether each is in the other's past, and the nearest that are in both pasts."""

    is_first_below: bool
    is_second_below: bool
    common: tuple[str, ...]


class Reach:
    """Answers questions of ancestry for one repository.

    Commit times only order the walks: with clocks that were wrong they take longer, and find the
    same.
    """

    def __init__(self, read: ReadCommit, boundary: Collection[str] = ()) -> None:
        self._read = read
        self._boundary = boundary
        self._relations: dict[tuple[str, str], _Relation] = {}

    def parents(self, commit: str) -> tuple[str, ...]:
        """A commit's parents; none at the edge of a shallow clone."""
        return () if commit in self._boundary else self._read(commit).parents

    def _paint(self, left: Iterable[str], right: Iterable[str]) -> dict[str, int]:
        """Mark what either side reaches, until everything left to visit is known to both."""
        marks: dict[str, int] = {}
        queue: list[tuple[float, str]] = []
        fresh: set[str] = set()

        def mark(oid: str, flags: int) -> None:
            old = marks.get(oid, 0)
            if old | flags == old:
                return
            marks[oid] = old | flags
            (fresh.discard if marks[oid] & _STALE else fresh.add)(oid)
            heapq.heappush(queue, (-self._read(oid).committed_at.timestamp(), oid))

        for oid in left:
            mark(oid, _LEFT)
        for oid in right:
            mark(oid, _RIGHT)
        done: dict[str, int] = {}
        while queue and fresh:
            _, oid = heapq.heappop(queue)
            fresh.discard(oid)
            flags = marks[oid]
            if done.get(oid) == flags:
                continue
            done[oid] = flags
            if flags & (_LEFT | _RIGHT) == _LEFT | _RIGHT:
                flags |= _STALE
            for parent in self.parents(oid):
                mark(parent, flags)
        return marks

    def merge_bases(self, a: str, b: str) -> list[str]:
        """The best common ancestors, sorted: none, one, or several after a criss-cross merge."""
        if a == b:
            return [a]
        both = self._relation(a, b).common
        # With wrong clocks one of them may be in the past of another.
        return sorted(
            oid
            for oid in both
            if not any(other != oid and self.is_ancestor(oid, other) for other in both)
        )

    def is_ancestor(self, commit: str, tip: str) -> bool:
        """Whether a commit is a tip or in its past."""
        if commit == tip:
            return True
        found = self._relation(commit, tip)
        return found.is_first_below if commit < tip else found.is_second_below

    def _relation(self, a: str, b: str) -> _Relation:
        """What one walk tells of two commits; commits never change, so that one is enough."""
        first, second = sorted((a, b))
        known = self._relations.get((first, second))
        if known is None:
            marks = self._paint([first], [second])
            both = tuple(oid for oid, flags in marks.items() if flags & 7 == _LEFT | _RIGHT)
            known = self._relations[first, second] = _Relation(
                bool(marks.get(first, 0) & _RIGHT), bool(marks.get(second, 0) & _LEFT), both
            )
        return known

    def hidden(self, tip: str, kept: Iterable[str]) -> list[str]:
        """Commits in a tip's past that none of ``kept`` reaches, newest first."""
        return self.unreached([tip], kept)

    def unreached(self, tips: Iterable[str], kept: Iterable[str]) -> list[str]:
        """Commits that some tips reach and none of ``kept`` does, newest first."""
        marks = self._paint(tips, kept)
        found = [oid for oid, flags in marks.items() if flags & 3 == _LEFT]
        return sorted(found, key=lambda oid: -self._read(oid).committed_at.timestamp())

    def holds_hidden(self, tips: Iterable[str], tip: str, kept: Iterable[str]) -> bool:
        """Whether one of ``tips`` has a commit in its past that `hidden` would list."""
        kept = list(kept)
        return len(self.hidden(tip, [*kept, *tips])) < len(self.hidden(tip, kept))
