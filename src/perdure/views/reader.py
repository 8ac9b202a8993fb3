"""Read a companion during a conversation, with a second repository on a thread of its own.

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
    """The reader was closed: nobody waits for the answer any more."""


class BackgroundReader:
    """Answers questions about the history. Writes nothing but the index in the cache."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._repo: Repository | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="perdure-reading")
        self._closed = False

    async def ask(self, question: Callable[[Repository], T]) -> T:
        """Ask the repository something.

        Raises:
            HistoryError, RequestProblem: what the question raises.
        """

        def answer() -> T:
            if self._repo is None:
                self._repo = Repository.open(self._path, recover=False)
            return question(self._repo)

        return await asyncio.get_running_loop().run_in_executor(self._worker, answer)

    def goes_on(self) -> None:
        """Long work calls this now and then; it raises ReaderClosed once the reader is closed."""
        if self._closed:
            raise ReaderClosed

    def close(self) -> None:
        """Stop answering. An index that is being made is kept as far as it got."""
        self.close_with(lambda: None)

    def close_with(self, last: Callable[[], None]) -> Future[None]:
        """Stop answering, and do one more thing on the thread before it ends."""
        self._closed = True

        def let_go() -> None:
            last()
            if self._repo is not None:
                self._repo.close()

        closing = self._worker.submit(let_go)
        self._worker.shutdown(wait=False)
        return closing
