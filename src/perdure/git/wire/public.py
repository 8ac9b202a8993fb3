"""Whether everyone can read a remote, asked as a stranger would ask.

No helper, netrc, cookie, password, certificate or header of the user's is in play: it is one GET of
what a clone asks first, over https, for ssh addresses of forges too. It counts only if the answer
is git's own: a page that asks to sign in also comes with status 200.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from typing import Final

from perdure.git.wire.address import Address
from perdure.git.wire.errors import (
    NoRepositoryThere,
    NotAllowed,
    RemoteProblem,
    SignInRefused,
)

_ADVERTISEMENT: Final = "application/x-git-upload-pack-advertisement"
_FIRST_LINE = re.compile(rb"[0-9a-f]{4}(?:# service=git-upload-pack|version [12])")
_FILE_OF_REFS = re.compile(rb"[0-9a-f]{40}\trefs/")
_ALIASES = ("ssh.", "altssh.")
"""Beginnings of the names under which forges take ssh on port 443."""


@dataclass(frozen=True, slots=True)
class PublicAnswer:
    """Whether everyone can read a remote.

    Attributes:
        public: None where it could not be asked.
        reason: why it is known, or why it is not, as a clause.
    """

    public: bool | None
    reason: str


def is_public(address: Address) -> bool | None:
    """Whether everyone can read a remote; None where that could not be asked."""
    return ask_as_stranger(address).public


def ask_as_stranger(address: Address) -> PublicAnswer:
    """Whether everyone can read a remote, and why. Never raises RemoteProblem."""
    if address.is_loopback and address.scheme not in {"http", "https"}:
        return PublicAnswer(False, "it is on this machine")
    if address.scheme in {"git", "http"} and not address.is_loopback:
        return PublicAnswer(True, f"{address.scheme}:// can be read by anyone on the way")
    if address.scheme != "ssh":
        return _asked(replace(address, user=""))
    host = _host_name(address)
    hosts = [host, *(host.removeprefix(each) for each in _ALIASES if host.startswith(each))]
    answers = [_asked(_by_https(address, each)) for each in hosts]
    return max(answers, key=lambda answer: (answer.public is True, answer.public is not None))


def _by_https(address: Address, host: str) -> Address:
    path = f"/{address.path.lstrip('/')}"
    return Address(f"https://{host}{path}", "https", "", host, None, path)


def _host_name(address: Address) -> str:
    """The machine that an alias of the user's ssh configuration means."""
    from perdure.git.wire.ssh import ssh_settings

    try:
        name = ssh_settings(address).get("hostname", [address.host])[0]
    except (RemoteProblem, subprocess.SubprocessError):
        name = address.host
    return name.lower()


def _asked(address: Address) -> PublicAnswer:
    from perdure.git.wire.http import WebServer

    server = WebServer(address, None)
    try:
        answer = server.ask(f"{server.url}/info/refs?service=git-upload-pack", {}, None)
        first = answer.read(64)
    except (SignInRefused, NoRepositoryThere, NotAllowed) as problem:
        return PublicAnswer(False, problem.what)
    except RemoteProblem as problem:
        return PublicAnswer(None, problem.what)
    finally:
        server.close()
    smart = answer.content_type == _ADVERTISEMENT and _FIRST_LINE.match(first)
    if smart or (answer.content_type == "text/plain" and _FILE_OF_REFS.match(first)):
        return PublicAnswer(True, f"{address.host} lists its branches to anyone")
    return PublicAnswer(False, f"{address.host} shows a stranger a page, and no repository")
