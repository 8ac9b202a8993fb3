"""The timeline of a repository: what the index answers, and the same by walking where it cannot."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from perdure.history import disk
from perdure.history.commits import CommitInfo
from perdure.history.errors import Busy
from perdure.history.timeline import walk
from perdure.history.timeline_facts import Facts, facts_of
from perdure.history.timeline_index import BUSY, Index, drop
from perdure.history.timeline_query import Listed, Query
from perdure.history.timeline_trees import TreeComparer
from perdure.history.trees import Trees

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told how many commits were looked at, and how many there are; 0 while they are being counted."""
_BATCH = 500
_LOOK_FIRST = 300
"""Commits that are walked for a short listing before an index is made for it."""
_UNUSABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}


class _NoIndex(Exception):
    """The cache is busy, full or may not be written: the answer comes from git alone."""


def _silent(done: int, total: int) -> None:
    """The progress of a caller without a screen."""


def _nothing(index: Index) -> None:
    """The question of who only wants the index made."""


class Timeline:
    """Questions about the history of one revision. Each opens the index for itself."""

    def __init__(
        self,
        *,
        cache: Path,
        raw: Callable[[str], tuple[bytes, bytes]],
        read: Callable[[str], CommitInfo],
        trees: Trees,
        blob: Callable[[str], bytes],
        boundary: frozenset[str],
        progress: Progress | None = None,
    ) -> None:
        self._cache = cache
        self._raw = raw
        self._read = read
        self._trees = trees
        self._comparer = TreeComparer(raw)
        self._blob = blob
        self._boundary = boundary
        self._progress = progress or _silent

    # Questions

    def listing(self, start: str, query: Query) -> Iterator[Listed]:
        """Wanted commits among those reachable from one, newest first.

        Args:
            start: id of the commit whose history is meant.
            query: which of them.
        """
        if query.limit is not None and self._file() is None:
            found = list(self._walked(start, query, most=_LOOK_FIRST))
            if len(found) == query.limit:
                yield from found
                return
        given = 0
        try:
            for attempt in range(2):
                left = None if query.limit is None else query.limit - given
                try:
                    for listed in self._indexed(start, query, query.skip + given, left):
                        yield listed
                        given += 1
                except sqlite3.Error as error:
                    self._give_up_or_drop(error, attempt)
                else:
                    return
        except _NoIndex:
            yield from islice(self._walked(start, query), given, None)

    def turn(self, start: str, turn: str) -> list[CommitInfo]:
        """Commits below one that say to be of a turn and touch its conversation, oldest first."""

        def ask(index: Index) -> list[CommitInfo]:
            found = [self._read(oid) for oid in index.turns(start, turn)]
            if any(("Turn", turn) not in info.trailers for info in found):
                raise sqlite3.DatabaseError("the index has another turn than the commit")
            return found

        try:
            return self._ask(start, ask)
        except _NoIndex:
            said = (info for info in self._walk(start) if ("Turn", turn) in info.trailers)
            return [info for info in said if self._facts(info).turn == turn][::-1]

    def paths_below(self, start: str, folder: str) -> list[str] | None:
        """Paths below a folder, among them all that stand there as of a commit, in no order.

        Many may be gone by then, or never were on that line. None where there is no index.
        """
        try:
            return self._ask(start, lambda index: index.paths_below(folder))
        except _NoIndex:
            return None

    def count_only_in(self, start: str, others: Sequence[str]) -> Counter[tuple[bool, int]] | None:
        """Commits in the past of one and of none of the others, by what they touched.

        None where the index does not know them all by now: none is made for it.

        Returns:
            How many, by whether it is a merge and by the bits of the folders that it touched
            against its first parent.
        """
        try:
            index = self._usable()
            if index is None:
                return None
            with contextlib.closing(index):
                if any(index.place(oid) is None for oid in (start, *others)):
                    return None
                return index.count_only_in(start, others)
        except sqlite3.Error:
            return None

    def tip_before(self, start: str, moment: datetime) -> str | None:
        """The commit that a branch stood at just before a time: down the first parents.

        Args:
            start: the branch's tip.
            moment: aware time; commits are taken by the time of committing.
        """
        second = -int(-moment.timestamp() // 1)
        try:
            return self._ask(start, lambda index: index.tip_before(start, second))
        except _NoIndex:
            here: str | None = start
            while here is not None and self._read(here).committed_at.timestamp() >= second:
                here = next(iter(self._parents(here)), None)
            return here

    @contextlib.contextmanager
    def jumps(self, start: str) -> Iterator[Callable[[str, str], str]]:
        """A function from a commit and a path to the nearest commit that may have changed it.

        Between the two the path is the same and there is one line only. Without an index it stays
        where it is.
        """
        try:
            index = self._opened(start)
        except (_NoIndex, sqlite3.Error):
            yield lambda oid, _: oid
            return

        def jump(oid: str, path: str) -> str:
            with contextlib.suppress(sqlite3.Error):
                return index.last_change(oid, path) or oid
            return oid

        try:
            yield jump
        finally:
            index.close()

    def sizes(
        self, start: str, counter: str, trees: list[str], count: Callable[[str], int]
    ) -> dict[str, int]:
        """Sizes of folders in tokens; those that were counted before are not counted again.

        Args:
            start: a commit that the folders are below.
            counter: name of what counts.
            trees: ids of the folders.
            count: counts one.
        """
        sizes: dict[str, int] = {}
        try:
            sizes = self._ask(start, lambda index: index.sizes(counter, trees))
        except _NoIndex:
            return {tree: count(tree) for tree in dict.fromkeys(trees)}
        new = {tree: count(tree) for tree in dict.fromkeys(trees) if tree not in sizes}
        if new:
            with contextlib.suppress(_NoIndex, sqlite3.Error):
                self._ask(start, lambda index: index.keep_sizes(counter, new))
        return sizes | new

    def update(self, start: str) -> bool:
        """Bring the index up to a commit. False where it cannot be written just now."""
        try:
            self._ask(start, _nothing)
        except _NoIndex:
            return False
        return True

    def update_in_steps(self, start: str, between: Callable[[], None]) -> bool:
        """Bring the index up to a commit, and give way to others after every few hundred.

        For who has time: the writer's lock is held only while rows are written, so that a command
        which needs the index now takes over.

        Args:
            start: the commit.
            between: called after each step, without the lock.

        Returns:
            False where somebody took over, or the index cannot be written.
        """
        try:
            with self._writing():
                index = self._usable() or self._created()
            with contextlib.closing(index):
                path = self._file()
                order, parents = self._unknown(index, start)
                for at in range(0, len(order), _BATCH):
                    batch = [self._facts(self._read(oid)) for oid in order[at : at + _BATCH]]
                    with self._writing():
                        if self._file() != path:
                            return False
                        index.add(batch, parents)
                    between()
        except (_NoIndex, OSError, sqlite3.Error):
            return False
        return True

    # Walking

    def _walk(self, start: str) -> Iterator[CommitInfo]:
        return walk(start, read=self._read, trees=self._trees, paths=(), boundary=self._boundary)

    def _walked(self, start: str, query: Query, most: int | None = None) -> Iterator[Listed]:
        looked_at = islice(self._walk(start), most)
        wanted = (
            Listed.of(facts)
            for info in looked_at
            if query.fits_message(info) and query.fits(facts := self._facts(info))
        )
        stop = None if query.limit is None else query.skip + query.limit
        return islice(wanted, query.skip, stop)

    def _facts(self, info: CommitInfo) -> Facts:
        return facts_of(
            info,
            tree_of=lambda oid: self._read(oid).tree,
            trees=self._comparer,
            blob=self._blob,
            boundary=self._boundary,
        )

    def _parents(self, oid: str) -> tuple[str, ...]:
        if oid in self._boundary:
            return ()
        head = self._raw(oid)[1].partition(b"\n\n")[0]
        return tuple(
            line[7:].decode("ascii", "replace")
            for line in head.split(b"\n")
            if line.startswith(b"parent ")
        )

    # The index

    def _indexed(self, start: str, query: Query, skip: int, limit: int | None) -> Iterator[Listed]:
        index = self._opened(start)
        try:
            rows = list(index.select(start, query, skip=skip, limit=limit))
            for oid, n, kind, turn, added, removed in rows:
                info = self._read(oid)
                if not (query.fits_message(info) and index.stands(info)):
                    raise sqlite3.DatabaseError("the index says something else than the commit")
                yield Listed(info, kind, turn, index.files(n), (added, removed))
        finally:
            index.close()

    def _ask(self, start: str, question: Callable[[Index], T]) -> T:
        """Put a question to an index that knows a commit; a damaged one is made anew once.

        Raises:
            _NoIndex: there is none to be had.
        """
        for attempt in range(2):
            try:
                with contextlib.closing(self._opened(start)) as index:
                    return question(index)
            except sqlite3.Error as error:
                self._give_up_or_drop(error, attempt)
        raise _NoIndex

    def _give_up_or_drop(self, error: sqlite3.Error, attempt: int) -> None:
        """After an error of SQLite's: remove a damaged index once, else raise _NoIndex."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _UNUSABLE or attempt:
            raise _NoIndex from error
        with self._writing():
            drop(self._cache)

    def _file(self) -> Path | None:
        try:
            return Index.find(self._cache)
        except OSError:
            return None

    def _opened(self, start: str) -> Index:
        """An open index that knows a commit and all below it.

        Raises:
            _NoIndex: it would have to be written, and cannot be.
            sqlite3.Error: it is damaged.
        """
        index = self._usable()
        if index is not None and index.place(start) is not None:
            return index
        if index is not None:
            index.close()
        with self._writing():
            index = self._usable()
            try:
                if index is None:
                    index = self._created()
                self._fill(index, start)
            except OSError as error:
                raise _NoIndex from error
            except BaseException:
                if index is not None:
                    index.close()
                raise
        return index

    def _created(self) -> Index:
        return Index.open(Index.create(self._cache, " ".join(sorted(self._boundary))))

    def _usable(self) -> Index | None:
        """The index that is there, unless it was made for another end of a shallow clone."""
        path = self._file()
        if path is None:
            return None
        index = Index.open(path)
        try:
            if index.boundary() == " ".join(sorted(self._boundary)):
                return index
        except BaseException:
            index.close()
            raise
        index.close()
        return None

    def _fill(self, index: Index, start: str) -> None:
        order, parents = self._unknown(index, start)
        self._progress(0, len(order))
        for at in range(0, len(order), _BATCH):
            batch = [self._facts(self._read(oid)) for oid in order[at : at + _BATCH]]
            index.add(batch, parents)
            self._progress(min(at + _BATCH, len(order)), len(order))

    def _unknown(self, index: Index, start: str) -> tuple[list[str], dict[str, tuple[str, ...]]]:
        """Commits that the index lacks, parents first, first parents before others."""
        order: list[str] = []
        parents: dict[str, tuple[str, ...]] = {}
        done: set[str] = set()
        todo = [start]
        while todo:
            oid = todo[-1]
            if oid in done or oid in parents:
                todo.pop()
                if oid not in done:
                    done.add(oid)
                    order.append(oid)
                continue
            if index.place(oid) is not None:
                done.add(oid)
                continue
            parents[oid] = self._parents(oid)
            if len(parents) % _BATCH == 0:
                self._progress(len(parents), 0)
            todo += [parent for parent in reversed(parents[oid]) if parent not in done]
        return order, parents

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """The right to write the index, one process at a time; the kernel frees it.

        Raises:
            _NoIndex: another process has it, or the folder may not be written.
        """
        lock = disk.KernelLock(self._cache / "timeline.lock")
        try:
            lock.take(wait=BUSY)
        except (Busy, OSError) as error:
            raise _NoIndex from error
        with lock:
            yield
