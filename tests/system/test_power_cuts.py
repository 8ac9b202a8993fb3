"""The short version of `python -m tests.system.power_cuts`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.processes import run_module
from tests.system.power import MODES, Disk


@pytest.mark.parametrize("is_written_back", [False, True])
def test_a_disk_keeps_no_later_name_without_an_earlier_one(
    tmp_path: Path, *, is_written_back: bool
) -> None:
    held, locks = tmp_path / "disk" / "held", tmp_path / "disk" / "locks"
    for folder in (held, locks):
        folder.mkdir(parents=True)
    disk = Disk(tmp_path / "disk", tmp_path / "shadow")
    (held / "twin").touch()
    (locks / "lock").hardlink_to(held / "twin")
    if is_written_back:
        disk.write_back()
    (held / "twin").unlink()
    disk.lose("any", random.Random(1))
    there = [path.name for path in (*held.iterdir(), *locks.iterdir())]
    assert there == (["twin", "lock"] if is_written_back else [])


@pytest.mark.parametrize("mode", MODES)
def test_a_power_cut_leaves_what_was_before_or_what_came_after(mode: str) -> None:
    scenes = (
        "close, and open again",
        "edit",
        "open a merge",
        "give a merge up",
        "conclude a merge",
        "undo a rewind",
    )
    words = [word for scene in scenes for word in ("--scene", scene)]
    done = run_module(
        "tests.system.power_cuts", *words, "--mode", mode, "--from", "5", "--every", "53"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 faults" in done.stdout.splitlines()[-1]
