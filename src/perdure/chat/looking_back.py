"""The history as a screen lists it: branches and tags by name, changes a page at a time.

Consecutive turns of one conversation are one row. All of it only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from perdure.chat.showing import TextChange, changes_between, changes_in
from perdure.chat.steering.leaving import Left, left
from perdure.history.branches import branches, tags
from perdure.history.errors import HistoryError
from perdure.history.repository import CommitInfo, Repository
from perdure.history.timeline_query import Listed, Query

Progress = Callable[[int, int], None]

FOLDERS: dict[str, tuple[str, ...]] = {
    "all": (),
    "persona": ("persona",),
    "chat": ("conversations", "alternatives"),
    "memory": ("memory", "lore"),
    "backend": ("backends", "backends.lock"),
}
"""What the history can be narrowed to, and the folders that this means."""


@dataclass(frozen=True, slots=True)
class BranchName:
    """A branch; ``subject`` is of its newest commit."""

    name: str
    commit: str
    at: datetime
    subject: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class TagName:
    """A tag and the commit that it stays on."""

    name: str
    commit: str
    at: datetime
    subject: str


@dataclass(frozen=True, slots=True)
class Names:
    """Branches, the one last committed to first, and tags by name."""

    branches: tuple[BranchName, ...] = ()
    tags: tuple[TagName, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the history: a commit, or consecutive turns of one conversation.

    Attributes:
        first: the newest of them.
        turns: how many turns it stands for; 0 for anything else than a turn.
        tags: tags on it.
        branches: branches whose newest commit it is.
        oldest: id of its oldest commit; the same as of ``first`` unless it stands for several.
    """

    first: Listed
    turns: int
    tags: tuple[str, ...]
    branches: tuple[str, ...]
    oldest: str

    @property
    def commit(self) -> CommitInfo:
        return self.first.commit

    @property
    def conversation(self) -> str:
        """Id of the conversation of these turns, "" for anything else."""
        return (self.first.turn or "").partition("/")[0]


def names(repo: Repository) -> Names:
    """Branches and tags. Raises HistoryError where a commit of theirs cannot be read."""
    found = []
    for each in tags(repo):
        try:
            info = repo.commit_info(each.commit)
        except HistoryError:
            continue  # a tag of something else than a commit
        found.append(TagName(each.name, each.commit, info.committed_at, info.subject))
    return Names(
        tuple(
            BranchName(each.name, each.commit, each.at, each.subject, each.is_current)
            for each in branches(repo)
        ),
        tuple(found),
    )


def page(
    repo: Repository,
    start: str,
    kind: str = "all",
    *,
    grep: str = "",
    skip: int = 0,
    count: int = 200,
    progress: Progress | None = None,
) -> list[Listed]:
    """A page of the history of a commit, newest first; shorter than ``count`` at its end.

    Args:
        repo: the repository.
        start: id of the commit whose history is meant.
        kind: what it is narrowed to, a key of `FOLDERS`.
        grep: only commits with this text in their message.
        skip: commits that were read before.
        count: commits to read.
        progress: told while an index of the history is made.

    Raises:
        HistoryError: the history cannot be read.
    """
    query = Query(folders=FOLDERS[kind], grep=grep, skip=skip, limit=count)
    return list(repo.timeline(progress).listing(start, query))


def collapse(
    found: Iterable[Listed], known: Names, opened: Collection[str] = frozenset()
) -> list[Row]:
    """Rows of a listing; consecutive turns of one conversation become one.

    A turn with a name on it (a tag, a branch) begins a row of its own, so that the name is seen.

    Args:
        found: the listing.
        known: branches and tags, to be put beside their commits.
        opened: ids of the newest commits of rows whose turns are wanted one by one.
    """
    tagged: dict[str, list[str]] = {}
    for tag in known.tags:
        tagged.setdefault(tag.commit, []).append(tag.name)
    tipped: dict[str, list[str]] = {}
    for branch in known.branches:
        tipped.setdefault(branch.commit, []).append(branch.name)
    rows: list[Row] = []
    head = ""
    for listed in found:
        oid = listed.commit.id
        turns = 1 if listed.kind == "turn" else 0
        row = Row(listed, turns, tuple(tagged.get(oid, ())), tuple(tipped.get(oid, ())), oid)
        last = rows[-1] if rows else None
        named = row.tags or row.branches
        goes_on = last is not None and bool(turns and last.turns) and not named
        if last is None or not goes_on or last.conversation != row.conversation:
            head = oid
        elif head not in opened:
            rows[-1] = replace(last, turns=last.turns + 1, oldest=oid)
            continue
        rows.append(row)
    return rows


def changes_of(repo: Repository, row: Row) -> list[TextChange]:
    """What the commits of a row changed, against the first parent of the oldest of them.

    Raises:
        HistoryError: they cannot be read.
    """
    if row.oldest == row.commit.id:
        return changes_in(repo, row.commit.id)
    parents = repo.parents(row.oldest)
    if not parents:
        return changes_in(repo, row.commit.id)
    hex_name = row.conversation.rpartition("-")[2]
    found = changes_between(repo, parents[0], row.commit.id)
    return [change for change in found if change.path.endswith(f"-{hex_name}.md")]


def only_on(repo: Repository, commit: str) -> Left:
    """What is in the past of a commit and not in that of HEAD."""
    return left(repo, commit, [repo.resolve("HEAD")])


def persona_change_before(repo: Repository, commit: str) -> str | None:
    """The newest change of the persona up to a commit, itself included; None without one."""
    query = Query(folders=FOLDERS["persona"], limit=1)
    found = next(iter(repo.timeline().listing(repo.resolve(commit), query)), None)
    return found.commit.id if found is not None else None
