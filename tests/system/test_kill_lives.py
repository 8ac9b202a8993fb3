"""The short version of `python -m tests.system.kill_lives --times 1000`."""

from __future__ import annotations

from tests.processes import run_module


def test_nothing_that_was_acknowledged_is_lost() -> None:
    done = run_module("tests.system.kill_lives", "--times", "10", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost" in done.stdout
