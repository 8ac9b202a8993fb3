"""ssh as git uses it: a program of the user's, with the user's own configuration, asking nobody.

``~/.ssh/config`` holds: aliases, keys, jumps, ProxyCommand. So do the user's ``GIT_SSH_COMMAND``
and the ``core.sshCommand`` of their own git configuration, split into words without a shell. The
repository's configuration is not read. Our options come last, and ssh takes the first that it is
given: they fix only what the user has not. ssh runs in a session of its own, where there is no
terminal to ask on, and accepts no host key by itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Sequence

from perdure.environment import child_environment
from perdure.git.wire.address import Address
from perdure.git.wire.errors import (
    SAFE,
    BadAddress,
    ChangedHostKey,
    CutOff,
    NoRepositoryThere,
    NotAllowed,
    RemoteProblem,
    SignInRefused,
    UnknownHostKey,
    Unreachable,
    server_words,
)
from perdure.git.wire.line import CONNECT_SECONDS, Line, cut_off

END_SECONDS = 5.0
"""How long ssh may take to end once its pipes are closed."""
_PASSED = ("SSH_AUTH_SOCK", "KRB5CCNAME", "XDG_RUNTIME_DIR", "GNUPGHOME")


def ssh_words() -> list[str]:
    """The user's ssh, as words.

    Raises:
        BadAddress: their setting cannot be split into words.
    """
    chosen = os.environ.get("GIT_SSH_COMMAND") or _users_command()
    if not chosen:
        return ["ssh"]
    try:
        words = shlex.split(chosen)
    except ValueError:
        words = []
    if not words:
        raise BadAddress(
            "GIT_SSH_COMMAND or core.sshCommand is not a command", SAFE, "correct its quotes"
        )
    return [os.path.expanduser(words[0]), *words[1:]]  # noqa: PTH111 - the rest are its own


def _users_command() -> str:
    from perdure.git.config.user import read_user_config

    with contextlib.suppress(KeyError):
        return read_user_config().get((b"core",), b"sshCommand").decode("utf-8", "replace")
    return ""


def ssh_environment() -> dict[str, str]:
    """What ssh and its helpers get: the agent, and no way to ask on a screen."""
    return {**child_environment(*_PASSED), "SSH_ASKPASS_REQUIRE": "never"}


def ssh_options() -> list[str]:
    """Our own: nobody is asked, no key accepted, nothing forwarded, no process left behind."""
    return [
        "-x", "-a", "-T",
        "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=yes",
        "-o", f"ConnectTimeout={CONNECT_SECONDS:.0f}",
        "-o", "ServerAliveInterval=15",
        "-o", "ServerAliveCountMax=3",
        "-o", "ControlMaster=no",
        "-o", "ClearAllForwardings=yes",
        "-o", "PermitLocalCommand=no",
    ]  # fmt: skip


def place_words(address: Address) -> list[str]:
    """The words that name the machine and its user."""
    words = ["-p", str(address.port)] if address.port else []
    return [*words, "--", f"{address.user}@{address.host}" if address.user else address.host]


def quoted(path: str) -> str:
    """A path as git quotes it for the shell on the other side (``sq_quote``)."""
    return "'" + re.sub(r"(['!])", r"'\\\1'", path) + "'"


def open_ssh_line(address: Address, service: str) -> Line:
    """A line to a git service by ssh.

    Args:
        address: where.
        service: ``git-upload-pack`` or ``git-receive-pack``.

    Raises:
        RemoteProblem: there is no ssh on this machine.
    """
    options = ssh_options()
    environment = ssh_environment()
    if service == "git-upload-pack":
        options += ["-o", "SendEnv=GIT_PROTOCOL"]
        environment["GIT_PROTOCOL"] = "version=2"
    words = [*ssh_words(), *options, *place_words(address), f"{service} {quoted(address.path)}"]
    process = start_ssh(words, environment, stdin=subprocess.PIPE)
    reads, writes, errors = process.stdout, process.stdin, process.stderr
    if reads is None or writes is None or errors is None:
        raise cut_off()

    def end_writes() -> None:
        with contextlib.suppress(OSError):
            writes.close()

    return Line(
        reads.fileno(),
        writes.fileno(),
        end_writes=end_writes,
        close=lambda: end_ssh(process),
        errors=errors.fileno(),
    )


def start_ssh(
    words: Sequence[str], environment: dict[str, str], *, stdin: int
) -> subprocess.Popen[bytes]:
    """Start ssh in a session of its own.

    Raises:
        RemoteProblem: there is no such program.
    """
    try:
        return subprocess.Popen(
            words,
            bufsize=0,
            cwd="/",
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise RemoteProblem(
            f"{words[0]} could not be started: {error.strerror}",
            SAFE,
            "install OpenSSH's client, or correct GIT_SSH_COMMAND",
        ) from None


def end_ssh(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes; ssh ends by that, and with all that it started if it does not."""
    if process.stdin is None and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def key_trouble(address: Address, options: Sequence[str]) -> str:
    """Connect without signing in, for the host key alone; what ssh says of it.

    Args:
        address: where.
        options: what holds for this connection before everything else.

    Raises:
        RemoteProblem: there is no ssh on this machine.
    """
    mine = ssh_words()
    # Before the user's own options, behind a program that starts ssh (env, sshpass).
    at = next((i + 1 for i, word in enumerate(mine) if os.path.basename(word) == "ssh"), len(mine))  # noqa: PTH119
    words = [
        *mine[:at], *options, *mine[at:], *ssh_options(),
        "-o", "PreferredAuthentications=none", "-o", "ControlPath=none",
        *place_words(address), "exit",
    ]  # fmt: skip
    return _said(words, CONNECT_SECONDS * 3)[1]


def ssh_settings(address: Address) -> dict[str, list[str]]:
    """What ssh's configuration comes to for an address (``ssh -G``); nothing is connected.

    Raises:
        RemoteProblem: there is no ssh on this machine.
    """
    said, _ = _said([*ssh_words(), "-G", *place_words(address)], CONNECT_SECONDS)
    rows = (row.split() for row in said.splitlines())
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def _said(words: Sequence[str], seconds: float) -> tuple[str, str]:
    """Run ssh for what it says, on standard output and standard error."""
    process = start_ssh(words, ssh_environment(), stdin=subprocess.DEVNULL)
    try:
        said, trouble = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        said, trouble = b"", b"Connection timed out"
    finally:
        end_ssh(process)
    return said.decode("utf-8", "replace"), trouble.decode("utf-8", "replace")


_NO_WAY = (
    "Connection (?:refused|timed out|reset)|No route to host|Network is unreachable"
    "|Operation timed out|banner exchange"
)
_ABSENT = (
    "does not appear to be a git repository|Repository not found|DENIED by fallthru"
    "|not found or you don't have|project you were looking for could not be found"
)
_MEANINGS: tuple[tuple[str, type[RemoteProblem], str, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        ChangedHostKey,
        "{host} shows another host key than the one you know: it may be another machine",
        "ask whoever runs it; only if the change is right, ssh-keygen -R {host}",
    ),
    (
        r"Permission denied \([\w,.@-]+\)|Too many authentication failures",
        SignInRefused,
        "{who} accepts none of your ssh keys",
        "make ssh {who} work without typing: ssh-add your key, or add it there",
    ),
    (
        "host key is known for|Host key verification failed",
        UnknownHostKey,
        "the host key of {host} is not known yet",
        "connect once with ssh {who}, which shows it and asks; perdure remote add does so too",
    ),
    (
        "Could not resolve hostname|Name or service not known",
        Unreachable,
        "there is no host {host}, or no network",
        "check the address and the network",
    ),
    (
        _NO_WAY,
        Unreachable,
        "{host} cannot be reached: {words}",
        "check the network",
    ),
    (
        _ABSENT,
        NoRepositoryThere,
        "there is no repository {path} on {host}, or not for you",
        "check the address, or make the repository there first (git init --bare)",
    ),
    (
        "DENIED by|not allowed|access denied|read.?only|Permission to .* denied",
        NotAllowed,
        "{host} does not allow it: {words}",
        "ask whoever runs it",
    ),
    (
        r"git-\w+-pack.*(?:not found|No such file)|command not found",
        NoRepositoryThere,
        "{host} has no git: {words}",
        "install git there",
    ),
)
"""Words of ssh and of git's servers, what they mean, and the next step; the first that fits."""


def ssh_problem(trouble: str, address: Address) -> RemoteProblem:
    """The error that ssh's own words mean, and those of the server's programs."""
    host = address.host
    # Before what counts come banners, which say what they like.
    rows = [row for row in trouble.splitlines() if row.strip()]
    words = server_words(" ".join(rows[-3:]))
    said = {
        "host": host,
        "who": f"{address.user}@{host}" if address.user else host,
        "path": address.path,
        "words": words,
    }
    for pattern, kind, what, step in _MEANINGS:
        heard = trouble if kind is ChangedHostKey else "\n".join(rows[-8:])
        if re.search(pattern, heard, re.IGNORECASE):
            return kind(what.format(**said), SAFE, step.format(**said))
    return CutOff(f"{host} ended the connection: {words}", SAFE) if words else cut_off()
