"""A sync never changes consent: what another device wrote counts only once it is agreed to here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.actions.agreement import (
    as_agreed,
    begin_agreement,
    companion_here,
    read_agreement,
    unagreed_notice,
    unagreed_settings,
)
from perdure.actions.backends.manage import BackendActions
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.history.undo import next_undo, perform_step
from perdure.actions.trust import confirm
from perdure.actions.workspace import Workspace
from perdure.chat.events import Failed, Saved
from perdure.chat.session import Session
from perdure.companion.config.manifest import render_manifest
from perdure.companion.config.settings import edit_settings
from perdure.git.repository.repository import Change, Repository
from perdure.notice import Notice
from tests.actions.test_trust import far
from tests.api_server import ApiServer
from tests.chat.test_failover import consent, dead, one_turn
from tests.chat.test_session import events_of
from tests.conftest import git
from tests.rescue.devices import add_backup, clone, edit, sync
from tests.speaking import Scripted


@pytest.fixture(autouse=True)
def key_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "long-enough-to-be-a-key")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture
def here(companion: Path) -> Path:
    """A companion that was opened once, and so has a record."""
    with Repository.open(companion) as repo:
        begin_agreement(repo)
    return companion


def from_elsewhere(path: Path, **values: object) -> None:
    """Settings in a commit that nobody of this folder made."""
    file = path / "companion.yaml"
    file.write_bytes(edit_settings(file.read_bytes(), values))  # type: ignore[arg-type]
    git(path, "commit", "-qam", "companion: better so", "--author=Eve <eve@far.invalid>")


def counts(path: Path) -> tuple[tuple[str, ...], bool, str]:
    with Repository.open(path) as repo:
        settings = companion_here(repo, "HEAD").settings
    return settings.backends, settings.failover_to_hosted, settings.sync


def differences(path: Path) -> list[str]:
    with Repository.open(path) as repo:
        return [str(each) for each in unagreed_settings(repo, "HEAD")]


async def test_failover_that_a_commit_brought_asks_no_hosted_backend(here: Path) -> None:
    from_elsewhere(here, failover_to_hosted=True)
    hosted = Scripted(name="cloud", is_hosted=True)
    session = await Session.open(here, backends=[dead(), hosted])
    told = [notice.text for notice in session.notices if "failover" in notice.text]
    events = await events_of(session.send("Hello?"))
    await session.close()
    assert hosted.asked == []
    assert isinstance(events[-1], Failed)
    (line,) = told
    for part in ("failover_to_hosted: yes (here: no)", "of Eve", "perdure backend confirm"):
        assert part in line
    with BackendActions(here) as backends:
        for each in backends.unagreed():
            backends.agree(each)
    events = await one_turn(here, dead(), hosted, text="And now?")
    assert len(hosted.asked) == 1
    assert isinstance(events[-1], Saved)


async def test_what_is_agreed_to_while_she_is_open_counts_from_the_next_turn(here: Path) -> None:
    from_elsewhere(here, failover_to_hosted=True)
    hosted = Scripted(name="cloud", is_hosted=True)
    session = await Session.open(here, backends=[dead(), hosted])
    await events_of(session.send("Hello?"))
    with BackendActions(here) as backends:
        backends.agree(*backends.unagreed())
    await events_of(session.send("And now?"))
    await session.close()
    assert len(hosted.asked) == 1


async def test_a_failover_that_is_taken_back_elsewhere_counts_at_once(here: Path) -> None:
    consent(here)
    hosted = Scripted(name="cloud", is_hosted=True)
    await one_turn(here, dead(), hosted)
    assert len(hosted.asked) == 1
    from_elsewhere(here, failover_to_hosted=False)
    await one_turn(here, dead(), hosted)
    assert len(hosted.asked) == 1
    assert differences(here) == ["failover_to_hosted: no (here: yes, until now)"]
    from_elsewhere(here, failover_to_hosted=True)
    assert differences(here) == []


async def test_an_order_that_a_commit_brought_does_not_count(here: Path, server: ApiServer) -> None:
    with BackendActions(here) as backends:
        backends.add(far(server.address, "mine"))
        backends.add(far(server.address, "spare"))
        backends.use(["mine"])
    from_elsewhere(here, backends=["spare", "mine"])
    session = await Session.open(here)
    told = [notice.text for notice in session.notices]
    events = await events_of(session.send("Hi."))
    assert [each.order for each in await session.candidates()] == [1, 0, 0]
    await session.close()
    saved = next(event for event in events if isinstance(event, Saved))
    assert saved.turn.replies[0].backend == "mine"
    assert any("backends: spare, then mine (here: mine)" in text for text in told)
    assert not any(
        isinstance(event, Notice) and "changed elsewhere" in event.text for event in events
    )


def test_an_edit_by_hand_agrees_to_what_it_changes_and_to_no_more(here: Path) -> None:
    from_elsewhere(here, failover_to_hosted=True)
    file = here / "companion.yaml"
    file.write_bytes(edit_settings(file.read_bytes(), {"sync": "each turn", "time": "date"}))
    with Workspace.open(here) as workspace:
        workspace.commit_hand_edits()
    assert counts(here) == (("rehearsal",), False, "each turn")


def test_what_git_left_in_the_folder_is_no_edit_by_hand(here: Path) -> None:
    from_elsewhere(here, failover_to_hosted=True)
    git(here, "reset", "-q", "--soft", "HEAD~1")
    git(here, "reset", "-q")
    with Workspace.open(here) as workspace:
        assert workspace.commit_hand_edits().committed
    assert counts(here)[1] is False


def test_what_perdure_commits_for_somebody_is_agreed_to(here: Path) -> None:
    with Workspace.open(here) as workspace:
        data = workspace.repo.read("companion.yaml") or b""
        change = Change("companion.yaml", edit_settings(data, {"sync": "when quiet"}))
        workspace.commit([change], "companion: sync when quiet\n")
        assert workspace.settings.sync == "when quiet"
    assert differences(here) == []


def test_sync_as_another_device_wants_it_does_not_count(here: Path) -> None:
    from_elsewhere(here, sync="each turn")
    with Workspace.open(here) as workspace:
        assert workspace.settings.sync == "off"
    assert differences(here) == ["sync: each turn (here: off)"]


def test_adding_or_choosing_one_agrees_to_no_others_order(here: Path) -> None:
    from_elsewhere(here, backends=["eve", "rehearsal"])
    with BackendActions(here) as backends:
        backends.add(far("http://127.0.0.1:9/v1", "mine"))
        assert backends.settings.backends == ("rehearsal", "mine")
        backends.put_first("mine")
        assert backends.settings.backends == ("mine", "rehearsal")
    assert "backends: [mine, eve, rehearsal]" in (here / "companion.yaml").read_text()
    assert differences(here) == [
        "backends: mine, then eve, then rehearsal (here: mine, then rehearsal)"
    ]


def test_naming_the_order_that_came_agrees_to_it(here: Path) -> None:
    with BackendActions(here) as backends:
        backends.add(far("http://127.0.0.1:9/v1", "mine"))
    from_elsewhere(here, backends=["mine", "rehearsal"])
    with BackendActions(here) as backends:
        backends.use(["mine", "rehearsal"])
    assert differences(here) == []
    assert counts(here)[0] == ("mine", "rehearsal")


def test_undo_brings_back_what_counted_before(here: Path) -> None:
    with BackendActions(here) as backends:
        backends.add(far("http://127.0.0.1:9/v1", "mine"), first=True)
    assert counts(here)[0] == ("mine", "rehearsal")
    with Workspace.open(here) as workspace:
        perform_step(workspace, next_undo(workspace))
    assert counts(here)[0] == ("rehearsal",)
    assert differences(here) == []


def test_going_back_in_time_agrees_to_nothing_that_was_never_agreed_to(here: Path) -> None:
    from_elsewhere(here, failover_to_hosted=True, backends=["eve"])
    from_elsewhere(here, failover_to_hosted=False, backends=["rehearsal"])
    with Workspace.open(here) as workspace:
        rewind(workspace, plan_rewind(workspace, "HEAD~1", "then"))
    assert counts(here) == (("rehearsal",), False, "off")


def test_a_record_of_a_perdure_that_asked_about_manifests_alone_goes_on(companion: Path) -> None:
    from_elsewhere(companion, failover_to_hosted=True, sync="when quiet")
    with Repository.open(companion) as repo:
        confirm(repo, [])
        record = repo.state_dir / "confirmed-backends.json"
        start, _, _ = record.read_bytes().partition(b',"settings"')
        record.write_bytes(start + b"}")
        assert read_agreement(repo)
        begin_agreement(repo)
    assert counts(companion) == (("rehearsal",), True, "when quiet")
    from_elsewhere(companion, sync="off")
    assert counts(companion)[2] == "when quiet"


def test_a_record_that_is_lost_or_of_another_folder_costs_an_answer_and_no_more(
    here: Path, tmp_path: Path
) -> None:
    consent(here)
    with Workspace.open(here) as workspace:
        workspace.commit_hand_edits()
    assert counts(here)[1] is True
    copy = tmp_path / "copy"
    shutil.copytree(here, copy, symlinks=True)
    assert counts(copy) == (("rehearsal",), False, "off")
    (here / ".git" / "perdure" / "state" / "confirmed-backends.json").unlink()
    assert counts(here) == (("rehearsal",), False, "off")
    assert differences(here) == ["failover_to_hosted: yes (here: no)"]


def test_between_two_devices_each_agrees_for_itself(here: Path, tmp_path: Path) -> None:
    add_backup(here, tmp_path / "place.git")
    sync(here)
    there = clone(tmp_path / "place.git", tmp_path / "there")
    with BackendActions(there) as backends:
        backends.add(far("http://127.0.0.1:9/v1", "mine"), first=True)
    settings = (there / "companion.yaml").read_bytes()
    (there / "companion.yaml").write_bytes(edit_settings(settings, {"failover_to_hosted": True}))
    with Workspace.open(there) as workspace:
        workspace.commit_hand_edits()
    sync(there)
    sync(here)
    assert counts(here) == (("rehearsal",), False, "off")
    assert counts(there) == (("mine", "rehearsal"), True, "off")
    with BackendActions(here) as backends:
        assert [each.name for each in backends.waiting()] == ["mine"]
        assert [each.key for each in backends.unagreed(["mine"])] == ["backends"]
        found = backends.unagreed()
    assert "of Ana" in unagreed_notice(found)


@pytest.mark.model
async def test_another_address_under_a_known_name_is_sent_nothing(
    here: Path, tmp_path: Path, server: ApiServer
) -> None:
    with BackendActions(here) as backends:
        backends.add(far(server.address, "mine"), first=True)
    add_backup(here, tmp_path / "place.git")
    sync(here)
    there = clone(tmp_path / "place.git", tmp_path / "there")
    with ApiServer() as other:
        moved = render_manifest(far(other.address, "mine")).decode()
        edit(there, "backends/mine.yaml", moved)
        sync(there)
        edit(here, "notes.md", "both sides have moved\n")
        sync(here)
        session = await Session.open(here)
        events = await events_of(session.send("Hi."))
        await session.close()
        assert other.asked == server.asked == []
    told = [notice.text for notice in session.notices]
    assert any("mine came from outside" in text for text in told)
    assert any(isinstance(event, Saved) for event in events)


def test_a_clone_has_agreed_to_its_order_and_to_nothing_else(here: Path, tmp_path: Path) -> None:
    from_elsewhere(here, failover_to_hosted=True, sync="each turn")
    add_backup(here, tmp_path / "place.git")
    sync(here)
    there = clone(tmp_path / "place.git", tmp_path / "there")
    assert counts(there) == (("rehearsal",), False, "off")
    assert differences(there) == [
        "failover_to_hosted: yes (here: no)",
        "sync: each turn (here: off)",
    ]


def test_a_setting_that_cannot_be_read_is_none(here: Path) -> None:
    (here / "companion.yaml").write_bytes(b"format: 1\nname: Mira\nsync: [often]\n")
    git(here, "commit", "-qam", "companion: broken")
    assert differences(here) == []
    with Repository.open(here) as repo, Workspace(repo) as workspace:
        assert as_agreed(repo, workspace.settings).sync == "off"
