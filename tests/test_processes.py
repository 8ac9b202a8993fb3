from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.processes import default_signals, started

_ASKS = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


def test_a_child_can_be_interrupted_where_its_parent_cannot() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with default_signals():
            done = subprocess.run([sys.executable, "-c", _ASKS], capture_output=True, check=True)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.stdout == b"True\n"


def fail_beside_it(writing: int) -> None:
    words = ["sh", "-c", "sleep 600 & echo; sleep 600"]
    with started(words, stdout=subprocess.PIPE, pass_fds=[writing]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        os.close(writing)
        raise ZeroDivisionError


def test_a_failure_ends_a_process_and_what_it_has_started() -> None:
    reading, writing = os.pipe()
    with pytest.raises(ZeroDivisionError):
        fail_beside_it(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
        assert pipe.read() == b"", "each of the three has closed its end"
