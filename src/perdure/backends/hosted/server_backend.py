"""What all drivers for models behind a server share: address, opening, closing."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from perdure.backends.errors import BackendError, DriverMissing, Unreachable
from perdure.backends.http.address import Address
from perdure.backends.http.timeouts import Timeouts, timeouts_of
from perdure.backends.keys import check_reference, resolve
from perdure.backends.parameters import checked_parameters, limit_of
from perdure.backends.protocol import BackendSpec, OfferedModel, Request


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """What the connections to one backend's server are made with.

    Attributes:
        address: the server's.
        name: the backend's.
        model: the model that is asked for.
        secret: the key, or empty.
        timeouts: how long to wait.
    """

    address: Address
    name: str
    model: str
    secret: str = field(repr=False)
    timeouts: Timeouts


class Server(Protocol):
    """The connections to one server."""

    async def models(self) -> list[OfferedModel]: ...

    async def close(self) -> None: ...


S_co = TypeVar("S_co", bound=Server, covariant=True)


class Connected(Protocol[S_co]):
    """A server, and what it says about the model."""

    @property
    def server(self) -> S_co: ...


S = TypeVar("S", bound=Server)
C = TypeVar("C", bound="Connected[Any]")


class ServerBackend(ABC, Generic[S, C]):
    """A model behind a server; most of a `Backend`."""

    rehearsal = False

    def __init__(
        self,
        spec: BackendSpec,
        timeouts: Timeouts | None,
        *,
        address: Address,
        honoured: Collection[str],
    ) -> None:
        """Imports nothing and contacts nothing yet. Raises BadParameter."""
        check_reference(spec.key, spec.name)
        self.spec = spec
        self._timeouts = timeouts or timeouts_of(spec)
        self._address = address
        self._parameters = checked_parameters(spec, honoured)
        self._connected: C | None = None
        self._opening = asyncio.Lock()

    @property
    def hosted(self) -> bool:
        """True unless the server runs on this machine."""
        return not self._address.loopback

    @property
    def doubt(self) -> BackendError | None:
        """The server's complaint about the key or model at opening; replies may still work.

        None where it said nothing against them.
        """
        return getattr(self._connected.server, "doubt", None) if self._connected else None

    async def open(self) -> None:
        """Connect and ask about the model; complaints about key or model go to `doubt`.

        Raises:
            Unreachable: no server, or none that answers in time.
            AuthenticationFailed: the key is missing; or an Ollama does not accept it.
            ModelMissing: an Ollama says that it has no such model.
            DriverMissing: the driver's package is not installed.
            ProtocolError: no server of this protocol is at the address.
        """
        async with self._opening:
            if self._connected is None:
                self._connected = await self._connect()

    async def close(self) -> None:
        """Close the connections; a reply in progress ends with an error."""
        async with self._opening:
            connected, self._connected = self._connected, None
        if connected is not None:
            await connected.server.close()

    async def offered(self) -> list[OfferedModel]:
        """The server's models, over a separate connection. Raises BackendError."""
        server = await self._reached()
        try:
            return await server.models()
        finally:
            await server.close()

    @abstractmethod
    def _package(self) -> Callable[[ServerAccess], S]:
        """The factory of servers; imports the driver's package. Raises ImportError."""

    @abstractmethod
    async def _learned(self, server: S) -> C:
        """Ask about the model. Raises BackendError."""

    async def _open_server(self) -> C:
        await self.open()
        if self._connected is None:
            raise Unreachable(f"backend {self.spec.name} was closed while it was opening")
        return self._connected

    def _limit(self, request: Request) -> int:
        """The most tokens a reply may have. Raises BadParameter."""
        return limit_of(request, self._parameters.get("max_tokens"))

    async def _connect(self) -> C:
        server = await self._reached()
        try:
            return await self._learned(server)
        except BaseException:
            await server.close()
            raise

    async def _reached(self) -> S:
        secret = await asyncio.to_thread(resolve, self.spec.key, self.spec.name)
        # In a thread: half a second or more in which the screen would stand still.
        return await asyncio.to_thread(self._server, secret)

    def _server(self, secret: str) -> S:
        try:
            make = self._package()
        except ImportError as error:
            # Each driver is called after its package.
            package = self.spec.driver
            raise DriverMissing(
                f"the {package} driver needs the package {package}",
                next_step=f"pip install {package}",
            ) from error
        spec = self.spec
        return make(ServerAccess(self._address, spec.name, spec.model, secret, self._timeouts))
