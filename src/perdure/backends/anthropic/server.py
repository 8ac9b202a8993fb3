"""Talk to one server of Anthropic's protocol, using the `anthropic` package.

Importing this takes a second, which the package needs for its classes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any
from urllib.parse import quote

import anthropic

from perdure.backends.hosted.backend import json_object, json_text, token_count
from perdure.backends.hosted.sdk_server import Reading, SdkServer
from perdure.backends.hosted.sdk_wire import PLACEHOLDER, SdkWire
from perdure.backends.hosted.server_backend import ServerAccess
from perdure.backends.http.errors import NotOffered
from perdure.backends.http.event_stream import Written, named_event
from perdure.backends.protocol import (
    Finished,
    OfferedModel,
    Piece,
    StopReason,
    StreamEvent,
    Thinking,
    Usage,
)
from perdure.backends.roles.shape import ANTHROPIC_SHAPE

_STOPS: dict[str, StopReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}
"""Reasons other than an ordinary end."""
_PAGE = 100
_PAGES = 10
"""A server whose list has no end is not followed further."""


class AnthropicServer(SdkServer):
    """The connections of one backend to its server."""

    _written: Written = staticmethod(named_event)

    def __init__(self, access: ServerAccess) -> None:
        """Contacts nothing yet."""
        super().__init__(access)
        self._sdk = anthropic.AsyncAnthropic(
            api_key=PLACEHOLDER,
            base_url=access.address.url,
            max_retries=0,
            # Without a number the package refuses long replies and sets its own limit.
            timeout=anthropic.Timeout(None, connect=access.timeouts.connect),
            http_client=self.wire.client(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()

    async def _stated_window(self) -> int:
        path = f"/v1/models/{quote(self._access.model, safe='')}"
        answer = await self.wire.answer(self._sdk.get(path, cast_to=object))
        return token_count(json_object(answer).get("max_input_tokens")) or 0

    async def models(self) -> list[OfferedModel]:
        """The list of models, across all pages. Raises BackendError."""
        found: list[OfferedModel] = []
        after = ""
        for _ in range(_PAGES):
            page = await self._page(after)
            for each in map(json_object, page.get("data", ())):
                window = token_count(each.get("max_input_tokens")) or 0
                found.append(OfferedModel(json_text(each.get("id")), context_window=window))
            last = json_text(page.get("last_id"))
            if page.get("has_more") is not True or not last or last == after:
                break
            after = last
        return found

    async def _page(self, after: str) -> Mapping[str, Any]:
        """One page of the list; empty if the server has no list."""
        query = {"limit": _PAGE, **({"after_id": after} if after else {})}
        asking = self._sdk.get("/v1/models", cast_to=object, options={"params": query})
        try:
            answer = await self.wire.answer(asking)
        except NotOffered as refused:
            refused.check()
            return {}
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise self.wire.nonsense()
        return answer

    async def count(self, body: dict[str, Any]) -> int:
        """A prompt's tokens as the server counts them, which takes a request of its own.

        ``body`` has model, messages and system. Raises BackendError.
        """
        try:
            answer = await self.wire.answer(self._sdk.messages.count_tokens(**body))
        except NotOffered as refused:
            raise refused.why from refused
        return token_count(self.wire.plain(answer).get("input_tokens")) or 0

    async def shape(self) -> str:
        """The prompt shape that the protocol fixes."""
        return str(ANTHROPIC_SHAPE)

    def _key_headers(self, secret: str) -> dict[str, str]:
        return {"x-api-key": secret}

    def _asking(self, body: dict[str, Any]) -> Awaitable[object]:
        return self._sdk.messages.create(**body)

    def _reading(self) -> Reading:
        return _Events(self.wire, self._access.name)


_WORDS = {"text", "text_delta", None}


class _Events(Reading):
    """Reads the events of ``/v1/messages``."""

    def __init__(self, wire: SdkWire, name: str) -> None:
        super().__init__(wire, name)
        self._stopping: StopReason = "unknown"
        self._counts: dict[str, Any] = {}
        self._model = ""
        self._tool = ""

    def _found(self, data: Mapping[str, Any]) -> list[StreamEvent]:
        found: list[StreamEvent] = []
        match data.get("type"):
            case "message_start":
                message = json_object(data.get("message"))
                self._model = json_text(message.get("model"))
                self._counts.update(json_object(message.get("usage")))
            case "content_block_start":
                found = self._words(json_object(data.get("content_block")))
            case "content_block_delta":
                found = self._words(json_object(data.get("delta")))
            case "message_delta":
                reason = json_object(data.get("delta")).get("stop_reason")
                if reason is not None:
                    self._stopping = _STOPS.get(str(reason), "end")
                later = json_object(data.get("usage")).items()
                self._counts.update({name: count for name, count in later if count is not None})
            case "message_stop":
                self.stop = self._stopping
            case "error":
                raise self._error(data)
        return found

    def _words(self, block: Mapping[str, Any]) -> list[StreamEvent]:
        if block.get("type") in {"tool_use", "server_tool_use"}:
            self._tool = json_text(block.get("name")) or "a tool"
        thought = json_text(block.get("thinking"))
        # What a server's tool found has texts too, and is none of the reply.
        said = json_text(block.get("text")) if block.get("type") in _WORDS else ""
        self._replied = self._replied or bool(said)
        return [*([Thinking(thought)] if thought else []), *([Piece(said)] if said else [])]

    def finished(self, *, done: bool) -> Finished:  # noqa: ARG002 - this protocol has its own
        return super().finished(done=False)

    def _end(self, stop: StopReason) -> Finished:
        return Finished(stop, self._usage(), self._model, tool=self._tool)

    def _usage(self) -> Usage:
        new = token_count(self._counts.get("input_tokens"))
        reused = token_count(self._counts.get("cache_read_input_tokens"))
        written = token_count(self._counts.get("cache_creation_input_tokens"))
        # The protocol counts what came from its cache, or went into it, apart from the rest.
        prompt = new + (reused or 0) + (written or 0) if new is not None else None
        return Usage(prompt, token_count(self._counts.get("output_tokens")), reused)
