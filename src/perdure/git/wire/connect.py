"""A transport to an address: the one place that knows which kind an address needs.

dulwich, TLS and HTTP are imported at the first connection, and only those that it needs. A server
takes a tenth of a second or two until it says what it has, and a command about as long to import
what it does with that: so a push may begin early, as soon as the address is known.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git.wire.address import Address
from perdure.git.wire.errors import RemoteProblem

if TYPE_CHECKING:
    from perdure.git.wire.http import WebServer
    from perdure.git.wire.line import Line
    from perdure.git.wire.transport import Transport

_FRESH = 5.0
"""Seconds after which a server may have grown tired of waiting; then it is asked anew."""
_SERVICE = "git-receive-pack"


def connect(address: Address, *, name: str, early: EarlyConnection | None = None) -> Transport:
    """A transport to a remote. Nothing is sent yet.

    Args:
        address: where it is.
        name: the remote's name, for its credentials.
        early: what was begun beforehand.

    Raises:
        RemoteProblem: it is a folder that is no repository.
    """
    if address.scheme == "file":
        from perdure.git.wire.folder import FolderTransport

        return FolderTransport(Path(address.path))
    from perdure.git.wire import client

    if address.scheme in {"http", "https"}:
        return client.web_transport(address, name, early.take_server(address) if early else None)
    if early is None:
        return client.line_transport(address)
    return client.line_transport(address, lambda service: early.take_line(address, service))


class EarlyConnection(contextlib.AbstractContextManager["EarlyConnection"]):
    """The beginning of a push: nothing is sent but the question what the remote has.

    What goes wrong is said to whoever connects: what was begun is taken once, or closed.
    """

    def __init__(self, address: Address, name: str) -> None:
        """Begin it; for a folder there is nothing to begin.

        Args:
            address: of the remote.
            name: of the remote, for its credentials.
        """
        self._address = address
        self._begun_at = time.monotonic()
        self._line: Line | None = None
        self._server: WebServer | None = None
        with contextlib.suppress(RemoteProblem):
            if address.scheme == "ssh":
                from perdure.git.wire.ssh import open_ssh_line

                self._line = open_ssh_line(address, _SERVICE)
            elif address.scheme in {"http", "https"}:
                self._server = _asked(address, name)

    def take_line(self, address: Address, service: str) -> Line | None:
        """The line by ssh that was begun; None where there is none for that."""
        if service != _SERVICE or not self._is_for(address):
            return None
        line, self._line = self._line, None
        return line

    def take_server(self, address: Address) -> WebServer | None:
        """The web server that was asked; None where there is none for that."""
        if not self._is_for(address):
            return None
        server, self._server = self._server, None
        return server

    def _is_for(self, address: Address) -> bool:
        return address == self._address and time.monotonic() - self._begun_at < _FRESH

    def __exit__(self, *_: object) -> None:
        """End what nobody has taken."""
        for begun in (self._line, self._server):
            if begun is not None:
                begun.close()
        self._line = self._server = None


def _asked(address: Address, name: str) -> WebServer:
    from perdure.git.wire.credentials import Credentials
    from perdure.git.wire.http import WebServer

    server = WebServer(address, Credentials(address, name))
    # As dulwich asks it.
    server.ask_early(f"{server.url}/info/refs?service={_SERVICE}", {"Accept": "*/*"})
    return server
