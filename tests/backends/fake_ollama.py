"""A server on loopback that speaks Ollama's protocol as a test scripts it, faults included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

MODEL = "tiny:latest"
DIGEST = "ab" * 32
END: dict[str, Any] = {
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 30,
    "eval_count": 3,
}

Script = Callable[["Exchange"], Awaitable[None]]


def part(content: str = "", *, message: Mapping[str, str] | None = None, **more: object) -> bytes:
    """One line of a reply; ``message`` and ``more`` go into its message and beside it."""
    message = {"role": "assistant", "content": content, **(message or {})}
    body = {"model": MODEL, "created_at": "2026-11-22T18:00:00Z", "message": message, "done": False}
    return json.dumps({**body, **more}, ensure_ascii=False).encode() + b"\n"


@dataclass
class Exchange:
    """One request, and the connection to answer it on."""

    path: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def head(self, status: int = 200, **headers: str) -> None:
        lines = [
            f"HTTP/1.1 {status} X",
            *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
        ]
        self.writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())

    async def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.head(status, Content_Length=str(len(body)), **headers)
        self.writer.write(body)
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    async def gone(self) -> None:
        """Until the client has closed its side."""
        await self.reader.read()


@dataclass
class FakeOllama:
    """What it answers, and what it was asked."""

    address: str = ""
    chat: Script | None = None
    version: str = "0.12.11"
    entries: list[dict[str, Any]] = field(
        default_factory=lambda: [{"name": MODEL, "digest": DIGEST, "modified_at": ""}]
    )
    shown: dict[str, Any] = field(
        default_factory=lambda: {
            "modelfile": "FROM x\nADAPTER /srv/models/kind.gguf\n",
            "parameters": 'stop                           "<|im_end|>"\ntemperature  0.7',
            "template": "{{ .Prompt }}",
            "details": {"quantization_level": "Q4_K_M", "family": "llama"},
            "model_info": {"general.architecture": "llama", "llama.context_length": 32768},
            "capabilities": ["completion"],
        }
    )
    other: dict[str, Script] = field(default_factory=dict)
    """Scripts for other paths, by path."""
    exchanges: list[Exchange] = field(default_factory=list)

    def asked(self, path: str) -> list[Exchange]:
        return [each for each in self.exchanges if each.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            exchange = await read_exchange(reader, writer)
            self.exchanges.append(exchange)
            await self._respond(exchange)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _respond(self, exchange: Exchange) -> None:
        answers = {
            "/api/version": {"version": self.version},
            "/api/tags": {"models": self.entries},
            "/api/show": self.shown,
        }
        if exchange.path in self.other:
            await self.other[exchange.path](exchange)
        elif exchange.path == "/api/chat" and self.chat is not None:
            await self.chat(exchange)
        elif exchange.path in answers:
            await exchange.answer(json.dumps(answers[exchange.path]).encode())
        else:
            await exchange.answer(b"nothing here", 404)


async def read_exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Exchange(head[0].split()[1], headers, body, reader, writer)


def says(*parts: bytes, end: dict[str, Any] | None = END) -> Script:
    """A reply: its parts, each in a chunk of its own, then the end mark unless it is None."""

    async def script(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type="application/x-ndjson")
        for data in [*parts, *([part(**end)] if end is not None else [])]:
            await exchange.chunk(data)
        exchange.writer.write(b"0\r\n\r\n")

    return script


def refuses(status: int, body: bytes = b"", **headers: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(body, status, **headers)

    return script


def split(data: bytes) -> Sequence[bytes]:
    """Every byte on its own."""
    return [data[at : at + 1] for at in range(len(data))]


class Fake(Protocol):
    """A server that can be run on loopback."""

    address: str

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...


SomeFake = TypeVar("SomeFake", bound=Fake)


@asynccontextmanager
async def running(fake: SomeFake) -> AsyncIterator[SomeFake]:
    """Serve until the block ends; connections that are still open are cut then."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await fake.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
