"""Three real servers on loopback that can be killed, stalled and started again.

Behind each stands a llama.cpp whose grammar makes every reply say which process wrote it: ``B7 …
end.`` is the seventh start of server B, and a reply without ``end.`` is not whole. So a history
proves by its words alone who spoke.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from perdure.backends.embedded.settings import import_xllamacpp, server_parameters
from perdure.backends.protocol import BackendSpec

KEY = "on-loopback-only"
KEY_VARIABLE = "PERDURE_CHAOS_KEY"
WINDOW = 1024
PROXIED = "local/smollm2"

_GRAMMAR = 'root ::= "{mark}" (" " [a-z] [a-z]? [a-z]? [a-z]? [a-z]?){{3,5}} " end."'
WHOLE = re.compile(r"([A-Z])(\d+)(?: [a-z]{1,5}){3,5} end\.")

State = Literal["up", "dead", "broken", "stopped", "silent", "starting"]


def serve(model: Path, port: int, mark: str) -> None:
    """Run llama.cpp's server until stdin ends; its address is the first line on stdout."""
    xllamacpp = import_xllamacpp()
    spec = BackendSpec("smollm2", "embedded", str(model), context_window=WINDOW)
    parameters: Any = server_parameters(xllamacpp, spec, model, KEY)
    # One thread for each: on a busy machine two that wait for each other are slower.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.port = port
    grammar = parameters.sampling.grammar
    grammar.grammar, grammar.type = _GRAMMAR.format(mark=mark), 1
    parameters.sampling.grammar = grammar
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


def free_port() -> int:
    """A port that nobody has now; below the range that connections get theirs from."""
    for _ in range(200):
        port = 20_000 + int.from_bytes(os.urandom(2)) % 12_000
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no free port on loopback")


@dataclass(frozen=True, slots=True)
class Moment:
    """From ``at`` on (seconds, monotonic) the server was in ``state``; ``start`` counts starts."""

    at: float
    state: State
    start: int


@dataclass
class Server:
    """One backend's server: a llama.cpp, and for Ollama's protocol the proxy before it."""

    name: str
    letter: str
    model: Path
    folder: Path
    port: int = field(default_factory=free_port)
    own_port: int = 0
    """llama.cpp's, where a proxy has ``port``."""
    state: State = "dead"
    start: int = 0
    past: list[Moment] = field(default_factory=list)
    _llama: subprocess.Popen[bytes] | None = None
    _proxy: subprocess.Popen[bytes] | None = None
    _silent: asyncio.Server | None = None

    @property
    def proxied(self) -> bool:
        return self.own_port != 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def up(self) -> None:
        """Start anew, or let a stopped one go on; returns when it answers."""
        if self.state == "stopped":
            for process in self._processes():
                process.send_signal(signal.SIGCONT)
            self._now("up")
            return
        await self._end()
        self.start += 1
        self._now("starting")
        self._llama = self._start_llama()
        # In the order in which a user starts them; early requests wait in the listening socket.
        if not await asyncio.to_thread(_first_line, self._llama):
            raise RuntimeError(f"the server {self.name} did not start")
        if self.proxied:
            self._proxy = self._start_proxy()
            await self._answers()
        self._now("up")

    async def _answers(self) -> None:
        """Until the proxy says a word: importing its frameworks takes a second."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /api/version HTTP/1.0\r\n\r\n")
        await reader.read()
        writer.close()

    async def kill(self, *, proxy: bool = False) -> None:
        """SIGKILL; afterwards nothing listens. ``proxy``: only it dies, not the llama.cpp."""
        if proxy and self._proxy is not None:
            _kill(self._proxy)
            self._now("dead")
        else:
            await self._end()
            self._now("dead")

    async def lose_model(self) -> None:
        """Kill the llama.cpp behind a proxy, which goes on to answer with errors."""
        if self._llama is not None:
            _kill(self._llama)
        self._now("broken")

    def stop(self) -> None:
        """SIGSTOP: the system still takes connections, and nobody answers."""
        for process in self._processes():
            process.send_signal(signal.SIGSTOP)
        self._now("stopped")

    async def silence(self) -> None:
        """Kill it, and put in its place one that accepts and never answers."""
        await self._end()
        self._silent = await asyncio.start_server(_never_answers, "127.0.0.1", self.port)
        self._now("silent")

    async def close(self) -> None:
        await self._end()
        self._now("dead")

    def during(self, begin: float, end: float) -> set[tuple[State, int]]:
        """Every state, with the count of starts, that it was in between two moments."""
        states = []
        for moment, following in zip(self.past, [*self.past[1:], None], strict=True):
            if moment.at <= end and (following is None or following.at >= begin):
                states.append((moment.state, moment.start))
        return set(states)

    def _now(self, state: State) -> None:
        self.state = state
        self.past.append(Moment(time.monotonic(), state, self.start))

    def _processes(self) -> Iterator[subprocess.Popen[bytes]]:
        for process in (self._proxy, self._llama):
            if process is not None and process.poll() is None:
                yield process

    async def _end(self) -> None:
        for process in self._processes():
            _kill(process)
        self._llama = self._proxy = None
        if self._silent is not None:
            self._silent.close()
            self._silent = None
            # Its connections are in this loop: they close at its next turn.
            await asyncio.sleep(0)

    def _start_llama(self) -> subprocess.Popen[bytes]:
        words = [str(self.model), str(self.own_port or self.port), f"{self.letter}{self.start}"]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chat.chaos_servers", *words],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _start_proxy(self) -> subprocess.Popen[bytes]:
        with socket.create_server(("127.0.0.1", self.port)) as listening:
            command = ["-m", "uvicorn", "ollama_proxy.server:app", "--log-level", "critical"]
            return subprocess.Popen(
                [sys.executable, *command, "--fd", str(listening.fileno())],
                pass_fds=[listening.fileno()],
                # It reads a .env of the folder it stands in, and the machine's keys.
                cwd=self.folder,
                env={
                    "PATH": os.environ["PATH"],
                    "PROVIDERS_LOCAL_API_KEY": KEY,
                    "PROVIDERS_LOCAL_BASE_URL": f"http://127.0.0.1:{self.own_port}/v1",
                    "EXTRA_MODELS": PROXIED,
                },
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )


async def _never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65536):
            pass
    writer.close()


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdout is None:
        raise RuntimeError("the server has no standard output")
    return process.stdout.readline()


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def three(model: Path, folder: Path) -> list[Server]:
    """One for each protocol, none of them started; named in the failover order."""
    return [
        Server("openai", "A", model, folder),
        Server("anthropic", "B", model, folder),
        Server("ollama", "C", model, folder, own_port=free_port()),
    ]


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
