"""ssh: what it is started with, what it may ask, and what its troubles mean."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.errors import (
    BadAddress,
    ChangedHostKey,
    CutOff,
    NoRepositoryThere,
    NotAllowed,
    RemoteProblem,
    SignInRefused,
    UnknownHostKey,
    Unreachable,
)
from perdure.git.wire.host_key import accept, host_key
from perdure.git.wire.ssh import open_ssh_line, quoted, ssh_problem, ssh_words
from tests.conftest import git
from tests.git.wire.histories import history, push, refs, tip
from tests.git_servers import SshServer, bare_repository

FORGE = parse_address("git@forge:mira.git")


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in ssh's place that writes down its words and its environment."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/words\nenv > {tmp_path}/env\n'
        f"ps -o pid=,sid= -p $$ > {tmp_path}/session\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"'{program}' -F 'my file'")
    return tmp_path


def test_words_options_and_environment(fake_ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "SSH_ASKPASS", "ANTHROPIC_API_KEY", "PERDURE_TOKEN_HOME"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    line = open_ssh_line(parse_address("ssh://ana@[::1]:2222/~/it's!"), "git-upload-pack")
    assert line.read(1) == b""
    line.close()
    words = (fake_ssh / "words").read_text().splitlines()
    assert words[:2] == ["-F", "my file"]
    assert words[-5:-1] == ["-p", "2222", "--", "ana@::1"]
    assert words[-1] == r"git-upload-pack '~/it'\''s'\!''"
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ControlMaster=no"):
        assert option in words
    env = (fake_ssh / "env").read_text()
    assert "secret" not in env
    assert "SSH_AUTH_SOCK=/run/agent\n" in env
    assert "GIT_PROTOCOL=version=2\n" in env
    pid, session = (fake_ssh / "session").read_text().split()
    assert pid == session, "ssh has no terminal of ours"


def test_a_shell_reads_a_quoted_path_as_it_was() -> None:
    for path in ("a b", "it's", "wow!", "$(touch x)", "`x`", '"', "\\", "-x"):
        said = subprocess.run(
            ["sh", "-c", f"printf %s {quoted(path)}"], capture_output=True, text=True, check=True
        )
        assert said.stdout == path.replace("\\!", "!")


def test_whose_ssh_it_is(
    users_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    assert ssh_words() == ["ssh"]
    git(tmp_path, "config", "--file", str(users_config), "core.sshCommand", "ssh -F 'a b'")
    assert ssh_words() == ["ssh", "-F", "a b"]
    here = history(tmp_path / "here", 1)
    git(here, "config", "core.sshCommand", "touch /tmp/owned")
    monkeypatch.chdir(here)
    assert ssh_words() == ["ssh", "-F", "a b"], "a repository's own setting never counts"
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -v")
    assert ssh_words() == ["ssh", "-v"]
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh 'x")
    with pytest.raises(BadAddress, match="not a command"):
        ssh_words()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("git@forge: Permission denied (publickey).", SignInRefused),
        ("Received disconnect from ::1: Too many authentication failures", SignInRefused),
        ("No ED25519 host key is known for forge and you have requested strict", UnknownHostKey),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nfailed.", ChangedHostKey),
        ("ssh: Could not resolve hostname forge: Name or service not known", Unreachable),
        ("ssh: connect to host forge port 22: Connection refused", Unreachable),
        ("fatal: '/x' does not appear to be a git repository", NoRepositoryThere),
        ("ERROR: Repository not found.", NoRepositoryThere),
        (
            "FATAL: R any x ana DENIED by fallthru\n(or you mis-spelled the reponame)",
            NoRepositoryThere,
        ),
        ("FATAL: W refs/heads/main x ana DENIED by refs/.*", NotAllowed),
        ("ERROR: Permission to ana/x.git denied to bob.", NotAllowed),
        ("bash: line 1: git-upload-pack: command not found", NoRepositoryThere),
        ("something else", CutOff),
        ("", CutOff),
    ],
)
def test_what_its_words_mean(said: str, kind: type[RemoteProblem]) -> None:
    problem = (
        ssh_problem(f"Welcome to the forge\n{said}\n", FORGE) if said else ssh_problem("", FORGE)
    )
    assert type(problem) is kind
    assert "as it was" in str(problem)


def test_words_of_a_server_cannot_steer_the_terminal() -> None:
    problem = ssh_problem("\x1b]0;owned\x07 nasty \u202e words" + "x" * 9999, FORGE)
    assert str(problem).isprintable()
    assert len(str(problem)) < 400


def test_an_unknown_host_is_shown_and_accepted(git_ssh: SshServer, tmp_path: Path) -> None:
    bare_repository(git_ssh.folder)
    address = parse_address(f"{git_ssh.url}/mira.git")
    assert host_key(address) is None, "it is known"
    git_ssh.known_hosts.write_text("other ssh-ed25519 AAAA")
    with pytest.raises(UnknownHostKey):
        connect(address, name="home").advertised()
    assert git_ssh.known_hosts.read_text() == "other ssh-ed25519 AAAA", "nothing accepted unasked"

    found = host_key(address)
    assert found is not None
    public = git_ssh.known_hosts.parent / "host.pub"
    printed = subprocess.run(
        ["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True
    ).stdout.split()
    assert found.fingerprint == printed[1]
    assert f"({found.kind})" == printed[-1]
    assert git_ssh.known_hosts.read_text() == "other ssh-ed25519 AAAA"

    assert accept(found) == git_ssh.known_hosts
    assert git_ssh.known_hosts.read_text().splitlines()[0] == "other ssh-ed25519 AAAA"
    assert host_key(address) is None
    assert connect(address, name="home").advertised().refs == {}


def test_a_changed_host_key_is_never_taken(git_ssh: SshServer, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "else"], check=True
    )
    line = f"forge {' '.join((tmp_path / 'else.pub').read_text().split()[:2])}\n"
    git_ssh.known_hosts.write_text(line)
    address = parse_address(f"{git_ssh.url}/mira.git")
    with pytest.raises(ChangedHostKey, match="another host key"):
        connect(address, name="home").advertised()
    with pytest.raises(ChangedHostKey):
        host_key(address)
    assert git_ssh.known_hosts.read_text() == line


def test_a_key_that_the_server_does_not_know(git_ssh: SshServer) -> None:
    git_ssh.authorised.write_text("")
    with pytest.raises(SignInRefused, match="none of your ssh keys"):
        connect(parse_address(f"{git_ssh.url}/mira.git"), name="home").advertised()


def test_a_key_with_a_passphrase_asks_nobody(git_ssh: SshServer) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "hard", "-f", git_ssh.key], check=True)
    with pytest.raises(SignInRefused, match="ssh-add"):
        connect(parse_address(f"{git_ssh.url}/mira.git"), name="home").advertised()


def test_no_repository_there(git_ssh: SshServer, tmp_path: Path) -> None:
    transport = connect(parse_address(f"{git_ssh.url}/none.git"), name="home")
    with pytest.raises(NoRepositoryThere, match="on forge"):
        transport.advertised()
    with pytest.raises(NoRepositoryThere):
        push(transport, tmp_path, {})


def test_a_host_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F /dev/null")
    with pytest.raises(Unreachable):
        connect(parse_address("ssh://ana@127.0.0.1:1/x.git"), name="home").advertised()
    monkeypatch.setenv("GIT_SSH_COMMAND", "no-such-program")
    with pytest.raises(RemoteProblem, match="could not be started"):
        connect(FORGE, name="home").advertised()


def test_what_gitolite_says(gitolite: SshServer, tmp_path: Path) -> None:
    here = history(tmp_path / "here", 2)
    transport = connect(parse_address(f"{gitolite.url}testing"), name="home")
    assert push(transport, here, {"refs/heads/main": tip(here)}).refused == {}
    assert transport.advertised().refs == {"refs/heads/main": tip(here)}
    for name in ("gitolite-admin", "none"):
        with pytest.raises(NoRepositoryThere, match="or not for you"):
            connect(parse_address(f"{gitolite.url}{name}"), name="home").advertised()


def test_no_process_stays(
    git_ssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)

    monkeypatch.setattr("perdure.git.wire.ssh.subprocess.Popen", Noted)
    remote = bare_repository(git_ssh.folder)
    here = history(tmp_path / "here", 2)
    transport = connect(parse_address(f"{git_ssh.url}/mira.git"), name="home")
    push(transport, here, {"refs/heads/main": tip(here)})
    ended = [process.returncode for process in started]
    assert ended
    assert None not in ended
    assert refs(remote) == {"refs/heads/main": tip(here)}
