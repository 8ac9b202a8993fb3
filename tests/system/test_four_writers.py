"""The short version of `python -m tests.system.four_writers --commits 1000`."""

from __future__ import annotations

from tests.processes import run_module


def test_two_sessions_the_command_and_git_lose_nothing() -> None:
    done = run_module("tests.system.four_writers", "--commits", "50", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every text at the tip once" in done.stdout
