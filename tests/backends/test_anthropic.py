"""What is Anthropic's own: the prompt's form, its events and errors, counts with a cache."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.backends.anthropic.driver import AnthropicBackend, folded
from perdure.backends.errors import (
    BackendError,
    BadParameter,
    ContentRefused,
    ContextExceeded,
    ModelMissing,
    Overloaded,
    ProtocolError,
    QuotaExceeded,
    RateLimited,
    StreamCut,
    Unreachable,
)
from perdure.backends.protocol import (
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
    Thinking,
    Usage,
)
from perdure.backends.roles.shape import OPENER
from tests.backends.fake_api import ANTHROPIC_END, ANTHROPIC_START, FakeApi, delta, streams, typed
from tests.backends.fake_ollama import refuses, running

FIXTURES = Path(__file__).parent / "fixtures"
MESSAGES = (
    PromptMessage("system", "You are Mira."),
    PromptMessage("assistant", "Good to see you."),
    PromptMessage("user", "How are you?", name="Ana"),
    PromptMessage("system", "Answer briefly."),
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    script = streams(ANTHROPIC_START, delta("Hello."), *ANTHROPIC_END)
    async with running(FakeApi(chat=script)) as found:
        yield found


def backend_for(fake: FakeApi, **more: Any) -> AnthropicBackend:
    return AnthropicBackend(BackendSpec("far", "anthropic", "tiny", fake.address, **more))


async def reply(backend: AnthropicBackend) -> list[StreamEvent]:
    try:
        return [event async for event in backend.stream(Request(MESSAGES, 64))]
    finally:
        await backend.close()


async def failure(backend: AnthropicBackend) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await reply(backend)
    return caught.value


async def test_what_is_asked(fake: FakeApi) -> None:
    parameters = {"temperature": 0.4, "top_k": 0, "top_p": 0.9, "stop": ["Ana:"]}
    await reply(backend_for(fake, parameters=parameters))
    (exchange,) = fake.asked()
    assert exchange.path == "/v1/messages"
    # The last version of the protocol that has sampling parameters.
    assert exchange.headers["anthropic-version"] == "2023-06-01"
    assert exchange.json == {
        "model": "tiny",
        "max_tokens": 64,
        "system": [
            {"type": "text", "text": "You are Mira.", "cache_control": {"type": "ephemeral"}}
        ],
        "messages": [
            {"role": "user", "content": OPENER},
            {"role": "assistant", "content": "Good to see you."},
            {
                "role": "user",
                "content": "Ana: How are you?\n\n[Instructions for this reply: Answer briefly.]",
            },
        ],
        "stream": True,
        "temperature": 0.4,
        "top_p": 0.9,
        "stop_sequences": ["Ana:"],
    }


@given(
    st.lists(
        st.builds(
            PromptMessage,
            st.sampled_from(["system", "user", "assistant"]),
            st.text(max_size=20),
            st.sampled_from(["", "Ana"]),
        )
    ).map(tuple)
)
def test_every_prompt_takes_turns_and_loses_nothing(messages: tuple[PromptMessage, ...]) -> None:
    system, turns = folded(messages)
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2) + (
        ["user"] if len(turns) % 2 else []
    )
    assert turns
    assert all(turn["content"].strip() for turn in turns)
    assert all(block["text"].strip() for block in system)
    everything = "".join([*(block["text"] for block in system), *(t["content"] for t in turns)])
    for message in messages:
        assert message.content.strip() in everything


def test_what_the_protocol_does_not_have_is_refused_by_name() -> None:
    for parameters in ({"seed": 1}, {"min_p": 0.1}, {"repeat_penalty": 1.1}, {"temperature": 1.5}):
        (name,) = parameters
        with pytest.raises(BadParameter, match=name):
            AnthropicBackend(BackendSpec("far", "anthropic", "m", parameters=parameters))
    assert AnthropicBackend(BackendSpec("far", "anthropic", "m")).hosted


@pytest.mark.parametrize(
    ("listed", "wanted", "window"),
    [
        ({"max_input_tokens": 1_000_000}, 0, 1_000_000),
        ({"max_input_tokens": 1_000_000}, 50_000, 50_000),
        ({"max_input_tokens": None}, 0, 200_000),
        ({}, 300, 300),
    ],
)
async def test_the_window(fake: FakeApi, listed: dict[str, Any], wanted: int, window: int) -> None:
    fake.listed = listed
    backend = backend_for(fake, context_window=wanted)
    assert await backend.context_window() == window
    assert fake.exchanges[0].path == "/v1/models/tiny"
    await backend.close()


async def test_an_unknown_model_shows_when_it_is_opened(fake: FakeApi) -> None:
    error = {"type": "not_found_error", "message": "model: tiny"}
    body = {"type": "error", "error": error}
    fake.models = refuses(404, json.dumps(body).encode(), Content_Type="application/json")
    backend = backend_for(fake)
    await backend.open()
    assert isinstance(backend.doubt, ModelMissing)
    # A gateway may serve it all the same: the talk decides.
    assert (await reply(backend))[0] == Piece("Hello.")
    error["message"] = "File Not Found"
    fake.models = refuses(404, json.dumps(body).encode(), Content_Type="application/json")
    assert (await reply(backend_for(fake)))[0] == Piece("Hello.")


def recorded(name: str) -> bytes:
    # The recordings lack the empty line that ends their last event.
    return (FIXTURES / f"{name}.txt").read_bytes().rstrip() + b"\n\n"


async def test_a_recorded_reply(fake: FakeApi) -> None:
    fake.chat = streams(recorded("anthropic_basic"))
    assert await reply(backend_for(fake)) == [
        Piece("Hello"),
        Piece(" there"),
        Piece("!"),
        Finished("end", Usage(11, 6), "claude-3-opus-latest"),
    ]


async def test_a_recorded_refusal(fake: FakeApi) -> None:
    fake.chat = streams(recorded("anthropic_refusal"))
    assert type(await failure(backend_for(fake))) is ContentRefused
    refusal = typed("message_delta", delta={"stop_reason": "refusal"}, usage={"output_tokens": 2})
    fake.chat = streams(ANTHROPIC_START, delta("Well, "), refusal, typed("message_stop"))
    said, last = await reply(backend_for(fake))
    assert said == Piece("Well, ")
    assert isinstance(last, Finished)
    assert last.stop == "refused"


async def test_a_recorded_stream_with_a_tool_keeps_the_words(fake: FakeApi) -> None:
    fake.chat = streams(recorded("anthropic_cut_in_tool_use"))
    events = await reply(backend_for(fake))
    said = "".join(event.text for event in events if isinstance(event, Piece))
    assert said.startswith("I'll create a comprehensive tax guide")
    assert said.endswith("Let me do that for you now.")


async def test_thinking_is_kept_apart(fake: FakeApi) -> None:
    fake.chat = streams(
        ANTHROPIC_START,
        typed("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}),
        typed("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm."}),
        typed("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "x"}),
        typed("ping"),
        delta("Good."),
        typed("something_new", index=4),
        *ANTHROPIC_END,
    )
    *events, _ = await reply(backend_for(fake))
    assert events == [Thinking("Hm."), Piece("Good.")]


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "end"),
        ("tool_use", "end"),
        ("refusal", "refused"),
        (None, "unknown"),
    ],
)
async def test_why_the_reply_ended(fake: FakeApi, reason: str | None, stop: str) -> None:
    end = typed("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 9})
    fake.chat = streams(ANTHROPIC_START, delta("So"), end, typed("message_stop"))
    last = (await reply(backend_for(fake)))[-1]
    assert isinstance(last, Finished)
    assert last.stop == stop


async def test_a_reason_without_the_end_mark_is_no_end(fake: FakeApi) -> None:
    fake.chat = streams(ANTHROPIC_START, delta("So"), ANTHROPIC_END[0])
    assert type(await failure(backend_for(fake))) is StreamCut
    fake.chat = streams(b": nothing\n\n")
    assert type(await failure(backend_for(fake))) is ProtocolError


async def test_the_prompt_counts_whole_with_its_cached_part(fake: FakeApi) -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 80,
        "cache_creation_input_tokens": 5,
        "output_tokens": 1,
    }
    start = typed("message_start", message={"model": "tiny-1", "usage": usage})
    fake.chat = streams(start, delta("So"), *ANTHROPIC_END)
    last = (await reply(backend_for(fake)))[-1]
    assert last == Finished("end", Usage(95, 3, 80), "tiny-1")
    fake.chat = streams(typed("message_start", message=7), delta("So"), typed("message_stop"))
    last = (await reply(backend_for(fake)))[-1]
    assert last == Finished("unknown", Usage(None, None, None), "tiny")


@pytest.mark.parametrize(
    ("status", "kind", "said", "error"),
    [
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", 0),
        (400, "invalid_request_error", "Your credit balance is too low", QuotaExceeded),
        (400, "invalid_request_error", "temperature: is deprecated for this model", BadParameter),
        (400, "invalid_request_error", "messages: odd", ProtocolError),
        (402, "billing_error", "pay", QuotaExceeded),
        (500, "api_error", "Internal server error", Unreachable),
    ],
)
async def test_the_forms_of_an_error(
    fake: FakeApi, status: int, kind: str, said: str, error: Any
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": said}, "request_id": "r"}
    fake.chat = refuses(status, json.dumps(body).encode(), Content_Type="application/json")
    found = await failure(backend_for(fake))
    assert type(found) is (error or ContextExceeded)
    if isinstance(found, ContextExceeded):
        assert (found.prompt_tokens, found.window) == (210_000, 200_000)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", Overloaded),
        ("rate_limit_error", RateLimited),
        ("api_error", Unreachable),
    ],
)
async def test_an_error_event_in_mid_stream(
    fake: FakeApi, kind: str, error: type[BackendError]
) -> None:
    trouble = typed("error", error={"type": kind, "message": "Sorry"})
    fake.chat = streams(ANTHROPIC_START, delta("So "), trouble)
    assert type(await failure(backend_for(fake))) is error


async def test_the_server_counts_only_for_who_asks(fake: FakeApi) -> None:
    backend = backend_for(fake)
    assert not (await backend.tokenizer()).exact
    assert len(fake.exchanges) == 1
    fake.chat = refuses(200, b'{"input_tokens": 42}', Content_Type="application/json")
    assert await backend.count(MESSAGES) == 42
    assert fake.exchanges[-1].path == "/v1/messages/count_tokens"
    await backend.close()


async def test_what_a_tool_of_the_server_found_is_none_of_the_reply(fake: FakeApi) -> None:
    block = {"type": "web_search_tool_result", "content": [], "text": "Found."}
    start = typed("content_block_start", index=0, content_block=block)
    fake.chat = streams(ANTHROPIC_START, start, delta("Hello."), *ANTHROPIC_END)
    events = await reply(backend_for(fake))
    assert [each.text for each in events if isinstance(each, Piece)] == ["Hello."]
