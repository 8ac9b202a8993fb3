"""HTTP below the `openai` and `anthropic` packages: headers, limits, timeouts and errors.

Both (openai 3.54, anthropic 2.12) follow redirects, retry, take keys, addresses and headers from
the environment, tell each server the machine's system and Python, and read errors of any length.
Hooks of the httpx2 client that they are given mend this.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, TypeVar

import httpx2
import pydantic

from perdure.backends.errors import BackendError, ModelLoading, ProtocolError
from perdure.backends.hosted.api_errors import Endpoint, api_error
from perdure.backends.hosted.request_form import LIMITS
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.http import errors
from perdure.backends.http.error_body import read_server_message
from perdure.backends.http.errors import NotOffered, error_body, is_compressed, lost_connection
from perdure.backends.http.event_stream import Blocks, EventStream, Written, whole_answer
from perdure.backends.http.route import Route
from perdure.backends.http.timeouts import ReplyTimeouts

PLACEHOLDER = "set-by-perdure"
"""Given to the packages as their key: the true one is put on each request, and on nothing else."""

_KEPT_HEADERS = {"host", "accept", "content-type", "content-length", "connection"}
_KEPT_HEADERS |= {"transfer-encoding", "anthropic-version"}
_QUESTIONS = ("/count_tokens", "/apply-template")

T = TypeVar("T")


class SdkWire:
    """The connections of one backend."""

    def __init__(
        self, access: ServerAccess, key_headers: Mapping[str, str], written: Written
    ) -> None:
        """``key_headers`` carry the secret; empty if there is none.

        ``written`` gives the bytes of an event, as the package reads it.
        """
        self.access = access
        self.window = 0
        """Tokens, once known; for the errors' texts."""
        self._headers = {"user-agent": "perdure", "accept-encoding": "identity", **key_headers}
        self._written = written
        self._route = Route(access.address, access.name, access.timeouts.connect)

    def client(self) -> httpx2.AsyncClient:
        """A client for one of the packages, which closes it."""
        return httpx2.AsyncClient(
            # llama.cpp's server hangs up on a kept connection at any moment, also as a request
            # is on its way; on loopback a new one costs nothing.
            limits=httpx2.Limits(
                max_keepalive_connections=0 if self.access.address.loopback else 4
            ),
            event_hooks={"request": [self._send], "response": [self._receive]},
            **self._route.settings(httpx2),
        )

    async def _send(self, request: httpx2.Request) -> None:
        for header in set(request.headers) - _KEPT_HEADERS:
            del request.headers[header]
        request.headers.update(self._headers)
        await self._route.pin(request)

    async def _receive(self, response: httpx2.Response) -> None:
        """Runs before an answer is read: raises unless it is 2xx, and limits what follows."""
        if response.is_success and is_compressed(response.headers):
            await response.aclose()
            raise ProtocolError(
                f"{self.access.name} sent a compressed answer, which was not requested"
            )
        request = response.request
        asking = request.method == "GET" or request.url.path.endswith(_QUESTIONS)
        if response.is_success:
            if isinstance(response.stream, httpx2.AsyncByteStream):
                if asking:
                    response.stream = Bounded(response.stream, self.access.name)
                else:
                    await self._reply(response, response.stream)
            return
        body = await error_body(response)
        error = self.error(response.status_code, body, response.headers, body_of(request))
        if asking and not isinstance(error, ModelLoading):
            raise NotOffered(error, response.status_code) from error
        raise error

    async def _reply(self, response: httpx2.Response, stream: httpx2.AsyncByteStream) -> None:
        """Make a reply's bytes readable for the package; raises if they are an error."""
        asked = body_of(response.request)
        blocks = Blocks(stream)
        first = await blocks.first()
        source: httpx2.AsyncByteStream = blocks
        if first in {b"{", b"[", b"<"}:
            body = await blocks.whole(errors.ANSWER_LIMIT)
            await blocks.aclose()
            whole = whole_answer(body) if first != b"<" else None
            if (
                whole is None
                and first != b"<"
                and read_server_message(body, self.access.secret).text
            ):
                raise self.error(200, body, response.headers, asked)
            if whole is None:
                raise self.nonsense()
            source = httpx2.ByteStream(whole)
        limit = errors.stream_limit(self._tokens(asked))
        response.stream = EventStream(source, self.access.name, limit=limit, written=self._written)

    def _tokens(self, asked: Mapping[str, Any]) -> int:
        """The most tokens a reply may have: as requested, else the whole window."""
        limits = [asked[name] for name in LIMITS if isinstance(asked.get(name), int)]
        return limits[0] if limits else self.window

    def error(
        self,
        status: int,
        body: object,
        headers: Mapping[str, str] | None = None,
        sent: Mapping[str, Any] | None = None,
    ) -> BackendError:
        """The error for a status and a body; 200 for an error in mid-stream.

        ``sent`` is the request's body.
        """
        asked = Endpoint(self.access.name, self.access.model, self.window)
        return api_error(
            asked, status, read_server_message(body, self.access.secret), headers, sent
        )

    async def answer(self, asking: Awaitable[T]) -> T:
        """The answer to a question about models. Raises BackendError, NotOffered."""
        try:
            async with asyncio.timeout(self.access.timeouts.answer):
                return await asking
        except Exception as error:
            raise self.failure(error, heard=False) from error

    async def begun(self, asking: Awaitable[T], patience: ReplyTimeouts) -> T:
        """The stream, once the server has started it. Raises BackendError."""
        try:
            # There is as much time as for the first word: some servers begin with it.
            async with patience.next(spoke=False):
                return await asking
        except Exception as error:
            raise self.failure(error, heard=False) from error

    def plain(self, event: object) -> dict[str, Any]:
        """An event as JSON has it: the packages' classes take whatever comes, of any type.

        Raises:
            ProtocolError: it is no object.
        """
        if isinstance(event, pydantic.BaseModel):
            return event.model_dump(mode="python", exclude_unset=True, warnings=False)
        if isinstance(event, dict):
            return event
        raise self.nonsense()

    async def following(
        self,
        events: AsyncIterator[T],
        patience: ReplyTimeouts,
        *,
        heard: bool,
        spoke: bool,
        sent: Mapping[str, Any],
    ) -> T | None:
        """The stream's next event; None at its end. Raises BackendError.

        ``heard``: an event was there already. ``spoke``: a word of the reply was. ``sent`` is the
        request's body.
        """
        try:
            async with patience.next(spoke=spoke):
                return await anext(events, None)
        except Exception as error:
            raise self.failure(error, heard=heard, sent=sent) from error

    def failure(
        self, error: Exception, *, heard: bool, sent: Mapping[str, Any] | None = None
    ) -> Exception:
        """Our error for one that a package, or httpx2 below it, raised."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, (BackendError, NotOffered)):
                return cause
            if getattr(cause, "body", None):
                return self.error(200, cause.body, sent=sent)  # type: ignore[attr-defined]
            if isinstance(cause, (httpx2.TransportError, httpx2.StreamError, OSError)):
                self._route.forget()
                return lost_connection(
                    error,
                    self.access.name,
                    self.access.address.url,
                    heard=heard,
                    start="start its server",
                )
            cause = cause.__cause__
        return self.nonsense()

    def nonsense(self) -> ProtocolError:
        """The error for an answer that makes no sense."""
        return ProtocolError(
            f"{self.access.name} at {self.access.address.url} sent an answer that makes no sense",
            next_step="check the manifest's driver and address",
        )


def body_of(request: httpx2.Request) -> dict[str, Any]:
    """The body of a request for a reply; nothing for other questions."""
    if request.method != "POST":
        return {}
    try:
        body: dict[str, Any] = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return {}
    system = body.get("system")
    marked = isinstance(system, list) and any("cache_control" in each for each in system)
    return {**body, **({"cache_control": True} if marked else {})}


class Bounded(httpx2.AsyncByteStream):
    """The bytes of an answer, up to a limit."""

    def __init__(self, stream: httpx2.AsyncByteStream, name: str) -> None:
        self._stream = stream
        self._name = name

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in errors.bounded(self._stream, self._name):
            yield block

    async def aclose(self) -> None:
        await self._stream.aclose()
