"""Earlier turns for the next prompt, found without holding up a turn.

The index has its own repository and its own thread. A turn waits for it a moment; an index that has
years to catch up with goes on reading behind the turn, which is answered without recall, and that
is said once. What goes wrong there is no reason not to answer either.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Turn
from perdure.errors import Problem
from perdure.git.repository.repository import Repository
from perdure.prompt import PastTurn
from perdure.snapshot.excluded import Excluded
from perdure.views.reader import BackgroundReader, ReaderClosed

if TYPE_CHECKING:
    from perdure.recall.api import Hit
    from perdure.recall.index import RecallIndex

WAIT = 0.4
"""Seconds that a turn waits for its earlier moments."""
MOST = 24
"""Turns that are looked for."""
SURE = 10
"""Turns that are taken however well they fit."""
FLOOR = 0.25
"""Share of the best score that the others need."""
_MANY = 64
"""Chunks still to be read from which on it is said that recall is behind."""
_BEFORE = 4
"""Messages before the newest one that the question is understood by."""
_BEHIND = "Recall is still reading earlier turns, so this reply comes without them."


@dataclass(frozen=True, slots=True)
class RecalledTurns:
    """What recall has for one message.

    Attributes:
        turns: ids, the best first.
        scores: how well each fits; comparable within one answer only.
        texts: these turns and those around them.
        notice: what to tell, once; "" for nothing.
    """

    turns: tuple[TurnId, ...] = ()
    scores: Mapping[TurnId, float] = field(default_factory=dict)
    texts: Mapping[TurnId, Turn] = field(default_factory=dict)
    notice: str = ""


@dataclass(frozen=True, slots=True)
class RecallRequest:
    """For which message earlier turns are wanted, and which are not.

    Attributes:
        rev: the commit whose history is searched.
        thread: the turns of the conversation; the last one is the newest message.
        sent: those that the prompt has anyway.
        excluded: what is kept out of prompts.
        hers: the companion's names, the present one and former ones.
    """

    rev: str
    thread: tuple[PastTurn, ...]
    sent: frozenset[TurnId]
    excluded: Excluded
    hers: tuple[str, ...] = ()

    @property
    def now(self) -> datetime | None:
        """When the newest message was said."""
        message = self.thread[-1].turn.message
        return message.at if message is not None else None

    def texts(self) -> list[str]:
        """Texts of the newest messages, the newest last."""
        said: list[str] = []
        for past in self.thread[-_BEFORE - 1 :]:
            if past.turn.message is not None:
                said.append(past.turn.message.text)
            said += [reply.text for reply in past.turn.replies]
        return said[-_BEFORE - 1 :]

    def unwanted(self) -> Callable[[TurnId], bool]:
        """Whether a turn is in the prompt anyway, is set aside, or comes after this message."""
        last: dict[ConversationId, int] = {}
        for past in self.thread:
            known = last.get(past.id.conversation, 0)
            last[past.id.conversation] = max(known, past.id.number)

        def unwanted(turn: TurnId) -> bool:
            after = turn.number > last.get(turn.conversation, turn.number)
            return after or turn in self.sent or turn in self.excluded

        return unwanted


class Recaller:
    """Finds earlier turns for one session. Its methods are called on the event loop."""

    def __init__(self, path: Path) -> None:
        self._reader = BackgroundReader(path)
        self._index: RecallIndex | None = None
        self._running: asyncio.Future[RecalledTurns] | None = None
        self._to_read = 0
        self._said: set[str] = set()
        self._background = False
        self._wanted = False
        self._embedding: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """From now on, read the meaning of what was said between turns, where a model does that."""
        self._background = True
        self.go_on()

    def go_on(self) -> None:
        """Read on, unless that goes on already."""
        if self._background and (self._embedding is None or self._embedding.done()):
            self._wanted = False
            self._embedding = asyncio.ensure_future(self._reader.ask(self._embed))
            self._embedding.add_done_callback(lambda done: done.cancelled() or done.exception())

    def pause(self) -> None:
        """Read no further: the next question comes, or a model wants the processor."""
        self._wanted = True

    async def find(self, wanted: RecallRequest, *, wait: float | None = None) -> RecalledTurns:
        """What was said before and fits the newest message; nothing where that takes too long.

        Nothing is raised. ``wait`` is in seconds; `WAIT` without.
        """
        wait = WAIT if wait is None else wait
        self.pause()
        if self._running is not None and not self._running.done():
            await asyncio.wait({self._running}, timeout=wait)
            if not self._running.done():
                return RecalledTurns(notice=self._behind())
        self._running = asyncio.ensure_future(
            self._reader.ask(lambda repo: self._answer(repo, wanted))
        )
        await asyncio.wait({self._running}, timeout=wait)
        if not self._running.done():
            return RecalledTurns(notice=self._behind())
        try:
            found = self._running.result()
        except (Problem, ReaderClosed, RuntimeError) as problem:
            message = problem.what if isinstance(problem, Problem) else str(problem)
            return RecalledTurns(
                notice=self._once(f"Earlier turns could not be searched: {message}")
            )
        return RecalledTurns(found.turns, found.scores, found.texts, self._once(found.notice))

    async def close(self) -> None:
        """Look for nothing more. An index that is being read is left as far as it came."""
        self.pause()
        self._background = False
        closing = asyncio.wrap_future(self._reader.close_with(self._let_go))
        closing.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self._running is not None:
            self._running.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Behind it, whoever copies or removes the folder meets no file that comes or goes.
        await asyncio.wait({closing}, timeout=WAIT)

    def _let_go(self) -> None:
        if self._index is not None:
            self._index.close()

    def _behind(self) -> str:
        return self._once(_BEHIND) if self._to_read >= _MANY else ""

    def _once(self, notice: str) -> str:
        """A notice that was not given before, else ""."""
        if not notice or notice in self._said:
            return ""
        self._said.add(notice)
        return notice

    # On the reader's thread

    def _answer(self, repo: Repository, wanted: RecallRequest) -> RecalledTurns:
        index = self._open(repo)
        index.update(wanted.rev, self._goes_on)
        return look(repo, index, wanted)

    def _open(self, repo: Repository) -> RecallIndex:
        from perdure.recall.index import RecallIndex

        if self._index is None:
            self._index = RecallIndex.open_usual(repo)
        return self._index

    def _embed(self, repo: Repository) -> None:
        """Read meaning until a question comes; what was read until then is kept."""
        index, head = self._open(repo), repo.head().commit
        if head is None or not index.by_meaning:
            return

        def goes_on(done: int, total: int) -> None:  # noqa: ARG001 - what progress is called with
            self._reader.goes_on()
            if self._wanted:
                raise ReaderClosed

        with contextlib.suppress(ReaderClosed, Problem):
            index.update(head, goes_on)
            index.embed(head, goes_on)

    def _goes_on(self, done: int, total: int) -> None:
        self._to_read = total - done
        self._reader.goes_on()


def look(
    repo: Repository, index: RecallIndex, wanted: RecallRequest, limit: int = MOST
) -> RecalledTurns:
    """Ask a level index. Raises HistoryError."""
    from perdure.recall.api import RecallQuery

    *before, newest = wanted.texts() or [""]
    unwanted = wanted.unwanted()
    query = RecallQuery(
        newest, before=tuple(before), now=wanted.now, without=unwanted, hers=wanted.hers
    )
    hits = worth_a_place(index.find(wanted.rev, query, limit=limit))
    texts: dict[TurnId, Turn] = {}
    for path in dict.fromkeys(hit.path for hit in hits):
        near = [hit.turn for hit in hits if hit.path == path]
        texts |= _around(repo, wanted.rev, unwanted, path, near)
    turns = tuple(hit.turn for hit in hits if hit.turn in texts)
    scores = {hit.turn: hit.score for hit in hits}
    notice = index.notice[:1].upper() + index.notice[1:]
    return RecalledTurns(turns, scores, texts, f"{notice}." if notice else "")


def worth_a_place(hits: Sequence[Hit]) -> list[Hit]:
    """The first of them, and those behind that fit nearly as well as the best."""
    least = FLOOR * max((hit.score for hit in hits), default=0.0)
    return [hit for rank, hit in enumerate(hits) if rank < SURE or hit.score >= least]


def _around(
    repo: Repository,
    rev: str,
    unwanted: Callable[[TurnId], bool],
    path: str,
    hits: Sequence[TurnId],
) -> dict[TurnId, Turn]:
    """Turns of a chunk and their neighbours in it, as far as they are wanted."""
    from perdure.companion.conversation.chunk import only_turns, parse_chunks

    data = repo.read(path, rev)
    if data is None:
        return {}
    wanted: dict[int, list[ConversationId]] = {}
    for hit in hits:
        for step in (-1, 0, 1):
            wanted.setdefault(hit.number + step, []).append(hit.conversation)
    found = {}
    for chunk in parse_chunks(only_turns(data, wanted), path):
        for each in chunk.turns:
            for conversation in wanted.get(each.number, ()):
                turn = TurnId(conversation, each.number)
                if chunk.head.conversation in {None, conversation} and not unwanted(turn):
                    found[turn] = each
    return found
