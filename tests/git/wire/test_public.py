"""Whether everyone can read a remote: asked as a stranger, believed only of git."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from perdure.git.wire import line, public
from perdure.git.wire.address import Address, parse_address
from perdure.git.wire.public import ask_as_stranger, is_public
from tests.conftest import git
from tests.git.wire.test_web import GOOD, raw_server
from tests.git_servers import PASSWORD, USER, GitServer, SshServer, bare_repository, threads


def at(server: GitServer, name: str = "mira.git") -> Address:
    """A repository there."""
    return parse_address(f"{server.url}/{name}")


def test_open_and_closed(
    git_http: GitServer, git_http_password: GitServer, users_config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    bare_repository(git_http.folder)
    assert is_public(at(git_http)) is True
    assert ask_as_stranger(at(git_http, "none.git")).public is False
    # Whatever the user has that would let them in is not in play.
    monkeypatch.setenv("PERDURE_TOKEN_HOME", PASSWORD)
    words = ["config", "--file", str(users_config)]
    git(users_config.parent, *words, "credential.helper", f"!echo password={PASSWORD}; :")
    git(users_config.parent, *words, "http.extraHeader", "Authorization: Basic YW5hOmxldG1laW4=")
    (users_config.parent / ".netrc").write_text(
        f"machine 127.0.0.1 login {USER} password {PASSWORD}\n"
    )
    monkeypatch.setenv("HOME", str(users_config.parent))
    signed = parse_address(f"http://{USER}@127.0.0.1:{git_http_password.port}/mira.git")
    assert is_public(signed) is False
    assert git_http_password.requests == ["GET /mira.git/info/refs?service=git-upload-pack plain"]


@pytest.mark.parametrize(
    ("status", "kind", "body", "expected"),
    [
        (200, "text/html", b"<html>Sign in</html>", False),
        (200, "application/x-git-upload-pack-advertisement", b"<html>Sign in", False),
        (200, "text/html", b"001e# service=git-upload-pack\n0000", False),
        (200, "text/plain", b"0" * 40 + b"\trefs/heads/main\n", True),
        (200, "application/x-git-upload-pack-advertisement", b"000eversion 2\n", True),
        (401, "text/plain", b"", False),
        (403, "text/plain", b"", False),
        (404, "text/plain", b"", False),
        (429, "text/plain", b"", None),
        (503, "text/plain", b"", None),
    ],
)
def test_what_is_believed(
    git_http: GitServer, status: int, kind: str, body: bytes, *, expected: bool | None
) -> None:
    git_http.trouble.append((status, {"Content-Type": kind}, body))
    answer = ask_as_stranger(at(git_http))
    assert answer.public is expected
    assert answer.reason.isprintable()


def test_redirects(git_http: GitServer) -> None:
    bare_repository(git_http.folder)
    here = "/mira.git/info/refs?service=git-upload-pack"
    git_http.trouble.append((301, {"Location": here}, b""))
    assert is_public(at(git_http, "old.git")) is True
    git_http.trouble.append((302, {"Location": "https://login.example/"}, b""))
    answer = ask_as_stranger(at(git_http))
    assert answer.public is None
    assert "login.example" in answer.reason


@pytest.mark.parametrize("text", ["git://example.org/x", "http://example.org/x.git"])
def test_what_anyone_on_the_way_can_read(text: str) -> None:
    assert is_public(parse_address(text)) is True


@pytest.mark.parametrize("text", ["/media/x", "git://localhost/x", "ssh://localhost/x"])
def test_what_stays_on_this_machine(text: str) -> None:
    assert is_public(parse_address(text)) is False


def test_where_nobody_answers(monkeypatch: pytest.MonkeyPatch, hold: threading.Event) -> None:
    assert is_public(parse_address("https://127.0.0.1:1/x.git")) is None
    monkeypatch.setattr(line, "SILENCE_SECONDS", 0.2)
    with threads(raw_server(GOOD, hold)) as port:
        assert is_public(parse_address(f"http://127.0.0.1:{port}/x")) is None


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("git@forge.example:ana/mira.git", ["https://forge.example/ana/mira.git"]),
        ("ssh://git@forge.example:2222/ana/x", ["https://forge.example/ana/x"]),
        (
            "ssh://git@ssh.forge.example:443/ana/x",
            ["https://ssh.forge.example/ana/x", "https://forge.example/ana/x"],
        ),
        ("gh:ana/mira.git", ["https://forge.example/ana/mira.git"]),
    ],
)
def test_addresses_of_ssh_are_asked_by_https(
    text: str, urls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("Host gh\n  HostName forge.example\n  User git\n")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {config}")
    asked: list[Address] = []

    def ask(address: Address) -> public.PublicAnswer:
        asked.append(address)
        return public.PublicAnswer(None if len(asked) == 1 else True, "")

    monkeypatch.setattr(public, "_asked", ask)
    assert ask_as_stranger(parse_address(text)).public is (True if len(urls) > 1 else None)
    assert [(each.text, each.user, each.port) for each in asked] == [
        (url, "", None) for url in urls
    ]


def test_ssh_of_a_private_server(git_ssh: SshServer) -> None:
    answer = ask_as_stranger(parse_address("git@no.such.host.invalid:x.git"))
    assert answer.public is None
    assert "no host" in answer.reason
