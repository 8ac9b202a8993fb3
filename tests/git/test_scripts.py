"""Short runs of the scripts that are run long by hand."""

from __future__ import annotations

import pytest

from tests.processes import run_module


@pytest.mark.parametrize(
    ("script", "times", "seed"),
    [("kill_turns.py", 12, 5), ("beside_git.py", 12, 5), ("kill_operations.py", 8, 5)],
)
def test_short(script: str, times: int, seed: int) -> None:
    name = f"tests.git.{script.removesuffix('.py')}"
    done = run_module(name, "--times", str(times), "--seed", str(seed))
    assert done.returncode == 0, done.stdout + done.stderr
