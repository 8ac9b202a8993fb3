"""A program on a terminal of its own, read and typed into as a person would."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.processes import ROOT, Words, started

_WITH_KEYS = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal the one whose keys send signals. Not by a fork: there are threads here."""


class Terminal:
    """A pseudo-terminal, and the program on it."""

    def __init__(self, leader: int, process: subprocess.Popen[str]) -> None:
        self.leader = leader
        self.process = process
        self.shown = bytearray()

    def until(self, wanted: str, *, after: int = 0) -> None:
        """Read what is drawn until these words stand there. Raises EOFError where it ends before.

        Args:
            wanted: the words.
            after: how much of what is shown came before them.
        """
        while self.shown.find(wanted.encode(), after) < 0:
            if not self.read():
                raise EOFError(f"{wanted!r} did not come: {bytes(self.shown[-2000:])!r}")

    def read(self) -> bool:
        """Take what is drawn next; False where the program's side is closed."""
        try:
            drawn = os.read(self.leader, 65536)
        except OSError:  # Linux says so where the other end is closed
            return False
        self.shown += drawn
        return bool(drawn)

    def is_ready(self, seconds: float | None = None) -> bool:
        """Wait so long for something to read. Unlike select, poll takes any descriptor."""
        poll = select.poll()
        poll.register(self.leader, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    def send(self, data: bytes) -> None:
        """Type; what is drawn meanwhile is read, so that neither side waits for the other."""
        poll = select.poll()
        poll.register(self.leader, select.POLLIN | select.POLLOUT)
        while data:
            ((_, events),) = poll.poll()
            if events & select.POLLIN:
                self.read()
            if events & select.POLLOUT:
                data = data[os.write(self.leader, data[:2048]) :]
            elif not events & select.POLLIN:
                raise EOFError(f"nobody reads: {bytes(self.shown[-2000:])!r}")

    def ended(self) -> int:
        """The exit code, once it has ended; what it still draws is read."""
        while self.read():
            pass
        return self.process.wait()

    def close(self) -> None:
        """As a person closes a window."""
        if self.leader >= 0:
            os.close(self.leader)
            self.leader = -1


@contextlib.contextmanager
def on_a_terminal(
    words: Words,
    *,
    folder: Path = ROOT,
    size: tuple[int, int] = (100, 30),
    has_keys: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """The program, which is there until the end of the block and no longer.

    Args:
        words: the command.
        folder: where it stands.
        size: columns and rows.
        has_keys: the interrupt key sends a signal, and closing hangs up.
        environ: variables on top of this process's own.
    """
    command = [sys.executable, "-ISc", _WITH_KEYS, *words] if has_keys else words
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", **(environ or {})}
    with started(
        command, folder=folder, env=env, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        terminal = Terminal(leader, process)
        try:
            yield terminal
        finally:
            terminal.close()
