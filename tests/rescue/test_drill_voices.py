"""A restored companion speaks, through what is confirmed here, and nothing of it comes here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perdure.rescue.drill import voices
from tests.api_server import REPLY, ApiServer
from tests.cli.command import run_command
from tests.conftest import git
from tests.rescue.devices import add_backup, say, sync

pytest_plugins = ["tests.git_servers"]


@pytest.fixture
def backed_up(companion: Path, tmp_path: Path) -> Path:
    say(companion, "the first thing")
    add_backup(companion, tmp_path / "place.git")
    return companion


def manifest(path: Path, address: str) -> None:
    (path / "backends/served.yaml").write_text(f"driver: openai\nmodel: tiny\naddress: {address}\n")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "backend: served")


def spoken(path: Path) -> tuple[int, dict[str, dict[str, object]]]:
    done = run_command("drill", "--speak", "--json", cwd=path)
    report = json.loads(done.stdout)["remotes"][0]
    return done.returncode, {each["backend"]: each for each in report["replies"]}


@pytest.mark.model
def test_she_speaks_through_each_confirmed_backend(backed_up: Path) -> None:
    with ApiServer() as server:
        manifest(backed_up, server.address)
        sync(backed_up)
        tips = git(backed_up, "for-each-ref", "refs/heads", "refs/tags")
        _, unconfirmed = spoken(backed_up)
        assert server.talks == 0
        assert unconfirmed["rehearsal"]["text"]
        done = run_command("backend", "confirm", "served", "--yes", cwd=backed_up)
        assert done.returncode == 0, done.stderr
        code, replies = spoken(backed_up)
        assert code == 0
        assert replies["served"]["text"] == REPLY
        assert replies["rehearsal"]["text"]
        assert server.talks == 1
        assert git(backed_up, "for-each-ref", "refs/heads", "refs/tags") == tips
        assert voices.LINE not in git(backed_up, "log", "--all", "-p")


@pytest.mark.model
def test_one_that_does_not_answer_is_told_and_one_that_does_is_enough(backed_up: Path) -> None:
    with ApiServer() as server:
        manifest(backed_up, server.address)
        sync(backed_up)
        run_command("backend", "confirm", "served", "--yes", cwd=backed_up)
    code, replies = spoken(backed_up)
    assert code == 0
    assert replies["served"]["problem"]
    assert replies["rehearsal"]["text"]


def test_where_nobody_answers_nothing_is_proven_to_speak(
    backed_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_MODELS", str(tmp_path / "no-models"))
    sync(backed_up)
    code, replies = spoken(backed_up)
    assert code == 3
    assert replies["rehearsal"]["problem"]


def test_a_hosted_one_is_named_before_it_is_asked() -> None:
    from perdure.backends.protocol import BackendSpec

    hosted = BackendSpec("cloud", "openai", "big", address="https://api.example.org/v1")
    here = BackendSpec("near", "openai", "big", address="http://127.0.0.1:8000/v1")
    (line,) = voices.hosted_warning([hosted, here])
    assert "api.example.org" in line
    assert "the last turns" in line
