"""The command on a terminal: what it asks is answered as a person would."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60.0
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Hidden(str):
    """An answer to a question whose answer is not shown."""

    __slots__ = ()


@dataclass(frozen=True)
class Ended:
    """How a run came to its end: the exit code, and all that stood on the terminal."""

    code: int
    screen: str


def on_terminal(words: Sequence[str], answers: Sequence[tuple[str, str]], folder: Path) -> Ended:
    """Run perdure; each answer is typed once its question stands on the screen after the last one.

    An answer of ``^C`` is the interrupt key, pressed again as long as nothing comes of it: Python
    only marks a signal that comes between the last look at its marks and the wait for a line, and
    then waits. One in `Hidden` is typed once nothing typed is shown. Fails where a question does
    not come in `SECONDS`.
    """
    command = [str(Path(sys.executable).with_name("perdure")), *words]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        # Who starts the tests in the background has the interrupt key ignored, and so would this.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        environ = dict(os.environ) | {"TERM": "xterm", "COLUMNS": "120"}
        os.execve(command[0], command, environ)  # noqa: S606 - a terminal needs fork and exec
    screen = ""
    try:
        for question, answer in answers:
            screen = _until(terminal, screen, question)
            if isinstance(answer, Hidden):
                _until_hidden(terminal)
            screen += "\0"  # what is asked next comes after this
            if answer == "^C":
                screen = _interrupt(terminal, screen)
            else:
                os.write(terminal, answer.encode() + b"\n")
        screen = _until(terminal, screen, None)
        _, status = os.waitpid(child, 0)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(terminal)
    return Ended(os.waitstatus_to_exitcode(status), screen.replace("\0", ""))


def _interrupt(terminal: int, screen: str) -> str:
    """The screen once something came of the interrupt key, beyond the key's own echo."""
    for _ in range(int(SECONDS)):
        os.write(terminal, b"\x03")
        while select.select([terminal], [], [], 1)[0]:
            read = _read(terminal)
            screen += read or ""
            if read is None or screen.rpartition("\0")[2].replace("^C", "").strip():
                return screen
    raise TimeoutError(f"the interrupt key does nothing; there is: {screen!r}")


def _until_hidden(terminal: int) -> None:
    """Until the terminal shows nothing typed: what was typed before that is thrown away."""
    deadline = time.monotonic() + SECONDS
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        if time.monotonic() > deadline:
            raise TimeoutError("what is typed is still shown")
        select.select([], [], [], 0.01)


def _until(terminal: int, screen: str, question: str | None) -> str:
    """The screen once ``question`` stands on it; without one, at the end."""
    deadline = time.monotonic() + SECONDS
    while question is None or question not in screen.rpartition("\0")[2]:
        left = deadline - time.monotonic()
        if left <= 0 or not _is_ready(terminal, left):
            raise TimeoutError(f"{question!r} does not come; there is: {screen!r}")
        read = _read(terminal)
        if read is None:
            if question is None:
                return screen
            raise EOFError(f"{question!r} did not come; there was: {screen!r}")
        screen += read
    return screen


def _is_ready(terminal: int, seconds: float) -> bool:
    """Whether there is something to read. Unlike select, poll takes a descriptor above 1,023."""
    poll = select.poll()
    poll.register(terminal, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _read(terminal: int) -> str | None:
    """What the terminal shows next; None at the end."""
    try:
        data = os.read(terminal, 65536)
    except OSError:  # Linux says so where the other end is closed
        return None
    if not data:
        return None
    return _CODES.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
