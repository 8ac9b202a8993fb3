"""Streams as real servers send them, played from loopback; see fixtures/SOURCES.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perdure.backends.ollama.driver import OllamaBackend
from perdure.backends.openai.driver import OpenAIBackend
from perdure.backends.protocol import (
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
    Thinking,
    ThoughtsClosed,
)
from tests.backends.fake_api import FakeApi, streams
from tests.backends.fake_ollama import FakeOllama, running

SERVERS = Path(__file__).parent / "fixtures/servers"
NAMES = sorted(path.name for path in SERVERS.iterdir())
ASK = Request((PromptMessage("user", "Good evening."),), 4096)
STOPS = {
    "openrouter-error.txt": "length",
    # The end mark comes, a reason never does.
    "gemini.txt": "unknown",
    "snowflake.txt": "unknown",
    "vllm-mlx.txt": "unknown",
}
WITHOUT_COUNTS = {
    "bedrock-gateway.txt",
    "gemini.txt",
    "openrouter-error.txt",
    "tgi.txt",
    "vllm-mlx.txt",
}


async def heard(name: str, parts: list[bytes]) -> list[StreamEvent]:
    if name.endswith(".ndjson"):
        async with running(FakeOllama(chat=streams(*parts))) as ollama:
            backend = OllamaBackend(BackendSpec("far", "ollama", "tiny", ollama.address))
            try:
                return [event async for event in backend.stream(ASK)]
            finally:
                await backend.close()
    async with running(FakeApi(chat=streams(*parts))) as api:
        openai = OpenAIBackend(BackendSpec("far", "openai", "tiny", api.address))
        try:
            return [event async for event in openai.stream(ASK)]
        finally:
            await openai.close()


def joined(events: list[StreamEvent], kind: type[Piece | Thinking]) -> str:
    assert not any(isinstance(each, ThoughtsClosed) for each in events)
    return "".join(each.text for each in events if isinstance(each, kind))


def spoken(name: str) -> tuple[str, str]:
    """Words and thoughts, read from the file in the plainest way there is."""
    words, thoughts = "", ""
    for line in (SERVERS / name).read_text("utf-8").splitlines():
        body = line.removeprefix("data:").strip()
        if not body.startswith("{"):
            continue
        event = json.loads(body)
        choices = event.get("choices") or [{}]
        delta = event.get("message") or choices[0].get("delta") or {}
        content = delta.get("content") or ""
        if isinstance(content, list):
            words += "".join(part.get("text", "") for part in content)
            inner = [part for each in content for part in each.get("thinking", ())]
            thoughts += "".join(part["text"] for part in inner)
        else:
            words += content
        named = (delta.get(key) for key in ("reasoning_content", "reasoning", "thinking"))
        thought = next(filter(None, named), "")
        details = delta.get("reasoning_details") or ()
        thoughts += thought or "".join(part.get("text", "") for part in details)
    if words.startswith("<think>"):
        thoughts, _, words = words.removeprefix("<think>").partition("</think>")
        words = words.lstrip()
    return words, thoughts


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize("name", NAMES)
async def test_every_word_and_thought_of_a_server_is_heard(name: str, step: int) -> None:
    data = (SERVERS / name).read_bytes()
    cuts = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    events = await heard(name, cuts)
    words, thoughts = spoken(name)
    assert (joined(events, Piece), joined(events, Thinking)) == (words, thoughts)
    assert words or thoughts
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.stop == STOPS.get(name, "end")
    counts = last.usage.prompt, last.usage.reply
    assert (None in counts) == (name in WITHOUT_COUNTS), counts


def test_each_file_has_its_source() -> None:
    sources = (SERVERS.parent / "SOURCES.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in sources] == []
