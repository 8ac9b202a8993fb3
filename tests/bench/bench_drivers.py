"""The drivers: time to the first word beside the bare package, and what importing them costs.

Three callers ask the same server in turns: the package as its own documentation uses it, perdure's
driver, and a `Session` (journal, prompt, commit of what is new). All send the same body, which is
the driver's; only a number at the start of the last message differs from request to request. That
makes it fair: the server keeps the prompt that it read last, so each caller finds everything up to
that number there and has the same tokens to read, as in a talk. The same text twice would find all
of itself, and who asks second would win. Recall is off, since what it finds would make each prompt
another one; what it takes is in `bench_prompt`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from perdure.backends.drivers import make_backend
from perdure.backends.protocol import Backend, BackendSpec, Piece, Request, StreamEvent
from perdure.backends.store.catalogue import DEFAULT_MODEL
from perdure.backends.store.download import pull
from perdure.chat.events import Failed, ReplyPiece
from perdure.chat.session import Session
from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.templates import new_companion
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author
from tests.backends.real_servers import KEY, PROXIED, llama_server, ollama_server
from tests.bench.bench_start_up import median

ROUNDS = 25
WARM_UP = 3
RATIO = 1.1
WINDOW = 4096
REPLY_TOKENS = 16
_KEY = "PERDURE_BENCH_KEY"
_SAID = "is the number of the day, and I went down to the river with a lamp and a letter."

Caller = Callable[[str], Awaitable[float]]


@dataclass
class Recorded:
    """A backend that notes the last request, and when it was asked and when it first spoke."""

    inner: Backend
    request: Request | None = None
    asked: float = 0.0
    spoke: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        self.request, self.asked, self.spoke = request, time.perf_counter(), 0.0
        async with aclosing(self.inner.stream(request)) as events:
            async for event in events:
                if not self.spoke and isinstance(event, Piece):
                    self.spoke = time.perf_counter()
                yield event


@dataclass
class Numbers:
    """Last messages, all of one length, no two neighbours with the same first digit."""

    count: int = field(default=0)

    def next(self) -> str:
        self.count += 1
        return f"{self.count % 10}{self.count // 10:05d} {_SAID}"


def _with_last(request: Request, text: str) -> Request:
    *front, last = request.messages
    return Request((*front, replace(last, content=text)), request.max_tokens)


def bare_openai(backend: Any, request: Request, address: str) -> Caller:
    import openai

    client = openai.AsyncOpenAI(api_key=KEY, base_url=address)

    async def ask(text: str) -> float:
        body = backend._body(_with_last(request, text), request.max_tokens)
        began, first = time.perf_counter(), 0.0
        async for chunk in await client.chat.completions.create(**body):
            if not first and chunk.choices and chunk.choices[0].delta.content:
                first = time.perf_counter() - began
        return first

    return ask


def bare_anthropic(backend: Any, request: Request, address: str) -> Caller:
    import anthropic

    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=address)

    async def ask(text: str) -> float:
        body = backend._body(_with_last(request, text), request.max_tokens)
        began, first = time.perf_counter(), 0.0
        async for event in await client.messages.create(**body):
            if not first and event.type == "content_block_delta":
                first = time.perf_counter() - began
        return first

    return ask


def bare_ollama(backend: Any, request: Request, address: str) -> Caller:
    import ollama

    from perdure.backends.tokens.llama import chat_messages

    client = ollama.AsyncClient(address)

    async def ask(text: str) -> float:
        model = (await backend._open_server()).model
        messages = chat_messages(_with_last(request, text).messages)
        options = backend._options(request, model)
        began, first = time.perf_counter(), 0.0
        name = backend.spec.model
        async for part in await client.chat(name, messages, stream=True, options=options):
            if not first and part.message.content:
                first = time.perf_counter() - began
        return first

    return ask


def the_driver(backend: Backend, request: Request) -> Caller:
    async def ask(text: str) -> float:
        began, first = time.perf_counter(), 0.0
        async with aclosing(backend.stream(_with_last(request, text))) as stream:
            async for event in stream:
                if not first and isinstance(event, Piece):
                    first = time.perf_counter() - began
        return first

    return ask


def the_session(session: Session, recorded: Recorded, own: list[float]) -> Caller:
    """``own`` gets what of each time passed before the driver was asked and after it spoke."""

    async def ask(text: str) -> float:
        # A conversation of its own, so that what stands before the message is always the same.
        session.new_conversation()
        began, first = time.perf_counter(), 0.0
        async for event in session.send(text):
            if not first and isinstance(event, ReplyPiece):
                first = time.perf_counter() - began
            elif isinstance(event, Failed):
                raise SystemExit(f"bench_drivers: {event.what}")
        own.append(first - (recorded.spoke - recorded.asked))
        return first

    return ask


_BARE = {"openai": bare_openai, "anthropic": bare_anthropic, "ollama": bare_ollama}


async def compare(driver: str, address: str, folder: Path) -> None:
    """Print one driver's figures."""
    spec = BackendSpec(
        driver,
        driver,
        PROXIED if driver == "ollama" else "smollm2",
        address,
        "" if driver == "ollama" else f"env:{_KEY}",
        WINDOW,
        {"temperature": 0.0},
    )
    backend = make_backend(spec)
    recorded = Recorded(backend)
    session = await Session.open(new(folder / driver, spec), backends=[recorded])
    numbers, own = Numbers(), list[float]()
    try:
        through_session = the_session(session, recorded, own)
        await through_session(numbers.next())
        request = recorded.request
        assert request is not None
        callers = {
            "bare": _BARE[driver](backend, request, _sdk_address(driver, address)),
            "driver": the_driver(backend, request),
            "Session": through_session,
        }
        times: dict[str, list[float]] = {name: [] for name in callers}
        for turn in range(ROUNDS + WARM_UP):
            order = list(callers)
            # Who is first changes: a process that has just written to disk is not at its fastest.
            for name in order[turn % 3 :] + order[: turn % 3]:
                text = numbers.next()
                took = await callers[name](text)
                if name == "Session":
                    assert recorded.request == _with_last(request, text), "another prompt"
                if turn >= WARM_UP:
                    times[name].append(took)
    finally:
        await session.close()
    _print(driver, times, own[-ROUNDS:])


def _sdk_address(driver: str, address: str) -> str:
    return f"{address}/v1" if driver == "openai" else address


def _print(driver: str, times: dict[str, list[float]], own: list[float]) -> None:
    bare, through = times["bare"], times["Session"]
    print(
        f"  {driver:10} bare package {_ms(bare)}, driver {_ms(times['driver'])}, Session "
        f"{_ms(through)}, its own part {_ms(own)}"
    )
    print(
        f"  {'':10} driver + Session: ratio {_ratio(through, bare)}, of the minima "
        f"{min(through) / min(bare):.2f} (target {RATIO}); driver alone "
        f"{_ratio(times['driver'], bare)}",
        flush=True,
    )


def _ms(times: list[float]) -> str:
    return f"{statistics.median(times) * 1e3:.1f} ms (min {min(times) * 1e3:.1f})"


def _ratio(ours: list[float], bare: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(bare):.2f}"


def new(path: Path, spec: BackendSpec) -> Path:
    """A companion of the template friend, with one greeting: every conversation opens alike."""
    manifest = Manifest(spec.name, spec.driver, spec.model, spec.address, spec.key, WINDOW)
    files = new_companion(template="friend", name="Mira", user="Ana", manifest=manifest, at=now())
    greetings = sorted(name for name in files if name.startswith("persona/greetings/"))
    files = {name: text for name, text in files.items() if name not in greetings[1:]}
    # How many example talks fit would change as the counts are corrected by what a server reports.
    context = f"context:\n  reply_tokens: {REPLY_TOKENS}\n  examples_tokens: 0\n"
    files["companion.yaml"] += f"\n{context}memory:\n  recall: off\n".encode()
    author = Author("Mira", "mira@companion.invalid")
    create_repository(path, files, message="companion: Mira begins\n", author=author).close()
    return path


def first_words() -> None:
    """Print the times to the first word of all drivers."""
    os.environ[_KEY] = KEY
    with (
        tempfile.TemporaryDirectory() as name,
        llama_server(pull(DEFAULT_MODEL), WINDOW) as llama,
        ollama_server(f"{llama.address}/v1", Path(name), quiet=True) as ollama,
    ):
        print(
            f"time to the first word, one llama.cpp, medians of {ROUNDS} each, in turns; the "
            "new message is read, what stands before it is in the server's cache"
        )
        for driver, server in (("openai", llama), ("anthropic", llama), ("ollama", ollama)):
            asyncio.run(compare(driver, server.address, Path(name)))
    del os.environ[_KEY]


def imports() -> None:
    """Print what each driver's import costs, its package included."""
    bare = median(sys.executable, "-c", "pass")
    print(f"import in a new interpreter, medians; peer: python -c pass {bare:.0f} ms")
    for driver, package, module, first_use in (
        (
            "embedded",
            "xllamacpp",
            "perdure.backends.embedded.driver",
            "perdure.backends.embedded.settings as settings; settings.import_xllamacpp()",
        ),
        ("openai", "openai", "perdure.backends.openai.driver", "perdure.backends.openai.server"),
        (
            "anthropic",
            "anthropic",
            "perdure.backends.anthropic.driver",
            "perdure.backends.anthropic.server",
        ),
        ("ollama", "ollama", "perdure.backends.ollama.driver", "perdure.backends.ollama.server"),
    ):
        peer = median(sys.executable, "-c", f"import {package}")
        before = median(sys.executable, "-c", f"import {module}")
        whole = median(sys.executable, "-c", f"import {module}, {first_use}")
        print(
            f"  {driver:10} until it is used {before:6.0f} ms; with its package {whole:6.0f} ms, "
            f"the bare package {peer:6.0f} ms: ratio {whole / peer:.2f}"
        )


def run() -> None:
    """Print the figures."""
    first_words()
    imports()


if __name__ == "__main__":
    run()
