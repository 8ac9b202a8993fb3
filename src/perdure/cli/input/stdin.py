"""Read standard input as bytes first, so that bad bytes spoil only themselves.

Python's own reader decodes several lines at once, and throws all of them away for one bad byte.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from perdure.errors import Problem


class NotText(Problem):
    """Standard input has bytes that are not text in the terminal's encoding."""

    def __init__(self, error: UnicodeDecodeError) -> None:
        super().__init__(
            f"the input is not {error.encoding.upper()} text: byte {error.start + 1} is invalid",
            "Nothing of it was sent or saved",
            "Convert it first, for example with: iconv -t UTF-8",
        )


def read_text() -> str:
    """All of standard input. Raises NotText."""
    return _decoded(sys.stdin.buffer.read())


def read_line() -> str | None:
    """The next line without its end; None at the end. Raises NotText."""
    line = sys.stdin.buffer.readline()
    return _decoded(line).rstrip("\n") if line else None


def _decoded(data: bytes) -> str:
    try:
        return io.TextIOWrapper(io.BytesIO(data), sys.stdin.encoding, sys.stdin.errors).read()
    except UnicodeDecodeError as error:
        raise NotText(error) from error


_PIECE = 65536


class TypedLines:
    """Reads whole lines from a file descriptor while the event loop keeps running.

    Nothing reads in a thread: one that waits for a terminal could not be ended with the program.
    """

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self._fd = fd
        self._encoding = encoding
        self._read = bytearray()
        self._ended = False

    async def next(self) -> str | None:
        """The next line without its end; None at the end of input.

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
        """Wait until there is something to read; a plain file always has something."""
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
