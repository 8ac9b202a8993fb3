"""What the drivers of web APIs share: window, fingerprint, stream."""

from __future__ import annotations

import asyncio
import hashlib
import json
from abc import abstractmethod
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perdure.backends.hosted.server_backend import ServerBackend
from perdure.backends.hosted.thoughts import split_thoughts
from perdure.backends.http.address import Address, checked_address
from perdure.backends.http.timeouts import Timeouts
from perdure.backends.protocol import (
    BackendSpec,
    Fingerprint,
    Finished,
    Request,
    StreamEvent,
    Tokenizer,
    Usage,
)
from perdure.backends.tokens.estimate import tokenizer_for

if TYPE_CHECKING:
    from perdure.backends.hosted.sdk_server import SdkServer


@dataclass(frozen=True, slots=True)
class _Connected:
    server: SdkServer
    window: int
    tokenizer: Tokenizer
    shape: str


class HostedBackend(ServerBackend["SdkServer", _Connected]):
    """A model behind a web API; a `Backend`."""

    def __init__(
        self,
        spec: BackendSpec,
        timeouts: Timeouts | None,
        *,
        address: Address,
        honoured: Collection[str],
        default_window: int,
    ) -> None:
        """Imports nothing and contacts nothing yet. Raises BadParameter."""
        super().__init__(spec, timeouts, address=address, honoured=honoured)
        self._default_window = default_window
        self._served = Finished("unknown", Usage(None, None), "")
        """The end of the last reply; without a model before the first."""

    async def context_window(self) -> int:
        return (await self._open_server()).window

    async def tokenizer(self) -> Tokenizer:
        """Counts offline: counting on the server would show the provider every text."""
        return (await self._open_server()).tokenizer

    async def fingerprint(self) -> Fingerprint:
        """What the provider reveals: the model asked for, and the one that last answered."""
        window = await self.context_window()
        served = self._served.model or self.spec.model
        known = json.dumps([self.spec.driver, self._address.url, self.spec.model, served])
        return Fingerprint(
            hashlib.sha256(known.encode()).hexdigest()[:16],
            {
                "model": self.spec.model,
                "served": self._served.model,
                "system_fingerprint": self._served.system_fingerprint,
                "address": self._address.url,
                "window": str(window),
            },
            (await self._open_server()).shape,
        )

    @split_thoughts
    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """Stream one reply.

        Raises:
            ContextExceeded: the prompt does not fit into the window.
            ContentRefused: the provider declined, and not a word came.
            StreamCut: the connection ended without an end mark.
            BackendError: everything that ``open`` raises, QuotaExceeded, RateLimited, Overloaded,
                TimedOut.
        """
        limit = self._limit(request)
        server = (await self._open_server()).server
        events = server.stream(self._body(request, limit))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Finished):
                    self._served = event
                    yield replace(event, model=event.model or self.spec.model)
                else:
                    yield event

    @abstractmethod
    def _body(self, request: Request, limit: int) -> dict[str, Any]:
        """The request in the protocol's form; ``limit`` is the reply's, in tokens."""

    async def _learned(self, server: SdkServer) -> _Connected:
        stated = await server.window()
        tokenizer = await asyncio.to_thread(tokenizer_for, self.spec.model)
        wanted = self.spec.context_window
        window = min(wanted, stated) if wanted and stated else wanted or stated
        server.wire.window = window or self._default_window
        return _Connected(server, server.wire.window, tokenizer, await server.shape())


def api_address(
    spec: BackendSpec, default: str, path: str, *ends: str, versioned: bool = False
) -> Address:
    """An API's checked address; ``path`` is added if the manifest's has none.

    ``ends`` are those of its questions, which are taken off. ``versioned``: see `checked_address`.

    Raises:
        BadParameter: it cannot be used.
    """
    given = spec.address or default
    address = checked_address(
        given, spec.name, allow_http=spec.allow_http, versioned=versioned
    ).without_end(*ends)
    bare = address.url.count("/") == 2
    return replace(address, url=address.url + path) if bare else address


def token_count(value: object) -> int | None:
    """A token count; None if it is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def json_object(value: object) -> Mapping[str, Any]:
    """A JSON object; empty if it is not one."""
    return value if isinstance(value, dict) else {}


def json_text(value: object) -> str:
    """A JSON string; empty if it is not one."""
    return value if isinstance(value, str) else ""
