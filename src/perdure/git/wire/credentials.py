"""Names and passwords for HTTP: found where the user keeps them, asked of nobody.

In this order: the environment (``PERDURE_TOKEN_<REMOTE>``, with ``PERDURE_USER_<REMOTE>``), the
system's keyring (service `KEYRING_SERVICE`), and the user's git helpers by ``git credential``. Only
after the server has asked, and only for the address that they were looked up for. git is run where
it finds no repository: a helper that a stranger's configuration names is a program of the
stranger's.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from perdure.environment import child_environment
from perdure.git.wire.address import Address
from perdure.git.wire.errors import SAFE, BadAddress, NeedsTyping, RemoteProblem, SignInRefused
from perdure.system_keyring import KeyringRefused, keyring_ready, read_secret, store_secret

KEYRING_SERVICE = "perdure-remote"
ANY_USER = "git"
"""The name that goes with a token where none is known: forges look at the token alone."""
HELPER_SECONDS = 20.0
"""How long a keyring or a helper may take: one that opens a window waits for a person."""
_BETWEEN: Final = "\t"
_MOST_ANSWER = 64 * 1024
_PASSED = ("GIT_CONFIG_", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "GNUPGHOME")


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and its password or token.

    Attributes:
        user: the name.
        secret: never shown.
        source: environment, keyring or helper.
        answer: of a helper: what it said, to tell it whether that was right.
    """

    user: str
    secret: str = field(repr=False)
    source: str
    answer: str = field(default="", repr=False)


def store_token(address: Address, user: str, token: str, *, name: str) -> None:
    """Keep a password or token for a remote in the system's keyring.

    Args:
        address: of the remote; it counts for every repository on its server for the same user.
        user: the name that goes with it; "" where the token is enough.
        token: one line of printable characters.
        name: the remote's.

    Raises:
        RemoteProblem: there is no keyring, or it refuses.
    """
    token = token.strip()
    step = f"give the address without it, and set {token_variable(name)} in the environment"
    if not token or not token.isprintable() or not user.isprintable():
        raise BadAddress("that is not a token", SAFE, "a token is one line of letters and symbols")
    if not keyring_ready():
        raise SignInRefused("this machine has no keyring to keep the token in", SAFE, step)
    try:
        kept = store_secret(KEYRING_SERVICE, _entry(address), f"{user}{_BETWEEN}{token}")
    except KeyringRefused as error:
        raise SignInRefused(f"the keyring did not accept the token ({error})", SAFE, step) from None
    if not kept:
        raise SignInRefused("the keyring did not keep the token", SAFE, step)


def token_variable(name: str) -> str:
    """The environment variable with the token of a remote of that name."""
    return f"PERDURE_TOKEN_{_in_capitals(name)}"


def _in_capitals(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


class Credentials:
    """What can be offered to the server of one remote."""

    def __init__(self, address: Address, name: str) -> None:
        self._address = address
        self._name = name
        self._trouble: list[str] = []

    def offers(self) -> Iterator[Credential]:
        """What is found, the best first; each place is looked at only when it is its turn."""
        for find in (self._of_environment, self._of_keyring, self._of_helper):
            found = find()
            if found is not None:
                yield found

    def accepted(self, credential: Credential) -> None:
        """The server took it: a helper is told once, and may keep it."""
        self._tell(credential, "approve")

    def rejected(self, credential: Credential) -> None:
        """The server did not take it: a helper forgets it."""
        self._tell(credential, "reject")

    def none_left(self, *, tried: bool) -> RemoteProblem:
        """The error where nothing more can be offered."""
        host = self._address.host
        step = (
            f"set {token_variable(self._name)}, or add the remote again with a token in its URL, "
            "which goes into the keyring; or sign in once with git"
        )
        trouble = f" ({'; '.join(self._trouble)})" if self._trouble else ""
        if tried:
            return SignInRefused(
                f"{host} does not accept the password or token{trouble}", SAFE, step
            )
        return NeedsTyping(
            f"{host} wants a password or token, and there is none here{trouble}", SAFE, step
        )

    def _of_environment(self) -> Credential | None:
        secret = os.environ.get(token_variable(self._name), "").strip()
        if not secret:
            return None
        user = os.environ.get(f"PERDURE_USER_{_in_capitals(self._name)}", "").strip()
        return Credential(user or self._address.user or ANY_USER, secret, "environment")

    def _of_keyring(self) -> Credential | None:
        for address in dict.fromkeys((self._address, _without_user(self._address))):
            read = partial(read_secret, KEYRING_SERVICE, _entry(address))
            kept = self._in_time("the keyring", read)
            if kept:
                user, _, secret = kept.rpartition(_BETWEEN)
                return Credential(user or self._address.user or ANY_USER, secret, "keyring")
        return None

    def _of_helper(self) -> Credential | None:
        asked = {
            "protocol": self._address.scheme,
            "host": self._address.origin.partition("://")[2],
            "path": self._address.path.lstrip("/"),
            "username": self._address.user,
        }
        question = "".join(f"{key}={value}\n" for key, value in asked.items() if value)
        try:
            answer = _git_credential("fill", question)
        except subprocess.TimeoutExpired:
            self._trouble.append("git's credential helper did not answer")
            return None
        said = dict(row.split("=", 1) for row in answer.splitlines() if "=" in row)
        if not said.get("password"):
            return None
        return Credential(said.get("username", ""), said["password"], "helper", answer)

    def _tell(self, credential: Credential, verdict: str) -> None:
        if credential.answer:
            with contextlib.suppress(subprocess.TimeoutExpired):
                _git_credential(verdict, credential.answer)

    def _in_time(self, what: str, call: Callable[[], str]) -> str:
        """What a call gives; "" where it fails, or takes longer than one can wait."""
        found: list[str] = []
        trouble: list[str] = []

        def run() -> None:
            try:
                found.append(call())
            except (ImportError, KeyringRefused) as error:
                # To have no keyring is no trouble.
                trouble.extend([f"{what} is locked or broken: {error}"] if str(error) else [])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(HELPER_SECONDS)
        if thread.is_alive():
            trouble.append(f"{what} did not answer")
        self._trouble += trouble
        return found[0] if found else ""


def _entry(address: Address) -> str:
    """The keyring's name for a server and a user there: ``https://ana@example.org``."""
    scheme, _, host = address.origin.partition("://")
    return f"{scheme}://{address.user}@{host}" if address.user else f"{scheme}://{host}"


def _without_user(address: Address) -> Address:
    return Address(address.text, address.scheme, "", address.host, address.port, address.path)


def _git_credential(verb: str, text: str) -> str:
    """Run ``git credential``; "" where git is not there, or finds nothing.

    Raises:
        TimeoutExpired: it took too long, and was ended.
    """
    environment = {
        **child_environment(*_PASSED),
        "GIT_DIR": os.devnull,  # so that no repository is looked for, wherever this runs
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",  # set and empty: neither core.askPass nor SSH_ASKPASS is run
        "GCM_INTERACTIVE": "never",
    }
    try:
        process = subprocess.Popen(
            ["git", "credential", verb],
            cwd="/",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return ""
    with process:
        try:
            said, _ = process.communicate(f"{text.rstrip()}\n\n".encode(), HELPER_SECONDS)
        except OSError:
            said = b""
        finally:
            # A helper that stays behind, as git's own cache does, has a session of its own.
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    return said[:_MOST_ANSWER].decode("utf-8", "replace") if process.returncode == 0 else ""
