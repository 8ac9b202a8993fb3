"""The history for a screen: branches and tags by name, commits a page at a time.

Consecutive turns of one conversation are one row. All of it only reads.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from perdure.git.errors import HistoryError
from perdure.git.operations.branches import Branch, branches
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.git.timeline.query import Listed, Query
from perdure.progress import Progress
from perdure.snapshot.revisions.ahead import Ahead, ahead
from perdure.snapshot.revisions.diff import (
    TextChange,
    changes_between,
    changes_in,
)

FOLDERS: dict[str, tuple[str, ...]] = {
    "all": (),
    "persona": ("persona",),
    "chat": ("conversations", "alternatives"),
    "memory": ("memory", "lore"),
    "backend": ("backends", "backends.lock"),
}
"""What the history can be narrowed to, and the folders that this means."""


@dataclass(frozen=True, slots=True)
class TagName:
    """A tag, and the commit that it names."""

    name: str
    commit: str


@dataclass(frozen=True, slots=True)
class RefNames:
    """Branches, the one last committed to first, and tags by name."""

    branches: tuple[Branch, ...] = ()
    tags: tuple[TagName, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One row of the history: a commit, or consecutive turns of one conversation.

    Attributes:
        first: the newest of them.
        turns: how many turns it stands for, one that was answered again once; 0 for anything else
            than a turn.
        tags: tags on it.
        branches: branches whose newest commit it is.
        parents: parents of its oldest commit.
        commits: ids of its commits, the newest first.
        run: where turns are listed one by one, ids of all that were one row, the newest first.
    """

    first: Listed
    turns: int
    tags: tuple[str, ...]
    branches: tuple[str, ...]
    parents: tuple[str, ...]
    commits: tuple[str, ...]
    run: tuple[str, ...] = ()

    @property
    def commit(self) -> CommitInfo:
        return self.first.commit

    @property
    def conversation(self) -> str:
        """Id of the conversation of these turns, "" for anything else."""
        return (self.first.turn or "").partition("/")[0]

    @property
    def is_named(self) -> bool:
        """Whether a tag or a branch is on it."""
        return bool(self.tags or self.branches)

    @property
    def oldest(self) -> str:
        """Id of its oldest commit."""
        return self.commits[-1]

    @property
    def is_folded(self) -> bool:
        """Whether it stands for several commits."""
        return len(self.commits) > 1

    @property
    def begins_run(self) -> bool:
        """Whether it is the newest of several turns that could be one row."""
        return len(self.run) > 1 and self.run[0] == self.commit.id

    @property
    def is_answer(self) -> bool:
        """Whether its newest commit added another answer to an older turn."""
        return any(key == "Answer" for key, _ in self.commit.trailers)


def read_ref_names(repo: Repository) -> RefNames:
    """Read branches and tags. Raises HistoryError where a commit of theirs cannot be read."""
    tags = []
    for name, commit in repo.tags().items():
        with suppress(HistoryError):
            repo.commit_info(commit)
            tags.append(TagName(name, commit))
    return RefNames(tuple(branches(repo)), tuple(tags))


def history_page(
    repo: Repository,
    start: str,
    kind: str = "all",
    *,
    grep: str = "",
    skip: int = 0,
    count: int = 200,
    beside: Sequence[str] = (),
    progress: Progress | None = None,
) -> list[Listed]:
    """Read a page of a commit's history, newest first; shorter than ``count`` at the end.

    Args:
        repo: the repository.
        start: id of the commit whose history is meant.
        kind: what it is narrowed to, a key of `FOLDERS`.
        grep: only commits with this text in their message.
        skip: commits that were read before.
        count: commits to read.
        beside: ids of more commits whose histories are meant.
        progress: called while an index of the history is made.

    Raises:
        HistoryError: the history cannot be read.
    """
    query = Query(folders=FOLDERS[kind], grep=grep, skip=skip, limit=count)
    found = list(repo.timeline(progress).listing(start, query, beside=beside))
    return children_first(found) if beside else found


def children_first(found: Sequence[Listed]) -> list[Listed]:
    """Sort commits as little as needed, so that no commit comes before one that descends from it.

    Without an index they come by time, and several lines may have been written in one second.
    """
    listed = {each.commit.id: each for each in found}
    above = Counter(parent for each in found for parent in each.commit.parents)
    ready: list[Listed] = []
    waiting = deque(found)
    held: dict[str, Listed] = {}
    while waiting:
        each = waiting.popleft()
        if above[each.commit.id]:
            held[each.commit.id] = each
            continue
        ready.append(each)
        for parent in reversed(each.commit.parents):
            above[parent] -= 1
            if not above[parent] and parent in held:
                waiting.appendleft(held.pop(parent))
    return ready if len(ready) == len(listed) else list(found)


def collapse(
    found: Iterable[Listed], known: RefNames, opened: Collection[str] = frozenset()
) -> list[TimelineRow]:
    """Make rows of commits; consecutive turns of one conversation become one row.

    A turn with a name on it (a tag, a branch) begins a row of its own, so that the name is seen.

    Args:
        found: the listing.
        known: branches and tags, to be put beside their commits.
        opened: ids of commits whose rows are wanted turn by turn.
    """
    name = _Naming(known)
    runs: list[_Run] = []
    for number, listed in enumerate(found):
        row = name.row(listed)
        last = runs[-1][-1][1] if runs else None
        goes_on = last is not None and bool(row.turns and last.turns) and not row.is_named
        if last is None or not goes_on or last.conversation != row.conversation:
            runs.append([])
        runs[-1].append((number, row))
    return _rows(runs, opened)


def collapse_lines(
    found: Iterable[Listed],
    known: RefNames,
    opened: Collection[str] = frozenset(),
    *,
    here: str = "",
) -> list[TimelineRow]:
    """Make rows of commits on several lines, as a graph draws them.

    Consecutive turns on a line become one row, if nothing begins between them, even if turns on
    another line were said in between.

    Args:
        found: the listing, none before one that descends from it.
        known: branches and tags.
        opened: ids of commits whose rows are wanted turn by turn.
        here: the commit that is checked out; it begins a row of its own.
    """
    name = _Naming(known)
    runs: list[_Run] = []
    wanted: Counter[str] = Counter()
    above: dict[str, _Run] = {}
    for number, listed in enumerate(found):
        row = name.row(listed)
        oid = row.oldest
        run = above.pop(oid, None)
        wanted.update(row.parents)
        is_middle = wanted[oid] == 1 and not row.is_named and oid != here
        if run is None or not is_middle or run[0][1].conversation != row.conversation:
            run = []
            runs.append(run)
        run.append((number, row))
        if row.turns and len(row.parents) == 1:
            above[row.parents[0]] = run
    return _rows(runs, opened)


_Run = list[tuple[int, TimelineRow]]
"""Rows of single commits that may become one, newest first, each with its number in the listing."""


def _rows(runs: Iterable[_Run], opened: Collection[str]) -> list[TimelineRow]:
    """One row for each run, and single rows for a run that is opened, in the given order."""
    placed: _Run = []
    for run in runs:
        ids = tuple(row.commit.id for _, row in run)
        if not any(each in opened for each in ids):
            placed.append((run[0][0], _as_one([row for _, row in run])))
        else:
            placed.extend((number, replace(row, run=ids)) for number, row in run)
    return [row for _, row in sorted(placed, key=lambda each: each[0])]


def _as_one(rows: Sequence[TimelineRow]) -> TimelineRow:
    """Join consecutive rows, newest first, into one."""
    if len(rows) == 1:
        return rows[0]
    turns = {each.first.turn for each in rows}
    commits = tuple(each.commit.id for each in rows)
    return replace(rows[0], turns=len(turns), parents=rows[-1].parents, commits=commits)


class _Naming:
    """Makes rows of single commits, with the names on them."""

    def __init__(self, known: RefNames) -> None:
        self._tags: dict[str, list[str]] = {}
        for tag in known.tags:
            self._tags.setdefault(tag.commit, []).append(tag.name)
        self._branches: dict[str, list[str]] = {}
        for branch in known.branches:
            self._branches.setdefault(branch.commit, []).append(branch.name)

    def row(self, listed: Listed) -> TimelineRow:
        oid = listed.commit.id
        return TimelineRow(
            listed,
            1 if listed.kind == "turn" else 0,
            tuple(self._tags.get(oid, ())),
            tuple(self._branches.get(oid, ())),
            listed.commit.parents,
            (oid,),
        )


def changes_of(repo: Repository, row: TimelineRow) -> list[TextChange]:
    """The texts that a row's commits changed, against the first parent of the oldest.

    Raises:
        HistoryError: they cannot be read.
    """
    if row.oldest == row.commit.id:
        return changes_in(repo, row.commit.id)
    parents = repo.commits.parents(row.oldest)
    if not parents:
        return changes_in(repo, row.commit.id)
    hex_name = row.conversation.rpartition("-")[2]
    found = changes_between(repo, parents[0], row.commit.id)
    return [change for change in found if change.path.endswith(f"-{hex_name}.md")]


def ahead_of_head(repo: Repository, commit: str) -> Ahead:
    """How far a commit is ahead of HEAD."""
    return ahead(repo, commit, [repo.resolve("HEAD")])


def persona_change_before(repo: Repository, commit: str) -> str | None:
    """The newest change of the persona up to and including a commit; None without one."""
    query = Query(folders=FOLDERS["persona"], limit=1)
    found = next(iter(repo.timeline().listing(repo.resolve(commit), query)), None)
    return found.commit.id if found is not None else None
