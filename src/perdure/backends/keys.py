"""Where a key comes from: a manifest holds a reference, and the secret stays outside.

``env:NAME`` is a variable of the environment, ``keyring:service/user`` an entry of the system's
keyring. No error repeats a secret.
"""

from __future__ import annotations

import os
import re

from perdure.backends.errors import AuthenticationFailed, BadParameter
from perdure.system_keyring import (
    KeyringRefused,
    NoKeyring,
    keyring_ready,
    read_secret,
    store_secret,
)

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|keyring:[^/\s]+/\S+")

_INSTEAD = "write 'key: env:NAME' and put the key into that environment variable"

_loaded: set[str] = set()


def loaded_secrets() -> frozenset[str]:
    """The keys this process has resolved, so that nothing stored or printed contains them."""
    return frozenset(_loaded)


def store(service: str, user: str, secret: str) -> str:
    """Store a key in the system's keyring, and read it back to be sure.

    A keyring may ask its user to unlock it: call this in a thread where a screen waits.

    Returns:
        The reference for a manifest's ``key``, ``keyring:service/user``.

    Raises:
        AuthenticationFailed: there is no keyring, it refuses or loses the key, or the secret is no
            key.
        BadParameter: the names would make no reference.
    """
    reference = f"keyring:{service}/{user}"
    if "/" in service or not _REFERENCE.fullmatch(reference):
        raise BadParameter(
            "a keyring entry's names cannot contain spaces, and the first one no slash",
            next_step="use names like perdure and anthropic",
        )
    secret = secret.strip()
    if not secret or not (secret.isascii() and secret.isprintable()):
        raise AuthenticationFailed(
            "that is not a key", next_step="a key is one line of letters and symbols"
        )
    # Masked from here on: an error of the keyring may repeat it.
    _loaded.add(secret)
    if not keyring_ready():
        raise AuthenticationFailed("this machine has no keyring", next_step=_INSTEAD)
    try:
        kept = store_secret(service, user, secret)
    except KeyringRefused as error:
        raise AuthenticationFailed(
            f"the keyring did not accept the key ({error})",
            next_step=f"unlock the keyring, or {_INSTEAD}",
        ) from None
    if not kept:
        raise AuthenticationFailed("the keyring did not keep the key", next_step=_INSTEAD)
    return reference


def check_reference(reference: str, backend: str) -> None:
    """Raise BadParameter if a backend's ``key`` is no reference; empty is fine."""
    if reference and not _REFERENCE.fullmatch(reference):
        raise BadParameter(
            f"backend {backend}: its key is not a reference",
            next_step="write 'key: env:NAME' or 'key: keyring:service/user'",
        )


def resolve(reference: str, backend: str) -> str:
    """The secret behind a reference; empty for an empty one.

    A keyring may ask its user to unlock it, or the disk: call this in a thread.

    Raises:
        AuthenticationFailed: the variable is not set, the keyring has no such entry, or this
            machine has no keyring.
        BadParameter: it is no reference.
    """
    check_reference(reference, backend)
    scheme, _, name = reference.partition(":")
    if not name:
        return ""
    secret = _from_environment(name, backend) if scheme == "env" else _from_keyring(name, backend)
    _loaded.add(secret)
    return secret


def _from_environment(name: str, backend: str) -> str:
    # A line end comes along where the variable was filled from a file.
    secret = os.environ.get(name, "").strip()
    if not secret:
        raise AuthenticationFailed(
            f"the key of backend {backend} is not set",
            next_step=f"set the environment variable {name}",
        )
    return _sendable(secret, f"the environment variable {name}", backend)


def _from_keyring(name: str, backend: str) -> str:
    service, _, user = name.partition("/")
    try:
        secret = read_secret(service, user)
    except ImportError as error:
        raise AuthenticationFailed(
            f"the key of backend {backend} is in a keyring, and the package keyring is missing",
            next_step=f"pip install keyring, or {_INSTEAD}",
        ) from error
    except NoKeyring as error:
        raise AuthenticationFailed(
            f"the key of backend {backend} is in a keyring, and this machine has none",
            next_step=_INSTEAD,
        ) from error
    except KeyringRefused as error:
        raise AuthenticationFailed(
            f"the keyring did not return the key of backend {backend} ({error})",
            next_step=f"unlock the keyring, or {_INSTEAD}",
        ) from error
    if not secret:
        raise AuthenticationFailed(
            f"the keyring has no entry {service}/{user} for backend {backend}",
            next_step=f"store it with: keyring set {service} {user}",
        )
    return _sendable(secret, f"the keyring's entry {service}/{user}", backend)


def _sendable(secret: str, where: str, backend: str) -> str:
    if not (secret.isascii() and secret.isprintable()):
        raise AuthenticationFailed(
            f"{where} for backend {backend} does not contain a key",
            next_step="a key is one line of letters, digits and symbols",
        )
    return secret
