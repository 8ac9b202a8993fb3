"""A transport to an address: the one place that knows which kind an address needs.

dulwich, TLS and HTTP are imported at the first connection, and only those that it needs.
"""

from __future__ import annotations

from pathlib import Path

from perdure.git.wire.address import Address
from perdure.git.wire.transport import Transport


def connect(address: Address, *, name: str) -> Transport:
    """A transport to a remote. Nothing is sent yet.

    Args:
        address: where it is.
        name: the remote's name, for its credentials.

    Raises:
        RemoteProblem: it is a folder that is no repository.
    """
    if address.scheme == "file":
        from perdure.git.wire.folder import FolderTransport

        return FolderTransport(Path(address.path))
    from perdure.git.wire import client

    if address.scheme in {"http", "https"}:
        return client.web_transport(address, name)
    return client.line_transport(address)
