"""Clean the bytes of a streamed reply into events that the providers' packages can read.

The packages (openai 3.54, anthropic 2.12) lose an event behind a byte order mark, end at one whose
data is no JSON, and take nothing but a stream. Servers and gateways send all of that: keep-alives
in any form, several frames in one line, frames without a blank line between, errors as events, a
whole answer in the place of a stream.
Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import httpx2

from perdure.backends.errors import ProtocolError
from perdure.backends.http import errors

_BOM = b"\xef\xbb\xbf"
_MOST_BLANKS = 64 << 10
_FIELDS = {b"data", b"event", b"id", b"retry", b"error"}
_DONE = {"[done]", '"[done]"'}
_ASIDE = 1000
_BLANKS = " \t\r\n\ufeff"
_decoder = json.JSONDecoder(strict=False)

Written = Callable[[Mapping[str, Any]], bytes]
"""Gives the bytes of one event, as one of the packages reads it."""


class EventReader:
    """Reads a stream block by block and returns every JSON event, as the packages want it."""

    def __init__(self, written: Written) -> None:
        """``written`` makes the bytes of one event."""
        self.done = False
        """OpenAI's end mark has passed."""
        self.size = 0
        """Bytes of the event that is being read."""
        self.aside = ""
        """The last text that was no event."""
        self._written = written
        self._rest = bytearray()
        self._skips_line_feed = False
        self._data: list[bytes] = []
        self._event = b""

    def feed(self, block: bytes) -> list[bytes]:
        """The events that one more block completes."""
        if self._skips_line_feed and block:
            block, self._skips_line_feed = block.removeprefix(b"\n"), False
        self.size += len(block)
        if b"\n" not in block and b"\r" not in block:
            self._rest += block
            return []
        lines = (bytes(self._rest) + block).splitlines(keepends=True)
        self._rest = bytearray()
        if not lines[-1].endswith((b"\n", b"\r")):
            self._rest += lines.pop()
        # The other half of the line's end may be in the next block.
        self._skips_line_feed = not self._rest and lines[-1].endswith(b"\r")
        return [event for line in lines for event in self._line(line.rstrip(b"\r\n"))]

    def end(self) -> list[bytes]:
        """The events left when the stream ends without an empty line."""
        last = bytes(self._rest)
        self._rest = bytearray()
        return [*self._line(last), *self._dispatched(cut=True)] if last or self._data else []

    def _line(self, line: bytes) -> Iterator[bytes]:
        while line.startswith(_BOM):
            line = line.removeprefix(_BOM)
        if not line:
            yield from self._dispatched()
            self.size = len(self._rest)
            return
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        if name in {b"data", b"error"}:
            # A llama.cpp of 2024 has a field of its own for errors.
            self._event = name if name == b"error" else self._event
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.strip()
        elif line.strip().decode("latin-1").lower() in _DONE:
            self._data.append(line)
        elif name not in _FIELDS and line.lstrip().startswith(b"{"):
            # A server that writes JSON objects, without the format's line heads.
            found, rest = json_objects(line.decode("utf-8", "replace"))
            if self._data or not found or rest:
                self._data.append(line)
            else:
                yield from map(self._written, found)
        elif name and name not in _FIELDS:
            self._beside(line.decode("utf-8", "replace"))

    def _beside(self, text: str) -> None:
        self.aside = f"{self.aside} {text}".strip()[:_ASIDE]

    def _dispatched(self, *, cut: bool = False) -> Iterator[bytes]:
        text = b"\n".join(self._data).decode("utf-8", "replace").strip(_BLANKS)
        event, self._data, self._event = self._event, [], b""
        if text.lower() in _DONE or (event == b"done" and not text):
            self.done = True
            yield b"data: [DONE]\n\n"
        elif event == b"error" and not text.startswith("{"):
            yield self._written({"error": {"message": text}})
        else:
            yield from self._frames(text, event, cut=cut)

    def _frames(self, text: str, event: bytes, *, cut: bool) -> Iterator[bytes]:
        """Each JSON object in a frame's data, or in several frames glued together."""
        found, rest = json_objects(text)
        for value in found:
            error = event == b"error" and not value.get("error")
            yield self._written({"error": value} if error else value)
        if not found and event != b"ping" and any(map(str.isalpha, rest)):
            self._beside(rest)
        if rest.lower() in _DONE:
            self.done = True
            yield b"data: [DONE]\n\n"
        elif rest.startswith("{") and not cut:
            # A frame that is broken may have had words: the package finds that out.
            name = b"event: %s\n" % event if event else b""
            yield name + f"data: {' '.join(rest.split())}\n\n".encode()


class Blocks(httpx2.AsyncByteStream):
    """The blocks of an answer; its start can be inspected before it is read."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream
        self._blocks = aiter(stream)
        self._ahead: list[bytes] = []

    async def first(self) -> bytes:
        """The first byte that is no white space and no byte order mark; empty if none comes."""
        while True:
            begun = b"".join(self._ahead).removeprefix(_BOM).lstrip()
            if begun and not _BOM.startswith(begun):
                return begun[:1]
            if sum(map(len, self._ahead)) > _MOST_BLANKS:
                return b""
            block = await anext(self._blocks, None)
            if block is None:
                return b""
            self._ahead.append(block)

    async def whole(self, limit: int) -> bytes:
        """All of it, up to ``limit`` bytes."""
        body = bytearray()
        async for block in self:
            body += block
            if len(body) > limit:
                break
        return bytes(body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self._ahead:
            yield block
        async for block in self._blocks:
            yield block

    async def aclose(self) -> None:
        """Close the stream beneath."""
        await self._stream.aclose()


class EventStream(httpx2.AsyncByteStream):
    """One reply's bytes, cleaned, with limits on the whole and on each event."""

    def __init__(
        self, stream: httpx2.AsyncByteStream, name: str, *, limit: int, written: Written
    ) -> None:
        """``limit`` is in bytes; ``name`` is the backend's, for errors."""
        self._stream = stream
        self._name = name
        self._limit = limit
        self._reader = EventReader(written)

    @property
    def done(self) -> bool:
        """OpenAI's end mark has come, which its package does not pass on."""
        return self._reader.done

    @property
    def aside(self) -> str:
        """Text from the server that was no event."""
        return self._reader.aside

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for block in self._stream:
            total += len(block)
            found = self._reader.feed(block)
            if self._reader.size > errors.ANSWER_LIMIT or total > self._limit:
                raise ProtocolError(f"{self._name} sent an endless answer")
            for event in found:
                yield event
        for event in self._reader.end():
            yield event

    async def aclose(self) -> None:
        """Close the stream beneath."""
        await self._stream.aclose()


def whole_answer(body: bytes) -> bytes | None:
    """An unstreamed answer turned into a stream of one reply; None if it is not one."""
    try:
        value = json.loads(body.removeprefix(_BOM))
    except ValueError:
        # One JSON object a line; an error that is none of ours has none.
        return body if body.count(b"\n{") or b'"choices"' in body else None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    if value.get("type") == "message" and isinstance(value.get("content"), list):
        blocks = [
            {"type": "content_block_start", "content_block": each} for each in value["content"]
        ]
        start = {"type": "message_start", "message": {**value, "content": []}}
        end = {"type": "message_delta", "delta": {"stop_reason": value.get("stop_reason")}}
        events = [start, *blocks, end, {"type": "message_stop"}]
        return b"".join(map(plain_event, events))
    if isinstance(value.get("choices"), list) and not value.get("error"):
        return plain_event(value) + b"data: [DONE]\n\n"
    return None


def plain_event(value: Mapping[str, Any]) -> bytes:
    """One event of OpenAI's protocol."""
    return b"data: %s\n\n" % json.dumps(value).encode()


def named_event(value: Mapping[str, Any]) -> bytes:
    """One event of Anthropic's protocol, whose package reads the event's name."""
    kind = value.get("type")
    if value.get("error") is not None:
        kind, value = "error", {**value, "type": "error"}
    if not isinstance(kind, str) or not kind.isidentifier():
        return b""
    return b"event: %s\n%s" % (kind.encode(), plain_event(value))


def json_objects(text: str) -> tuple[list[Mapping[str, Any]], str]:
    """The objects at the start of a text, with or without ``data:`` between them, and the rest.

    Gateways glue frames together and put a head before a head; keep-alives are no objects and are
    left over.
    """
    found: list[Mapping[str, Any]] = []
    rest = _headless(text)
    while rest.startswith("{"):
        try:
            value, end = _decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            break
        found.append(value)
        rest = _headless(rest[end:])
    return found, rest


def _headless(text: str) -> str:
    text = text.strip()
    while text.startswith("data:"):
        text = text.removeprefix("data:").lstrip()
    return text
