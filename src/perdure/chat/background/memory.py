"""Writing summaries and proposing facts between turns.

It waits for nobody and nobody waits for it: a message that is sent, and the end of the program,
break it off at once, and what was not committed is done another time. Two things call for it: turns
that have left the window, and conversations that are over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from perdure.backends.disabled import DisabledBackend
from perdure.backends.errors import BackendError
from perdure.chat.background.conversation import (
    ConversationReading,
    left_of,
    newest,
    read_conversation,
    refusal,
)
from perdure.chat.background.progress import MemoryProgress
from perdure.chat.background.save import MemoryCommit, MemoryResult, commit_memory
from perdure.chat.background.summarise import (
    MOST_CALLS,
    MemoryModel,
    TooLong,
    find_facts,
    may_read,
    summarise,
    without_model,
)
from perdure.chat.routing.router import Router, Work
from perdure.chat.turn.store import TurnStore
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.summaries import Summary
from perdure.errors import Problem
from perdure.memory.extract_facts import proposals
from perdure.notice import Notice
from perdure.prompt import PastTurn

NEWEST = 3
"""Conversations that are over and looked at by themselves; the others are on demand."""
_TRIES = 3
"""How often one thing is begun in a session."""
_FEWEST_MESSAGES = 2
"""Of the user, in a conversation that is summarised by itself."""
_ON_DEMAND_CALLS = 10_000

_ROLLS_ON = 4
"""Turns that have left the window since the last text of a summary, for the next one."""
_NO_USE = "its answer was not usable"
_TOO_LONG = "the conversation is too long for it"

Tell = Callable[[Notice], None]


@dataclass(frozen=True, slots=True)
class MemoryTask:
    """One conversation, and what is wanted of it."""

    reading: ConversationReading
    summary: bool
    facts: bool
    anew: bool = False
    """The summary is made from the whole conversation, whatever stands."""


class BackgroundMemory:
    """The background work of one session. Used on the event loop."""

    def __init__(
        self, store: TurnStore, router: Router, work: Work, after: Callable[[], Awaitable[None]]
    ) -> None:
        """``after`` is awaited once something was written."""
        self._store = store
        self._router = router
        self._work = work
        self._after = after
        self._marks = MemoryProgress(store.repo.state_dir)
        self._tell: Tell | None = None
        self._running: asyncio.Task[None] | None = None
        self._left: dict[ConversationId, int] = {}
        self._begun: Counter[tuple[ConversationId, int]] = Counter()

    # In the background

    def begin(self, tell: Tell) -> None:
        """From now on, work between turns; ``tell`` is called with what was written."""
        self._tell = tell
        self.go_on()

    def turn_over(self, thread: Sequence[PastTurn], window: TurnId | None) -> None:
        """A turn was saved; ``window`` is the first turn of the thread that its prompt held."""
        self._left = left_of(thread, window)
        self.go_on()

    def go_on(self) -> None:
        """Look for something to do, unless that goes on already."""
        if self._tell is not None and (self._running is None or self._running.done()):
            self._running = asyncio.create_task(self._run(self._tell))

    async def stop(self) -> None:
        """Break off. What is being committed is committed, within milliseconds."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
            self._running = None

    async def _run(self, tell: Tell) -> None:
        left, has_model = dict(self._left), self._has_model()
        wrote = False
        # Whatever keeps it from being done, nobody has asked for it; the next time tries again.
        with contextlib.suppress(Problem):
            for name, through in await self._work(lambda: self._names(left)):
                task = await self._work(partial(self._task, name, through, has_model=has_model))
                if task is None:
                    continue
                self._begun[name, task.reading.through] += 1
                outcome = await self._think(task, MOST_CALLS)
                for notice in await self._keep(task, outcome):
                    wrote = True
                    tell(notice)
        if wrote:
            await self._after()

    def _names(self, left: dict[ConversationId, int]) -> list[tuple[ConversationId, int | None]]:
        """The conversations in question, and up to which turn; None: to the end."""
        policy = self._store.position.companion.settings.memory
        if (policy.summaries == "off" and policy.facts == "off") or refusal(self._store.position):
            return []
        found: dict[ConversationId, int | None] = dict(left)
        found.update(dict.fromkeys(newest(self._store.position, NEWEST)))
        return list(found.items())

    def _task(
        self, name: ConversationId, through: int | None, *, has_model: bool
    ) -> MemoryTask | None:
        """What is to be done for a conversation; None where it is done."""
        policy = self._store.position.companion.settings.memory
        reading = read_conversation(self._store.position, name, through, facts=has_model)
        if reading is None or self._begun[name, reading.through] >= _TRIES:
            return None
        mark = self._marks.of(reading.branch, name)
        facts = (
            policy.facts != "off"
            and has_model
            and through is None
            and reading.own
            and mark.facts < reading.through
        )
        summary = policy.summaries != "off" and self._wants_summary(reading, has_model=has_model)
        if reading.standing is None and through is None and _messages(reading) < _FEWEST_MESSAGES:
            return None
        return MemoryTask(reading, summary, facts) if summary or facts else None

    def _wants_summary(self, reading: ConversationReading, *, has_model: bool) -> bool:
        mark, standing = self._marks.of(reading.branch, reading.conversation), reading.standing
        done = max(mark.summary, standing.through if standing is not None else -1)
        if done < reading.through:
            # While the conversation goes on, not after every turn of it.
            since = sum(turn.number > done for turn in reading.turns)
            return reading.whole or done < 0 or since >= _ROLLS_ON
        if standing is None or standing.by_hand:
            return False
        if self._store.position.companion.settings.memory.summaries == "review":
            return False
        if reading.is_stale:
            return True
        better = standing.extractive and has_model
        return better and mark.asked != self._ask_mark(reading)

    def _has_model(self) -> bool:
        first = self._router.first
        return not (first.rehearsal or isinstance(first, DisabledBackend))

    def _ask_mark(self, reading: ConversationReading) -> str:
        spec = self._router.first.spec
        return f"{spec.name} {spec.model} {reading.through}"

    # On demand

    async def task(
        self, conversation: ConversationId, *, facts: bool, again: bool = False
    ) -> MemoryTask | None:
        """What `do` would do for a conversation; None where there is nothing to do.

        Args:
            conversation: any of this branch.
            facts: also look for facts, whether that was done before or not.
            again: also where its summary covers it all.
        """
        has_model = self._has_model()

        def look() -> MemoryTask | None:
            reading = read_conversation(self._store.position, conversation, facts=facts)
            if reading is None:
                return None
            standing = reading.standing
            there = standing is not None and standing.through >= reading.through
            better = standing is not None and standing.extractive and has_model
            summary = again or better or reading.is_stale or not there
            if not (summary or facts):
                return None
            return MemoryTask(reading, summary, facts and has_model, again)

        return await self._work(look)

    async def do(
        self, task: MemoryTask, *, allowed: bool = False
    ) -> tuple[MemoryCommit | None, str]:
        """Do it now. What was written, and why a model was not asked or gave nothing, or "".

        ``allowed`` lets a hosted backend read it that has not spoken in it.

        Raises:
            RequestProblem, HistoryError: it could not be committed; nothing was changed.
        """
        outcome, why = await self._ask(task, _ON_DEMAND_CALLS, allowed=allowed)
        return await self._commit(task, outcome, asked=True), why

    # Both

    async def _think(self, task: MemoryTask, calls: int) -> MemoryResult:
        return (await self._ask(task, calls))[0]

    async def _ask(
        self, task: MemoryTask, calls: int, *, allowed: bool = False
    ) -> tuple[MemoryResult, str]:
        """What a model makes of it, or the conversation's own sentences; and what went wrong."""
        reading, settings = task.reading, self._store.position.companion.settings
        outcome, why = MemoryResult(), ""
        try:
            first = self._router.first
            known = self._router.corrections
            form = self._router.form
            asked = await may_read(first, reading, settings, known, form=form, allowed=allowed)
            if asked is None:
                why = self._why_not()
            else:
                outcome, why = await self._by_model(asked, task, calls)
        except BackendError as problem:
            why = problem.what
        if task.summary and outcome.summary is None and _may_extract(reading):
            made = await asyncio.to_thread(without_model, reading, settings)
            outcome = replace(outcome, summary=made)
        return outcome, why

    async def _by_model(
        self, asked: MemoryModel, task: MemoryTask, calls: int
    ) -> tuple[MemoryResult, str]:
        reading, settings = task.reading, self._store.position.companion.settings
        summary: Summary | None = None
        outcome, why = MemoryResult(backend=asked.name, model=asked.backend.spec.model), ""
        if task.summary:
            try:
                summary = await summarise(asked, reading, settings, calls=calls, anew=task.anew)
                why = "" if summary is not None else _NO_USE
            except TooLong:
                why = _TOO_LONG
            mark = self._ask_mark(reading)
            self._marks.note(reading.branch, reading.conversation, asked=mark)
            outcome = replace(outcome, summary=summary)
        if task.facts:
            # A summary that is there is kept, whatever becomes of the facts.
            try:
                found = await find_facts(asked, reading, settings, calls=calls)
            except (BackendError, TooLong) as problem:
                return outcome, getattr(problem, "what", _TOO_LONG)
            waiting = reading.review.proposals if reading.review is not None else ()
            made = proposals(found.facts, reading.conversation, reading.facts, waiting)
            outcome = replace(outcome, proposals=made, facts_asked=True, dropped=found.dropped)
        return outcome, why

    async def _keep(self, task: MemoryTask, outcome: MemoryResult) -> list[Notice]:
        """Commit, also where it is broken off meanwhile; what to tell."""
        saving = asyncio.ensure_future(self._commit(task, outcome))
        try:
            written = await asyncio.shield(saving)
        except asyncio.CancelledError:
            await asyncio.wait({saving})
            if not saving.cancelled():
                saving.exception()
            raise
        return written.notices() if written is not None else []

    async def _commit(
        self, task: MemoryTask, outcome: MemoryResult, *, asked: bool = False
    ) -> MemoryCommit | None:
        reading = task.reading

        def put() -> MemoryCommit | None:
            written = commit_memory(self._store, reading, outcome, asked=asked)
            self._marks.note(
                reading.branch,
                reading.conversation,
                summary=reading.through if outcome.summary is not None else None,
                facts=reading.through if outcome.facts_asked else None,
            )
            return written

        return await self._work(put)

    def _why_not(self) -> str:
        first = self._router.first
        if first.rehearsal:
            return f"{first.spec.name} is a rehearsal model"
        if isinstance(first, DisabledBackend):
            return first.problem.what
        return f"{first.spec.name} is hosted, and took no part in this conversation"


def _messages(reading: ConversationReading) -> int:
    return sum(turn.message is not None for turn in reading.turns)


def _may_extract(reading: ConversationReading) -> bool:
    """Whether sentences of the conversation may take the place of what stands: only of the like."""
    standing = reading.standing
    return not reading.unreadable and (standing is None or standing.extractive or reading.is_stale)
