"""Ctrl-C at the command line: no traceback, at whatever moment it comes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.processes import default_signals, started

ENTRY = """
import sys, threading
from perdure.cli import entry, root

def wait_past_the_end():
    threading.main_thread().join()
    print("over", flush=True)
    sys.stdin.read(1)

def command(**_):
    {command}

root.root.main = command
sys.argv = ["perdure", "list"]
sys.exit(entry.main())
"""


def run(command: str, *, interrupted: bool = False) -> tuple[int, str]:
    """Exit code and stderr of the console script, the command group replaced."""
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", ENTRY.format(command=command)]
    with default_signals(), started(words, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        if interrupted:
            assert process.stdout is not None
            assert process.stdout.readline() == "over\n"
            process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    return process.returncode, err


@pytest.mark.parametrize("code", [0, 1])
def test_an_interrupt_while_threads_end_prints_nothing(code: int) -> None:
    waits = f"threading.Thread(target=wait_past_the_end).start(); sys.exit({code})"
    assert run(waits, interrupted=True) == (-signal.SIGINT, "")


def test_a_second_interrupt_while_the_first_is_told_prints_nothing() -> None:
    assert run("raise KeyboardInterrupt") == (130, "")
