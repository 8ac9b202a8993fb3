from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.model


def test_a_talk_through_dying_servers_loses_and_doubles_nothing() -> None:
    """The short version of `python -m tests.chat.chaos_failover --turns 500`."""
    words = [sys.executable, "-m", "tests.chat.chaos_failover", "--limit", "300"]
    words += ["--turns", "7", "--seed", "3"]
    done = subprocess.run(
        words,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=360,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "user messages 7" in done.stdout
    assert "kills" in done.stdout
