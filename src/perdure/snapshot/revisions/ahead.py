"""The commits that one side is ahead by: what a move would leave behind."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from perdure.companion.conversation.chunk import (
    CHUNK_FILE_LIMIT,
    CONVERSATIONS,
    parse_chunk_path,
    turn_numbers,
)
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.plural import plural
from perdure.snapshot.revisions.program_commits import ProgramCommits, turn_of_commit

MOST = 500
"""Commits that are looked at: a plan is shown at once, however long the history."""
_FEW = 24


@dataclass(frozen=True, slots=True)
class Ahead:
    """What one side has and the other lacks. The program's own commits do not count.

    Attributes:
        turns: turns among it: a turn with several answers, swaps and corrections is one.
        persona: changes of persona, lore or memory.
        other: everything else, answers and corrections of turns that stay among it.
        is_all: False where there are more than were counted.
        acts: commits, each of which somebody made.
    """

    turns: int
    persona: int
    other: int
    is_all: bool = True
    acts: int = 0

    def __str__(self) -> str:
        parts = [
            plural(count, *words)
            for count, *words in (
                (self.turns, "turn"),
                (self.persona, "change to persona or memory", "changes to persona or memory"),
                (self.other, "other change"),
            )
            if count
        ]
        text = ", ".join(parts) or "nothing"
        if self.is_all:
            return text
        return f"more than {self.turns + self.persona + self.other} turns and changes"

    def __bool__(self) -> bool:
        return bool(self.turns or self.persona or self.other)

    def __add__(self, more: Ahead) -> Ahead:
        return Ahead(
            self.turns + more.turns,
            self.persona + more.persona,
            self.other + more.other,
            self.is_all and more.is_all,
            self.acts + more.acts,
        )

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "turns": self.turns,
            "persona": self.persona,
            "other": self.other,
            "all": self.is_all,
        }


NOTHING_AHEAD = Ahead(0, 0, 0)


def ahead(repo: Repository, tip: str, kept: Iterable[str], most: int = MOST) -> Ahead:
    """How far ``tip`` is ahead of all of ``kept``.

    All of it where the index of the history knows it, else counted up to ``most`` commits.
    """
    others = list(kept)
    count = _Count(repo)
    for seen, info in enumerate(commits_ahead(repo, tip, others)):
        # A few commits are read sooner than the index is opened.
        if seen == _FEW and (known := _by_index(repo, tip, others)) is not None:
            return known
        if seen >= most:
            return count.ahead(is_all=False)
        count.take(info)
    return count.ahead()


class _Count:
    """Counts turns by id, and other commits by what they touch."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._program = ProgramCommits(repo)
        self._turns: set[str] = set()
        self._about: list[str] = []
        self._persona = self._other = self._acts = 0

    def take(self, info: CommitInfo) -> None:
        """Count a commit; in any order."""
        if self._program.is_own(info):
            return
        self._acts += 1
        turn = turn_of_commit(info)
        # A subject can be forged; here it only saves a look at the trees, and counts a turn more.
        is_turn = info.subject.startswith("turn: ") and any(
            key == "Turn" for key, _ in info.trailers
        )
        if is_turn and turn is not None:
            self.said(str(turn), again=any(key == "Answer" for key, _ in info.trailers))
            return
        changed = _folders(self._repo, info)
        if len(info.parents) < 2 and "conversations" in changed:
            if added := self._added(info):
                self._turns |= added
            else:
                self._about.append(str(turn))
        elif changed & {"persona", "lore", "memory"}:
            self._persona += 1
        else:
            self._other += 1

    def said(self, turn: str, *, again: bool) -> None:
        """Count a turn's commit; ``again`` if it brings another answer."""
        if again:
            self._about.append(turn)
        else:
            self._turns.add(turn)

    def said_at(self, turns: Iterable[str], about: Sequence[str], commits: int) -> None:
        """Count turns that the timeline's index knows, and those that were only answered again."""
        self._turns.update(turns)
        self._about.extend(about)
        self._acts += commits

    def ahead(self, *, is_all: bool = True) -> Ahead:
        """The result. Answers and corrections of a turn that goes count with that turn."""
        changed = sum(turn not in self._turns for turn in self._about)
        return Ahead(len(self._turns), self._persona, self._other + changed, is_all, self._acts)

    def _added(self, info: CommitInfo) -> set[str]:
        """The turns that a commit brought without naming them, as imports do."""
        found: set[str] = set()
        parents = self._repo.commits.parents(info.id)
        before = self._repo.folder_oid(CONVERSATIONS, parents[0]) if parents else None
        after = self._repo.folder_oid(CONVERSATIONS, info.id)
        for change in self._repo.folder_difference(before, after):
            path = f"{CONVERSATIONS}/{change.path}"
            named = parse_chunk_path(path)
            if named is not None and change.new_oid is not None:
                old = set(self._numbers(path, change.old_oid))
                new = set(self._numbers(path, change.new_oid))
                # A greeting is no turn of its own: it is committed with the first one.
                found |= {f"{named[0]}/{number}" for number in new - old if number}
        return found

    def _numbers(self, path: str, oid: str | None) -> Sequence[int]:
        return turn_numbers(self._repo.small(oid, CHUNK_FILE_LIMIT), path) if oid else ()


def _by_index(repo: Repository, tip: str, kept: list[str]) -> Ahead | None:
    """The same from the timeline's index; None where it does not yet know these commits."""
    start, others = repo.resolve(tip), [repo.resolve(rev) for rev in kept]
    known = repo.timeline().only_in(start, others)
    if known is None:
        return None
    count = _Count(repo)
    count.said_at(known.turns, known.again, known.turn_commits)
    for commit in known.others:
        count.take(repo.commit_info(commit))
    return count.ahead()


def commits_ahead(repo: Repository, tip: str, kept: Iterable[str]) -> Iterator[CommitInfo]:
    """Commits in the past of ``tip`` and not in that of any of ``kept``, newest first.

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
        for parent in repo.commits.parents(oid):
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
    parents = repo.commits.parents(info.id)
    return {
        folder
        for folder in ("conversations", "persona", "lore", "memory")
        if repo.folder_oid(folder, info.id)
        != (repo.folder_oid(folder, parents[0]) if parents else None)
    }
