"""Lines from standard input, while the event loop goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 65536


class TypedLines:
    """Reads a file descriptor by whole lines; what happens between them is the loop's.

    Nothing reads in a thread: one that waits for a terminal could not be ended with the program.
    """

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self._fd = fd
        self._encoding = encoding
        self._read = bytearray()
        self._ended = False

    async def next(self) -> str | None:
        """The next line without its end; None at the end of the input.

        Raises:
            UnicodeDecodeError: it was no text in this encoding; the line is passed over.
        """
        while b"\n" not in self._read and not self._ended:
            await self._wait()
            piece = os.read(self._fd, _PIECE)
            self._ended = not piece
            self._read += piece
        if not self._read:
            return None
        line, _, self._read = self._read.partition(b"\n")
        return line.decode(self._encoding).removesuffix("\r")

    async def _wait(self) -> None:
        """Until there is something to read; a plain file always has something."""
        ready = asyncio.Event()
        with self._watched(ready):
            await ready.wait()

    @contextmanager
    def _watched(self, ready: asyncio.Event) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(self._fd, ready.set)
        except OSError:
            # Files and the null device cannot be watched, and never keep anybody waiting.
            ready.set()
            yield
            return
        try:
            yield
        finally:
            loop.remove_reader(self._fd)
