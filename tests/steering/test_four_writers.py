"""The short version of `python -m tests.steering.four_writers --commits 1000`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_two_sessions_the_command_and_git_lose_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.steering.four_writers", "--commits", "50", "--seed", "3"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every text at the tip once" in done.stdout
