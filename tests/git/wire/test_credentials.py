"""Names and passwords: where they are found, and where they never go."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from perdure.git.wire import credentials
from perdure.git.wire.address import parse_address, split_address
from perdure.git.wire.connect import connect
from perdure.git.wire.credentials import Credentials, store_token
from perdure.git.wire.errors import BadAddress, NeedsTyping, RemoteProblem, SignInRefused
from tests.conftest import git
from tests.git.wire.histories import history
from tests.git_servers import PASSWORD, USER, GitServer, bare_repository

AT = parse_address("https://example.org/ana/mira.git")


class Memory(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.trouble: Exception | None = None
        self.waits: threading.Event | None = None

    def get_password(self, service: str, username: str) -> str | None:
        if self.waits is not None:
            self.waits.wait()
        if self.trouble is not None:
            raise self.trouble
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.kept[service, username] = password


@pytest.fixture(autouse=True)
def memory() -> Iterator[Memory]:
    """The keyring of this test."""
    before = keyring.get_keyring()
    made = Memory()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def helper(tmp_path: Path, users_config: Path) -> Path:
    """A helper of the user's that knows `PASSWORD`; what it was told, line by line."""
    told = tmp_path / "told"
    program = tmp_path / "helper"
    program.write_text(
        f'#!/bin/sh\necho "== $1" >> {told}\ncat >> {told}\n'
        f'[ "$1" = get ] && printf "username={USER}\\npassword={PASSWORD}\\n"\nexit 0\n'
    )
    program.chmod(0o755)
    git(tmp_path, "config", "--file", str(users_config), "credential.helper", f"!{program}")
    return told


def offered(text: str = AT.text, name: str = "home") -> list[tuple[str, str, str]]:
    """What would be offered for an address."""
    found = Credentials(parse_address(text), name).offers()
    return [(each.user, each.secret, each.source) for each in found]


def test_the_order_of_the_places(helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_TOKEN_MY_BACKUP", " tok-env\n")
    store_token(AT, "", "tok-ring", name="backup")
    assert offered(name="my-backup") == [
        ("git", "tok-env", "environment"),
        ("git", "tok-ring", "keyring"),
        (USER, PASSWORD, "helper"),
    ]
    monkeypatch.setenv("PERDURE_USER_MY_BACKUP", "bob")
    assert offered(name="my-backup")[0][0] == "bob"
    assert offered("https://eve@example.org/x", "home")[0] == ("eve", "tok-ring", "keyring")


def test_the_keyring_knows_servers_and_users(memory: Memory) -> None:
    ana = parse_address("https://ana@example.org/x.git")
    store_token(ana, "ana", "hers", name="backup")
    store_token(AT, "", "anyones", name="backup")
    assert set(memory.kept) == {
        ("perdure-remote", "https://ana@example.org"),
        ("perdure-remote", "https://example.org"),
    }
    assert offered("https://ana@example.org/other.git")[0][:2] == ("ana", "hers")
    assert offered("https://example.org/other.git")[0][:2] == ("git", "anyones")
    for elsewhere in (
        "https://example.org:8443/x",
        "http://example.org/x",
        "https://example.org.evil.example/x",
    ):
        assert offered(elsewhere) == []


def test_a_token_in_a_url_goes_to_the_keyring(memory: Memory) -> None:
    address, secret = split_address(f"https://ana:{'s3cret-token'}@example.org/x.git")
    assert secret is not None
    store_token(address, secret.user, secret.secret, name="backup")
    assert "s3cret" not in address.text + repr(address) + repr(secret)
    assert offered(address.text)[0] == ("ana", "s3cret-token", "keyring")


@pytest.mark.parametrize("trouble", [keyring.errors.KeyringLocked("hidden"), RuntimeError("bus")])
def test_a_locked_keyring_is_said_and_nothing_worse(memory: Memory, trouble: Exception) -> None:
    memory.trouble = trouble
    assert offered() == []
    asked = Credentials(AT, "home")
    assert list(asked.offers()) == []
    problem = asked.none_left(tried=False)
    assert isinstance(problem, NeedsTyping)
    assert type(trouble).__name__ in str(problem)
    assert "hidden" not in str(problem)
    assert "PERDURE_TOKEN_HOME" in problem.next_step
    with pytest.raises(SignInRefused, match="did not accept"):
        store_token(AT, "", "token", name="backup")


def test_no_keyring_is_no_trouble(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.trouble = keyring.errors.NoKeyringError()
    asked = Credentials(AT, "home")
    assert list(asked.offers()) == []
    assert "(" not in asked.none_left(tried=False).what
    monkeypatch.setattr(credentials, "keyring_ready", lambda: False)
    with pytest.raises(SignInRefused, match="no keyring"):
        store_token(AT, "", "token", name="backup")


def test_a_keyring_that_waits_for_somebody_is_left(
    memory: Memory, hold: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "HELPER_SECONDS", 0.2)
    memory.waits = hold
    asked = Credentials(AT, "home")
    assert list(asked.offers()) == []
    assert "did not answer" in str(asked.none_left(tried=True))


@pytest.mark.parametrize("token", ["", " ", "two\nlines", "esc\x1b"])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(BadAddress):
        store_token(AT, "", token, name="backup")


def test_a_helper_is_told_what_became_of_it(
    git_http_password: GitServer, helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_repository(git_http_password.folder)
    url = f"{git_http_password.url}/mira.git"
    transport = connect(parse_address(url), name="home")
    assert transport.advertised().refs == {}
    assert transport.advertised().refs == {}
    transport.close()
    told = helper.read_text().split("== ")
    assert [each.split("\n", 1)[0] for each in told[1:]] == ["get", "store"]
    assert f"host=127.0.0.1:{git_http_password.port}\n" in told[1]
    assert f"password={PASSWORD}\n" in told[2]

    helper.unlink()
    script = helper.parent / "helper"
    script.write_text(script.read_text().replace(PASSWORD, "wrong"))
    with pytest.raises(SignInRefused) as caught:
        connect(parse_address(url), name="home").advertised()
    assert "== erase" in helper.read_text()
    assert "wrong" not in str(caught.value)


def test_a_wrong_token_gives_way_to_the_next(
    git_http_password: GitServer, helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_repository(git_http_password.folder)
    monkeypatch.setenv("PERDURE_TOKEN_HOME", "old")
    transport = connect(parse_address(f"{git_http_password.url}/mira.git"), name="home")
    assert transport.advertised().refs == {}
    transport.close()
    assert "== erase" not in helper.read_text(), "it was not the helper's"


def test_nobody_is_asked(
    git_http_password: GitServer, users_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = users_config.parent / "owned"
    asker = users_config.parent / "asker"
    asker.write_text(f"#!/bin/sh\ntouch {owned}\necho secret\n")
    asker.chmod(0o755)
    git(users_config.parent, "config", "--file", str(users_config), "core.askPass", str(asker))
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(asker))
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(NeedsTyping, match="wants a password or token"):
        connect(parse_address(f"{git_http_password.url}/x.git"), name="home").advertised()
    assert not owned.exists()


def test_helpers_of_a_repository_are_never_run(
    git_http_password: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = tmp_path / "owned"
    here = history(tmp_path / "here", 1)
    git(here, "config", "credential.helper", f"!touch {owned}; cat")
    git(here, "config", "core.askPass", f"touch {owned}; :")
    monkeypatch.chdir(here)
    monkeypatch.setenv("GIT_DIR", str(here / ".git"))
    with pytest.raises(NeedsTyping):
        connect(parse_address(f"{git_http_password.url}/x.git"), name="home").advertised()
    assert not owned.exists()


def test_a_helper_that_never_ends_is_ended(
    tmp_path: Path, users_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "HELPER_SECONDS", 0.3)
    held = tmp_path / "held"
    os.mkfifo(held)
    words = ["config", "--file", str(users_config), "credential.helper"]
    git(tmp_path, *words, f"!exec 3> {held}; sleep 500; :")
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    try:
        asked = Credentials(AT, "home")
        assert list(asked.offers()) == []
        assert "git's credential helper did not answer" in asked.none_left(tried=False).what
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b"", "it ends once nobody has it open"
    finally:
        os.close(reader)


def test_no_error_shows_a_secret(
    git_http_password: GitServer, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_TOKEN_HOME", "tok-secret")
    address, secret = split_address(f"http://ana:pw-secret@127.0.0.1:{git_http_password.port}/x")
    assert secret is not None
    store_token(address, secret.user, secret.secret, name="backup")
    with pytest.raises(RemoteProblem) as caught:
        connect(address, name="home").advertised()
    shown = str(caught.value) + repr(caught.value)
    trace: BaseException | None = caught.value
    while trace is not None:
        shown += repr(trace)
        trace = trace.__cause__ or trace.__context__
    assert "secret" not in shown
