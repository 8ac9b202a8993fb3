"""Talk to one Ollama server, using the `ollama` package; every failure is a `BackendError`.

Importing this takes half a second, which pydantic needs for the package's classes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any, cast

import httpx
import httpx2
import ollama

from perdure.backends.errors import BackendError, ProtocolError, StreamCut
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.http import errors
from perdure.backends.http.errors import NotOffered
from perdure.backends.http.timeouts import ReplyTimeouts
from perdure.backends.ollama.model import offered
from perdure.backends.ollama.wire import Wire
from perdure.backends.protocol import OfferedModel

_BROKEN = (
    *(httpx.TransportError, httpx.StreamError, httpx2.TransportError, httpx2.StreamError),
    *(TimeoutError, ConnectionError),
)
# JSON that is none, or of another shape, which the package's own classes refuse.
_NONSENSE = (ValueError, TypeError, AttributeError)


class OllamaServer:
    """The connections of one backend to its server."""

    def __init__(self, access: ServerAccess) -> None:
        """Contacts nothing yet."""
        self.doubt: BackendError | None = None
        """What was said against the key; a turn may work all the same."""
        self.wire = Wire(access)
        self._access = access
        settings = self.wire.client_settings(httpx)
        self._sdk = ollama.AsyncClient(access.address.url, **settings)
        # For the two questions that the package cannot ask, or whose answers it thins out.
        self._http = httpx2.AsyncClient(**self.wire.client_settings(httpx2))

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()  # type: ignore[no-untyped-call]
        await self._http.aclose()

    async def get_or_empty(self, path: str) -> dict[str, Any]:
        """The JSON object at a path; empty if an imitation of Ollama lacks it.

        Raises:
            BackendError: it cannot be reached, or is loading.
        """
        try:
            return await self.get(path)
        except NotOffered as refused:
            self.doubt = self.doubt or refused.doubt
        except ProtocolError:
            pass
        return {}

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path. Raises BackendError, NotOffered."""
        try:
            async with (
                asyncio.timeout(self._access.timeouts.answer),
                self._http.stream("GET", self._access.address.url + path) as response,
            ):
                read = errors.bounded(response.aiter_raw(), self._access.name)
                answer = json.loads(b"".join([block async for block in read]))
        except (*_BROKEN, *_NONSENSE) as error:
            raise self._failure(error) from error
        if not isinstance(answer, dict):
            raise self._nonsense()
        return answer

    async def show(self) -> ollama.ShowResponse:
        """What the server says about the model; empty if an imitation says nothing.

        Raises:
            ModelMissing: it has no such model.
            BackendError: it cannot be reached, or is loading.
        """
        try:
            async with asyncio.timeout(self._access.timeouts.answer):
                return await self._sdk.show(self._access.model)
        except NotOffered as refused:
            self.doubt = self.doubt or refused.doubt
        except _BROKEN as error:
            raise self._failure(error) from error
        except _NONSENSE:
            pass
        return ollama.ShowResponse(model_info=None)

    async def models(self) -> list[OfferedModel]:
        """The models that can chat, with details from ``/api/ps``. Raises BackendError."""
        try:
            tags = await self.get("/api/tags")
        except NotOffered as refused:
            refused.check()
            return []
        if not isinstance(tags.get("models"), list):
            raise self._nonsense()
        running: dict[str, Any] = {}
        # Servers that only imitate an Ollama lack it, and the list is at hand without it.
        with contextlib.suppress(BackendError, NotOffered):
            running = await self.get("/api/ps")
        return offered(tags, running)

    async def stream(
        self, messages: list[dict[str, str]], *, think: bool | None, options: Mapping[str, Any]
    ) -> AsyncGenerator[ollama.ChatResponse, None]:
        """The parts of one reply, ending with one that has ``done``. Raises BackendError.

        Closing the generator closes the connection, at which Ollama stops the model.
        """
        parts = cast(
            "AsyncGenerator[ollama.ChatResponse, None]",
            await self._sdk.chat(
                self._access.model, messages, stream=True, think=think, options=options
            ),
        )
        heard = False
        patience = ReplyTimeouts(self._access.timeouts)
        try:
            while (part := await self._following(parts, patience, heard=heard)) is not None:
                heard = True
                yield part
                if part.done:
                    return
        finally:
            await parts.aclose()
        raise StreamCut(f"{self._access.name} ended its reply without an end mark")

    async def _following(
        self,
        parts: AsyncGenerator[ollama.ChatResponse, None],
        patience: ReplyTimeouts,
        *,
        heard: bool,
    ) -> ollama.ChatResponse | None:
        """The next part; None when the connection ends."""
        try:
            async with patience.next(spoke=heard):
                return await anext(parts, None)
        except ollama.ResponseError as error:
            raise self.wire.error(HTTPStatus.OK, str(error.error)) from error
        except (*_BROKEN, *_NONSENSE) as error:
            raise self._failure(error, heard=heard) from error

    def _failure(self, error: Exception, *, heard: bool = False) -> BackendError:
        if isinstance(error, json.JSONDecodeError) or not isinstance(error, _BROKEN):
            return self._nonsense()
        return self.wire.transport_error(error, heard=heard)

    def _nonsense(self) -> ProtocolError:
        return ProtocolError(
            f"{self._access.name} at {self._access.address.url} does not speak Ollama's protocol",
            next_step="check that Ollama runs at this address",
        )
