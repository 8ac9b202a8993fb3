"""Short runs of the scripts that are run long by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("script", "times", "seed"),
    [("kill_turns.py", 12, 5), ("beside_git.py", 12, 5), ("kill_operations.py", 8, 5)],
)
def test_short(script: str, times: int, seed: int) -> None:
    place = Path(__file__).parent / script
    done = subprocess.run(
        [sys.executable, place, "--times", str(times), "--seed", str(seed)],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
