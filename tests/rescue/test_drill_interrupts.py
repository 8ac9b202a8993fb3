"""A drill that is interrupted or killed: nothing of it stays, at the latest after the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from platformdirs import user_cache_path, user_data_path

from perdure.git.errors import StorageFull
from perdure.rescue.drill import scratch
from tests.cli.command import run_command
from tests.conftest import git
from tests.processes import default_signals, started
from tests.rescue.devices import add_backup, say, sync

_HELD = """
import sys
from perdure.cli.entry import main
from perdure.rescue.drill import restore

def look(*_):
    print("restored", flush=True)
    sys.stdin.read()

restore.look_at_all = look
sys.argv = ["perdure", "drill"]
sys.exit(main())
"""
"""A drill that says when everything is restored, and waits there."""


@pytest.fixture
def backed_up(companion: Path, tmp_path: Path) -> Path:
    say(companion, "the first thing")
    add_backup(companion, tmp_path / "place.git")
    sync(companion)
    return companion


def left() -> list[Path]:
    place = user_cache_path("perdure", appauthor=False) / "drills"
    return sorted(place.iterdir()) if place.exists() else []


def marks() -> int:
    return len(list((user_data_path("perdure", appauthor=False) / "known").glob("?" * 32)))


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A drill at the point where its copy is there."""
    with (
        default_signals(),
        started(
            [sys.executable, "-c", _HELD],
            folder=path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "restored\n"
        yield process


def test_ctrl_c_leaves_nothing(backed_up: Path) -> None:
    before = marks()
    with held(backed_up) as process:
        assert left()
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode not in {0, 3}
    assert left() == []
    assert marks() == before


def test_what_a_killed_one_left_goes_with_the_next(backed_up: Path) -> None:
    before = marks()
    with held(backed_up) as process:
        (folder,) = [each for each in left() if each.is_dir()]
        assert folder.stat().st_mode & 0o777 == 0o700
        # Another one at the same time takes nothing away from it.
        assert run_command("drill", cwd=backed_up).returncode == 0
        assert folder in left()
        process.kill()
        process.communicate()
    assert folder in left()
    assert run_command("drill", cwd=backed_up).returncode == 0
    assert left() == []
    assert marks() == before
    assert git(backed_up, "status", "--porcelain") == ""


def test_without_room_nothing_is_begun() -> None:
    with pytest.raises(StorageFull, match="MB"), scratch.scratch_folder(1 << 60):
        pass
    assert left() == []
