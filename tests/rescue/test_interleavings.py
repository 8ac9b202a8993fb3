"""Two devices in any order: chat, edits, rewinds, branches, offline spells, plain git, syncs.

Whatever happened, one more sync on each side and both have the same, with every word of either.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from perdure.actions.history import branch
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.workspace import Workspace
from perdure.errors import Problem
from tests.conftest import git
from tests.rescue.devices import add_backup, clone, refs, say, sync
from tests.rescue.kill_sync import companion_at

ACTS = [
    "say", "say", "say", "persona", "fact", "rewind", "branch", "rename", "delete", "tag",
    "switch", "push", "pull", "sync", "sync",
]  # fmt: skip


@dataclass
class Device:
    """One device: its folder, and what it has said."""

    name: str
    path: Path
    number: int = 0
    said: list[str] = field(default_factory=list)

    def next(self) -> str:
        """A word that is said nowhere else."""
        self.number += 1
        return f"{self.name}{self.number}x"


def do(device: Device, act: str, draw: int) -> None:
    """One act; what git refuses at this moment is not done."""
    path = device.path
    if act == "say":
        word = device.next()
        say(path, f"I say {word}")
        device.said.append(word)
    elif act == "persona":
        voice = path / "persona" / "20-voice.md"
        voice.write_text(f"{voice.read_text()}\nShe likes {device.next()}.\n")
        git(path, "commit", "-qam", "persona: more", "--no-gpg-sign")
    elif act == "fact":
        facts = path / "memory" / "facts" / "friends.md"
        facts.parent.mkdir(parents=True, exist_ok=True)
        old = facts.read_text() if facts.exists() else ""
        facts.write_text(f"{old}- A friend is called {device.next()}.\n")
        git(path, "add", "memory")
        git(path, "commit", "-qm", "memory: a friend")
    elif act == "rewind":
        _rewind(path)
    elif act in GIT:
        GIT[act](device, draw)
    elif act == "sync":
        sync(path)


def _rewind(path: Path) -> None:
    with Workspace.open(path) as workspace:
        try:
            rewind(workspace, plan_rewind(workspace, "@-1"))
        except Problem:
            return


def _delete(device: Device, name: str) -> None:
    """By git what a remote has; what it has not by perdure, as git would let go of its words."""
    if git(device.path, "branch", "-r", "--contains", name) if name != "none" else True:
        _try(device, "branch", "-D", name)
        return
    with Workspace.open(device.path) as workspace, contextlib.suppress(Problem):
        branch.remove_branch(workspace, branch.plan_drop(workspace, name))


def _try(device: Device, *words: str) -> None:
    subprocess.run(["git", "-C", str(device.path), *words], capture_output=True, check=False)


def _branches(device: Device) -> list[str]:
    return git(device.path, "branch", "--format=%(refname:short)").split()


def _other(device: Device, draw: int) -> str:
    found = [name for name in _branches(device) if name != "main"]
    return found[draw % len(found)] if found else "none"


GIT: dict[str, Callable[[Device, int], None]] = {
    "branch": lambda device, draw: _try(device, "branch", f"b{draw}"),
    "rename": lambda device, draw: _try(
        device, "branch", "-m", _other(device, draw), f"r{device.name}{draw}"
    ),
    "delete": lambda device, draw: _delete(device, _other(device, draw)),
    "tag": lambda device, draw: _try(device, "tag", f"t{device.name}{draw}"),
    "switch": lambda device, draw: _try(
        device, "switch", "-q", _branches(device)[draw % len(_branches(device))]
    ),
    "push": lambda device, _: _try(device, "push", "-q", "origin"),
    "pull": lambda device, _: _try(device, "pull", "-q", "--no-rebase", "--no-edit"),
}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A companion, the place that it is synced with, and a second device."""
    folder = tmp_path_factory.mktemp("start")
    companion_at(folder / "one")
    say(folder / "one", "at the beginning")
    return folder


def words_of(path: Path) -> str:
    """Everything that was said on any branch, tag or kept line."""
    tips = sorted(set(refs(path).values()))
    return git(path, "log", "--format=", "-p", "--no-textconv", *tips, "--", "conversations")


SCHEDULES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(ACTS), st.integers(0, 2)), min_size=4, max_size=14
)
DELETED_BRANCH = [(0, "branch", 0), (0, "sync", 0), (1, "sync", 0), (0, "delete", 0), (1, "say", 0)]
# Finding the shortest schedule that fails would take minutes.
UNTIMED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)


@settings(UNTIMED, max_examples=25)
@given(SCHEDULES)
@example(DELETED_BRANCH)
def test_one_more_sync_and_both_are_equal(start: Path, acts: list[tuple[int, str, int]]) -> None:
    run(start, acts)


@pytest.mark.long
@settings(UNTIMED, max_examples=1000, derandomize=False)
@given(SCHEDULES)
def test_a_thousand_schedules(start: Path, acts: list[tuple[int, str, int]]) -> None:
    run(start, acts)


def run(start: Path, acts: list[tuple[int, str, int]]) -> None:
    """Carry out a schedule; then sync each side twice, and compare."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree(start / "one", folder / "one", symlinks=True)
        add_backup(folder / "one", folder / "place.git")
        sync(folder / "one")
        clone(folder / "place.git", folder / "two")
        devices = [Device("a", folder / "one"), Device("b", folder / "two")]
        for which, act, draw in acts:
            do(devices[which], act, draw)
        for device in [*devices, *devices]:
            _conclude(device)
            result = sync(device.path)
            assert result.pause is None
            assert not result.waits
            assert not result.refused
        one, two = (refs(device.path) for device in devices)
        assert one == two == refs(folder / "place.git")
        for device in devices:
            git(device.path, "fsck", "--full", "--strict")
            assert git(device.path, "status", "--porcelain") == ""
        words = words_of(devices[0].path)
        for device in devices:
            for word in device.said:
                assert word in words


def _conclude(device: Device) -> None:
    """A merge that plain git left open is concluded as its user would, with his own side."""
    if (device.path / ".git" / "MERGE_HEAD").exists():
        _try(device, "checkout", "--ours", ".")
        _try(device, "add", "-A")
        _try(device, "commit", "-q", "--no-edit")
