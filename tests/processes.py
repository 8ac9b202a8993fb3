"""Processes that a test starts: they begin as at a user's prompt, and end with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, AnyStr

Words = Sequence[str | os.PathLike[str]]
ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def default_signals() -> Iterator[None]:
    """Children that start in this block may be interrupted, hung up on and told to end.

    A shell's job in the background ignores the interrupt key, what `nohup` starts a hangup, and
    each child inherits that. What is caught is the default again in a child (execve(2)): so the
    signal is caught here, and nothing done.
    """
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def started(
    words: Words,
    *,
    folder: Path = ROOT,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[str]]:
    """A process, and all that it starts: there until the end of the block and no longer."""
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        encoding="utf-8",
        start_new_session=True,  # and a process group, which is ended as one
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def killed_after(process: subprocess.Popen[AnyStr]) -> Iterator[subprocess.Popen[AnyStr]]:
    """A process of this one's group: there until the end of the block and no longer."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(event: threading.Event, process: subprocess.Popen[str]) -> None:
    """Until a process has done what sets an event. Raises EOFError where it ends before."""
    while not event.wait(0.1):
        if process.poll() is not None:
            raise EOFError(f"it ended with {process.returncode}")


def run_module(name: str, *words: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    """Run a module of the tests as a script; what it prints, and its exit code."""
    command = [sys.executable, "-m", name, *words]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said, trouble = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, said, trouble)
