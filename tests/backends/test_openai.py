"""What is OpenAI's own: the request, the forms of its chunks and errors, who answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from perdure.backends.drivers import make_backend
from perdure.backends.errors import (
    AuthenticationFailed,
    BackendError,
    BadParameter,
    ContentRefused,
    ContextExceeded,
    FieldRefused,
    ModelLoading,
    ModelMissing,
    Overloaded,
    ProtocolError,
    QuotaExceeded,
    RateLimited,
    ShapeRefused,
    StreamCut,
    Unreachable,
)
from perdure.backends.hosted.request_form import LIMITS
from perdure.backends.openai.driver import OpenAIBackend
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
from tests.backends.fake_api import OPENAI_END, FakeApi, chunk, event, streams
from tests.backends.fake_ollama import Exchange, refuses, running

MESSAGES = (
    PromptMessage("system", "You are Mira."),
    PromptMessage("user", "How are you?", name="Ana"),
    PromptMessage("system", "Answer briefly."),
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    async with running(FakeApi(chat=streams(chunk("Hello."), *OPENAI_END))) as found:
        yield found


def backend_for(fake: FakeApi, **more: Any) -> OpenAIBackend:
    return OpenAIBackend(BackendSpec("far", "openai", "tiny", fake.address, **more))


async def reply(backend: OpenAIBackend) -> list[StreamEvent]:
    try:
        return [event async for event in backend.stream(Request(MESSAGES, 64))]
    finally:
        await backend.close()


async def failure(backend: OpenAIBackend) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await reply(backend)
    return caught.value


def delta(**fields: object) -> bytes:
    return event({"model": "tiny-1", "choices": [{"index": 0, "delta": fields}]})


def ending(reason: str | None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": reason}
    return event({"model": "tiny-1", "choices": [choice], **more})


async def test_what_is_asked(fake: FakeApi) -> None:
    parameters = {
        "temperature": 0.4,
        "top_k": 40,
        "repeat_penalty": 1.1,
        "stop": "Ana:",
        "seed": 7,
        "max_tokens": 900,
    }
    await reply(backend_for(fake, parameters=parameters))
    (exchange,) = fake.asked()
    assert exchange.path == "/v1/chat/completions"
    assert exchange.json == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "You are Mira."},
            {"role": "user", "content": "Ana: How are you?"},
            {"role": "system", "content": "Answer briefly."},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 64,
        "temperature": 0.4,
        "top_k": 40,
        "repeat_penalty": 1.1,
        "repetition_penalty": 1.1,
        "stop": ["Ana:"],
        "seed": 7,
    }
    assert exchange.headers["user-agent"] == "perdure"
    assert not any(name.startswith("x-stainless") for name in exchange.headers)


def test_openai_itself_takes_less_than_others() -> None:
    own = BackendSpec("far", "openai", "gpt-4o", key="env:K")
    assert make_backend(own).hosted
    for parameters in ({"top_k": 1}, {"min_p": 0.1}, {"repeat_penalty": 1.1}, {"temperature": 3}):
        (name,) = parameters
        with pytest.raises(BadParameter, match=name):
            OpenAIBackend(BackendSpec("far", "openai", "gpt-4o", parameters=parameters))
    asked = OpenAIBackend(own)._body(Request(MESSAGES, 5), 5)
    assert asked["max_completion_tokens"] == 5
    assert "max_tokens" not in asked
    for address in ("http://far.example/v1", "https://169.254.169.254", "far.example"):
        with pytest.raises(BadParameter):
            OpenAIBackend(BackendSpec("far", "openai", "m", address))
    with pytest.raises(BadParameter, match="reference"):
        OpenAIBackend(BackendSpec("far", "openai", "m", key="a-key-itself"))


@pytest.mark.parametrize(
    ("listed", "wanted", "window"),
    [
        ({"data": [{"id": "tiny", "max_model_len": 4096}]}, 0, 4096),
        ({"data": [{"id": "tiny", "context_length": 4096}]}, 1024, 1024),
        ({"data": [{"id": "tiny", "meta": {"n_ctx": 2048, "n_ctx_train": 8192}}]}, 4096, 2048),
        ({"data": [{"id": "tiny", "context_length": "4096"}]}, 0, 8192),
        ({"data": [{"id": "other", "context_length": 4096}, 7]}, 0, 8192),
        ({"data": [{"id": "a.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}]}, 0, 2048),
        ({"data": []}, 500, 500),
    ],
)
async def test_the_window(fake: FakeApi, listed: dict[str, Any], wanted: int, window: int) -> None:
    fake.listed = listed
    backend = backend_for(fake, context_window=wanted)
    assert await backend.context_window() == window
    await backend.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 429, 500, 501])
async def test_a_server_without_a_list_of_models_is_none_the_worse(
    fake: FakeApi, status: int
) -> None:
    fake.models = refuses(status, b'{"error": {"message": "no such thing as /v1/models"}}')
    backend = backend_for(fake)
    await backend.open()
    assert isinstance(backend.doubt, AuthenticationFailed) == (status in {401, 403})
    assert (await reply(backend))[0] == Piece("Hello.")


@pytest.mark.parametrize("kind", ["application/json", "text/html", ""])
@pytest.mark.parametrize("body", [b"<html>", b"[]", b"7", b"{}", b'{"data": 7}', b"", b"[1, 2"])
async def test_a_list_that_is_none_is_none_the_worse(fake: FakeApi, body: bytes, kind: str) -> None:
    fake.models = refuses(200, body, Content_Type=kind)
    assert (await reply(backend_for(fake)))[0] == Piece("Hello.")


async def test_a_server_that_hangs_up_on_its_list_is_none_the_worse(fake: FakeApi) -> None:
    async def hangs_up(exchange: Exchange) -> None:
        exchange.writer.close()

    fake.models = hangs_up
    assert (await reply(backend_for(fake)))[0] == Piece("Hello.")


@pytest.mark.parametrize(
    "listed",
    [
        [{"id": "tiny", "context_length": 4096}],
        {"models": [{"name": "tiny", "context_length": 4096}]},
        {"object": "list", "data": [{"model": "tiny", "max_model_len": 4096}, "other"]},
    ],
)
async def test_the_list_may_have_other_keys(fake: FakeApi, listed: Any) -> None:
    fake.listed = listed
    backend = backend_for(fake)
    assert await backend.context_window() == 4096
    assert (await backend.offered())[0].name == "tiny"
    await backend.close()


async def test_reasoning_is_kept_apart_under_each_name(fake: FakeApi) -> None:
    fake.chat = streams(
        chunk(None, reasoning_content="Hm. "),
        chunk(None, reasoning="Well. "),
        chunk("Good.", reasoning=None),
        *OPENAI_END,
    )
    *events, _ = await reply(backend_for(fake))
    assert events == [Thinking("Hm. "), Thinking("Well. "), Piece("Good.")]


async def test_content_in_parts_is_read_part_by_part(fake: FakeApi) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}, 7]}
    parts = [thought, {"type": "text", "text": "Good."}, 7, {"type": "text", "text": None}]
    fake.chat = streams(delta(content=parts), *OPENAI_END)
    *events, _ = await reply(backend_for(fake))
    assert events == [Thinking("Hm."), Piece("Good.")]


@pytest.mark.parametrize(
    "drawn",
    [
        {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
        {"content": [{"type": "image_url", "image_url": "data:image/png;base64,AA"}]},
    ],
)
async def test_a_picture_is_not_passed_over_in_silence(
    fake: FakeApi, drawn: dict[str, Any]
) -> None:
    fake.chat = streams(chunk("See:"), delta(**drawn), *OPENAI_END)
    backend = backend_for(fake)
    stream = backend.stream(Request(MESSAGES, 64))
    assert await anext(stream) == Piece("See:")
    with pytest.raises(ProtocolError, match="picture"):
        await anext(stream)
    await backend.close()


async def test_the_pause_in_milliseconds(fake: FakeApi) -> None:
    for header, pause in (("1500", 1.5), ("-3", 0), ("nan", None), ("soon", 7), ("1e99", 86400)):
        fake.chat = refuses(429, b"", Retry_After="7", Retry_After_Ms=header)
        assert (await failure(backend_for(fake))).retry_after == pause


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", "end"),
        ("length", "length"),
        ("content_filter", "refused"),
        ("eos_token", "end"),
        ("end_turn", "end"),
        ("STOP", "end"),
        ("stop_sequence", "end"),
        ("", "unknown"),
        (None, "unknown"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "refused"),
        ("content_filter: HATE", "refused"),
        ("error", "cancelled"),
        ("insufficient_system_resource", "cancelled"),
        ("tool_calls", "end"),
        (7, "end"),
    ],
)
async def test_why_the_reply_ended(fake: FakeApi, reason: Any, stop: str) -> None:
    fake.chat = streams(chunk("So"), ending(reason), b"data: [DONE]\n\n")
    last = (await reply(backend_for(fake)))[-1]
    assert isinstance(last, Finished)
    assert last.stop == stop
    # Not a word about tokens: none is made up.
    assert last.usage == Usage(None, None, None)


async def test_a_filter_that_leaves_nothing_is_a_refusal(fake: FakeApi) -> None:
    fake.chat = streams(ending("content_filter"), b"data: [DONE]\n\n")
    assert type(await failure(backend_for(fake))) is ContentRefused


async def test_either_end_mark_will_do(fake: FakeApi) -> None:
    # Some servers leave out the mark, some the reason, some die between reason and counts.
    for parts in (
        (chunk("So"), ending("stop")),
        (chunk("So"), b"data: [DONE]\n\n"),
        (chunk("So"), b": a comment\n\ndata:", b"[DO", b"NE]\n\n"),
        (chunk("So"), ending("stop"), b"data: {\n\n"),
    ):
        fake.chat = streams(*parts)
        first, last = await reply(backend_for(fake))
        assert first == Piece("So")
        assert isinstance(last, Finished)
    fake.chat = streams(chunk("data: [DONE] he said"))
    assert type(await failure(backend_for(fake))) is StreamCut
    fake.chat = streams(b": nothing\n\n")
    assert type(await failure(backend_for(fake))) is ProtocolError


async def test_counts_and_who_answered(fake: FakeApi) -> None:
    usage = {
        "prompt_tokens": 90,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 64},
    }
    fake.chat = streams(chunk("So"), ending("stop", usage=usage, system_fingerprint="fp_1"))
    backend = backend_for(fake)
    before = await backend.fingerprint()
    stream = backend.stream(Request(MESSAGES, 64))
    last = [event async for event in stream][-1]
    assert last == Finished("end", Usage(90, 5, 64), "tiny-1", "fp_1")
    after = await backend.fingerprint()
    assert before.details["served"] == ""
    assert after.details["served"] == "tiny-1"
    assert after.details["system_fingerprint"] == "fp_1"
    # The name asked for stands for another model: that is another fingerprint.
    assert len(after.short) == 16
    assert after.short != before.short
    assert not (await backend.tokenizer()).exact
    await backend.close()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"error": {"message": "x", "code": "insufficient_quota"}}, QuotaExceeded),
        (429, {"error": {"message": "x", "type": "insufficient_quota"}}, QuotaExceeded),
        (429, {"error": "too many"}, RateLimited),
        (402, {"error": {"message": "Insufficient credits", "code": 402}}, QuotaExceeded),
        (403, {"error": {"message": "input was flagged", "code": 403}}, ContentRefused),
        (400, {"error": {"message": "x", "code": "content_filter"}}, ContentRefused),
        (400, {"error": {"message": "x", "code": "context_length_exceeded"}}, ContextExceeded),
        (400, {"object": "error", "message": "maximum context length is 5"}, ContextExceeded),
        (400, {"error": {"message": "no", "code": "unsupported_parameter"}}, BadParameter),
        (422, {"detail": [{"loc": ["body", "top_k"], "msg": "extra"}]}, BadParameter),
        (400, {"detail": "The model `tiny` does not exist."}, ModelMissing),
        (404, {"error": {"message": "File Not Found", "code": 404}}, ProtocolError),
        (401, {"error": {"code": "invalid_api_key"}}, AuthenticationFailed),
        (500, {"error": {"message": "busy", "code": "server_is_overloaded"}}, Overloaded),
        (502, [{"error": {"message": "bad gateway", "code": 502}}], Unreachable),
        (200, {"error": {"message": "slow", "code": 429}}, RateLimited),
        (200, {"choice": "Hi"}, ProtocolError),
    ],
)
async def test_the_forms_of_an_error(
    fake: FakeApi, status: int, body: object, kind: type[BackendError]
) -> None:
    fake.chat = refuses(status, json.dumps(body).encode(), Content_Type="application/json")
    assert type(await failure(backend_for(fake))) is kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"error": {"message": "Provider returned error", "code": 502}}, Unreachable),
        ({"error": {"message": "x", "code": "rate_limit_exceeded"}}, RateLimited),
        ({"error": "out of memory"}, Unreachable),
        ({"object": "error", "message": "x", "code": 503}, Overloaded),
        ({"detail": "gone"}, Unreachable),
    ],
)
async def test_an_error_in_mid_stream(
    fake: FakeApi, data: object, kind: type[BackendError]
) -> None:
    fake.chat = streams(chunk("So "), event(data))
    assert type(await failure(backend_for(fake))) is kind


async def test_how_long_the_prompt_is_where_the_server_says(fake: FakeApi) -> None:
    said = (
        "This model's maximum context length is 8192 tokens. Your messages resulted in 9001 tokens."
    )
    fake.chat = refuses(400, json.dumps({"error": {"message": said}}).encode())
    error = await failure(backend_for(fake))
    assert isinstance(error, ContextExceeded)
    assert (error.prompt_tokens, error.window) == (9001, 8192)


async def test_chunks_of_odd_types_are_passed_over(fake: FakeApi) -> None:
    odd = [
        {"choices": 7},
        {"choices": [7, None, {"delta": 7}, {"delta": {"content": 7}}]},
        {"choices": None, "usage": "much", "model": 3},
        {"usage": {"prompt_tokens": -1, "completion_tokens": True, "prompt_tokens_details": 1}},
    ]
    fake.chat = streams(chunk("So"), *map(event, odd), ending("stop"))
    first, last = await reply(backend_for(fake))
    assert first == Piece("So")
    assert last == Finished("end", Usage(None, None, None), "tiny-1")


async def test_on_loopback_no_connection_is_used_twice(fake: FakeApi) -> None:
    # A server that hangs up as the next request is on its way would lose that one.
    reused: list[bytes] = []

    async def keeps(exchange: Exchange) -> None:
        lines = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked"
        exchange.writer.write(lines + b"\r\n\r\n")
        for part in (chunk("So"), *OPENAI_END):
            await exchange.chunk(part)
        exchange.writer.write(b"0\r\n\r\n")
        reused.append(await exchange.reader.read(1))

    fake.chat = keeps
    backend = backend_for(fake)
    for _ in range(3):
        first, last = [event async for event in backend.stream(Request(MESSAGES, 8))]
        assert first == Piece("So")
        assert isinstance(last, Finished)
        assert last.usage.prompt == 30
    await backend.close()
    assert set(reused) <= {b""}
    assert len(fake.asked()) == 3


ROLES = "Conversation roles must alternate user/assistant/user/assistant/..."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": ROLES}}, ShapeRefused),
        (422, {"detail": "System role not supported"}, ShapeRefused),
        (500, {"error": {"code": 500, "message": f"Jinja Exception: {ROLES}"}}, ShapeRefused),
        (200, {"error": {"code": 400, "message": ROLES}}, ShapeRefused),
        (429, {"error": {"message": ROLES}}, RateLimited),
        (502, {"error": {"message": ROLES}}, Unreachable),
        (503, {"error": {"message": ROLES}}, Overloaded),
        (401, {"error": {"message": "your role may not do this"}}, AuthenticationFailed),
        (400, {"error": {"message": "the model 'role-play' does not exist"}}, ModelMissing),
        (400, {"error": {"message": f"maximum context length is 5; {ROLES}"}}, ContextExceeded),
        (422, {"detail": [{"loc": ["body", "stream_options"], "msg": "extra"}]}, FieldRefused),
        (400, {"error": {"message": "bad", "param": "max_tokens"}}, FieldRefused),
        (400, {"error": {"message": "Unknown argument: temperature"}}, FieldRefused),
        (400, {"error": {"message": "Unknown argument: top_k"}}, BadParameter),
        (429, {"error": {"message": "bad", "param": "max_tokens"}}, RateLimited),
        (500, {"error": {"message": "bad", "param": "max_tokens"}}, Unreachable),
        (503, {"error": {"message": "Loading model"}}, ModelLoading),
    ],
)
async def test_what_a_refusal_is_about(
    fake: FakeApi, status: int, body: object, kind: type[BackendError]
) -> None:
    fake.chat = refuses(status, json.dumps(body).encode(), Content_Type="application/json")
    error = await failure(backend_for(fake, parameters={"temperature": 0.7}))
    assert type(error) is kind
    if isinstance(error, ShapeRefused):
        assert error.proven == (status != 500)


@pytest.mark.parametrize(
    ("without", "sent"),
    [
        ((), {"stream_options", "max_tokens", "temperature"}),
        (("stream_options",), {"max_tokens", "temperature"}),
        (("max_tokens",), {"stream_options", "max_completion_tokens", "temperature"}),
        (LIMITS, {"stream_options", "temperature"}),
        (("temperature", "top_k"), {"stream_options", "max_tokens"}),
    ],
)
def test_refused_fields_are_left_out(without: tuple[str, ...], sent: set[str]) -> None:
    spec = BackendSpec("far", "openai", "m", "http://127.0.0.1:9", parameters={"temperature": 1})
    body = OpenAIBackend(spec)._body(Request(MESSAGES, 5, without), 5)
    assert body.keys() - {"model", "messages", "stream"} == sent


@pytest.mark.parametrize(
    ("parts", "words", "thoughts"),
    [
        ([delta(thinking="Hm.")], "So", "Hm."),
        ([delta(reasoning={"content": "Hm."})], "So", "Hm."),
        ([delta(reasoning_text="Hm.")], "So", "Hm."),
        ([delta(content="Hm.", extra_content={"google": {"thought": True}})], "So", "Hm."),
        ([delta(content=[{"type": "reasoning", "text": "Hm."}])], "So", "Hm."),
        ([delta(content=[{"type": "thinking", "thinking": "Hm."}])], "So", "Hm."),
        ([delta(content=[{"type": "reasoning", "summary": [{"text": "Hm."}]}])], "So", "Hm."),
        ([delta(content=["Oh. "])], "Oh. So", ""),
        ([delta(content={"type": "text", "text": "Oh. "})], "Oh. So", ""),
        ([event({"choices": {"index": 0, "delta": {"content": "Oh. "}}})], "Oh. So", ""),
        ([event({"choices": [{"text": "Oh. "}]})], "Oh. So", ""),
    ],
)
async def test_words_and_thoughts_under_the_names_that_gateways_have(
    fake: FakeApi, parts: list[bytes], words: str, thoughts: str
) -> None:
    fake.chat = streams(*parts, chunk("So"), *OPENAI_END)
    events = await reply(backend_for(fake))
    assert "".join(each.text for each in events if isinstance(each, Piece)) == words
    assert "".join(each.text for each in events if isinstance(each, Thinking)) == thoughts


@pytest.mark.parametrize("index", ["0", 1, -1, None])
async def test_a_choice_has_any_index(fake: FakeApi, index: object) -> None:
    choices = [{"index": index, "delta": {"content": text}} for text in ("So", " far")]
    fake.chat = streams(*(event({"choices": [each]}) for each in choices), *OPENAI_END[2:])
    first, second, _ = await reply(backend_for(fake))
    assert (first, second) == (Piece("So"), Piece(" far"))


async def test_a_whole_message_behind_its_pieces_is_not_said_twice(fake: FakeApi) -> None:
    last = {"index": 0, "message": {"content": "So far"}, "finish_reason": "stop"}
    for choice in (last, {**last, "delta": {}}):
        fake.chat = streams(chunk("So"), chunk(" far"), event({"choices": [choice]}))
        assert len(await reply(backend_for(fake))) == 3


@pytest.mark.parametrize(
    ("choice", "stop"),
    [
        ({"finish_reason": {"type": "length", "length": 3}}, "length"),
        ({"finishReason": "stop"}, "end"),
        ({"finish_reason": "null"}, None),
    ],
)
async def test_reasons_in_other_forms(
    fake: FakeApi, choice: dict[str, Any], stop: str | None
) -> None:
    fake.chat = streams(chunk("So"), event({"choices": [{"index": 0, "delta": {}, **choice}]}))
    if stop is None:
        assert type(await failure(backend_for(fake))) is StreamCut
        return
    last = (await reply(backend_for(fake)))[-1]
    assert isinstance(last, Finished)
    assert last.stop == stop


async def test_the_graver_of_two_reasons_counts(fake: FakeApi) -> None:
    fake.chat = streams(chunk("So"), ending("length"), ending("stop"), *OPENAI_END[1:])
    last = (await reply(backend_for(fake)))[-1]
    assert isinstance(last, Finished)
    assert last.stop == "length"


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"code": 500, "message": "it broke"}\n\n',
        b'data: {"errors": ["it broke"]}\n\n',
        b'event: error\ndata: {"code": 500, "msg": "it broke"}\n\n',
        b'error: {"code": 500, "message": "it broke"}\n\n',
        b'data: {"choices": [{"delta": {}, "error": {"message": "it broke", "code": 502}}]}\n\n',
    ],
)
async def test_an_error_in_mid_stream_is_told_in_its_words(fake: FakeApi, data: bytes) -> None:
    fake.chat = streams(chunk("So "), data)
    error = await failure(backend_for(fake))
    assert type(error) is Unreachable
    assert "it broke" in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"message": "come back later"}\n\n',
        b'data: {"message": "come back later"}\n\ndata: [DONE]\n\n',
        b"data: come back later\n\n",
        b"come back later",
        b'"come back later"',
    ],
)
async def test_words_that_come_in_the_place_of_a_reply_are_told(fake: FakeApi, data: bytes) -> None:
    fake.chat = streams(data)
    assert "come back later" in str(await failure(backend_for(fake)))
