"""The tables of the timeline's index, and a query as a WHERE clause over them."""

from __future__ import annotations

from collections.abc import Sequence

from perdure.git.timeline.commit_info import TURNS, areas_of
from perdure.git.timeline.query import Query, fold

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
