"""Servers on loopback that speak the drivers' protocols as a test scripts them, faults included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from perdure.backends.anthropic.driver import AnthropicBackend
from perdure.backends.http.timeouts import Timeouts
from perdure.backends.ollama.driver import OllamaBackend
from perdure.backends.openai.driver import OpenAIBackend
from perdure.backends.protocol import Backend, BackendSpec
from tests.backends import fake_ollama
from tests.backends.fake_ollama import END, Exchange, Script, read_exchange


@dataclass
class FakeApi:
    """A server for the `openai` and `anthropic` packages: what it answers, and was asked."""

    address: str = ""
    chat: Script | None = None
    models: Script | None = None
    listed: dict[str, Any] = field(
        default_factory=lambda: {"data": [{"id": "tiny"}], "id": "tiny", "type": "model"}
    )
    exchanges: list[Exchange] = field(default_factory=list)

    def asked(self) -> list[Exchange]:
        """The requests for a reply."""
        return [each for each in self.exchanges if "/models" not in each.path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            exchange = await read_exchange(reader, writer)
            self.exchanges.append(exchange)
            script = self.chat if "/models" not in exchange.path else self.models
            if script is not None:
                await script(exchange)
            else:
                answer = json.dumps(self.listed).encode()
                await exchange.answer(answer, Content_Type="application/json")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def event(data: object, name: str = "") -> bytes:
    """One event of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def chunk(content: str | None = None, **more: Any) -> bytes:
    """One event of OpenAI's protocol; ``more`` goes into its delta."""
    delta = {**({"content": content} if content is not None else {}), **more}
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return event({"id": "c-1", "model": "tiny-1", "choices": [choice]})


OPENAI_END = (
    event({"model": "tiny-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    event(
        {"model": "tiny-1", "choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 3}}
    ),
    b"data: [DONE]\n\n",
)


def typed(kind: str, **more: Any) -> bytes:
    """One event of Anthropic's protocol."""
    return event({"type": kind, **more}, kind)


def delta(text: str) -> bytes:
    return typed("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


ANTHROPIC_START = typed(
    "message_start",
    message={"model": "tiny-1", "content": [], "usage": {"input_tokens": 30, "output_tokens": 1}},
)
ANTHROPIC_END = (
    typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
    typed("message_stop"),
)


def streams(*parts: bytes) -> Script:
    """A stream of events, each part in a chunk of HTTP of its own, and a clean end of HTTP."""

    async def script(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type="text/event-stream")
        for data in parts:
            await exchange.chunk(data)
        exchange.writer.write(b"0\r\n\r\n")

    return script


@dataclass(frozen=True)
class Dialect:
    """How one driver's protocol says the things that all of them can say."""

    driver: str
    make: Callable[[BackendSpec, Timeouts | None], Backend]
    serve: Callable[[], Any]
    says: Callable[[str], bytes]
    start: tuple[bytes, ...]
    end: tuple[bytes, ...]
    error: Callable[[str, str, str], bytes]
    """A body for an OpenAI code, an Anthropic type and words."""
    broken: Callable[[bytes], bytes]
    """An error's body in mid-stream."""
    content_type: str = "text/event-stream"

    def spec(self, address: str, **more: Any) -> BackendSpec:
        return BackendSpec("far", self.driver, "tiny", address, **more)

    def reply(self, *texts: str) -> tuple[bytes, ...]:
        return (*self.start, *map(self.says, texts))


DIALECTS = {
    "openai": Dialect(
        driver="openai",
        make=OpenAIBackend,
        serve=FakeApi,
        says=chunk,
        start=(chunk(role="assistant", content=""),),
        end=OPENAI_END,
        error=lambda code, _, said: json.dumps(
            {"error": {"message": said, "type": "some_error", "code": code}}
        ).encode(),
        broken=lambda body: b"data: " + body + b"\n\n",
    ),
    "anthropic": Dialect(
        driver="anthropic",
        make=AnthropicBackend,
        serve=FakeApi,
        says=delta,
        start=(ANTHROPIC_START, typed("ping")),
        end=ANTHROPIC_END,
        error=lambda _, kind, said: json.dumps(
            {"type": "error", "error": {"type": kind, "message": said}}
        ).encode(),
        broken=lambda body: b"event: error\ndata: " + body + b"\n\n",
    ),
    "ollama": Dialect(
        driver="ollama",
        make=OllamaBackend,
        serve=fake_ollama.FakeOllama,
        says=fake_ollama.part,
        start=(),
        end=(fake_ollama.part(**END),),
        error=lambda _code, _kind, said: json.dumps({"error": said}).encode(),
        broken=lambda body: body + b"\n",
        content_type="application/x-ndjson",
    ),
}
