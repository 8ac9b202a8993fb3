"""The timeline of a repository: what the index answers, and the same by walking where it cannot."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from perdure.git.objects.commit import CommitInfo
from perdure.git.timeline.index import Index
from perdure.git.timeline.index_file import (
    NoIndex,
    Opener,
    Source,
    silent,
)
from perdure.git.timeline.query import Listed, OnlyIn, Query
from perdure.progress import Progress

_LOOK_FIRST = 300
"""Commits that are walked for a short listing before an index is made for it."""


class Timeline:
    """Questions about the history of one revision. Each opens the index for itself."""

    def __init__(self, cache: Path, source: Source, progress: Progress | None = None) -> None:
        self._source = source
        self._opener = Opener(cache, source, progress or silent)

    @property
    def is_indexed(self) -> bool:
        """Whether there is an index; without one, some questions are quicker by a walk."""
        return self._opener.file() is not None

    # Questions

    def listing(self, start: str, query: Query, *, beside: Sequence[str] = ()) -> Iterator[Listed]:
        """Wanted commits among those reachable from one, newest first.

        Args:
            start: id of the commit whose history is meant.
            query: which of them.
            beside: ids of more commits whose histories are meant.
        """
        starts = (start, *beside)
        if query.limit is not None and self._opener.file() is None:
            found = list(self._walked(starts, query, most=_LOOK_FIRST))
            if len(found) == query.limit:
                yield from found
                return
        given = 0
        try:
            for attempt in range(2):
                left = None if query.limit is None else query.limit - given
                try:
                    for listed in self._indexed(starts, query, query.skip + given, left):
                        yield listed
                        given += 1
                except sqlite3.Error as error:
                    self._opener.give_up_or_drop(error, attempt)
                else:
                    return
        except NoIndex:
            yield from islice(self._walked(starts, query), given, None)

    def turn(self, start: str, turn: str) -> list[CommitInfo]:
        """Commits below one that say to be of a turn and touch its conversation, oldest first."""

        def ask(index: Index) -> list[CommitInfo]:
            found = [self._source.read(oid) for oid in index.turns(start, turn)]
            if any(("Turn", turn) not in info.trailers for info in found):
                raise sqlite3.DatabaseError("the index has another turn than the commit")
            return found

        try:
            return self._opener.ask(start, ask)
        except NoIndex:
            said = (info for info in self._source.walk(start) if ("Turn", turn) in info.trailers)
            return [info for info in said if self._source.facts(info).turn == turn][::-1]

    def paths_below(self, start: str, folder: str) -> list[str] | None:
        """Paths below a folder, among them all that stand there as of a commit, in no order.

        Many may be gone by then, or never were on that line. None where there is no index.
        """
        try:
            return self._opener.ask(start, lambda index: index.paths_below(folder))
        except NoIndex:
            return None

    def only_in(self, start: str, others: Sequence[str]) -> OnlyIn | None:
        """What is in the past of one commit and of none of the others.

        None where the index does not know them all by now: none is made for it.
        """
        try:
            index = self._opener.usable()
            if index is None:
                return None
            with contextlib.closing(index):
                if any(index.place(oid) is None for oid in (start, *others)):
                    return None
                return index.only_in(start, others)
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
            return self._opener.ask(start, lambda index: index.tip_before(start, second))
        except NoIndex:
            here: str | None = start
            while here is not None and self._source.read(here).committed_at.timestamp() >= second:
                here = next(iter(self._source.parents(here)), None)
            return here

    @contextlib.contextmanager
    def jumps(self, start: str) -> Iterator[Callable[[str, str], str]]:
        """A function from a commit and a path to the nearest commit that may have changed it.

        Between the two the path is the same and there is one line only. Without an index it stays
        where it is.
        """
        try:
            index = self._opener.opened(start)
        except (NoIndex, sqlite3.Error):
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
            sizes = self._opener.ask(start, lambda index: index.sizes(counter, trees))
        except NoIndex:
            return {tree: count(tree) for tree in dict.fromkeys(trees)}
        new = {tree: count(tree) for tree in dict.fromkeys(trees) if tree not in sizes}
        if new:
            with contextlib.suppress(NoIndex, sqlite3.Error):
                self._opener.ask(start, lambda index: index.keep_sizes(counter, new))
        return sizes | new

    def update(self, start: str) -> bool:
        """Bring the index up to a commit. False where it cannot be written just now."""
        try:
            self._opener.ask(start, lambda _: None)
        except NoIndex:
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
            self._opener.fill_in_steps(start, between)
        except (NoIndex, OSError, sqlite3.Error):
            return False
        return True

    # Answers

    def _walked(
        self, starts: Sequence[str], query: Query, most: int | None = None
    ) -> Iterator[Listed]:
        looked_at = islice(self._source.walk(*starts), most)
        wanted = (
            Listed(facts.commit, facts.kind, facts.turn, facts.touched[0], facts.words)
            for info in looked_at
            if query.fits_message(info) and query.fits(facts := self._source.facts(info))
        )
        stop = None if query.limit is None else query.skip + query.limit
        return islice(wanted, query.skip, stop)

    def _indexed(
        self, starts: Sequence[str], query: Query, skip: int, limit: int | None
    ) -> Iterator[Listed]:
        index = self._opener.opened(*starts)
        try:
            rows = list(index.select(starts, query, skip=skip, limit=limit))
            for oid, n, kind, turn, added, removed in rows:
                info = self._source.read(oid)
                if not (query.fits_message(info) and index.stands(info)):
                    raise sqlite3.DatabaseError("the index says something else than the commit")
                yield Listed(info, kind, turn, index.files(n), (added, removed))
        finally:
            index.close()
