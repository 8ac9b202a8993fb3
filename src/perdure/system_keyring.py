"""The system's keyring: whether there is one, a secret read from it, a secret stored in it.

Its backends are other people's code: what they raise may repeat the secret, so nothing here is
chained to it, and only the kind of the error is told. A keyring may ask its user to unlock it, or
wait for the desktop's bus: call this in a thread where a screen waits.
"""

from __future__ import annotations


class KeyringRefused(Exception):
    """The keyring is locked, or in trouble. ``str()`` is the kind of its own error."""


class NoKeyring(KeyringRefused):
    """This machine has none."""


def keyring_ready() -> bool:
    """Whether this machine has a working keyring. Never raises.

    Looking for one imports every keyring there is and may ask the desktop's bus.
    """
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
