"""Find earlier turns by their words, for ``perdure search`` and the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from perdure.companion.conversation.chunk import parse_chunks
from perdure.companion.ids import TurnId
from perdure.companion.turns import Message, Reply, Turn
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.recall import Hit, RecallIndex, RecallQuery
from perdure.snapshot.companion import her_names
from perdure.snapshot.errors import UnknownTurn
from perdure.snapshot.excluded import read_excluded

Marks = tuple[tuple[int, int], ...]
"""Where found words begin and end in a text."""
_AROUND = 2
"""Turns around one that can make it fit."""


@dataclass(frozen=True, slots=True)
class FoundTurn:
    """A hit, with what was said."""

    hit: Hit
    title: str
    turn: Turn

    @property
    def said(self) -> list[Message | Reply]:
        """Its messages in their order."""
        first = [self.turn.message] if self.turn.message else []
        return [*first, *self.turn.replies]

    @property
    def at(self) -> datetime | None:
        """When it was said, where that is known."""
        return next((each.at for each in self.said if each.at), None)


def search_turns(
    repo: Repository,
    start: str,
    index: RecallIndex,
    text: str,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 10,
) -> list[FoundTurn]:
    """The turns that fit a text best, best first. Excluded turns are not found.

    Args:
        repo: the repository.
        start: id of the commit whose history is searched.
        index: the recall index; what it does not hold yet is read first.
        text: what is searched for.
        now: the present moment, from which "last summer" counts.
        since: only what was said from this moment on.
        until: only what was said before this moment.
        limit: how many at most.

    Raises:
        HistoryError: the conversations cannot be read.
    """
    without = read_excluded(repo, start).__contains__
    hers = her_names(repo, start)
    query = RecallQuery(text, now=now, without=without, since=since, until=until, hers=hers)
    return [_found_turn(repo, start, hit) for hit in index.find(start, query, limit=limit)]


def with_own_words(found: Sequence[FoundTurn]) -> list[FoundTurn]:
    """Leave out turns that were found only by the words of a listed neighbour; keeps the order.

    A turn also fits by what was said around it. If that is listed itself, and the turn has none of
    the words, it is left out here; prompts weigh it anyway.
    """
    listed = {found_turn.hit.turn for found_turn in found if found_turn.hit.matched}
    return [
        found_turn
        for found_turn in found
        if found_turn.hit.matched
        or not any(
            TurnId(found_turn.hit.turn.conversation, number) in listed
            for number in range(
                max(0, found_turn.hit.turn.number - _AROUND),
                found_turn.hit.turn.number + _AROUND + 1,
            )
        )
    ]


def _found_turn(repo: Repository, start: str, hit: Hit) -> FoundTurn:
    for chunk in parse_chunks(repo.read(hit.path, start) or b"", hit.path):
        if chunk.head.conversation == hit.turn.conversation:
            for turn in chunk.turns:
                if turn.number == hit.turn.number:
                    return FoundTurn(hit, chunk.head.title, turn)
    raise UnknownTurn(f"{hit.path} no longer contains turn {hit.turn}", next_step="Search again")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search on the screen.

    Attributes:
        turns: best first, each with the marks of its messages, in their order.
        notice: why not all of the history could be searched; "" if it was.
    """

    turns: tuple[tuple[FoundTurn, tuple[Marks, ...]], ...] = ()
    notice: str = ""


class HistorySearch:
    """Searches whenever it is asked. All calls come from one thread, which owns the index."""

    def __init__(self) -> None:
        self._index: RecallIndex | None = None

    def find(
        self,
        repo: Repository,
        text: str,
        now: datetime,
        *,
        limit: int = 50,
        progress: Progress | None = None,
    ) -> SearchResult:
        """Find the turns as of HEAD that fit a text best.

        Raises:
            HistoryError: the conversations cannot be read.
        """
        start = repo.head().commit
        if start is None or not text.strip():
            return SearchResult()
        if self._index is None:
            self._index = RecallIndex.open_usual(repo, needs_file=False)
        index = self._index
        index.update(start, progress)
        notices = [index.notice]
        found = search_turns(repo, start, index, text, now=now, limit=limit)
        notices.append(index.notice)
        marked = tuple(
            (each, tuple(tuple(index.marks(said.text, each.hit.matched)) for said in each.said))
            for each in with_own_words(found)
        )
        return SearchResult(marked, ". ".join(dict.fromkeys(filter(None, notices))))

    def close(self) -> None:
        """Close the index's file."""
        if self._index is not None:
            self._index.close()
            self._index = None
