"""What the servers behind the `openai` and `anthropic` packages have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from typing import Any

from perdure.backends.errors import (
    BackendError,
    ContentRefused,
    ProtocolError,
    StreamCut,
    Unreachable,
)
from perdure.backends.hosted.sdk_wire import SdkWire, body_of
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.http.errors import NotOffered
from perdure.backends.http.event_stream import Written, plain_event
from perdure.backends.http.timeouts import ReplyTimeouts
from perdure.backends.protocol import Finished, OfferedModel, StopReason, StreamEvent


class SdkServer(ABC):
    """The connections of one backend to its server."""

    _written: Written = staticmethod(plain_event)
    """Gives the bytes of an event, as the package reads it."""

    def __init__(self, access: ServerAccess) -> None:
        """Contacts nothing yet. Raises DriverMissing."""
        self.doubt: BackendError | None = None
        """What the list of models said about the key or the model; a turn may work all the same."""
        self._access = access
        headers = self._key_headers(access.secret) if access.secret else {}
        self.wire = SdkWire(access, headers, self._written)

    async def window(self) -> int:
        """The model's window as the server states it; 0 if it states none. Raises BackendError."""
        try:
            return await self._stated_window()
        except NotOffered as refused:
            self.doubt = refused.doubt
        except ProtocolError:
            pass
        except Unreachable as lost:
            # Of this question alone: the next turn finds out whether the server answers.
            if not lost.hung_up:
                raise
        return 0

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[StreamEvent, None]:
        """The events of one reply, ending with `Finished`. Raises BackendError.

        Closing the generator closes the connection, at which servers stop the model.
        """
        events = _events(self.wire, self._asking(body), self._reading())
        async with aclosing(events):
            async for event in events:
                yield event

    async def shape(self) -> str:
        """What is known about the roles of a prompt: nothing."""
        return ""

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""

    @abstractmethod
    async def models(self) -> list[OfferedModel]:
        """The list of models. Raises BackendError."""

    @abstractmethod
    async def _stated_window(self) -> int:
        """The window, asked. Raises BackendError, NotOffered."""

    @abstractmethod
    def _key_headers(self, secret: str) -> dict[str, str]:
        """The headers that carry a key in this protocol."""

    @abstractmethod
    def _asking(self, body: dict[str, Any]) -> Awaitable[object]:
        """The package's call that starts a stream."""

    @abstractmethod
    def _reading(self) -> Reading:
        """A reader for one reply."""


class Reading(ABC):
    """Turns a package's events of one reply into ours."""

    def __init__(self, wire: SdkWire, name: str) -> None:
        self.stop: StopReason | None = None
        """Known once the reply is whole."""
        self.heard = False
        """An event was there."""
        self.spoke = False
        """A word or a thought was there."""
        self.sent: Mapping[str, Any] = {}
        """The request's body."""
        self._aside: Mapping[str, Any] = {}
        """An event that is none of the protocol's: words about an error, if nothing else comes."""
        self._replied = False
        self._wire = wire
        self._name = name

    def events(self, chunk: object) -> list[StreamEvent]:
        """The events in one chunk. Raises BackendError if the chunk is an error or malformed."""
        data = self._wire.plain(chunk)
        self.heard = True
        found = self._found(data)
        self.spoke = self.spoke or bool(found)
        return found

    def finished(self, *, done: bool) -> Finished:
        """The final event. ``done``: OpenAI's end mark has come, whatever the chunks said.

        Raises:
            ContentRefused: a filter or the model refused, and not a word came.
            StreamCut: there was no end mark.
            ProtocolError: there was nothing at all.
        """
        if not self.spoke and self._aside:
            raise self._error(self._aside)
        if self.stop is None and not done:
            if not self.heard:
                raise ProtocolError(f"{self._name} sent an empty stream")
            raise StreamCut(f"{self._name} ended its reply without an end mark")
        if self.stop == "refused" and not self._replied:
            raise ContentRefused(f"{self._name} declined to answer")
        return self._end(self.stop or "unknown")

    def _error(self, data: object) -> BackendError:
        """The error that an event carries."""
        return self._wire.error(200, data, sent=self.sent)

    @abstractmethod
    def _found(self, data: Mapping[str, Any]) -> list[StreamEvent]:
        """The events in one chunk."""

    @abstractmethod
    def _end(self, stop: StopReason) -> Finished:
        """The final event, with the counts so far."""


async def _events(
    wire: SdkWire, asking: Awaitable[object], reading: Reading
) -> AsyncGenerator[StreamEvent, None]:
    patience = ReplyTimeouts(wire.access.timeouts)
    stream: Any = await wire.begun(asking, patience)  # of either package
    chunks = aiter(stream)
    reading.sent = body_of(stream.response.request)
    try:
        while True:
            try:
                chunk = await wire.following(
                    chunks,
                    patience,
                    heard=reading.heard,
                    spoke=reading.spoke,
                    sent=reading.sent,
                )
            except BackendError:
                # The reply is whole; only its counts may be missing.
                if reading.stop is None:
                    raise
                break
            if chunk is None:
                break
            for event in reading.events(chunk):
                yield event
    finally:
        await stream.close()
    source = stream.response.stream
    aside = getattr(source, "aside", "")
    if aside and not reading.heard:
        raise wire.error(200, aside, sent=reading.sent)
    yield reading.finished(done=getattr(source, "done", False))
