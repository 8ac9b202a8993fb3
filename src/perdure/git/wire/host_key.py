"""Host keys: which machine answers at the other end of ssh, shown to the user before it counts.

The key is asked for by a real connection of the user's ssh, so that aliases, jumps and
ProxyCommand hold; nothing signs in. What the user accepts goes into their own ``known_hosts``.
"""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
import tempfile
from dataclasses import dataclass
from pathlib import Path

from perdure.git.errors import storage_errors
from perdure.git.wire.address import Address
from perdure.git.wire.errors import SAFE, RemoteProblem, UnknownHostKey
from perdure.git.wire.ssh import key_trouble, ssh_problem, ssh_settings

_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class HostKey:
    """The key of an ssh server that the user does not know yet.

    Attributes:
        address: whose it is.
        kind: ``ED25519``, ``RSA``, as ssh calls it.
        fingerprint: ``SHA256:…``, as ``ssh-keygen -lf`` prints it and forges publish it.
        lines: for ``known_hosts``.
    """

    address: Address
    kind: str
    fingerprint: str
    lines: tuple[str, ...]


def host_key(address: Address) -> HostKey | None:
    """The key that an ssh server shows; None if the user knows it already.

    Raises:
        ChangedHostKey: the user knows another one.
        RemoteProblem: the server cannot be reached.
    """
    trouble = key_trouble(address, [])
    problem = ssh_problem(trouble, address)
    if _has_signed(trouble):
        return None
    if not isinstance(problem, UnknownHostKey):
        raise problem
    with tempfile.TemporaryDirectory(prefix="perdure-") as folder:
        found = Path(folder) / "known_hosts"
        trouble = key_trouble(
            address,
            [
                "-o", f"UserKnownHostsFile={found}",
                "-o", "GlobalKnownHostsFile=/dev/null",
                "-o", "StrictHostKeyChecking=accept-new",
                "-o", "HashKnownHosts=no",
                "-o", "UpdateHostKeys=no",
                "-o", "CheckHostIP=no",
            ],
        )  # fmt: skip
        try:
            text = found.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")
        except FileNotFoundError:
            raise ssh_problem(trouble, address) from None
    lines = tuple(row for row in text.splitlines() if len(row.split()) >= 3)
    if not lines:
        raise ssh_problem(trouble, address)
    _, kind, key = lines[0].split()[:3]
    return HostKey(address, _shown_kind(kind), _fingerprint(key), lines)


def accept(key: HostKey) -> Path:
    """Write a key into the user's own ``known_hosts``.

    Returns:
        The file.

    Raises:
        RemoteProblem: ssh names no such file.
        HistoryError: it cannot be written.
    """
    names = ssh_settings(key.address).get("userknownhostsfile", [])
    if not names or names[0].lower() == "none":
        raise RemoteProblem(
            "your ssh configuration names no file of known host keys",
            SAFE,
            "set UserKnownHostsFile in ~/.ssh/config",
        )
    file = Path(_in_home(names[0]))
    text = "".join(f"{line}\n" for line in key.lines)
    with storage_errors(f"writing {file}"):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "r+b") as known:
            if (
                known.seek(0, os.SEEK_END)
                and os.pread(known.fileno(), 1, known.tell() - 1) != b"\n"
            ):
                text = f"\n{text}"
            known.write(text.encode())
            known.flush()
            os.fsync(known.fileno())
    return file


def _has_signed(trouble: str) -> bool:
    """Whether ssh got as far as signing in: it has then found the host key right."""
    return "Permission denied" in trouble or not trouble.strip()


def _shown_kind(kind: str) -> str:
    return kind.removeprefix("ssh-").removeprefix("ecdsa-sha2-").partition("@")[0].upper()


def _fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key + "==")).digest()
    return f"SHA256:{base64.b64encode(digest).decode('ascii').rstrip('=')}"


def _in_home(path: str) -> str:
    """A path with ``~``: ssh means the home of the user database, not of the environment."""
    if path.startswith("~/"):
        return pwd.getpwuid(os.getuid()).pw_dir + path[1:]
    return path
