"""A second look at a companion while a talk goes on: its own repository, on its own thread.

A `Session` does one thing after another; a question about years of history must not hold up a turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from perdure.git.repository.repository import Repository

T = TypeVar("T")


class ReaderClosed(Exception):
    """Nobody waits for the answer any more."""


class BackgroundReader:
    """Answers questions about the history. Only reads, but for the index in the cache."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._repo: Repository | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="perdure-reading")
        self._closed = False

    async def ask(self, question: Callable[[Repository], T]) -> T:
        """Put a question to the repository.

        Raises:
            HistoryError, RequestProblem: what the question raises.
        """

        def answer() -> T:
            if self._repo is None:
                self._repo = Repository.open(self._path, recover=False)
            return question(self._repo)

        return await asyncio.get_running_loop().run_in_executor(self._worker, answer)

    def goes_on(self) -> None:
        """Called by long work now and then; raises Leaving once the reader is closed."""
        if self._closed:
            raise ReaderClosed

    def close(self) -> None:
        """Answer nothing more; an index that is being made is left as far as it came."""
        self.close_with(lambda: None)

    def close_with(self, last: Callable[[], None]) -> Future[None]:
        """The same, and do something on the thread before it ends; done when its files are."""
        self._closed = True

        def let_go() -> None:
            last()
            if self._repo is not None:
                self._repo.close()

        closing = self._worker.submit(let_go)
        self._worker.shutdown(wait=False)
        return closing
