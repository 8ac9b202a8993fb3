"""The short version of `python -m tests.steering.power_cuts`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("mode", ["contents", "entries"])
def test_a_power_cut_leaves_what_was_before_or_what_came_after(mode: str) -> None:
    scenes = (
        "close, and open again",
        "edit",
        "open a merge",
        "give a merge up",
        "conclude a merge",
    )
    words = [word for scene in scenes for word in ("--scene", scene)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.steering.power_cuts", *words, "--mode", mode,
         "--from", "5", "--every", "53"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 faults" in done.stdout.splitlines()[-1]
