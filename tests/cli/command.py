"""The command as a shell runs it, in a process forked where its modules are in memory already.

Hundreds of tests run the command, and a process that starts anew spends most of its time on
imports. So one process a worker imports them once, and forks for each run. How the command starts
by itself is tested where it matters: `test_start_up`, `test_encodings`, `test_commands`, and
whatever runs on a terminal, start it as it is installed.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from tests.processes import ROOT

_HEAVY = ("perdure.tui", "perdure.backends.", "perdure.cli.entry")
"""Beginnings of the names of modules that bring packages which a run imports if it needs them."""
_LENGTH = 4
"""Bytes of the length that goes before what is asked."""


class _Server:
    """The process that forks. It ends when this one does: its end of the socket says so."""

    def __init__(self) -> None:
        self.socket, there = socket.socketpair()
        with there:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(there.fileno())],
                cwd=ROOT,
                pass_fds=(there.fileno(),),
                start_new_session=True,
            )

    def run(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command; its exit code and what it printed."""
        said, trouble = _Pipe(), _Pipe()
        source, feed = os.pipe()
        asked = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
        length = len(asked).to_bytes(_LENGTH)
        socket.send_fds(self.socket, [length], [source, said.end, trouble.end])
        self.socket.sendall(asked)
        for end in (source, said.end, trouble.end):
            os.close(end)
        with contextlib.suppress(BrokenPipeError), os.fdopen(feed, "w", encoding="utf-8") as pipe:
            pipe.write(stdin)
        texts = said.read(), trouble.read()
        code = int(self.socket.recv(_LENGTH))
        return subprocess.CompletedProcess(["perdure", *words], code, *texts)

    def end(self) -> None:
        """End it, and a command that runs; behind this, neither is there."""
        self.socket.close()
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


class _Pipe:
    """Reads to its end what is written to the other one."""

    def __init__(self) -> None:
        here, self.end = os.pipe()
        self._text = ""
        self._reader = threading.Thread(target=self._read, args=(here,), daemon=True)
        self._reader.start()

    def _read(self, end: int) -> None:
        with os.fdopen(end, encoding="utf-8") as pipe:
            self._text = pipe.read()

    def read(self) -> str:
        self._reader.join()
        return self._text


@functools.cache
def _server() -> _Server:
    return _Server()


def run_command(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``perdure`` with these words, without a terminal.

    Args:
        words: the words after it.
        cwd: the folder in which it is typed.
        env: variables beside those of this process.
        stdin: what it reads.
    """
    server = _server()
    try:
        return server.run(words, cwd, dict(os.environ) | dict(env or {}), stdin)
    except BaseException:
        # A test that gives up leaves no process behind.
        server.end()
        _server.cache_clear()
        raise


# In the other process


def _serve(asked: socket.socket) -> None:
    import perdure
    from perdure.cli.entry import main

    for module in pkgutil.walk_packages(perdure.__path__, "perdure."):
        if not module.name.startswith(_HEAVY):
            importlib.import_module(module.name)
    assert threading.active_count() == 1, "a fork would lose threads"
    gc.freeze()
    children: list[int] = []

    def end(*_: object) -> NoReturn:
        # An orphan is there until the system collects it: whoever ends this one could still see it.
        for child in children:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        length, ends, _, _ = socket.recv_fds(asked, _LENGTH, 3)
        if not length:
            return
        message = asked.recv(int.from_bytes(length), socket.MSG_WAITALL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        children.append(os.fork())
        if not children[0]:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            asked.close()
            _become(json.loads(message), ends)
            _end(main)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for number in ends:
            os.close(number)
        status = os.waitpid(children[0], 0)[1]
        children.clear()
        asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _become(asked: dict[str, object], ends: Sequence[int]) -> None:
    """Be the process that a shell would have started."""
    for number, end in enumerate(ends):
        os.dup2(end, number)
        os.close(end)
    sys.stdin, sys.stdout, sys.stderr = _text(0, "r"), _text(1, "w"), _text(2, "w")
    words, env = asked["words"], asked["env"]
    assert isinstance(words, list)
    assert isinstance(env, dict)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(str(asked["cwd"]))
    sys.argv = ["perdure", *words]


def _end(main: Callable[[], int]) -> NoReturn:
    """Run it, and end as the interpreter does, but for taking every module apart."""
    code = 1
    try:
        code = main()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _text(end: int, mode: str) -> IO[str]:
    return os.fdopen(end, mode, encoding="utf-8", closefd=False)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as here:
        _serve(here)
