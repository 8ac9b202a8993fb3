"""The system's keyring: whether there is one, a secret read from it, a secret stored in it.

Its backends are other people's code: what they raise may repeat the secret, so nothing here is
chained to it, and only the kind of the error is told. A keyring may ask its user to unlock it, or
wait for the desktop's bus: call this in a thread where a screen waits.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


class KeyringRefused(Exception):
    """The keyring is locked, or in trouble. ``str()`` is the kind of its own error."""


class NoKeyring(KeyringRefused):
    """This machine has none."""


def keyring_ready() -> bool:
    """Whether this machine has a working keyring. Never raises.

    Looking for one imports every keyring there is and may ask the desktop's bus.
    """
    if not _may_exist():
        return False
    try:
        import keyring

        found = keyring.get_keyring()
        # A chain stands for its members; the keyring that fails and the one that forgets have 0
        # and -1.
        members = getattr(found, "backends", None) or [found]
        return max(float(each.priority) for each in members) > 0
    except Exception:  # noqa: BLE001 - a keyring's backends are other people's code
        return False


def read_secret(service: str, user: str) -> str:
    """The secret of an entry; "" if there is none.

    Raises:
        ImportError: the package keyring is not installed.
        NoKeyring: this machine has none.
        KeyringRefused: it is locked, or in trouble.
    """
    if not _may_exist():
        raise NoKeyring
    import keyring
    import keyring.errors

    try:
        return (keyring.get_password(service, user) or "").strip()
    except keyring.errors.NoKeyringError:
        raise NoKeyring from None
    except Exception as error:  # noqa: BLE001 - its own errors, and those of the desktop's bus
        raise KeyringRefused(type(error).__name__) from None


def store_secret(service: str, user: str, secret: str) -> bool:
    """Store a secret, and read it back to be sure.

    Returns:
        Whether it was read back as it is.

    Raises:
        KeyringRefused: it is locked, or in trouble.
    """
    import keyring

    try:
        keyring.set_password(service, user, secret)
        return keyring.get_password(service, user) == secret
    except Exception as error:  # noqa: BLE001 - as above
        raise KeyringRefused(type(error).__name__) from None


def _may_exist() -> bool:
    """Whether a keyring can answer, as far as that is seen without looking for one.

    On Linux those that come with the package are reached by the desktop's bus. To find out that
    there is none, the package imports them all and runs a compiler: a third of a second, which a
    server without a desktop would pay at each push.
    """
    if sys.platform != "linux" or os.environ.get("PYTHON_KEYRING_BACKEND"):
        return True
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return (
        bool(os.environ.get("DBUS_SESSION_BUS_ADDRESS"))
        or Path(runtime, "bus").exists()
        or Path(settings, "python_keyring", "keyringrc.cfg").exists()
        or _has_others()
    )


def _has_others() -> bool:
    """Whether another package brings a keyring; importing `importlib.metadata` takes too long."""
    for place in sys.path:
        for file in Path(place).glob("*.dist-info/entry_points.txt"):
            if not file.parent.name.startswith("keyring-"):
                try:
                    if b"[keyring.backends]" in file.read_bytes():
                        return True
                except OSError:
                    return True
    return False
