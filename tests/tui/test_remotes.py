"""Sync, backup and drill on the screen, over real repositories and a place that has them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from perdure.actions.companion.sync_policy import set_sync_policy
from perdure.actions.workspace import Workspace
from perdure.git.remotes.record import Pause, read_record, write_record
from perdure.git.remotes.settings import Remote
from perdure.git.repository.repository import Repository
from perdure.rescue import attended
from perdure.rescue.attended import SyncOutcome
from perdure.tui.app import ChatApp
from tests.actions.test_outgoing_check import KEY
from tests.cli.test_conflicts import BASE, edit
from tests.cli.test_history import VOICE
from tests.conftest import assert_sound, git
from tests.rescue.devices import add_backup, clone, refs
from tests.rescue.devices import say as say_there
from tests.rescue.devices import sync as sync_there
from tests.tui.conftest import say, shown, until
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import asked, flash, talk


@pytest.fixture
def place(companion: Path, tmp_path: Path) -> Path:
    """A place to back up to; nothing was pushed there yet."""
    path = tmp_path / "place.git"
    add_backup(companion, path)
    return path


async def ended(app: ChatApp, pilot: Pilot[int], words: str) -> None:
    """Until that is said, and nothing runs any more."""
    await until(pilot, lambda: words in flash(app))
    await until(pilot, lambda: not app.chat.status.status.remote)
    await pilot.pause()


async def test_a_sync_says_in_one_line_what_went_and_what_came(
    companion: Path, place: Path, tmp_path: Path
) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "from here")
        await say(pilot, "/sync")
        await ended(app, pilot, "to origin.")
        assert "1 turn" in flash(app)
        there = clone(place, tmp_path / "there")
        await asyncio.to_thread(say_there, there, "from there")
        sync_there(there)
        await talk(app, pilot, "once more")
        await say(pilot, "/sync origin")
        await ended(app, pilot, " from origin; 1 turn")
        await until(pilot, lambda: "from there" in shown(app))
        sync_there(there)
        await say(pilot, "/sync")
        await ended(app, pilot, "origin has everything already.")
    assert refs(companion) == refs(place) == refs(there)
    assert_sound(companion)


async def test_a_companion_without_a_remote_is_told_how_to_add_one(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await say(pilot, "/backup")
        await ended(app, pilot, "perdure remote add backup ADDRESS")
        await say(pilot, "/sync nowhere")
        await ended(app, pilot, "nowhere")
        await say(pilot, "/stop")
        await until(pilot, lambda: "is running" in flash(app))


async def test_a_backup_says_what_is_proven_and_a_drill_proves_it(
    companion: Path, place: Path
) -> None:
    async with chatting(companion, size=(160, 40)) as (app, pilot):
        await talk(app, pilot, "one thing")
        await say(pilot, "/backup")
        await ended(app, pilot, "No restore is proven. To prove that a restore works: /drill")
        await say(pilot, "/drill deep")
        await until(pilot, lambda: "perdure drill --speak" in flash(app))
        await say(pilot, "/drill")
        await ended(app, pilot, "A restore from origin works (full). Restore proven ")
        await until(pilot, lambda: "0 turns at risk" in app.chat.status.status.proof)
        git(place, "update-ref", "-d", "refs/heads/main")
        await say(pilot, "/drill full")
        await ended(app, pilot, "nothing can be restored from origin")
    assert git(companion, "status", "--porcelain") == ""


async def test_a_first_push_with_a_key_is_asked_about(companion: Path, place: Path) -> None:
    edit(companion, {"notes.md": f"the key is {KEY}\n"}, "Ana", "08:00")
    async with chatting(companion) as (app, pilot):
        await say(pilot, "/backup")
        said = await asked(app, pilot)
        assert KEY not in said
        assert "notes.md" in said
        await pilot.press("enter")
        await ended(app, pilot, "Nothing was sent to origin")
        assert refs(place) == {}
        await say(pilot, "/backup")
        await asked(app, pilot)
        await pilot.press("down", "enter")
        await ended(app, pilot, "to origin.")
    assert refs(place) == refs(companion)


class Held:
    """A sync that is under way until it is stopped."""

    def __init__(self) -> None:
        self.begun, self.goes_on, self.over = (threading.Event() for _ in range(3))

    def __call__(
        self,
        workspace: Workspace,
        remotes: Sequence[Remote],
        *,
        takes: bool,
        progress: Callable[[str], None],
    ) -> SyncOutcome:
        try:
            progress("sending part 1 of 3")
            self.begun.set()
            self.goes_on.wait()
            progress("sending part 2 of 3")
        finally:
            self.over.set()
        return SyncOutcome()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    found = Held()
    monkeypatch.setattr(attended, "sync_attended", found)
    return found


@pytest.mark.usefixtures("place")
async def test_the_conversation_goes_on_beside_a_sync_that_can_be_stopped(
    companion: Path, held: Held
) -> None:
    async with chatting(companion) as (app, pilot):
        await say(pilot, "/sync")
        await until(pilot, held.begun.is_set)
        await until(pilot, lambda: "part 1 of 3" in app.chat.status.status.remote)
        assert "sync: sending part 1 of 3" in app.chat.status.render_line(0).text
        await talk(app, pilot, "in between")
        await say(pilot, "/drill")
        await until(pilot, lambda: "/sync is still running; /stop" in flash(app))
        await say(pilot, "/stop")
        assert app.chat.status.status.remote == "sync: stopping"
        held.goes_on.set()
        await ended(app, pilot, "/sync is stopped. What was done before stays.")
        assert "I heard: in between" in shown(app)


@pytest.mark.usefixtures("place")
async def test_leaving_waits_for_no_sync_and_stops_it(companion: Path, held: Held) -> None:
    async with chatting(companion) as (app, pilot):
        await say(pilot, "/sync")
        await until(pilot, held.begun.is_set)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value is not None)
    held.goes_on.set()
    held.over.wait()


async def test_the_status_line_says_why_sync_is_paused_and_what_is_to_settle(
    companion: Path, place: Path, tmp_path: Path
) -> None:
    edit(companion, {VOICE: BASE}, "Ana", "08:00")
    with Workspace.open(companion) as workspace:
        set_sync_policy(workspace, "when quiet")
    sync_there(companion)
    there = clone(place, tmp_path / "there")
    edit(there, {VOICE: BASE.replace("Warm.", "Warmer.")}, "Bo", "09:00")
    sync_there(there)
    edit(companion, {VOICE: BASE.replace("Warm.", "Cool.")}, "Ana", "10:00")
    async with chatting(companion, size=(160, 40)) as (app, pilot):
        await say(pilot, "/sync")
        await ended(app, pilot, "between your devices")
        await until(pilot, lambda: "1 conflict: /conflicts" in line(app))
        with Repository.open(companion) as repo:
            record = read_record(repo, "origin", str(place))
            pause = Pause("main there has lost 12 of 40 turns")
            write_record(repo, "origin", msgspec.structs.replace(record, pause=pause))
        app.chat.history.look_at_backups()
        await until(pilot, lambda: "sync with origin is paused: main there has lost" in line(app))


def line(app: ChatApp) -> str:
    return app.chat.status.render_line(0).text
