"""One turn from its message to its commit: prepare, ask, save, and tell each step as an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from perdure.actions.turns.pending import TurnKind
from perdure.backends.errors import BackendError
from perdure.backends.protocol import Backend
from perdure.chat.background.memory import BackgroundMemory
from perdure.chat.background.prefill import Prefill
from perdure.chat.background.sync import sync_after_turn
from perdure.chat.errors import TurnRunning
from perdure.chat.events import Emit, Event, Failed, Greeted, MessageKept
from perdure.chat.reply.end import end_events
from perdure.chat.routing.failover import RoutedReply
from perdure.chat.routing.router import Router, Work
from perdure.chat.turn.regenerate import give_up
from perdure.chat.turn.store import KEY_MASKED, PreparedTurn, TurnStore
from perdure.companion.ids import TurnId
from perdure.git.errors import HistoryError
from perdure.notice import Notice

Prepare = Callable[[], PreparedTurn | tuple[Event, ...]]
"""Prepares a turn; or does all there is to do, as for another greeting, and tells it."""


class TurnRunner:
    """Runs the turns of one session, one at a time. Used on the event loop.

    Attributes:
        window: tokens of the context window that the last prompt was made for; 0 before.
        used: tokens of that prompt.
        saved_at: when the last reply ended.
    """

    def __init__(
        self,
        store: TurnStore,
        router: Router,
        memory: BackgroundMemory,
        prefill: Prefill,
        work: Work,
    ) -> None:
        self._store = store
        self._router = router
        self._memory = memory
        self._prefill = prefill
        self._work = work
        self._running: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.window = 0
        self.used = 0
        self.saved_at: datetime | None = None

    @property
    def busy(self) -> bool:
        """True while a turn is running."""
        return self._running is not None and not self._running.done()

    def check_idle(self) -> None:
        """Raises TurnRunning during a turn."""
        if self.busy:
            raise TurnRunning(
                "a reply is still being written.", next_step="Stop it, or wait until it ends"
            )

    async def run(self, prepare: Prepare) -> AsyncIterator[Event]:
        """Run a turn as a task of its own: a face that goes away must not lose the reply.

        Args:
            prepare: runs on the repository's thread.
        """
        self.check_idle()
        self._stop = asyncio.Event()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()

        async def run() -> None:
            try:
                await self._turn(prepare, queue.put_nowait)
            finally:
                queue.put_nowait(None)

        self._running = asyncio.create_task(run())
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self.stop()
            await asyncio.wait({self._running})
        self._running.result()

    def stop(self) -> None:
        """End the running reply; what came of it is committed, marked interrupted."""
        self._stop.set()

    async def end(self) -> None:
        """Stop a running turn, and the work between turns."""
        self.stop()
        if self._running is not None:
            await asyncio.wait({self._running})
        await self.end_background()

    async def end_background(self) -> None:
        """Break off what is done between turns."""
        await self._memory.stop()
        await self._prefill.stop()

    async def _turn(self, prepare: Prepare, emit: Emit) -> None:
        # First of all: what is prepared below must be the last that was committed.
        self._router.recaller.pause()
        await self._memory.stop()
        chosen = self._router.take_chosen()
        try:
            prepared = await self._work(prepare)
        except BaseException as problem:
            self._router.give_back(chosen)
            if not isinstance(problem, HistoryError):
                raise
            emit(Failed(problem.what, problem.kept, problem.next_step))
            return
        if not isinstance(prepared, PreparedTurn):
            self._router.give_back(chosen)
            for event in prepared:
                emit(event)
            return
        _tell_prepared(prepared, emit)
        await self.end_background()
        routed = await self._router.answer(prepared, chosen, self._stop, emit)
        if await self._finish(prepared, routed, emit):
            await self._router.learn(routed)
            for event in end_events(prepared.pending.kind, routed.streamed, routed.backend):
                emit(event)
        await self._router.let_go()
        self._router.recaller.go_on()
        if routed.streamed.prompt is not None:
            self._memory.turn_over(prepared.thread, routed.streamed.prompt.choice.window)

    async def _finish(self, prepared: PreparedTurn, routed: RoutedReply, emit: Emit) -> bool:
        """Save the turn, or give it up where no word came; False where it could not be saved."""
        streamed = routed.streamed
        if streamed.prompt is not None:
            self.window = await _window_or_zero(routed.backend)
            self.used = streamed.prompt_tokens
        if streamed.masked:
            emit(Notice(KEY_MASKED, "warning"))
        if streamed.reply is None and prepared.pending.kind is not TurnKind.NEW:
            for notice in await self._work(lambda: give_up(self._store, prepared)):
                emit(notice)
            return True
        try:
            saved = await self._work(
                lambda: self._store.commit(prepared, streamed.reply, routed.facts)
            )
        except HistoryError as problem:
            emit(
                Failed(
                    problem.what,
                    "Your words and the reply are kept in the journal.",
                    problem.next_step or "They are committed when the companion is next opened.",
                )
            )
            return False
        self.saved_at = streamed.ended_at
        emit(saved)
        settings = self._store.position.companion.settings
        await self._work(lambda: sync_after_turn(self._store.repo, settings))
        for notice in await self._work(self._store.commit_notices):
            emit(notice)
        return True


def _tell_prepared(prepared: PreparedTurn, emit: Emit) -> None:
    pending = prepared.pending
    for notice in prepared.notices:
        emit(notice)
    if pending.greeting is not None:
        emit(Greeted(TurnId(pending.location.conversation, 0), pending.greeting))
    if pending.kind is TurnKind.NEW and pending.message is not None:
        emit(MessageKept(pending.turn_id, pending.message))


async def _window_or_zero(backend: Backend) -> int:
    try:
        return await backend.context_window()
    except BackendError:
        return 0
