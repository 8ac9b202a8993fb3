"""Sync by itself: when, how often, and what it does when it cannot."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from perdure import child
from perdure.actions.companion.sync_policy import set_sync_policy
from perdure.actions.workspace import Workspace
from perdure.companion.config.settings import SyncPolicy
from perdure.git.remotes.background import nudge_file
from perdure.git.remotes.record import read_record
from perdure.git.remotes.settings import list_remotes
from perdure.git.repository.repository import Repository
from perdure.git.wire.errors import NeedsTyping
from perdure.rescue import process, run
from perdure.views.remotes import backup_warning, remote_rows
from tests.cli.command import run_command
from tests.conftest import git
from tests.rescue.devices import add_backup, refs, say, sync


class Script:
    """A clock that moves only where the process waits; on the way it does what is planned."""

    def __init__(self, *plan: tuple[float, Callable[[], None]]) -> None:
        self.time = 1000.0
        self._plan = [(self.time + at, act) for at, act in plan]

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds
        while self._plan and self._plan[0][0] <= self.time:
            self._plan.pop(0)[1]()
        assert self.passed < 10_000, "it never ends"

    @property
    def passed(self) -> float:
        return self.time - 1000.0


def policy(path: Path, wanted: SyncPolicy) -> None:
    with Workspace.open(path) as workspace:
        set_sync_policy(workspace, wanted)


@pytest.fixture
def synced(companion: Path, place: Path) -> Path:
    add_backup(companion, place)
    policy(companion, "when quiet")
    sync(companion)
    return companion


_numbers = iter(range(1, 1_000_000))


def turn(path: Path) -> None:
    """A commit that says it is a turn's, made by git."""
    number = next(_numbers)
    trailer = f"Turn: 2026-11-22-1803-9f3a77c0/{number}"
    git(path, "commit", "-q", "--allow-empty", "-m", f"turn: {number}\n\n{trailer}")


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When it synced; filled by `work`."""
    return []


@pytest.fixture
def work(
    companion: Path, syncs: list[float], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Script]:
    """Run the process through a plan."""
    real = run.sync_by_itself

    def go(*plan: tuple[float, Callable[[], None]]) -> Script:
        script = Script(*plan)

        def counted(workspace: Workspace) -> bool:
            syncs.append(script.passed)
            return real(workspace)

        monkeypatch.setattr(run, "sync_by_itself", counted)
        assert process.work(companion, script) == 0
        return script

    return go


def test_it_waits_until_the_talk_is_quiet(
    synced: Path, place: Path, work: Callable[..., Script], syncs: list[float]
) -> None:
    turn(synced)
    script = work((30, lambda: turn(synced)), (55, lambda: turn(synced)))
    assert [round(at) for at in syncs] == [115]
    assert refs(place) == refs(synced)
    assert script.passed < 140


def test_a_steady_talk_is_pushed_once_in_25_turns_or_10_minutes(
    synced: Path, work: Callable[..., Script], syncs: list[float]
) -> None:
    turn(synced)
    work(*((20.0 * n, lambda: turn(synced)) for n in range(1, 40)))
    # Turns at 0, 20, 40 …: the 25th at 480, then 15 more, until 60 s after the last.
    assert [round(at) for at in syncs] == [480, 840]
    syncs.clear()
    turn(synced)
    work(*((50.0 * n, lambda: turn(synced)) for n in range(1, 13)))
    assert [round(at) for at in syncs] == [600]


def test_each_turn_goes_at_once_and_what_comes_meanwhile_with_the_next(
    synced: Path, place: Path, work: Callable[..., Script], syncs: list[float]
) -> None:
    policy(synced, "each turn")
    sync(synced)
    turn(synced)
    work((5, lambda: turn(synced)), (7, lambda: turn(synced)))
    assert [round(at) for at in syncs] == [0, 5, 7]
    assert refs(place) == refs(synced)


def test_a_word_at_exit_ends_the_waiting(
    synced: Path, place: Path, work: Callable[..., Script], syncs: list[float]
) -> None:
    turn(synced)
    with Repository.open(synced) as repo:
        file = nudge_file(repo)
    work((10, file.touch))
    assert [round(at) for at in syncs] == [10]
    assert not file.exists()
    # A word that comes when all is there makes no later turn go at once.
    file.touch()
    work()
    assert not file.exists()


def test_off_ends_at_once(synced: Path, work: Callable[..., Script], syncs: list[float]) -> None:
    policy(synced, "off")
    assert work().passed == 0
    assert syncs == []


def test_a_place_that_is_away_is_tried_ever_more_rarely(
    synced: Path, place: Path, work: Callable[..., Script], syncs: list[float]
) -> None:
    policy(synced, "each turn")
    place.rename(place.with_name("away"))
    turn(synced)
    work()
    assert len(syncs) == 8
    pauses = [round(b - a) for a, b in pairwise(syncs)]
    assert pauses == [15, 30, 60, 120, 240, 480, 600]
    with Repository.open(synced) as repo:
        assert "nothing there" in remote_rows(repo)[0].trouble
    place.with_name("away").rename(place)
    turn(synced)
    work()
    assert refs(place) == refs(synced)
    with Repository.open(synced) as repo:
        assert remote_rows(repo)[0].trouble == ""


def test_what_needs_typing_pauses_and_says_so(
    synced: Path, work: Callable[..., Script], syncs: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asks(*_: object, **__: object) -> None:
        raise NeedsTyping("example.org wants a password", "nothing was sent")

    turn(synced)
    with monkeypatch.context() as context:
        context.setattr(run, "sync_with", asks)
        work()
    assert len(syncs) == 1
    with Repository.open(synced) as repo:
        assert remote_rows(repo)[0].paused == "example.org wants a password"
        assert backup_warning(repo, "when quiet") == (
            "sync with origin is paused: example.org wants a password"
        )
    turn(synced)
    work()
    assert len(syncs) == 1
    assert sync(synced).is_level
    with Repository.open(synced) as repo:
        assert backup_warning(repo, "when quiet") == ""


def test_a_folder_that_moves_away_ends_it(
    synced: Path, work: Callable[..., Script], syncs: list[float]
) -> None:
    turn(synced)
    script = work((10, lambda: synced.rename(synced.with_name("moved")) and None))
    assert script.passed < 12
    assert syncs == []


def test_old_turns_on_no_remote_are_told_and_new_ones_are_not(
    synced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn(synced)
    with Repository.open(synced) as repo:
        assert backup_warning(repo, "when quiet") == ""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-01T10:00:00+00:00")
    turn(synced)
    with Repository.open(synced) as repo:
        assert backup_warning(repo, "when quiet").startswith("2 turns on no remote, oldest ")
    sync(synced)
    with Repository.open(synced) as repo:
        assert backup_warning(repo, "when quiet") == ""


@pytest.fixture
def ended() -> Iterator[None]:
    """No process is left behind."""
    yield
    for pid in list(child.spawned):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        child.spawned.discard(pid)


@pytest.mark.usefixtures("ended")
def test_a_turn_is_on_the_remote_without_a_word(synced: Path, place: Path) -> None:
    """The whole way: a session, its child, and a killed child that the next turn starts again."""
    policy(synced, "each turn")
    sync(synced)
    say(synced, "over there by itself")
    assert _synced_by_child(synced)
    for pid in list(child.spawned):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        child.spawned.discard(pid)
    say(synced, "and this one too")
    assert _synced_by_child(synced)
    assert refs(place) == refs(synced)


def _synced_by_child(path: Path) -> bool:
    """Wait until the child has synced; False where it ended before."""
    with Repository.open(path) as repo:
        remote = list_remotes(repo)[0]
        here = refs(path)
        while True:
            agreed = read_record(repo, remote.name, remote.url).agreed
            if all(agreed.get(ref) == oid for ref, oid in here.items()):
                return True
            assert child.spawned
            for pid in list(child.spawned):
                fd = os.pidfd_open(pid)
                try:
                    if select.select([fd], [], [], 0.05)[0]:
                        return False
                finally:
                    os.close(fd)


def test_remote_add_writes_the_policy(companion: Path, tmp_path: Path) -> None:
    done = run_command(
        "remote", "add", "backup", str(tmp_path / "b.git"), "--sync", "when quiet", "--yes",
        cwd=companion,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "sync: when quiet" in (companion / "companion.yaml").read_text()
    assert git(companion, "log", "-1", "--format=%s").strip() == "companion: sync when quiet"
    with Workspace.open(companion) as workspace:
        assert workspace.settings.sync == "when quiet"
