"""What one commit has in its past and others have not: the talk that a move would leave behind."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from perdure.history.repository import CommitInfo, Repository

MOST = 500
"""Commits that are looked at: a plan is shown at once, however long the history."""
_FEW = 24


@dataclass(frozen=True, slots=True)
class Left:
    """Commits that are only on one side, by what they are.

    Attributes:
        turns: turns among them.
        persona: changes of persona, lore or memory.
        other: everything else.
        is_all: False where there are more than were counted.
    """

    turns: int
    persona: int
    other: int
    is_all: bool = True

    def __str__(self) -> str:
        parts = [
            f"{count} {word}{'s' * (count != 1)}"
            for count, word in (
                (self.turns, "turn"),
                (self.persona, "change of persona or memory"),
                (self.other, "other commit"),
            )
            if count
        ]
        text = ", ".join(parts) or "nothing"
        text = text.replace("change of persona or memorys", "changes of persona or memory")
        if self.is_all:
            return text
        return f"more than {self.turns + self.persona + self.other} turns and changes"

    def __bool__(self) -> bool:
        return bool(self.turns or self.persona or self.other)

    def record(self) -> dict[str, object]:
        """As plain data."""
        return {
            "turns": self.turns,
            "persona": self.persona,
            "other": self.other,
            "all": self.is_all,
        }


def left(repo: Repository, tip: str, kept: Iterable[str], most: int = MOST) -> Left:
    """What is in the past of ``tip`` and in that of none of ``kept``.

    All of it where the index of the history knows it, else counted up to ``most``.
    """
    others = list(kept)
    turns = persona = other = 0
    for seen, info in enumerate(only_there(repo, tip, others)):
        # A few commits are read sooner than the index is opened.
        if seen == _FEW and (known := _by_index(repo, tip, others)) is not None:
            return known
        if seen >= most:
            return Left(turns, persona, other, is_all=False)
        # A subject can be forged; here it only saves a look at the trees, and asks once too often.
        said = info.subject.startswith("turn: ") and any(key == "Turn" for key, _ in info.trailers)
        changed = {"conversations"} if said else _folders(repo, info)
        if len(info.parents) < 2 and "conversations" in changed:
            turns += 1
        elif changed & {"persona", "lore", "memory"}:
            persona += 1
        else:
            other += 1
    return Left(turns, persona, other)


def _by_index(repo: Repository, tip: str, kept: list[str]) -> Left | None:
    """The same from the index of the history; None where it does not know these commits by now."""
    from perdure.history.timeline_facts import FOLDERS, TURNS

    start, others = repo.resolve(tip), [repo.resolve(rev) for rev in kept]
    counted = repo.timeline().count_only_in(start, others)
    if counted is None:
        return None
    mind = FOLDERS["persona"] | FOLDERS["lore"] | FOLDERS["memory"]
    turns = persona = 0
    for (is_merge, areas), count in counted.items():
        if areas & TURNS and not is_merge:
            turns += count
        elif areas & mind:
            persona += count
    return Left(turns, persona, counted.total() - turns - persona)


def only_there(repo: Repository, tip: str, kept: Iterable[str]) -> Iterator[CommitInfo]:
    """Commits in the past of ``tip`` and in that of none of ``kept``, newest first.

    Commit times order the walk; where clocks were wrong, a commit of both sides may be among them.
    """
    here, there = 1, 2
    marks: dict[str, int] = {}
    queue: list[tuple[float, str]] = []

    def mark(oid: str, flags: int) -> None:
        old = marks.get(oid, 0)
        marks[oid] = old | flags
        if marks[oid] != old:
            heapq.heappush(queue, (-repo.commit_info(oid).committed_at.timestamp(), oid))

    mark(tip, here)
    for oid in kept:
        mark(oid, there)
    done: dict[str, int] = {}
    waiting: list[CommitInfo] = []

    def is_open() -> bool:
        if any(marks[oid] == here for _, oid in queue):
            return True
        return bool(waiting) and -queue[0][0] >= waiting[-1].committed_at.timestamp()

    while queue and is_open():
        _, oid = heapq.heappop(queue)
        flags = marks[oid]
        if done.get(oid) == flags:
            continue
        done[oid] = flags
        info = repo.commit_info(oid)
        for parent in repo.parents(oid):
            mark(parent, flags)
        if flags == here:
            waiting.append(info)
        # Within one second a commit of both sides may still be found to be one.
        while waiting and (waiting[0].committed_at > info.committed_at):
            first = waiting.pop(0)
            if marks[first.id] == here:
                yield first
    yield from (info for info in waiting if marks[info.id] == here)


def _folders(repo: Repository, info: CommitInfo) -> set[str]:
    """The top folders of a companion that a commit changed against its first parent."""
    parents = repo.parents(info.id)
    return {
        folder
        for folder in ("conversations", "persona", "lore", "memory")
        if repo.folder_oid(folder, info.id)
        != (repo.folder_oid(folder, parents[0]) if parents else None)
    }
