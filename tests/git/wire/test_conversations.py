"""Ask, push and fetch, with every kind of server that git has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.transport import PushOrder, Transport
from tests.conftest import git
from tests.git.wire.histories import fetch, history, more, outgoing, push, refs, tip
from tests.git_servers import PASSWORD, USER, GitServer, bare_repository

SERVERS = ["git_daemon", "git_http", "git_http_password", "git_https", "git_ssh"]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> GitServer:
    """Each kind in turn."""
    monkeypatch.setenv("PERDURE_TOKEN_HOME", PASSWORD)
    monkeypatch.setenv("PERDURE_USER_HOME", USER)
    found: GitServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def remote(server: GitServer) -> Path:
    """A bare repository that the server serves."""
    return bare_repository(server.folder)


@pytest.fixture
def transport(server: GitServer, remote: Path) -> Iterator[Transport]:
    """To that repository."""
    made = connect(parse_address(f"{server.url}/{remote.name}"), name="home")
    yield made
    made.close()


def test_an_empty_remote_says_what_its_head_names(transport: Transport) -> None:
    there = transport.advertised()
    assert there.refs == {}
    assert there.head == "refs/heads/main"


def test_what_is_pushed_is_there_and_is_fetched(
    transport: Transport, remote: Path, tmp_path: Path
) -> None:
    here = history(tmp_path / "here", 5)
    git(here, "tag", "-a", "first", "-m", "the first", "HEAD~2")
    moves = {"refs/heads/main": tip(here), "refs/tags/first": tip(here, "refs/tags/first")}
    result = push(transport, here, moves)
    assert result.refused == {}
    assert result.advertised.refs == {}
    assert refs(remote) == moves
    git(remote, "fsck", "--full", "--strict")

    there = transport.advertised()
    assert there.refs == moves
    assert there.head == "refs/heads/main"

    other = history(tmp_path / "other", 0)
    said: list[str] = []
    assert fetch(transport, other, said.append).refs == moves
    assert tip(other, "refs/got/heads/main") == tip(here)
    assert any("objects" in row for row in said)
    git(other, "fsck", "--full", "--strict")


def test_a_second_push_sends_deltas_on_what_is_there(
    transport: Transport, remote: Path, tmp_path: Path
) -> None:
    here = history(tmp_path / "here", 5, size=4000)
    old = tip(here)
    push(transport, here, {"refs/heads/main": old})
    more(here, 2)
    new = tip(here)
    sent = list(outgoing(here, [new], [old]).entries)
    kinds = {entry[0] >> 4 & 7 for _, entry in sent}
    assert 7 in kinds, "a delta whose base only the remote has"
    result = push(transport, here, {"refs/heads/main": new}, [old])
    assert result.advertised.refs == {"refs/heads/main": old}
    assert (result.refused, refs(remote)) == ({}, {"refs/heads/main": new})
    git(remote, "fsck", "--full", "--strict")


def test_a_branch_is_taken_away(transport: Transport, remote: Path, tmp_path: Path) -> None:
    here = history(tmp_path / "here", 2)
    push(transport, here, {"refs/heads/main": tip(here), "refs/heads/side": tip(here)})
    assert push(transport, here, {"refs/heads/side": None}).refused == {}
    assert refs(remote) == {"refs/heads/main": tip(here)}


def test_a_refused_ref_is_reported_and_the_others_stand(
    transport: Transport, remote: Path, tmp_path: Path
) -> None:
    here = history(tmp_path / "here", 3)
    push(transport, here, {"refs/heads/main": tip(here)})
    before = tip(here, "main~1")
    result = push(
        transport, here, {"refs/heads/main": before, "refs/heads/new": tip(here)}, [tip(here)]
    )
    assert result.refused == {"refs/heads/main": "non-fast-forward"}
    assert refs(remote) == {"refs/heads/main": tip(here), "refs/heads/new": tip(here)}


def test_nothing_is_sent_where_nothing_is_decided(transport: Transport, tmp_path: Path) -> None:
    assert transport.push(lambda _: None, print).refused == {}
    order = PushOrder({}, OutgoingPack(0, iter(())))
    assert transport.push(lambda _: order, print).refused == {}
    assert transport.fetch(lambda _: [], [], lambda _: [], lambda _: None, print).refs == {}
