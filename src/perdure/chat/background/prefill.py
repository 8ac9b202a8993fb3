"""Letting a local model read the front of the next prompt while the user types."""

from __future__ import annotations

import asyncio
import contextlib

from perdure.backends.errors import BackendError
from perdure.chat.reply.prompt import prefill
from perdure.chat.routing.router import Router, Work
from perdure.chat.turn.store import TurnStore
from perdure.git.errors import HistoryError


class Prefill:
    """At most one such reading of a session. Used on the event loop."""

    def __init__(self, store: TurnStore, router: Router, work: Work) -> None:
        self._store = store
        self._router = router
        self._work = work
        self._task: asyncio.Task[None] | None = None

    @property
    def has_begun(self) -> bool:
        """Whether one was begun, be it over or not."""
        return self._task is not None

    async def begin(self) -> None:
        """Begin to read what will stand before the next message, as it is now.

        Not with a hosted backend, which would charge for it.
        """
        await self.stop()
        first = self._router.first
        if first.hosted:
            return
        # What cannot be read or locked now is said when a message is sent.
        with contextlib.suppress(HistoryError, BackendError):
            thread = await self._work(self._store.position.thread_to_come)
            material = await self._router.material(thread)
            form = await self._router.form(first)
            reading = prefill(
                self._store.position.companion,
                thread,
                first,
                material,
                self._router.corrections,
                form,
            )
            self._task = asyncio.create_task(reading)

    async def stop(self) -> None:
        """What was read so far stays in the backend's cache."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
