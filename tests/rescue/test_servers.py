"""Two devices over each kind of server, by the commands that people type."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from perdure.git.packs import outgoing
from perdure.git.remotes import push
from perdure.git.wire.errors import RemoteProblem
from perdure.rescue.sync import Sync
from tests.conftest import assert_sound, git
from tests.git_servers import (
    PASSWORD,
    USER,
    CutProxy,
    GitServer,
    SshServer,
    bare_repository,
)
from tests.rescue.devices import add_backup, clone, refs, say, sync, words

LONG = "three " + random.Random(3).randbytes(10_000).hex()
"""A message that hardly compresses."""


def round_trip(companion: Path, url: str, served: Path, second: Path) -> None:
    """Push, clone, talk on both, bring both together."""
    place = bare_repository(served)
    say(companion, "at home")
    add_backup(companion, url)
    sync(companion)
    assert refs(place) == refs(companion)
    clone(url, second)
    say(second, "on the way")
    say(companion, "meanwhile at home")
    git(companion, "tag", "-a", "-m", "a note", "noted")
    sync(second)
    sync(companion)
    sync(second)
    assert refs(companion) == refs(second) == refs(place)
    for path in (companion, second):
        assert "on the way" in words(path)
        assert "meanwhile at home" in words(path)
        assert_sound(path)
    git(place, "fsck", "--full", "--strict")


def test_git_daemon(companion: Path, git_daemon: GitServer, tmp_path: Path) -> None:
    round_trip(companion, f"{git_daemon.url}/mira.git", git_daemon.folder, tmp_path / "second")


def test_ssh(companion: Path, git_ssh: SshServer, tmp_path: Path) -> None:
    round_trip(companion, f"{git_ssh.url}/mira.git", git_ssh.folder, tmp_path / "second")


@pytest.mark.parametrize("name", ["git_http_password", "git_https"])
def test_web_with_a_password(
    companion: Path,
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server: GitServer = request.getfixturevalue(name)
    monkeypatch.setenv("PERDURE_TOKEN_ORIGIN", PASSWORD)
    monkeypatch.setenv("PERDURE_USER_ORIGIN", USER)
    round_trip(companion, f"{server.url}/mira.git", server.folder, tmp_path / "second")
    assert PASSWORD not in (companion / ".git" / "config").read_text()


def test_a_background_process_finds_the_way_that_a_command_finds(
    companion: Path, git_ssh: SshServer
) -> None:
    """What a process of ours is given of the environment is enough for ssh."""
    from perdure.environment import child_environment
    from perdure.git.remotes.background import CARRIED

    given = child_environment(*CARRIED)
    assert given["GIT_SSH_COMMAND"] == os.environ["GIT_SSH_COMMAND"]
    assert given["HOME"] == os.environ["HOME"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_push_that_is_cut_is_pushed_again(
    companion: Path,
    git_daemon: GitServer,
    cut_proxy: Callable[[int], CutProxy],
    share: float,
) -> None:
    place = bare_repository(git_daemon.folder)
    proxy = cut_proxy(git_daemon.port)
    say(companion, "one", "two", LONG)
    add_backup(companion, f"git://127.0.0.1:{proxy.port}/mira.git")
    proxy.upward = int(share * 9000)
    with pytest.raises(RemoteProblem):
        sync(companion)
    git(place, "fsck", "--full", "--strict")
    assert refs(place) in ({}, refs(companion))
    proxy.upward = None
    sync(companion)
    assert refs(place) == refs(companion)
    git(place, "fsck", "--full", "--strict")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_pull_that_is_cut_leaves_nothing_and_is_pulled_again(
    companion: Path,
    git_daemon: GitServer,
    cut_proxy: Callable[[int], CutProxy],
    tmp_path: Path,
    share: float,
) -> None:
    bare_repository(git_daemon.folder)
    proxy = cut_proxy(git_daemon.port)
    url = f"git://127.0.0.1:{proxy.port}/mira.git"
    add_backup(companion, url)
    sync(companion)
    second = clone(url, tmp_path / "second")
    say(second, "one", "two", LONG)
    sync(second)
    before = refs(companion)
    files = {path.name for path in (companion / ".git" / "objects" / "pack").iterdir()}
    proxy.downward = int(share * 9000)
    with pytest.raises(RemoteProblem):
        sync(companion)
    assert refs(companion) == before
    assert {path.name for path in (companion / ".git" / "objects" / "pack").iterdir()} == files
    assert_sound(companion)
    say(companion, "it goes on")
    proxy.downward = None
    sync(companion)
    sync(second)
    assert refs(companion) == refs(second)
    assert "three" in words(companion)


def test_a_first_push_that_is_cut_costs_one_slice(
    companion: Path,
    git_daemon: GitServer,
    cut_proxy: Callable[[int], CutProxy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = bare_repository(git_daemon.folder)
    proxy = cut_proxy(git_daemon.port)
    dice = random.Random(5)
    for _ in range(6):
        say(companion, dice.randbytes(20_000).hex())
    git(companion, "branch", "side", "HEAD~3")
    add_backup(companion, f"git://127.0.0.1:{proxy.port}/mira.git")
    monkeypatch.setattr(push, "slices", partial(outgoing.slices, most=50_000))
    proxy.upward = 100_000
    with pytest.raises(RemoteProblem):
        sync(companion)
    git(place, "fsck", "--full", "--strict")
    came = refs(place)["refs/heads/main"]
    sent = int(git(companion, "rev-list", "--count", came))
    assert 0 < sent < int(git(companion, "rev-list", "--count", "main"))
    proxy.passed, proxy.upward = 0, None
    said: list[str] = []
    sync(companion, said=said)
    assert "looking at what is to be sent" in said
    assert [row for row in said if row.startswith("sending part")][-1] == "sending part 2 of 2"
    assert refs(place) == refs(companion)
    assert proxy.passed < 160_000


def test_whoever_is_quicker_wins_and_the_other_brings_both_together(
    companion: Path, git_daemon: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another device pushes between what the remote advertises and what is sent."""
    place = bare_repository(git_daemon.folder)
    url = f"{git_daemon.url}/mira.git"
    add_backup(companion, url)
    sync(companion)
    second = clone(url, tmp_path / "second")
    say(second, "from the other device")
    say(companion, "from here")
    decide = Sync._decide
    quicker = [lambda: git(second, "push", "-q", "origin", "main")]

    def late(self: Sync, there: Mapping[str, str]) -> dict[str, str | None] | None:
        moves = decide(self, there)
        while quicker:
            quicker.pop()()
        return moves

    monkeypatch.setattr(Sync, "_decide", late)
    result = sync(companion)
    assert result.is_level
    assert result.refused == {}
    assert refs(place) == refs(companion)
    assert "from the other device" in words(companion)


def test_a_place_without_kept_lines_keeps_the_branch(
    companion: Path, git_daemon: GitServer
) -> None:
    """Its line would be lost there: the branch is not taken away."""
    place = bare_repository(git_daemon.folder)
    hook = place / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/perdure/*) echo "not here" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    add_backup(companion, f"{git_daemon.url}/mira.git")
    git(companion, "switch", "-q", "-c", "side")
    say(companion, "on the side")
    git(companion, "switch", "-q", "main")
    sync(companion)
    git(companion, "branch", "-q", "-D", "side")
    result = sync(companion)
    assert list(result.refused) == [ref for ref in refs(companion) if "kept" in ref]
    assert result.is_level
    assert "refs/heads/side" in refs(place)
    assert "on the side" in words(place, "side")
