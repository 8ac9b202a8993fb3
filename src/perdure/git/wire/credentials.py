"""Names and passwords for HTTP: found where the user keeps them, asked of nobody.

In this order: the environment (``PERDURE_TOKEN_<REMOTE>``, with ``PERDURE_USER_<REMOTE>``), the
system's keyring (service `KEYRING_SERVICE`), and git's own helpers by ``git credential``. Only
after the server has asked for them, and only for the address that they were looked up for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from perdure.git.wire.address import Address
from perdure.git.wire.errors import SAFE, NeedsTyping, RemoteProblem, SignInRefused

KEYRING_SERVICE = "perdure-remote"
ANY_USER = "git"
"""The name that goes with a token where none is known: forges look at the token alone."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and its password or token.

    Attributes:
        user: the name.
        secret: never shown.
        source: environment, keyring or helper.
    """

    user: str
    secret: str = field(repr=False)
    source: str


class Credentials:
    """What can be offered to the server of one remote."""

    def __init__(self, address: Address, name: str) -> None:
        self._address = address
        self._name = name

    def offers(self) -> Iterator[Credential]:
        """What is found, the best first; each place is looked at only when it is its turn."""
        yield from self._of_environment()

    def accepted(self, credential: Credential) -> None:
        """The server took it."""

    def rejected(self, credential: Credential) -> None:
        """The server did not take it."""

    def none_left(self, *, tried: bool) -> RemoteProblem:
        """The error where nothing more can be offered."""
        host = self._address.host
        step = f"store a token: perdure remote add asks for it; or set {self.variable}"
        if tried:
            return SignInRefused(f"{host} does not accept the password or token", SAFE, step)
        return NeedsTyping(f"{host} wants a password or token, and there is none here", SAFE, step)

    @property
    def variable(self) -> str:
        """The environment variable of this remote's token."""
        return f"PERDURE_TOKEN_{_in_capitals(self._name)}"

    def _of_environment(self) -> Iterator[Credential]:
        secret = os.environ.get(self.variable, "").strip()
        if secret:
            user = os.environ.get(f"PERDURE_USER_{_in_capitals(self._name)}", "").strip()
            yield Credential(user or self._address.user or ANY_USER, secret, "environment")


def _in_capitals(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
