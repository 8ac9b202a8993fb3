"""A connection that is begun before it is needed: used once, or ended."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from perdure.git.remotes.early import connected_early
from perdure.git.remotes.record import RemoteRecord, write_record
from perdure.git.repository.repository import Repository
from perdure.git.wire import connect as module
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import EarlyConnection, connect
from perdure.git.wire.errors import NoRepositoryThere, Unreachable
from tests.conftest import git
from tests.git.wire.histories import history, push, refs, tip
from tests.git_servers import PASSWORD, USER, GitServer, SshServer, bare_repository

QUESTION = "/mira.git/info/refs?service=git-receive-pack"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return history(tmp_path / "here", 2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Each ssh that was started for a push."""
    found: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            if "git-receive-pack" in str(self.args):
                found.append(self)

    monkeypatch.setattr("perdure.git.wire.ssh.subprocess.Popen", Noted)
    return found


def pushed(early: EarlyConnection, url: str, here: Path) -> None:
    transport = connect(parse_address(url), name="home", early=early)
    try:
        assert push(transport, here, {"refs/heads/main": tip(here)}).refused == {}
    finally:
        transport.close()


def test_one_ssh_is_started_for_a_push(
    git_ssh: SshServer, here: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    remote = bare_repository(git_ssh.folder)
    url = f"{git_ssh.url}/mira.git"
    with EarlyConnection(parse_address(url), "home") as early:
        pushed(early, url, here)
    assert len(started) == 1
    assert refs(remote) == {"refs/heads/main": tip(here)}


@pytest.mark.parametrize("why", ["nobody connects", "it is old", "it is another address"])
def test_an_ssh_that_nobody_takes_is_ended(
    git_ssh: SshServer,
    here: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    bare_repository(git_ssh.folder)
    other = bare_repository(git_ssh.folder, "other.git")
    if why == "it is old":
        monkeypatch.setattr(module, "_FRESH", 0.0)
    url = f"{git_ssh.url}/mira.git"
    with EarlyConnection(parse_address(url), "home") as early:
        (first,) = started
        if why == "it is old":
            pushed(early, url, here)
        elif why == "it is another address":
            pushed(early, f"{git_ssh.url}/other.git", here)
            assert refs(other) == {"refs/heads/main": tip(here)}
    assert first.returncode is not None


def test_a_web_server_is_asked_once(
    git_https: GitServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_TOKEN_HOME", PASSWORD)
    monkeypatch.setenv("PERDURE_USER_HOME", USER)
    remote = bare_repository(git_https.folder)
    url = f"{git_https.url}/mira.git"
    with EarlyConnection(parse_address(url), "home") as early:
        pushed(early, url, here)
    assert refs(remote) == {"refs/heads/main": tip(here)}
    assert git_https.requests == [
        f"GET {QUESTION} plain",
        f"GET {QUESTION} signed",
        "POST /mira.git/git-receive-pack signed",
    ]


def test_what_goes_wrong_is_told_to_whoever_connects(git_http: GitServer, here: Path) -> None:
    for url, kind in (
        (f"{git_http.url}/none.git", NoRepositoryThere),
        ("http://127.0.0.1:9/mira.git", Unreachable),
    ):
        with EarlyConnection(parse_address(url), "home") as early, pytest.raises(kind):
            pushed(early, url, here)


def test_the_remote_is_found_in_the_folder_alone(here: Path, tmp_path: Path) -> None:
    with connected_early(here, None) as early:
        assert early is None
    with connected_early(tmp_path / "nothing", None) as early:
        assert early is None
    git(here, "remote", "add", "home", "https://ana:secret@localhost:9/mira.git")
    with connected_early(here, None) as early:
        assert early is None
    place = str(tmp_path / "place.git")
    git(here, "remote", "set-url", "home", place)
    look_at(here, place)
    with connected_early(here, "other") as early:
        assert early is None
    with connected_early(here, "home") as early:
        assert early is not None


def look_at(here: Path, url: str, *, checked_at: float | None = 1.0) -> None:
    """Note a push that worked."""
    with Repository.open(here) as repo:
        record = RemoteRecord(url, agreed={"refs/heads/main": tip(here)}, checked_at=checked_at)
        write_record(repo, "home", record)


def test_nobody_signs_in_before_the_place_and_the_history_were_looked_at(
    git_http: GitServer,
    git_ssh: SshServer,
    here: Path,
    started: list[subprocess.Popen[bytes]],
) -> None:
    for server in (git_http, git_ssh):
        url = f"{server.url}/mira.git"
        git(here, "remote", "add", "home", url)
        with connected_early(here, "home") as early:
            assert early is None
        look_at(here, url, checked_at=None)
        with connected_early(here, "home") as early:
            assert early is None
        look_at(here, f"{server.url}/other.git")
        with connected_early(here, "home") as early:
            assert early is None
        git(here, "remote", "remove", "home")
    assert git_http.requests == []
    assert started == []
