"""Real servers on loopback, each in a process that a test may kill."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

KEY = "on-loopback-only"
WINDOW = 1024
PROXIED = "local/smollm2"


@dataclass
class Running:
    """A server's address and its process."""

    address: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def start_llama(model: Path, window: int = WINDOW) -> Running:
    """llama.cpp's own server, which speaks OpenAI's and Anthropic's protocols."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.backends.llama_server", str(model), str(window), KEY],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    return Running(process.stdout.readline().decode().strip(), process)


def start_proxy(upstream: str, folder: Path, *, quiet: bool = False) -> Running:
    """An Ollama server in front of a server of OpenAI's protocol."""
    # It inherits a socket that listens already: who connects early waits, nobody polls.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = ["-m", "uvicorn", "ollama_proxy.server:app", "--log-level", "error"]
        process = subprocess.Popen(
            [sys.executable, *command, "--fd", str(listening.fileno())],
            pass_fds=[listening.fileno()],
            # It reads a .env of the folder it stands in, and the machine's keys.
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PROVIDERS_LOCAL_API_KEY": KEY,
                "PROVIDERS_LOCAL_BASE_URL": upstream,
                "EXTRA_MODELS": PROXIED,
            },
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=subprocess.DEVNULL if quiet else None,
        )
        return Running(f"http://127.0.0.1:{listening.getsockname()[1]}", process)
