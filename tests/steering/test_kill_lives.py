"""The short version of `python -m tests.steering.kill_lives --times 1000`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_nothing_that_was_acknowledged_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.steering.kill_lives", "--times", "10", "--seed", "3"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost" in done.stdout
