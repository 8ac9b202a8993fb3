"""What somebody wants to see of the timeline, and whether a commit is among it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from perdure.git.objects.commit import CommitInfo
from perdure.git.timeline.commit_info import TURNS, Facts, areas_of


@dataclass(frozen=True, slots=True)
class Query:
    """A selection of commits; every part that is given must hold.

    Attributes:
        folders: only commits that changed one of these top folders (a kind of change).
        paths: only commits that changed one of these files or folders; "" is everything.
        since: not before this time of committing (aware).
        until: before this time of committing (aware).
        author: text in the author's name or address, in any case.
        grep: text in the message, trailers aside, in any case.
        limit: how many at most.
        skip: how many to leave out first.
    """

    folders: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    author: str = ""
    grep: str = ""
    limit: int | None = None
    skip: int = 0

    def fits_message(self, info: CommitInfo) -> bool:
        """Whether a commit's own words and times are wanted; its paths are not looked at."""
        return (
            (self.since is None or info.committed_at >= self.since)
            and (self.until is None or info.committed_at < self.until)
            and fold(self.author) in fold(f"{info.author.name} <{info.author.email}>")
            and fold(self.grep) in fold(f"{info.subject}\n{info.body}")
        )

    def fits(self, facts: Facts) -> bool:
        """Whether a commit is wanted."""
        return (
            self.fits_message(facts.commit)
            and (not self.folders or facts.touches(self.folders))
            and (not self.paths or "" in self.paths or facts.touches(self.paths))
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """One commit of a listing.

    Attributes:
        commit: the commit, read from git.
        kind: as in `Facts`.
        turn: as in `Facts`.
        files: paths that differ from the first parent.
        words: persona words added and removed.
    """

    commit: CommitInfo
    kind: str
    turn: str | None
    files: tuple[str, ...]
    words: tuple[int, int]


@dataclass(frozen=True, slots=True)
class OnlyIn:
    """What is in the past of one commit and of none of some others.

    Attributes:
        turns: ids of turns that were said there.
        again: ids of turns said before, one for each commit that answers one again.
        turn_commits: commits that name a turn.
        others: ids of the other commits.
    """

    turns: frozenset[str]
    again: tuple[str, ...]
    turn_commits: int
    others: tuple[str, ...]


def fold(text: str) -> str:
    """Text as it is compared by: without case."""
    return text.casefold()


VERSION = 1
"""Part of the file's name: an index of another version is not looked at, and removed."""


SCHEMA = """
CREATE TABLE commits (
  n INTEGER PRIMARY KEY,      -- parents have lower ones
  id BLOB NOT NULL UNIQUE,
  chain INTEGER NOT NULL,     -- the line that it is on
  pos INTEGER NOT NULL,       -- its place on that line
  parents INTEGER NOT NULL,   -- how many it has
  time INTEGER NOT NULL,      -- when it was committed, seconds
  newest INTEGER NOT NULL,    -- the latest time of it and its ancestors
  areas INTEGER NOT NULL,     -- folders it touches, bits of timeline_facts
  kind TEXT NOT NULL,
  turn TEXT,
  author TEXT NOT NULL,       -- name and address, without case
  message TEXT NOT NULL,      -- subject and body, without case
  added INTEGER NOT NULL,     -- words of the persona
  removed INTEGER NOT NULL
);
CREATE UNIQUE INDEX by_chain ON commits (chain, pos);
CREATE INDEX merges ON commits (chain, pos) WHERE parents > 1;
CREATE INDEX by_newest ON commits (newest);
CREATE INDEX seldom ON commits (newest) WHERE areas <> 32;
CREATE INDEX by_turn ON commits (turn) WHERE turn IS NOT NULL;
CREATE TABLE links (chain INTEGER, pos INTEGER, to_chain INTEGER, to_pos INTEGER);
CREATE TABLE paths (p INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE touched (p INTEGER, n INTEGER, parent INTEGER, PRIMARY KEY (p, n, parent))
  WITHOUT ROWID;
CREATE INDEX touched_by ON touched (n);
CREATE TABLE sizes (counter TEXT, tree BLOB, tokens INTEGER, PRIMARY KEY (counter, tree))
  WITHOUT ROWID;
CREATE TABLE boundary (ids TEXT NOT NULL);
"""


def plain(text: str) -> str:
    """Text as SQLite can hold it: bytes of a name that are not UTF-8 become marks."""
    return text.encode("utf-8", "backslashreplace").decode()


def conditions(query: Query) -> tuple[str, list[object]]:
    """The WHERE clause of a query, and its values."""
    parts: list[str] = ["1"]
    values: list[object] = []
    if query.folders:
        bits = areas_of(query.folders)
        by_path, names = _by_path(query.folders)
        parts.append(f"c.areas & ? AND (c.parents < 2 OR {by_path})")
        values += [bits, *names]
        if not bits & TURNS:
            parts.append("c.areas <> 32")
    if query.paths and "" not in query.paths:
        by_path, names = _by_path(query.paths)
        parts.append(by_path)
        values += names
    for clause, moment in (("c.time >= ?", query.since), ("c.time < ?", query.until)):
        if moment is not None:
            parts.append(clause)
            values.append(-(-moment.timestamp() // 1))
    for column, text in (("author", query.author), ("message", query.grep)):
        if text:
            parts.append(f"instr(c.{column}, ?) > 0")
            values.append(plain(fold(text)))
    return " AND ".join(parts), values


def _by_path(prefixes: Sequence[str]) -> tuple[str, list[object]]:
    """Commits in which some of these paths differ from every parent."""
    ranges = " OR ".join("path = ? OR (path > ? AND path < ?)" for _ in prefixes)
    values: list[object] = []
    for prefix in prefixes:
        name = plain(prefix)
        values += [name, f"{name}/", f"{name}0"]
    clause = (
        "c.n IN (SELECT t.n FROM touched t JOIN commits m ON m.n = t.n WHERE t.p IN "  # noqa: S608
        f"(SELECT p FROM paths WHERE {ranges}) GROUP BY t.n "
        "HAVING m.parents < 2 OR count(DISTINCT t.parent) = m.parents)"
    )
    return clause, values
