"""What refusals in many words and bodies teach, and what teaches nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from perdure.actions.backends.trial_call import try_forms
from perdure.backends.errors import (
    BackendError,
    ContextExceeded,
    FieldRefused,
    ProtocolError,
    ShapeRefused,
)
from perdure.backends.hosted.api_errors import Endpoint, api_error
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.http.error_body import read_server_message
from perdure.backends.openai.driver import OpenAIBackend
from perdure.backends.protocol import BackendSpec, Piece, PromptMessage, Request
from perdure.backends.roles.shape import PLAIN, next_shape
from tests.backends.fake_api import OPENAI_END, FakeApi, chunk, streams
from tests.backends.fake_ollama import Exchange, Script, running

ASKED = Endpoint("far", "tiny", 8192)
ROLES = "Conversation roles must alternate user/assistant/user/assistant/..."
SAID = (
    "Tell me: must the system role alternate? Set temperature to 0.7, max_tokens high, and "
    "'stop' when consecutive turns end. My first message was about the jinja chat template."
)
SENT = {
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Your role is to be a friend."}]},
        {"role": "user", "content": SAID},
    ],
    "temperature": 0.7,
    "max_tokens": 64,
    "stop": ["Ana:"],
    "seed": 3,
    "stream": True,
    "stream_options": {},
}


def refused(body: object, status: int = 400) -> BackendError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api_error(ASKED, status, read_server_message(data), {}, SENT)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": ROLES, "type": "invalid_request_error"}},
        {"error": ROLES, "error_type": "template_error"},
        {"detail": ROLES},
        {"detail": [{"loc": ["body", "messages"], "msg": f"Value error, {ROLES}", "input": "x"}]},
        {"message": {"detail": [{"msg": ROLES}]}},
        {"code": 400, "msg": ROLES},
        {"errors": [{"message": ROLES}]},
        {"errors": {"messages": [ROLES]}},
        {"error_message": ROLES},
        {"Message": ROLES},
        {"error": [ROLES]},
        ROLES,
        ROLES.encode(),
        b"\xef\xbb\xbf " + json.dumps({"error": ROLES}).encode(),
        f"<html><title>400</title><h1>Bad Request</h1><p>{ROLES}</p></html>".encode(),
        {"error": {"message": json.dumps({"error": {"message": ROLES}})}},
        {
            "error": {
                "message": "Provider returned error",
                "metadata": {"raw": json.dumps({"error": {"message": ROLES}})},
            }
        },
        {"success": False, "error": {"body": {"message": ROLES}}},
        b"data: " + json.dumps({"error": {"message": ROLES}}).encode() + b"\n\n",
        # Cut off, as the request is repeated behind the words.
        json.dumps({"error": {"message": ROLES, "input": "x" * 99}}).encode()[:-20],
    ],
)
def test_the_words_of_a_refusal_are_found_in_any_body(body: object) -> None:
    error = refused(body)
    assert isinstance(error, ShapeRefused)
    assert error.proven
    assert str(next_shape(PLAIN, error.words)) == "alternate"
    assert ROLES.rstrip(".") in str(error)


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ("messages: roles must alternate between 'user' and 'assistant'", "alternate"),
        ("The first message must be a user message", "alternate"),
        ("Input should be 'user' or 'assistant'", "no-system"),
        ("unknown variant `system`, expected `user` or `assistant`", "no-system"),
        ("'system' is not one of ['user', 'assistant'] - 'messages.0.role'", "no-system"),
        ("role 'system' is invalid", "no-system"),
        ("The model does not accept system instructions", "no-system"),
        ("该模型不支持 system 角色", "no-system"),
        ("messages[1].role: system not allowed here", "one-system"),
        ("'system' must come before all others", "one-system"),
        ("duplicate system message", "one-system"),
        ("You can only have a single system prompt", "one-system"),
    ],
)
def test_what_plain_words_about_roles_teach_at_once(said: str, shape: str) -> None:
    error = refused({"error": {"message": said}})
    assert isinstance(error, ShapeRefused)
    assert error.proven
    assert str(next_shape(PLAIN, error.words)) == shape


@pytest.mark.parametrize(
    "said",
    [
        "invalid sequence of messages",
        "Only user, assistant and system roles are supported",
        "assistant cannot follow system",
        "assistant cannot speak first",
        "failed to apply prompt template",
        "les rôles doivent alterner",
        "Systemrolle wird nicht unterstützt",
        "You have exceeded your monthly turns",
        "Model role-play-7b is unsupported",
        f"cannot read: {SAID}",
        f"cannot read '{SAID[9:60]}...'",
    ],
)
def test_what_may_be_about_roles_is_proven_by_a_call_of_our_own_only(said: str) -> None:
    error = refused({"error": {"message": said}})
    assert isinstance(error, ShapeRefused | FieldRefused)
    assert not error.proven


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "bad", "input": SENT}},
        {"detail": [{"loc": ["body", "messages", 1, "content"], "msg": "bad", "input": SAID}]},
        {"error": {"message": "alternative models are available"}},
        {"error": {"message": "Alternatively, try another endpoint"}},
        {"error": {"message": "user not found in the first region"}},
        {"error": {"message": "file system error: no space left"}},
        {"error": {"message": "The system does not support your region"}},
        {},
        b"",
        b"\xff\xfe",
        b"[" * 9999,
    ],
)
def test_a_refusal_that_names_neither_roles_nor_a_field_teaches_nothing(body: object) -> None:
    error = refused(body)
    assert type(error) is ProtocolError
    assert error.blames_request
    assert "perdure backend check far" in error.next_step


@pytest.mark.parametrize("status", [401, 403, 408, 429, 502, 503, 504, 529])
def test_no_other_status_teaches(status: int) -> None:
    for said in (ROLES, "System role not supported", "unsupported: 'stop'"):
        error = refused({"error": {"message": said}}, status)
        assert not isinstance(error, ShapeRefused | FieldRefused)


@pytest.mark.parametrize(
    ("said", "tokens", "window"),
    [
        ("Please reduce the length of the messages; roles must alternate", None, 8192),
        ("maximum prompt length is 1310 but the request contains 5378 tokens.", 5378, 1310),
        (
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
            5000,
            4096,
        ),
        ("Range of input length should be [1, 30720]", None, 30720),
        ("prompt has 9001 tokens but the limit is 8192; system role too", 9001, 8192),
        ("the total number of tokens exceeds the limit. max_tokens=512", None, 8192),
        ("messages too long: 9000 tokens", 9000, 8192),
        ("The conversation is too long. Start a new one with a user message", None, 8192),
        (
            "first 4097 tokens when context overflows; context length of only 4096 tokens",
            None,
            4096,
        ),
        ("输入长度超过模型最大上下文", None, 8192),
    ],
)
def test_a_full_window_is_no_refusal_of_roles_or_fields(
    said: str, tokens: int | None, window: int
) -> None:
    error = refused({"error": {"message": said}})
    assert isinstance(error, ContextExceeded)
    assert (error.prompt_tokens, error.window) == (tokens, window)


@pytest.mark.parametrize("field", ["stop", "seed", "stream", "temperature", "max_tokens"])
@pytest.mark.parametrize(
    "said",
    [
        "Unrecognized request argument supplied: {}",
        "{}: Extra inputs are not permitted",
        "{} is not supported",
        'json: unknown field "{}"',
        "The parameter “{}” is not available",
        "body.{}: unexpected",
        "参数 {} 不支持",
    ],
)
def test_a_field_that_is_an_ordinary_word_is_known_for_a_field(said: str, field: str) -> None:
    for body in (
        {"error": {"message": said.format(field)}},
        {"errors": [{"field": field, "message": "no"}]},
        {"code": 400, "msg": said.format(field)},
    ):
        error = refused(body, 422)
        assert isinstance(error, FieldRefused)
        assert (error.field, error.proven) == (field, True)


def test_words_of_everyday_name_no_field() -> None:
    for said in ("stop it", "please stop asking", "the stream is dry"):
        assert type(refused({"error": {"message": said}})) is ProtocolError


def judge(
    takes: Callable[[Any], bool], status: int, body: bytes, *, refusals: int = 99
) -> tuple[Script, list[Any]]:
    """A server that refuses what it does not take, so many times, and what it is asked."""
    asked: list[Any] = []

    async def script(exchange: Exchange) -> None:
        asked.append(exchange.json)
        if takes(exchange.json) or len(asked) > refusals:
            await streams(chunk("Hello."), *OPENAI_END)(exchange)
        else:
            await exchange.answer(body, status, Content_Type="application/json")

    return script, asked


def in_turns(asked: Any) -> bool:
    roles = [each["role"] for each in asked["messages"]]
    said = roles[1:] if roles[0] == "system" else roles
    return said == [("user", "assistant")[at % 2] for at in range(len(said))]


async def tried(script: Script, form: RequestForm = RequestForm()) -> RequestForm:  # noqa: B008 - it is frozen
    async with running(FakeApi(chat=script)) as fake:
        backend = OpenAIBackend(BackendSpec("far", "openai", "tiny", fake.address))
        try:
            return (await try_forms(backend, form)).form
        finally:
            await backend.close()


@pytest.mark.parametrize("status", [400, 406, 415, 422])
async def test_a_check_finds_the_shape_where_a_server_does_not_say_what_it_refuses(
    status: int,
) -> None:
    script, asked = judge(in_turns, status, b"")
    assert str((await tried(script)).shape) == "alternate"
    # The first form once more, as the server might have failed at random.
    assert asked[-1]["messages"] == asked[0]["messages"]


@pytest.mark.parametrize("body", [b"", b'{"error": "assistant unavailable"}'])
async def test_a_server_that_refuses_at_random_teaches_nothing(body: bytes) -> None:
    script, asked = judge(lambda _: False, 400, body, refusals=1)
    assert await tried(script) == RequestForm()
    assert len(asked) == 3


async def test_an_error_as_the_first_event_teaches_as_a_status_does() -> None:
    async def script(exchange: Exchange) -> None:
        if "stream_options" in exchange.json:
            error = {"error": {"message": "bad", "param": "stream_options", "code": 400}}
            await streams(b"data: " + json.dumps(error).encode() + b"\n\n")(exchange)
        else:
            await streams(chunk("Hello."), *OPENAI_END)(exchange)

    assert (await tried(script)).without == ("stream_options",)


async def test_a_server_that_cannot_stream_is_asked_for_one_piece() -> None:
    whole = {"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}

    async def script(exchange: Exchange) -> None:
        if "stream" in exchange.json:
            await exchange.answer(b'{"error": "stream is not supported"}', 400)
        else:
            assert "stream_options" not in exchange.json
            await exchange.answer(json.dumps(whole).encode(), Content_Type="application/json")

    form = await tried(script)
    assert form.without == ("stream",)
    async with running(FakeApi(chat=script)) as fake:
        backend = OpenAIBackend(BackendSpec("far", "openai", "tiny", fake.address))
        request = Request((PromptMessage("user", "Hi."),), 64, form.without)
        first, *_ = [event async for event in backend.stream(request)]
        await backend.close()
    assert first == Piece("Hello.")


def test_a_long_answer_is_read_in_bounds() -> None:
    page = b"<h1>" + ROLES.encode() + b"</h1>" + b"<!--" * 60_000
    assert read_server_message(page).words == ""
    many = {"errors": {f"f{at}": [f"no {at}"] for at in range(8000)}}
    assert len(read_server_message(json.dumps(many).encode()).words) < 200
    assert len(read_server_message(b"roles " * 40_000).words) <= 1024
