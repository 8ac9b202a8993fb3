"""The timeline in SQLite: who is an ancestor of whom, and which commit touched what.

A cache of what the commits say, in ``.git/perdure/cache``. A row follows from a commit and its
parents alone, so it is never wrong for having been written earlier; what changes is which rows
belong to a revision, and that is decided anew for every question. Each commit either goes on the
line of its first parent or begins a line, so the ancestors of a commit are, on each line, one piece
from its start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from perdure.git import cache_file
from perdure.git.objects.commit import CommitInfo
from perdure.git.timeline.commit_info import Facts
from perdure.git.timeline.query import (
    SCHEMA,
    VERSION,
    OnlyIn,
    Query,
    conditions,
    fold,
    plain,
)

INDEX_FILES = f"timeline-{VERSION}"
"""How the names of its files begin (`perdure.git.cache_file`)."""


class Index(cache_file.CacheFile):
    """One open index file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._paths: dict[str, int] = {}

    # Opening

    @classmethod
    def find(cls, folder: Path) -> Path | None:
        """The newest index file of this version."""
        return cache_file.newest(folder, INDEX_FILES)

    @classmethod
    def open(cls, path: Path) -> Index:
        """Open an index file to read, and to write where the disk allows.

        Raises:
            sqlite3.Error: it cannot be read.
        """
        return cls(cache_file.connect(path, "SELECT ids FROM boundary"))

    @classmethod
    def create(cls, folder: Path, boundary: str) -> Path:
        """Make an empty index file; those that were there go. The caller holds the writer's lock.

        ``boundary``: ids with spaces between them.

        Raises:
            sqlite3.Error, OSError: it cannot be written.
        """
        made_for = f"INSERT INTO boundary VALUES ('{boundary}');"  # noqa: S608 - hex digits
        return cache_file.create(folder, INDEX_FILES, SCHEMA + made_for)

    # Reading

    def boundary(self) -> str:
        """The shallow commits that it was made with; "" in a file that was never finished."""
        row = self.row("SELECT ids FROM boundary")
        return str(row[0]) if row else "?"

    def place(self, oid: str) -> tuple[int, int] | None:
        """Line of a commit and its place on it; None where it is not known yet."""
        row = self.row("SELECT chain, pos FROM commits WHERE id = ?", bytes.fromhex(oid))
        return (int(row[0]), int(row[1])) if row else None

    def id_at(self, chain: int, pos: int) -> str:
        """The commit at a place of a line."""
        return _hex(self.row("SELECT id FROM commits WHERE chain = ? AND pos = ?", chain, pos))

    def reach(self, *oids: str) -> dict[int, int]:
        """Per line, the last place that is an ancestor of some commits, or one of them."""
        todo = [place for oid in oids if (place := self.place(oid)) is not None]
        if not todo:
            return {}
        links: dict[int, list[tuple[int, int, int]]] = {}
        for chain, *link in self._db.execute("SELECT chain, pos, to_chain, to_pos FROM links"):
            links.setdefault(chain, []).append((link[0], link[1], link[2]))
        reached: dict[int, int] = {}
        while todo:
            chain, upto = todo.pop()
            before = reached.get(chain, -1)
            if upto > before:
                reached[chain] = upto
                todo += [
                    (to, place) for at, to, place in links.get(chain, ()) if before < at <= upto
                ]
        return reached

    def select(
        self, oids: Sequence[str], query: Query, *, skip: int, limit: int | None
    ) -> Iterator[tuple[str, int, str, str | None, int, int]]:
        """Wanted ancestors of commits, newest first: id, n, kind, turn, words added and removed.

        ``skip`` and ``limit`` stand for the query's own. No commit comes before one that descends
        from it, whatever the clocks said.
        """
        self._set_reach(*oids)
        where, values = conditions(query)
        rows = self._db.execute(
            "SELECT c.id, c.n, c.kind, c.turn, c.added, c.removed FROM commits c "  # noqa: S608
            "CROSS JOIN temp.reach r ON r.chain = c.chain AND c.pos <= r.upto "
            f"WHERE {where} ORDER BY c.newest DESC, c.n DESC LIMIT ? OFFSET ?",
            (*values, -1 if limit is None else limit, skip),
        )
        for row in rows:
            yield _hex(row), *row[1:]

    def _set_reach(self, *oids: str) -> None:
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS reach (chain INTEGER PRIMARY KEY, upto)")
        self._db.execute("DELETE FROM temp.reach")
        self._db.executemany("INSERT INTO temp.reach VALUES (?, ?)", self.reach(*oids).items())

    def turns(self, oid: str, turn: str) -> list[str]:
        """Ancestors of a commit that say to be of a turn, oldest first."""
        self._set_reach(oid)
        rows = self._db.execute(
            "SELECT c.id FROM commits c JOIN temp.reach r ON r.chain = c.chain AND c.pos <= r.upto "
            "WHERE c.turn = ? ORDER BY c.newest, c.n",
            (turn,),
        )
        return [_hex(row) for row in rows]

    def files(self, n: int) -> tuple[str, ...]:
        """Paths of a commit that differ from its first parent."""
        question = "SELECT path FROM touched JOIN paths USING (p) WHERE n = ? AND parent = 0"
        return tuple(map(str, self.column(f"{question} ORDER BY path", n)))

    def tip_before(self, oid: str, second: int) -> str | None:
        """Down the line of first parents, the first commit that was committed before a time."""
        place = self.place(oid)
        while place is not None:
            chain, upto = place
            row = self.row(
                "SELECT id FROM commits WHERE chain = ? AND pos <= ? AND time < ? "
                "ORDER BY pos DESC LIMIT 1",
                *(chain, upto, second),
            )
            if row:
                return _hex(row)
            place = self._came_from(chain)
        return None

    def paths_below(self, folder: str) -> list[str]:
        """Every path below a folder that any commit here ever touched, in no order."""
        question = "SELECT path FROM paths WHERE path > ? AND path < ?"
        return [*map(str, self.column(question, f"{folder}/", f"{folder}0"))]

    def only_in(self, oid: str, others: Sequence[str]) -> OnlyIn:
        """What is in the past of one commit and of none of the others."""
        kept: dict[int, int] = {}
        for other in others:
            for chain, upto in self.reach(other).items():
                kept[chain] = max(kept.get(chain, -1), upto)
        said: list[str] = []
        rest: list[str] = []
        for chain, upto in self.reach(oid).items():
            for turn, commit in self._db.execute(
                "SELECT turn, id FROM commits WHERE chain = ? AND pos > ? AND pos <= ? "
                "ORDER BY pos",
                (chain, kept.get(chain, -1), upto),
            ):
                if turn is None:
                    rest.append(commit.hex())
                else:
                    said.append(turn)
        turns = frozenset(turn for turn in set(said) if not self._is_in(turn, kept))
        again = tuple(turn for turn in said if turn not in turns)
        return OnlyIn(turns, again, len(said), tuple(rest))

    def _is_in(self, turn: str, places: Mapping[int, int]) -> bool:
        """Whether a commit of a turn is among those up to a place of each line."""
        rows = self._db.execute("SELECT chain, pos FROM commits WHERE turn = ?", (turn,))
        return any(pos <= places.get(chain, -1) for chain, pos in rows)

    def _came_from(self, chain: int) -> tuple[int, int] | None:
        row = self.row(
            "SELECT to_chain, to_pos FROM links WHERE chain = ? AND pos = 0 ORDER BY rowid LIMIT 1",
            chain,
        )
        return (int(row[0]), int(row[1])) if row else None

    def last_change(self, oid: str, path: str) -> str | None:
        """The nearest commit on the line that touches a path, is a merge, or begins the line.

        Between the two the path does not change.
        """
        place = self.place(oid)
        if place is None:
            return None
        row = self.row(
            "SELECT max(pos) FROM (SELECT max(pos) AS pos FROM commits JOIN touched USING (n) "
            "JOIN paths USING (p) WHERE path = ? AND chain = ? AND pos <= ? UNION ALL "
            "SELECT max(pos) FROM commits WHERE parents > 1 AND chain = ? AND pos <= ? UNION ALL "
            "SELECT 0)",
            *(path, *place, *place),
        )
        return self.id_at(place[0], int(row[0] if row else 0))

    def stands(self, info: CommitInfo) -> bool:
        """Whether a commit has the parent that the index puts below it."""
        place = self.place(info.id)
        if place is None:
            return False
        chain, pos = place
        return pos == 0 or info.parents[:1] == (self.id_at(chain, pos - 1),)

    # Writing: the caller holds the writer's lock

    def add(self, batch: Sequence[Facts], parents: dict[str, tuple[str, ...]]) -> None:
        """Add commits, parents first, in one transaction. Those that are there stay as they are.

        Args:
            batch: what is known of each.
            parents: the parents that count, by commit: none beyond a shallow clone's end.
        """
        with cache_file.writing(self._db):
            (following,) = self._db.execute("SELECT ifnull(max(n), 0) + 1 FROM commits").fetchone()
            for facts in batch:
                if self.place(facts.commit.id) is None:
                    self._add(following, facts, parents[facts.commit.id])
                    following += 1

    def _add(self, n: int, facts: Facts, parents: Sequence[str]) -> None:
        info = facts.commit
        above = [self._above(parent) for parent in parents]
        second = int(info.committed_at.timestamp())
        (lines,) = self._db.execute("SELECT ifnull(max(chain), 0) FROM commits").fetchone()
        chain, pos = lines + 1, 0
        later = "SELECT 1 FROM commits WHERE chain = ? AND pos > ? LIMIT 1"
        if above and not self.row(later, *above[0][:2]):
            chain, pos = above[0][0], above[0][1] + 1
        self._db.execute(
            "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                n,
                bytes.fromhex(info.id),
                chain,
                pos,
                len(parents),
                second,
                max([second, *(row[2] for row in above)]),
                facts.areas,
                facts.kind,
                facts.turn,
                plain(fold(f"{info.author.name} <{info.author.email}>")),
                plain(fold(f"{info.subject}\n{info.body}")),
                *facts.words,
            ),
        )
        links = above if pos == 0 else above[1:]
        self._db.executemany(
            "INSERT INTO links VALUES (?, ?, ?, ?)",
            [(chain, pos, to_chain, to_pos) for to_chain, to_pos, _ in links],
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO touched VALUES (?, ?, ?)",
            [
                (self._path(path), n, number)
                for number, paths in enumerate(facts.touched)
                for path in paths
            ],
        )

    def _above(self, oid: str) -> tuple[int, int, int]:
        row = self.row("SELECT chain, pos, newest FROM commits WHERE id = ?", bytes.fromhex(oid))
        if row is None:
            raise sqlite3.DatabaseError(f"the parent {oid} is not in the index")
        return (int(row[0]), int(row[1]), int(row[2]))

    def _path(self, path: str) -> int:
        known = self._paths.get(path)
        if known is None:
            text = plain(path)
            self._db.execute("INSERT OR IGNORE INTO paths (path) VALUES (?)", (text,))
            (known,) = self._db.execute("SELECT p FROM paths WHERE path = ?", (text,)).fetchone()
            self._paths[path] = known
        return known

    # Sizes in tokens, counted by whoever has a counter

    def sizes(self, counter: str, trees: Iterable[str]) -> dict[str, int]:
        """Sizes of folders that were counted before, by the folder's tree."""
        found = {}
        for tree in trees:
            question = "SELECT tokens FROM sizes WHERE counter = ? AND tree = ?"
            row = self.row(question, counter, bytes.fromhex(tree))
            if row:
                found[tree] = int(row[0])
        return found

    def keep_sizes(self, counter: str, sizes: dict[str, int]) -> None:
        """Remember sizes of folders."""
        rows = [(counter, bytes.fromhex(tree), tokens) for tree, tokens in sizes.items()]
        with cache_file.writing(self._db):
            self._db.executemany("INSERT OR REPLACE INTO sizes VALUES (?, ?, ?)", rows)


def _hex(row: Sequence[object] | None) -> str:
    """The id in a row's first column."""
    if row is None or not isinstance(row[0], bytes) or len(row[0]) != 20:
        raise sqlite3.DatabaseError("the index names no commit where there must be one")
    return row[0].hex()
