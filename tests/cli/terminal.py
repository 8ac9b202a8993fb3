"""The command on a terminal: what it asks is answered as a person would."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pseudo_terminal import on_a_terminal

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

    An answer of ``^C`` is the interrupt key. One in `Hidden` is typed once nothing typed is shown.
    Raises EOFError where a question does not come.
    """
    command = [str(Path(sys.executable).with_name("perdure")), *words]
    about = {"TERM": "xterm", "COLUMNS": "120"}
    with on_a_terminal(
        command, folder=folder, size=(0, 0), has_keys=True, environ=about
    ) as terminal:
        answered = 0
        for question, answer in answers:
            # The blank comes from what hides the answer: what is typed before that is thrown away.
            wanted = f"{question} " if isinstance(answer, Hidden) else question
            terminal.until(wanted, after=answered)
            answered = len(terminal.shown)
            if answer == "^C":
                _until_asleep(terminal.process.pid)
                terminal.send(b"\x03")
            else:
                terminal.send(answer.encode() + b"\n")
        code = terminal.ended()
    return Ended(code, _screen(bytes(terminal.shown)))


def _until_asleep(process: int) -> None:
    """Until it waits, where the system tells of that (Linux does).

    Python only marks a signal that comes between the last look at its marks and the wait for a
    line, and then waits.
    """
    state = Path(f"/proc/{process}/stat")
    while state.exists() and state.read_text().rpartition(") ")[2][0] not in "SZ":
        time.sleep(0.001)


def _screen(drawn: bytes) -> str:
    return _CODES.sub("", drawn.decode("utf-8", "replace")).replace("\r\n", "\n")
