"""What the `ollama` package leaves to its caller: HTTP's limits, its headers and its errors.

The package (0.6) raises errors without the response's headers, takes ``OLLAMA_API_KEY`` from the
environment for whatever host it speaks to, cannot say ``truncate``, and leaves the cutting of a
stream into lines to httpx, which also cuts at U+0085, U+2028 and U+2029 inside a text. Hooks of its
httpx client mend all four. Protocol: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from perdure.backends import http_errors
from perdure.backends.addresses import Address
from perdure.backends.api_errors import AT_FAULT, role_refusal
from perdure.backends.errors import (
    BackendError,
    BadParameter,
    ContextExceeded,
    FieldRefused,
    ModelMissing,
    ProtocolError,
    StreamCut,
)
from perdure.backends.http_errors import (
    TOO_LONG,
    error_body,
    error_line,
    lost_connection,
    packed,
    status_error,
)
from perdure.backends.routes import Route
from perdure.backends.waiting import Timeouts

CHAT = "/api/chat"

# Line ends to httpx, ordinary characters to JSON. In UTF-8 these bytes mean nothing else.
_NOT_LINE_ENDS = {
    b"\xc2\x85": rb"\u0085",
    b"\xe2\x80\xa8": rb"\u2028",
    b"\xe2\x80\xa9": rb"\u2029",
}
_NO_MODEL = re.compile(r"model .*not found|try pulling", re.IGNORECASE | re.DOTALL)
_FIELDS = {
    "think": re.compile(r"\bthink(ing)?\b", re.IGNORECASE),
    "truncate": re.compile(r"\btruncate\b"),
    "shift": re.compile(r"\bshift\b"),
}
"""Fields that a server may refuse and that can be left out, and how it speaks of each."""
_NO_LOADING = re.compile(r"system memory|(unable|failed) to load|error loading", re.IGNORECASE)


class Wire:
    """The hooks for one backend's httpx clients."""

    def __init__(
        self, address: Address, *, name: str, model: str, key: str, timeouts: Timeouts
    ) -> None:
        """Raises DriverMissing."""
        self.address = address
        self.name = name
        self.model = model
        self.window = 0
        """Tokens, once known; for the errors' texts."""
        self._key = key
        self._route = Route(address, name, timeouts.connect)
        self._sent: frozenset[str] = frozenset()
        """Fields of the last request for a reply."""
        self.without: tuple[str, ...] = ()
        """Fields that the server refuses."""

    def client_settings(self) -> dict[str, Any]:
        """Keyword arguments of httpx clients."""
        hooks = {"request": [self.send], "response": [self.receive]}
        return {**self._route.settings(httpx), "event_hooks": hooks}

    async def send(self, request: httpx.Request) -> None:
        """Before a request leaves: this backend's key or none, and no silent cutting."""
        request.headers.pop("authorization", None)
        if self._key:
            request.headers["authorization"] = f"Bearer {self._key}"
        request.headers["accept-encoding"] = "identity"
        if request.url.path.endswith(CHAT):
            # Ollama 0.12.6 and newer: a prompt that does not fit is an error instead of losing its
            # front, and so is a reply that would push the front out. Older ones ignore both.
            fields = {**json.loads(request.content), "truncate": False, "shift": False}
            fields = {name: value for name, value in fields.items() if name not in self.without}
            self._sent = frozenset(fields)
            body = json.dumps(fields, ensure_ascii=False).encode()
            request.stream = httpx.ByteStream(body)
            request.headers["content-length"] = str(len(body))
        await self._route.pin(request)

    async def receive(self, response: httpx.Response) -> None:
        """Before an answer is read: raises for every status but 2xx, and bounds what follows."""
        if response.is_success and packed(response.headers):
            await response.aclose()
            raise ProtocolError(f"{self.name} sends a compressed answer, which nobody asked for")
        if response.is_success:
            if isinstance(response.stream, httpx.AsyncByteStream):
                talk = response.request.url.path.endswith(CHAT)
                response.stream = _Lines(response.stream, self.name, whole=not talk)
            return
        text = error_text(await error_body(response))
        raise self.error(response.status_code, text, response.headers)

    def error(
        self, status: int, text: str, headers: Mapping[str, str] | None = None
    ) -> BackendError:
        """The error that a status and the server's own words mean; 200 for one in mid-stream."""
        text = error_line(text, self._key)
        return self._by_words(status, text) or self._by_status(status, text, headers or {})

    def _by_words(self, status: int, text: str) -> BackendError | None:
        if TOO_LONG.search(text):
            return ContextExceeded(None, self.window)
        if _NO_MODEL.search(text) or (status == HTTPStatus.NOT_FOUND and text):
            return ModelMissing(
                f"{self.name} has no model {self.model}",
                next_step=f"get it with: ollama pull {self.model}",
            )
        if _NO_LOADING.search(text):
            return ModelMissing(
                f"{self.name} cannot load {self.model}: {text}",
                next_step="choose a smaller model or context_window",
            )
        if "does not support chat" in text:
            return BadParameter(
                f"{self.name}: {self.model} is no model to talk with", next_step="choose another"
            )
        return self._refusal(status, text)

    def _refusal(self, status: int, text: str) -> BackendError | None:
        """A refusal that another form of the request may mend."""
        said = f"{self.name} says: {text}"
        if status in AT_FAULT:
            for name, words in _FIELDS.items():
                if name in self._sent and words.search(text):
                    return FieldRefused(said, name, "try another model")
        return role_refusal(said, text, status, name=self.name, model=self.model)

    def _by_status(self, status: int, text: str, headers: Mapping[str, str]) -> BackendError:
        return status_error(
            status,
            f"{self.name} says: {text}" if text else f"{self.name} answers with status {status}",
            headers,
            window=self.window,
            key_step="check the manifest's key, or: ollama signin",
            protocol_step="is it an Ollama that answers there",
        )

    def transport_error(self, error: Exception, *, heard: bool = False) -> BackendError:
        """The error for a request that found no server, or lost it."""
        self._route.forget()
        start = "start it with: ollama serve"
        return lost_connection(error, self.name, self.address.url, heard=heard, start=start)


class _Lines(httpx.AsyncByteStream):
    """The bytes of an answer by whole lines, up to a limit for the whole or for one line."""

    def __init__(self, stream: httpx.AsyncByteStream, name: str, *, whole: bool) -> None:
        self._stream = stream
        self._name = name
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        rest, total = bytearray(), 0
        limit = http_errors.ANSWER_LIMIT if self._whole else http_errors.STREAM_LIMIT
        async for block in self._stream:
            total += len(block)
            whole, end, tail = bytes(block).rpartition(b"\n")
            if not end:
                rest += tail
            else:
                yield _escaped(bytes(rest) + whole + end)
                rest = bytearray(tail)
            if len(rest) > http_errors.ANSWER_LIMIT or total > limit:
                raise ProtocolError(f"{self._name} sends an answer without an end")
        if rest:
            # A server that dies without chunked encoding looks like one that is done.
            if rest.startswith(b"{") and not _is_json(bytes(rest)):
                raise StreamCut(f"{self._name} stopped in the middle of a line")
            yield _escaped(bytes(rest))

    async def aclose(self) -> None:
        await self._stream.aclose()


def _escaped(lines: bytes) -> bytes:
    for mark, escape in _NOT_LINE_ENDS.items():
        lines = lines.replace(mark, escape)
    # The package reads an empty line as JSON and fails.
    return b"".join(line for line in lines.splitlines(keepends=True) if line.strip())


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def error_text(body: bytes) -> str:
    """The server's words; empty where the body is not Ollama's ``{"error": …}``."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    found = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(found, dict):
        found = found.get("message")
    return found if isinstance(found, str) else ""
