"""What every driver does alike with a real model behind a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from perdure.backends.drivers import make_backend
from perdure.backends.errors import ContextExceeded, StreamCut
from perdure.backends.protocol import (
    Backend,
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
)
from perdure.backends.store.catalogue import DEFAULT_MODEL
from tests.backends.real_servers import KEY, PROXIED, WINDOW, Running, llama_server, ollama_server

pytestmark = pytest.mark.model

DRIVERS = ("embedded", "openai", "anthropic", "ollama")


@pytest.fixture(scope="module")
def llama(model_path: Path) -> Iterator[Running]:
    with llama_server(model_path) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(llama: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ollama_server(f"{llama.address}/v1", tmp_path_factory.mktemp("proxy")) as server:
        yield server


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def make(
    driver: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Backend]]:
    monkeypatch.setenv("PERDURE_TEST_KEY", KEY)
    made: list[Backend] = []

    def make(server: Running | None = None, **parameters: float | list[str]) -> Backend:
        """``server`` is a server of its own, for who kills it."""
        spec = BackendSpec(
            "local",
            driver,
            {"embedded": DEFAULT_MODEL, "ollama": PROXIED}.get(driver, "smollm2"),
            context_window=WINDOW,
            parameters={"temperature": 0.0, **parameters},
        )
        if driver != "embedded":
            shared = server or request.getfixturevalue("proxy" if driver == "ollama" else "llama")
            key = "" if driver == "ollama" else "env:PERDURE_TEST_KEY"
            spec = BackendSpec(
                spec.name,
                driver,
                spec.model,
                shared.address,
                key,
                WINDOW,
                spec.parameters,
            )
        made.append(make_backend(spec))
        return made[-1]

    yield make
    for backend in made:
        await backend.close()


def asking(text: str, limit: int = 24) -> Request:
    system = PromptMessage("system", "You are Mira, a kind friend.")
    return Request((system, PromptMessage("user", text)), limit)


async def reply(backend: Backend, request: Request) -> list[StreamEvent]:
    return [event async for event in backend.stream(request)]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


async def test_streams_counts_and_ends(make: Callable[..., Backend], driver: str) -> None:
    backend = make()
    *pieces, last = await reply(backend, asking("Tell me about rivers."))
    assert len(pieces) > 5
    assert all(isinstance(event, Piece) and event.text for event in pieces)
    assert isinstance(last, Finished)
    assert last.stop in {"end", "length"}
    assert last.model
    assert last.usage.prompt
    assert last.usage.reply
    # The proxy in front of the model estimates both.
    if driver != "ollama":
        assert last.usage.prompt > 20
        assert last.usage.reply >= len(pieces)
    assert (await backend.fingerprint()).short
    assert await backend.context_window() == WINDOW
    assert not backend.hosted


async def test_no_character_is_cut_between_two_pieces(make: Callable[..., Backend]) -> None:
    # The model says this greeting with emoji, each of several tokens.
    said = text_of(await reply(make(), asking("Say hello to the café, 你好 👋.")))
    assert any(ord(character) > 0xFFFF for character in said)
    assert "\ufffd" not in said


async def test_what_utf8_cannot_carry_is_answered_all_the_same(
    make: Callable[..., Backend], driver: str
) -> None:
    system = PromptMessage("system", "You are Mira, a friend of \udcff\udce9.")
    messages = (system, PromptMessage("user", "Caf\udce9, \ud83d and \0 and \x1b[31m, hello!"))
    backend = make()
    said = await reply(backend, Request(messages, 8))
    assert text_of(said)
    tokenizer = await backend.tokenizer()
    assert tokenizer.count("Caf\udce9") > 0
    assert tokenizer.count_prompt(messages) > 10


async def test_a_stop_ends_the_reply_and_is_no_part_of_it(make: Callable[..., Backend]) -> None:
    question = asking("Count: one, two, three, four, five.")
    whole = text_of(await reply(make(), question))
    words = [word for word in whole.split() if len(word) > 3]
    stopped = text_of(await reply(make(stop=[words[-1]]), question))
    assert words[-1] in whole
    assert words[-1] not in stopped
    assert whole.startswith(stopped)


async def test_a_limit_ends_the_reply(make: Callable[..., Backend], driver: str) -> None:
    last = (await reply(make(), asking("Tell me everything about rivers.", 5)))[-1]
    assert isinstance(last, Finished)
    # The proxy in front of the model says "stop" to every end.
    assert last.stop == ("end" if driver == "ollama" else "length")
    assert driver == "ollama" or last.usage.reply == 5


async def test_a_prompt_beyond_the_window_is_no_reply(
    make: Callable[..., Backend], driver: str
) -> None:
    backend = make()
    with pytest.raises(ContextExceeded) as caught:
        await reply(backend, asking("river " * 2 * WINDOW))
    if driver != "ollama":
        assert caught.value.prompt_tokens is not None
        assert caught.value.prompt_tokens > 2 * WINDOW
    assert caught.value.window == WINDOW


async def test_two_at_once_after_one_that_was_stopped(make: Callable[..., Backend]) -> None:
    backend = make()
    stream = backend.stream(asking("Tell me everything.", 900))
    assert isinstance(await anext(stream), Piece)
    await stream.aclose()
    # The model answers one at a time: these come once the long reply has stopped.
    first, second = await asyncio.gather(
        reply(backend, asking("Hello!", 8)), reply(backend, asking("Hello!", 8))
    )
    assert text_of(first) == text_of(second) != ""


@pytest.fixture
def own(
    driver: str, model_path: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Running | None]:
    """A server of its own for a test that kills it; the embedded model has none."""
    if driver == "embedded":
        yield None
        return
    if driver == "ollama":
        server = ollama_server(f"{request.getfixturevalue('llama').address}/v1", tmp_path)
    else:
        server = llama_server(model_path)
    with server as running:
        yield running


async def test_a_server_killed_in_mid_stream_cuts_the_reply(
    make: Callable[..., Backend], own: Running | None
) -> None:
    backend = make(own)
    stream = backend.stream(asking("Tell me everything.", 900))
    assert isinstance(await anext(stream), Piece)
    if own is None:
        await backend.close()
    else:
        own.kill()
    with pytest.raises(StreamCut):
        async for _ in stream:
            pass
