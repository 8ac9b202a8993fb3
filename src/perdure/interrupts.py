"""Ctrl-C while a coroutine runs: it is cancelled, where asyncio can bear it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def run_coroutine(work: Coroutine[Any, Any, T], runner: asyncio.Runner | None = None) -> T:
    """Run a coroutine to its end; Ctrl-C cancels it, and pressed again ends it wherever it is.

    asyncio's own handler (`Runner._on_sigint`, 3.11 to 3.14) cancels at once, also in the middle of
    a callback that is about to settle what the coroutine waits for. The callback then fails with
    InvalidStateError, and its traceback is printed. Here the loop cancels, between two callbacks.

    Args:
        work: what runs.
        runner: whose loop it runs in; None: one of its own.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    if runner is None:
        with closing(asyncio.Runner()) as own:  # which makes its loop below, where Ctrl-C is taken
            return run_coroutine(work, own)
    presses = _Presses()

    async def watched() -> T:
        presses.cancel_here()
        return await work

    with presses.taken():
        try:
            return runner.run(watched())
        except asyncio.CancelledError:
            if presses.count:
                raise KeyboardInterrupt from None
            raise


class _Presses:
    """How often Ctrl-C was pressed, and the task that the first one cancels."""

    def __init__(self) -> None:
        self.count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def cancel_here(self) -> None:
        """The task that runs is the one to cancel: at once, if Ctrl-C was pressed before it."""
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self.count and self._task is not None:
            self._task.cancel()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Ctrl-C comes here during the block, unless it is ignored or has a handler already."""
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        ):
            yield
            return
        signal.signal(signal.SIGINT, self._pressed)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _pressed(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._loop is None or self._task is None:
            return
        if self.count > 1 or self._task.done():
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._task.cancel)
