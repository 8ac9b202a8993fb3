"""Real servers on loopback, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import started

KEY = "on-loopback-only"
WINDOW = 1024
PROXIED = "local/smollm2"


@dataclass(frozen=True)
class Running:
    """A server's address, and its process, which a test may kill."""

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def llama_server(model: Path, window: int = WINDOW) -> Iterator[Running]:
    """llama.cpp's own server, which speaks OpenAI's and Anthropic's protocols."""
    command = [sys.executable, "-m", "tests.backends.llama_server", str(model), str(window), KEY]
    pipe = subprocess.PIPE
    with started(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield Running(process.stdout.readline().strip(), process)


@contextlib.contextmanager
def ollama_server(upstream: str, folder: Path, *, quiet: bool = False) -> Iterator[Running]:
    """An Ollama server in front of a server of OpenAI's protocol."""
    command = [sys.executable, "-m", "uvicorn", "ollama_proxy.server:app", "--log-level", "error"]
    # It reads a .env of the folder it stands in, and the machine's keys.
    env = {
        "PATH": os.environ["PATH"],
        "PROVIDERS_LOCAL_API_KEY": KEY,
        "PROVIDERS_LOCAL_BASE_URL": upstream,
        "EXTRA_MODELS": PROXIED,
    }
    said = subprocess.DEVNULL if quiet else None
    with contextlib.ExitStack() as stack:
        # It inherits a socket that listens already: who connects early waits, nobody polls.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            descriptor = listening.fileno()
            command += ["--fd", str(descriptor)]
            process = stack.enter_context(
                started(
                    command, folder=folder, env=env, stdout=said, stderr=said, pass_fds=[descriptor]
                )
            )
        yield Running(address, process)
