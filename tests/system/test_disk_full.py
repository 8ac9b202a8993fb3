"""The short version of `python -m tests.system.disk_full`."""

from __future__ import annotations

import pytest

from tests.processes import run_module


@pytest.mark.parametrize(
    "words",
    [
        ["--way", "open", "--way", "closed", "--way", "steer", "--way", "pack", "--every", "35"],
        ["--way", "say", "--from", "1", "--most", "22", "--every", "7"],
    ],
    ids=["session", "command"],
)
def test_a_full_disk_is_said_and_loses_no_word(words: list[str]) -> None:
    done = run_module("tests.system.disk_full", "--seed", "3", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    if done.stdout.startswith("skipped"):
        pytest.skip(done.stdout)
    assert "0 words lost" in done.stdout
