"""A manifest that says something else than was meant sends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actions.backends.manage import BackendActions
from perdure.actions.trust import is_confirmed, unconfirmed_backends
from perdure.chat.events import Failed
from perdure.chat.routing.backend_set import find
from perdure.chat.session import Session
from perdure.companion.config.manifest import check_keys, parse_manifest
from perdure.companion.errors import BadFile
from perdure.git.repository.repository import Repository
from tests.api_server import ApiServer
from tests.chat.test_session import events_of
from tests.conftest import git

HERE = "driver: openai\nmodel: tiny\naddress: {address}\n"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("adress", "address"),
        ("api_base", "address"),
        ("base_url", "address"),
        ("temprature", "parameters"),
        ("max_token", "parameters"),
        ("engine", "model"),
        ("baseURL", "address"),
        ("URL", "address"),
        ("num_ctx", "context_window"),
        ("api_key", "key"),
        ("temperature", "parameters"),
        ("shapes", "shape"),
    ],
)
def test_an_unknown_key_is_told_with_the_near_name(key: str, meant: str) -> None:
    value = "env:KEY" if key == "api_key" else "8192"
    text = f"driver: openai\nmodel: m\n{key}: {value}\n"
    manifest = parse_manifest(text.encode(), "backends/far.yaml")
    with pytest.raises(BadFile, match=f"far.yaml:3: unknown key '{key}' .did you mean '{meant}'"):
        check_keys(manifest)


def test_a_key_that_nobody_has_is_told_as_it_is() -> None:
    manifest = parse_manifest(b"driver: openai\nmodel: m\nzzz: 1\n", "backends/far.yaml")
    with pytest.raises(BadFile, match="unknown key 'zzz'"):
        check_keys(manifest)


def speaking(companion: Path, text: str) -> None:
    (companion / "backends/far.yaml").write_text(text)
    settings = companion / "companion.yaml"
    lines = settings.read_text().splitlines()
    lines = ["backends: [far]" if line.startswith("backends:") else line for line in lines]
    settings.write_text("\n".join(lines) + "\n")


async def said(companion: Path, text: str) -> list[Failed]:
    session = await Session.open(companion)
    events = await events_of(session.send(text))
    await session.close()
    return [event for event in events if isinstance(event, Failed)]


async def test_an_edit_that_misspells_the_address_stops_the_talk(companion: Path) -> None:
    with ApiServer() as server, Repository.open(companion):
        text = HERE.format(address=server.address)
        with BackendActions(companion):
            speaking(companion, text)
        assert await said(companion, "Hello.") == []
        talks = server.talks
        speaking(companion, text.replace("address:", "adress:"))
        (failed,) = await said(companion, "And now?")
        assert "did you mean 'address'" in failed.what
        assert server.talks == talks
    with BackendActions(companion) as backends:
        (row,) = [each for each in backends.listed() if each.name == "far"]
        assert "did you mean 'address'" in row.problem
        assert backends.waiting() == []


@pytest.mark.parametrize("driver", ["openai", "anthropic"])
async def test_a_provider_is_reached_by_no_omission(companion: Path, driver: str) -> None:
    with BackendActions(companion) as backends:
        text = HERE.format(address="http://127.0.0.1:9/v1").replace("openai", driver)
        speaking(companion, text)
        backends.commit_hand_edits()
    speaking(companion, f"driver: {driver}\nmodel: tiny\n")
    with BackendActions(companion) as backends:
        backends.commit_hand_edits()
        assert backends.spec(backends.manifest("far")).disabled
        (waits,) = backends.waiting()
        assert "names no address" in waits.notice
        assert f"api.{driver}.com" in waits.notice
        backends.confirm([waits])
        assert not backends.spec(backends.manifest("far")).disabled
    # An edit of what was confirmed so is the user's own again.
    speaking(companion, f"driver: {driver}\nmodel: other\n")
    with BackendActions(companion) as backends:
        backends.commit_hand_edits()
        assert not backends.spec(backends.manifest("far")).disabled


async def test_an_ollama_of_this_machine_needs_no_address(companion: Path) -> None:
    with BackendActions(companion) as backends:
        speaking(companion, "driver: ollama\nmodel: tiny\n")
        backends.commit_hand_edits()
        assert not backends.spec(backends.manifest("far")).disabled


def test_a_committed_unknown_key_is_refused_in_its_place(companion: Path) -> None:
    (companion / "backends/rehearsal.yaml").write_text("driver: embedded\nmodel: m\nadress: x\n")
    git(companion, "commit", "-qam", "by hand")
    with Repository.open(companion) as repo:
        found = find(repo, "HEAD", "rehearsal")
        assert found.problem is not None
        assert "adress" in found.problem.what
        assert unconfirmed_backends(repo, "HEAD") == []
        data = repo.read("backends/rehearsal.yaml") or b""
        assert not is_confirmed(repo, parse_manifest(data, "backends/rehearsal.yaml"))
