"""The timeline's index as a file: opened, made, brought up to a commit, given up."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from perdure.git import cache_file, disk
from perdure.git.errors import Busy
from perdure.git.objects.commit import CommitInfo, parents_of
from perdure.git.objects.tree import Trees
from perdure.git.objects.tree_diff import TreeComparer
from perdure.git.timeline.commit_info import Facts, facts_of
from perdure.git.timeline.index import INDEX_FILES, Index
from perdure.git.timeline.walk import walk
from perdure.progress import Progress

T = TypeVar("T")
_BATCH = 500
_UNUSABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}


class NoIndex(Exception):
    """The cache is busy, full or may not be written: the answer comes from git alone."""


def silent(done: int, total: int) -> None:
    """The progress of a caller without a screen."""


@contextlib.contextmanager
def _closed_on_error(index: Index) -> Iterator[None]:
    try:
        yield
    except BaseException:
        index.close()
        raise


class Opener:
    """Opens the index of one repository, and has it know what it is asked for."""

    def __init__(self, cache: Path, source: Source, progress: Progress) -> None:
        self._cache = cache
        self._source = source
        self._progress = progress

    def ask(self, start: str, question: Callable[[Index], T]) -> T:
        """Put a question to an index that knows a commit; a damaged one is made anew once.

        Raises:
            NoIndex: there is none to be had.
        """
        for attempt in range(2):
            try:
                with contextlib.closing(self.opened(start)) as index:
                    return question(index)
            except sqlite3.Error as error:
                self.give_up_or_drop(error, attempt)
        raise NoIndex

    def give_up_or_drop(self, error: sqlite3.Error, attempt: int) -> None:
        """After an error of SQLite's: remove a damaged index once, else raise NoIndex."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _UNUSABLE or attempt:
            raise NoIndex from error
        with self._writing():
            cache_file.drop(self._cache, INDEX_FILES)

    def file(self) -> Path | None:
        """The index file that is there; it may be of no use."""
        return Index.find(self._cache)

    def opened(self, *starts: str) -> Index:
        """An open index that knows some commits and all below them.

        Raises:
            NoIndex: it would have to be written, and cannot be.
            sqlite3.Error: it is damaged.
        """
        index = self.usable()
        if index is not None:
            with _closed_on_error(index):
                if all(index.place(start) is not None for start in starts):
                    return index
            index.close()
        with self._writing():
            try:
                index = self.usable() or self._created()
                with _closed_on_error(index):
                    for start in starts:
                        self._fill(index, start)
            except OSError as error:
                raise NoIndex from error
        return index

    def _created(self) -> Index:
        return Index.open(Index.create(self._cache, self._source.edge))

    def usable(self) -> Index | None:
        """The index that is there, unless it was made for another end of a shallow clone."""
        path = self.file()
        if path is None:
            return None
        index = Index.open(path)
        with _closed_on_error(index):
            if index.boundary() == self._source.edge:
                return index
        index.close()
        return None

    def _fill(self, index: Index, start: str) -> None:
        order, parents = self._unknown(index, start)
        self._progress(0, len(order))
        for at in range(0, len(order), _BATCH):
            index.add(self._facts(order[at : at + _BATCH]), parents)
            self._progress(min(at + _BATCH, len(order)), len(order))

    def _facts(self, commits: Sequence[str]) -> list[Facts]:
        return [self._source.facts(self._source.read(oid)) for oid in commits]

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
            parents[oid] = self._source.parents(oid)
            if len(parents) % _BATCH == 0:
                self._progress(len(parents), 0)
            todo += [parent for parent in reversed(parents[oid]) if parent not in done]
        return order, parents

    def fill_in_steps(self, start: str, between: Callable[[], None]) -> None:
        """Bring the index up to a commit with its lock free between steps.

        Args:
            start: the commit.
            between: called after each step, without the lock.

        Raises:
            NoIndex: somebody took over, or the index cannot be written.
            OSError, sqlite3.Error: it cannot be written.
        """
        with self._writing():
            index = self.usable() or self._created()
        with contextlib.closing(index):
            path = self.file()
            order, parents = self._unknown(index, start)
            for at in range(0, len(order), _BATCH):
                facts = self._facts(order[at : at + _BATCH])
                with self._writing():
                    if self.file() != path:
                        raise NoIndex
                    index.add(facts, parents)
                between()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """The right to write the index, one process at a time; the kernel frees it.

        Raises:
            NoIndex: another process has it, or the folder may not be written.
        """
        lock = disk.KernelLock(self._cache / "timeline.lock")
        try:
            lock.take(wait=cache_file.BUSY)
        except (Busy, OSError) as error:
            raise NoIndex from error
        with lock:
            yield


@dataclass(slots=True)
class Source:
    """Reads commits, and what follows from them.

    Attributes:
        raw: an object's kind and content, by its id.
        read: a commit, by its id.
        trees: reads trees.
        blob: content of a file, by its id.
        boundary: commits whose parents are not here (a shallow clone).
    """

    raw: Callable[[str], tuple[bytes, bytes]]
    read: Callable[[str], CommitInfo]
    trees: Trees
    blob: Callable[[str], bytes]
    boundary: frozenset[str]
    _comparer: TreeComparer = field(init=False)

    def __post_init__(self) -> None:
        self._comparer = TreeComparer(self.raw)

    @property
    def edge(self) -> str:
        """The boundary as a text: an index is good for one only."""
        return " ".join(sorted(self.boundary))

    def walk(self, *starts: str) -> Iterator[CommitInfo]:
        """Commits reachable from one or several, newest first."""
        return walk(*starts, read=self.read, trees=self.trees, paths=(), boundary=self.boundary)

    def facts(self, info: CommitInfo) -> Facts:
        """What a commit touched, and of which kind it is."""
        return facts_of(
            info,
            tree_of=lambda oid: self.read(oid).tree,
            trees=self._comparer,
            blob=self.blob,
            boundary=self.boundary,
        )

    def parents(self, oid: str) -> tuple[str, ...]:
        """Parents of a commit as far as they are here; not all of it is parsed."""
        return () if oid in self.boundary else parents_of(self.raw(oid)[1])
