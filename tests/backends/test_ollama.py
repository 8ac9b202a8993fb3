"""The Ollama driver against a server whose every answer, and every fault, is scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from perdure.backends.drivers import make_backend
from perdure.backends.errors import (
    AuthenticationFailed,
    BackendError,
    BadParameter,
    ConnectionRefused,
    ContextExceeded,
    FieldRefused,
    ModelLoading,
    ModelMissing,
    Overloaded,
    ProtocolError,
    QuotaExceeded,
    RateLimited,
    StreamCut,
    TimedOut,
    Unreachable,
)
from perdure.backends.http.timeouts import Timeouts
from perdure.backends.ollama.driver import OllamaBackend
from perdure.backends.protocol import (
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
    Thinking,
)
from tests.backends.fake_ollama import (
    DIGEST,
    END,
    Exchange,
    FakeOllama,
    Script,
    part,
    refuses,
    running,
    says,
    split,
)

MESSAGES = (
    PromptMessage("system", "You are Mira."),
    PromptMessage("user", "Hello, Mira."),
    PromptMessage("system", "It is evening."),
    PromptMessage("user", "How are you?", name="Ana"),
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeOllama]:
    async with running(FakeOllama(chat=says(part("Hel"), part("lo.")))) as found:
        yield found


def backend_for(fake: FakeOllama, timeouts: Timeouts | None = None, **more: Any) -> OllamaBackend:
    spec = BackendSpec("local", "ollama", more.pop("model", "tiny"), address=fake.address)
    return OllamaBackend(replace(spec, **more), timeouts)


async def reply(backend: OllamaBackend, limit: int = 64) -> list[StreamEvent]:
    try:
        return [event async for event in backend.stream(Request(MESSAGES, limit))]
    finally:
        await backend.close()


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


async def test_pieces_then_one_end_with_the_servers_counts(fake: FakeOllama) -> None:
    *pieces, last = await reply(backend_for(fake))
    assert pieces == [Piece("Hel"), Piece("lo.")]
    assert isinstance(last, Finished)
    assert (last.stop, last.model) == ("end", "tiny:latest")
    assert (last.usage.prompt, last.usage.reply) == (30, 3)


@pytest.mark.parametrize(
    ("reason", "stop"), [("length", "length"), ("unload", "unknown"), (None, "end"), ("eos", "end")]
)
async def test_why_the_reply_ended(fake: FakeOllama, reason: str | None, stop: str) -> None:
    fake.chat = says(part("x"), end={**END, "done_reason": reason})
    last = (await reply(backend_for(fake)))[-1]
    assert isinstance(last, Finished)
    assert last.stop == stop


async def test_what_is_asked_names_every_limit_and_forbids_cutting(fake: FakeOllama) -> None:
    await reply(backend_for(fake, parameters={"temperature": 0.4, "min_p": 0.1, "stop": ["Ana:"]}))
    (exchange,) = fake.asked("/api/chat")
    asked = exchange.json
    assert asked["model"] == "tiny"
    assert asked["stream"] is True
    assert (asked["truncate"], asked["shift"]) == (False, False)
    assert asked["options"] == {
        "num_ctx": 8192,
        "num_predict": 64,
        "temperature": 0.4,
        "min_p": 0.1,
        # The model's own stop stays: Ollama would drop it for ours.
        "stop": ["<|im_end|>", "Ana:"],
    }
    assert [(each["role"], each["content"]) for each in asked["messages"]] == [
        ("system", "You are Mira."),
        ("user", "Hello, Mira."),
        ("system", "It is evening."),
        ("user", "Ana: How are you?"),
    ]
    # How long a model stays loaded is the server's owner's choice.
    assert "keep_alive" not in asked
    assert "think" not in asked


async def test_the_smaller_limit_of_a_reply_wins(fake: FakeOllama) -> None:
    await reply(backend_for(fake, parameters={"max_tokens": 10}), limit=64)
    await reply(backend_for(fake, parameters={"max_tokens": 100}), limit=64)
    limits = [each.json["options"]["num_predict"] for each in fake.asked("/api/chat")]
    assert limits == [10, 64]


@pytest.mark.parametrize(
    ("wanted", "own", "set_up", "window"),
    [
        (0, 32768, "", 8192),
        (0, 2048, "", 2048),
        (0, 32768, "num_ctx    16384", 16384),
        (4096, 32768, "num_ctx    16384", 4096),
        (65536, 32768, "", 32768),
        (65536, None, "", 65536),
        (0, None, "", 8192),
    ],
)
async def test_the_window(
    fake: FakeOllama, wanted: int, own: int | None, set_up: str, window: int
) -> None:
    fake.shown["model_info"]["llama.context_length"] = own
    fake.shown["parameters"] = set_up
    backend = backend_for(fake, context_window=wanted)
    assert await backend.context_window() == window
    await reply(backend)
    assert fake.asked("/api/chat")[0].json["options"]["num_ctx"] == window


async def test_thinking_is_asked_for_where_it_is_kept_apart(fake: FakeOllama) -> None:
    fake.shown["capabilities"] = ["completion", "thinking"]
    fake.chat = says(part(message={"thinking": "Hm. "}), part("Good."))
    events = await reply(backend_for(fake))
    assert events[:2] == [Thinking("Hm. "), Piece("Good.")]
    assert fake.asked("/api/chat")[0].json["think"] is True


async def test_text_survives_any_cut_between_bytes_and_any_line_end_inside(
    fake: FakeOllama,
) -> None:
    # U+0085, U+2028 and U+2029 end a line to httpx, not to JSON.
    text = "Grüße 你好 👩‍👩‍👧 a\u0085b\u2028c\u2029d\n\te\u0000f"
    fake.chat = says(*split(part(text) + b"\n" + part("é")))
    assert text_of(await reply(backend_for(fake))) == text + "é"


async def test_two_at_once_each_get_their_own(fake: FakeOllama) -> None:
    both = asyncio.Barrier(2)

    async def script(exchange: Exchange) -> None:
        await both.wait()
        await says(part(exchange.json["messages"][-1]["content"]))(exchange)

    fake.chat = script
    backend = backend_for(fake)

    async def ask(text: str) -> str:
        request = Request((PromptMessage("user", text),), 8)
        return text_of([event async for event in backend.stream(request)])

    one, two = await asyncio.gather(ask("one"), ask("two"))
    assert (one, two) == ("one", "two")
    await backend.close()


async def test_closing_a_stream_hangs_up_on_the_server(fake: FakeOllama) -> None:
    hung_up = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked")
        await exchange.chunk(part("Once "))
        await exchange.gone()
        hung_up.set()

    fake.chat = script
    backend = backend_for(fake)
    stream = backend.stream(Request(MESSAGES, 64))
    assert await anext(stream) == Piece("Once ")
    await stream.aclose()
    await hung_up.wait()
    await backend.close()


async def test_a_cancelled_wait_for_the_first_word_hangs_up_too(fake: FakeOllama) -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def script(exchange: Exchange) -> None:
        asked.set()
        await exchange.gone()
        hung_up.set()

    fake.chat = script
    backend = backend_for(fake)
    stream = backend.stream(Request(MESSAGES, 64))
    waiting = asyncio.ensure_future(anext(stream, None))
    await asked.wait()
    waiting.cancel()
    await hung_up.wait()
    await stream.aclose()
    await backend.close()


# What goes wrong.


async def failure(backend: OllamaBackend) -> tuple[str, BackendError]:
    """What was said before the error, and the error."""
    said = ""
    try:
        async for event in backend.stream(Request(MESSAGES, 64)):
            said += event.text if isinstance(event, Piece) else ""
    except BackendError as error:
        return said, error
    finally:
        await backend.close()
    raise AssertionError("no error")


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, "the input length exceeds the context length", ContextExceeded),
        (400, '"tiny" does not support chat', BadParameter),
        (400, "invalid options", ProtocolError),
        (401, "unauthorized", AuthenticationFailed),
        (402, "pay first", QuotaExceeded),
        (403, "forbidden", AuthenticationFailed),
        (404, 'model "tiny" not found, try pulling it first', ModelMissing),
        (413, "too large", ContextExceeded),
        (429, "slow down", RateLimited),
        (500, "llama runner process has terminated", Unreachable),
        (500, "model requires more system memory (9 GiB) than is available", ModelMissing),
        (500, "context deadline exceeded", Unreachable),
        (502, "bad gateway", Unreachable),
        (503, "server busy, please try again.  maximum pending requests exceeded", Overloaded),
        (504, "late", TimedOut),
    ],
)
async def test_an_error_status_is_the_error_it_means(
    fake: FakeOllama, status: int, said: str, kind: type[BackendError]
) -> None:
    fake.chat = refuses(status, json.dumps({"error": said}).encode())
    _, error = await failure(backend_for(fake))
    assert type(error) is kind
    if kind is ContextExceeded:
        assert isinstance(error, ContextExceeded)
        assert (error.prompt_tokens, error.window) == (None, 8192)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"<html>not here</html>", ProtocolError),
        (302, b"", ProtocolError),
        (500, b"\xff\xfe{{{", Unreachable),
        (500, b"[]" + b"x" * 1_000_000, Unreachable),
        (429, b'{"error": {"message": "slow"}}', RateLimited),
    ],
)
async def test_an_error_in_a_form_that_is_not_ollamas(
    fake: FakeOllama, status: int, body: bytes, kind: type[BackendError]
) -> None:
    fake.chat = refuses(status, body, Location="http://127.0.0.1:9/elsewhere")
    _, error = await failure(backend_for(fake))
    assert type(error) is kind
    assert len(str(error)) < 500


@pytest.mark.parametrize("status", [429, 503])
async def test_the_pause_a_busy_server_asks_for_is_kept(fake: FakeOllama, status: int) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    for header, low, high in (("7", 7, 7), (later, 3500, 3600), ("1e9", 86400, 86400)):
        fake.chat = refuses(status, b'{"error": "later"}', Retry_After=header)
        _, error = await failure(backend_for(fake))
        assert error.retry_after is not None
        assert low <= error.retry_after <= high
    for header in ("soon", "nan", ""):
        fake.chat = refuses(status, b"", Retry_After=header)
        _, error = await failure(backend_for(fake))
        assert error.retry_after is None


async def test_a_missing_model_says_how_to_get_it(fake: FakeOllama) -> None:
    fake.other["/api/show"] = refuses(404, b'{"error": "model \'tiny\' not found"}')
    with pytest.raises(ModelMissing, match="ollama pull tiny"):
        await backend_for(fake).open()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("an error was encountered while running the model", Unreachable),
        ("the input length exceeds the context length", ContextExceeded),
        ("7", ProtocolError),
    ],
)
async def test_an_error_in_the_stream_of_a_good_status(
    fake: FakeOllama, said: str, kind: type[BackendError]
) -> None:
    fake.chat = says(part("So "), json.dumps({"error": said}).encode() + b"\n", end=None)
    words, error = await failure(backend_for(fake))
    assert (words, type(error)) == ("So ", kind)


async def test_a_stream_without_an_end_mark_is_cut(fake: FakeOllama) -> None:
    fake.chat = says(part("So "), end=None)
    words, error = await failure(backend_for(fake))
    assert (words, type(error)) == ("So ", StreamCut)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("rest", [b"", part("much")[:-9]])
async def test_a_server_that_dies_in_mid_reply_cuts_it(
    fake: FakeOllama, rest: bytes, *, clean: bool
) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head()
        exchange.writer.write(part("So ") + rest)
        await exchange.writer.drain()
        if not clean:
            await heard.wait()
            exchange.writer.transport.abort()

    heard = asyncio.Event()
    fake.chat = script
    backend = backend_for(fake)
    stream = backend.stream(Request(MESSAGES, 64))
    assert await anext(stream) == Piece("So ")
    heard.set()
    with pytest.raises(StreamCut):
        await anext(stream)
    await backend.close()


async def test_a_server_that_hangs_up_before_the_first_word_is_out_of_reach(
    fake: FakeOllama,
) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.writer.close()

    fake.chat = script
    words, error = await failure(backend_for(fake))
    assert (words, type(error)) == ("", Unreachable)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe\x01" * 50 + b"\n",
        b"\x00\xff\xfe",
        b"<html>hello</html>\n",
        b"[]\n",
        b"7\n",
        b'"text"\n',
        b'{"done": false}\n',
        b'{"message": {"role": "assistant", "content": 7}, "done": false}\n',
        b'{"message": "x", "done": true}\n',
    ],
)
async def test_garbage_is_no_reply(fake: FakeOllama, garbage: bytes) -> None:
    fake.chat = says(part("So "), garbage, end=None)
    words, error = await failure(backend_for(fake))
    assert words == "So "
    # What may be a keep-alive is passed over; then there is no end.
    assert isinstance(error, (ProtocolError, StreamCut))


@pytest.mark.parametrize("path", ["/api/version", "/api/tags", "/api/show"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"hello"),
        (200, b"[]"),
        (200, b"\xff"),
        (200, b""),
        (404, b"404 page not found"),
        (404, b'{"error": "not found"}'),
        (404, b'{"detail": "Not Found"}'),
        (401, b'{"error": "unauthorized"}'),
        (500, b"{}"),
        (429, b""),
    ],
)
async def test_what_an_imitation_of_an_ollama_lacks_is_done_without(
    fake: FakeOllama, path: str, status: int, body: bytes
) -> None:
    fake.other[path] = refuses(status, body)
    backend = backend_for(fake)
    assert text_of(await reply(backend)) == "Hello."


async def test_an_imitation_that_can_only_talk(fake: FakeOllama) -> None:
    fake.other |= {f"/api/{path}": refuses(404, b"") for path in ("version", "tags", "show")}
    backend = backend_for(fake)
    assert await backend.context_window() == 8192
    assert text_of(await reply(backend)) == "Hello."


async def test_an_answer_without_an_end_is_not_read_to_it(fake: FakeOllama) -> None:
    def endless(line_end: bytes) -> Script:
        async def script(exchange: Exchange) -> None:
            exchange.head()
            while True:
                exchange.writer.write(b" " * 65535 + line_end)
                await exchange.writer.drain()

        return script

    fake.other["/api/tags"] = endless(b"\n")
    backend = backend_for(fake)
    await backend.open()
    await backend.close()
    del fake.other["/api/tags"]
    fake.chat = endless(b" ")
    _, error = await failure(backend_for(fake))
    assert type(error) is ProtocolError


async def test_a_server_that_never_answers(fake: FakeOllama) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.gone()

    async def falls_silent(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked")
        await exchange.chunk(part("So "))
        await exchange.gone()

    fake.chat = silent
    _, error = await failure(backend_for(fake, Timeouts(first=0.01)))
    assert type(error) is TimedOut
    fake.chat = falls_silent
    words, error = await failure(backend_for(fake, Timeouts(between=0.01)))
    assert (words, type(error)) == ("So ", TimedOut)
    fake.other["/api/version"] = silent
    with pytest.raises(TimedOut):
        await backend_for(fake, Timeouts(answer=0.01)).open()


async def test_nobody_there_is_refused_and_says_what_to_start() -> None:
    async with running(FakeOllama()) as gone:
        pass
    with pytest.raises(ConnectionRefused, match="ollama serve"):
        await backend_for(gone).open()


async def test_it_opens_again_when_the_server_is_back(fake: FakeOllama) -> None:
    fake.other["/api/show"] = refuses(503, b'{"error": "Loading model"}')
    backend = backend_for(fake)
    with pytest.raises(ModelLoading):
        await backend.open()
    del fake.other["/api/show"]
    assert text_of(await reply(backend)) == "Hello."
    # Closed, it opens anew for who asks.
    assert text_of(await reply(backend)) == "Hello."


# A prompt that the server cut.


def long_talk(count: int, each: str) -> tuple[PromptMessage, ...]:
    return tuple(PromptMessage("user", each) for _ in range(count))


@pytest.mark.parametrize(
    ("version", "counts", "messages", "cut"),
    [
        # Filled to the brim: what llama.cpp leaves of a prompt that was too long.
        ("0.12.11", (2048, 1), MESSAGES, True),
        ("0.5.0", (2047, 1), MESSAGES, True),
        # It wrote past the end of its window, which pushes the front out.
        ("0.5.0", (1900, 400), MESSAGES, True),
        ("0.5.0", (1900, 148), MESSAGES, False),
        # The oldest message is gone, and was most of the prompt.
        ("0.5.0", (300, 20), (PromptMessage("user", "word " * 2000), *MESSAGES), True),
        # 0.3 and some 0.30 do not count what was cached: no proof.
        ("0.3.14", (300, 20), (PromptMessage("user", "word " * 2000), *MESSAGES), False),
        ("0.30.2", (300, 20), (PromptMessage("user", "word " * 2000), *MESSAGES), False),
        ("", (300, 20), (PromptMessage("user", "word " * 2000), *MESSAGES), False),
        # Small messages: dropping some would leave the window nearly full, and it is not.
        ("0.5.0", (300, 20), long_talk(200, "six small words stand right here"), False),
        # Fewer tokens than estimated, and nothing near the limit.
        ("0.5.0", (9, 20), MESSAGES, False),
        # No count at all.
        ("0.5.0", (0, 20), MESSAGES, False),
    ],
)
async def test_a_prompt_is_called_cut_where_the_counts_prove_it(
    fake: FakeOllama,
    version: str,
    counts: tuple[int, int],
    messages: tuple[PromptMessage, ...],
    *,
    cut: bool,
) -> None:
    fake.version = version
    ends = {**END, "prompt_eval_count": counts[0], "eval_count": counts[1]}
    fake.chat = says(part("So."), end=ends)
    backend = backend_for(fake, context_window=2048)
    stream = backend.stream(Request(messages, 200))
    assert await anext(stream) == Piece("So.")
    if cut:
        with pytest.raises(ContextExceeded, match="2048 tokens"):
            await anext(stream)
    else:
        assert isinstance(await anext(stream), Finished)
    await stream.aclose()
    await backend.close()


# Who answers.


async def test_the_fingerprint_follows_the_model_behind_the_name(fake: FakeOllama) -> None:
    backend = backend_for(fake)
    first = await backend.fingerprint()
    assert first.short == DIGEST[:16]
    assert first.details["digest"] == f"sha256:{DIGEST}"
    assert first.details["quantisation"] == "Q4_K_M"
    assert first.details["context_length"] == "32768"
    assert first.details["runtime"] == "ollama 0.12.11"
    assert first.details["adapters"] == "kind.gguf"
    shows = len(fake.asked("/api/show"))
    assert await backend.fingerprint() == first
    assert len(fake.asked("/api/show")) == shows
    fake.entries[0]["digest"] = "cd" * 32
    fake.shown["template"] = "{{ .System }}{{ .Prompt }}"
    second = await backend.fingerprint()
    assert second.short == "cd" * 8
    assert second.details["template"] != first.details["template"]
    assert second.details["parameters"] == first.details["parameters"]
    await backend.close()


async def test_without_a_digest_template_and_parameters_tell_models_apart(
    fake: FakeOllama,
) -> None:
    fake.entries = []
    backend = backend_for(fake)
    first = await backend.fingerprint()
    assert len(first.short) == 16
    assert await backend.fingerprint() == first
    fake.shown["parameters"] = "temperature 1"
    assert (await backend.fingerprint()).short != first.short
    await backend.close()


async def test_the_count_is_called_an_estimate_even_for_a_known_name(fake: FakeOllama) -> None:
    fake.entries[0]["name"] = "gpt-4o:latest"
    backend = backend_for(fake, model="gpt-4o")
    tokenizer = await backend.tokenizer()
    assert not tokenizer.exact
    assert tokenizer.count_prompt(MESSAGES) > 10
    await backend.close()


@pytest.mark.parametrize(
    ("model", "entry", "hosted"),
    [
        ("tiny", {}, False),
        ("gpt-oss:120b-cloud", {}, True),
        ("tiny", {"remote_host": "https://ollama.com:443"}, True),
    ],
)
async def test_a_model_that_the_server_passes_on_is_hosted(
    fake: FakeOllama, model: str, entry: dict[str, str], *, hosted: bool
) -> None:
    fake.entries[0].update(entry, name=model)
    backend = backend_for(fake, model=model)
    await backend.open()
    assert backend.hosted == hosted
    assert not backend.rehearsal
    await backend.close()


async def test_no_key_of_the_environment_goes_where_the_manifest_names_none(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "not-for-this-host")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    await reply(backend_for(fake))
    assert all("authorization" not in each.headers for each in fake.exchanges)
    monkeypatch.setenv("MIRA_KEY", "for-this-one")
    fake.exchanges.clear()
    await reply(backend_for(fake, key="env:MIRA_KEY"))
    assert {each.headers["authorization"] for each in fake.exchanges} == {"Bearer for-this-one"}
    monkeypatch.delenv("MIRA_KEY")
    with pytest.raises(AuthenticationFailed, match="MIRA_KEY"):
        await backend_for(fake, key="env:MIRA_KEY").open()


@pytest.mark.parametrize(
    ("address", "hosted"),
    [
        ("", False),
        ("http://127.0.0.1:11434", False),
        ("localhost:11434", False),
        ("http://[::1]:11434/", False),
        ("https://ollama.example", True),
        ("ollama.example", True),
        ("https://192.168.1.4:11434/behind/a/path", True),
    ],
)
def test_text_leaves_this_machine_but_for_loopback(address: str, *, hosted: bool) -> None:
    backend = make_backend(BackendSpec("far", "ollama", "m", address=address))
    assert backend.hosted == hosted


@pytest.mark.parametrize(
    "address",
    [
        "http://192.168.1.4:11434",
        "http://ollama.example",
        "https://169.254.169.254",
        "https://[fe80::1]",
        "https://[fd00:ec2::254]",
        "https://[::ffff:169.254.169.254]",
        "https://2852039166",
        "https://0xa9.0xfe.0xa9.0xfe",
        "https://127.1",
        "https://metadata.google.internal",
        "http://0.0.0.0:11434",
        "https://user:secret@ollama.example",
        "https://user:secret@ollama.example:99999",
        "https://user:secret@[::1",
        "https://ollama.example?key=x",
        "ftp://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://",
        "file:///etc/passwd",
        "http://localhost.example",
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(BadParameter) as caught:
        make_backend(BackendSpec("far", "ollama", "m", address=address))
    assert "secret" not in str(caught.value)


def test_parameters_and_keys_that_are_refused() -> None:
    for more, named in (
        ({"parameters": {"mirostat": 2}}, "mirostat"),
        ({"parameters": {"temperature": 9}}, "temperature"),
        ({"key": "sk-of-mira-herself"}, "env:NAME"),
    ):
        with pytest.raises(BadParameter, match=named):
            make_backend(replace(BackendSpec("far", "ollama", "m"), **more))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ('"tiny" does not support thinking', "think"),
        ("unknown field: truncate", "truncate"),
        ("extra fields not permitted: shift", "shift"),
    ],
)
async def test_a_refused_field_is_named_and_can_be_left_out(
    fake: FakeOllama, said: str, field: str
) -> None:
    fake.chat = refuses(400, json.dumps({"error": said}).encode())
    fake.shown["capabilities"] = ["completion", "thinking"]
    backend = backend_for(fake)
    error = await failure(backend)
    assert isinstance(error[1], FieldRefused)
    assert error[1].field == field
    fake.chat = says(part("Hello."), end=END)
    request = Request((PromptMessage("user", "Hi."),), 8, (field,))
    await _all(backend_for(fake), request)
    assert field not in fake.asked("/api/chat")[-1].json


async def _all(backend: OllamaBackend, request: Request) -> None:
    async for _ in backend.stream(request):
        pass
    await backend.close()


@pytest.mark.parametrize(
    "odd",
    [
        {"message": None},
        {"message": {"content": "So", "role": 7}},
        {"message": {"content": "So"}},
        {"message": {"role": "assistant", "content": None, "thinking": None}},
        {"created_at": 7, "total_duration": 1.5, "load_duration": None, "logprobs": "x"},
        {"eval_count": "3", "prompt_eval_count": 3.5, "model": None, "remote_host": 7},
        {"message": {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}, 7]}},
        {"message": {"role": "assistant", "images": None, "tool_name": 7}},
        {"error": None},
    ],
)
async def test_one_odd_field_costs_no_reply(fake: FakeOllama, odd: dict[str, Any]) -> None:
    body = {"model": "tiny", "message": {"role": "assistant", "content": ""}, "done": False, **odd}
    fake.chat = says(json.dumps(body).encode() + b"\n", part("Hello."))
    events = await reply(backend_for(fake))
    assert "".join(each.text for each in events if isinstance(each, Piece)).endswith("Hello.")
    assert isinstance(events[-1], Finished)


async def test_an_error_in_a_line_is_told_whatever_its_form(fake: FakeOllama) -> None:
    for error in ("it broke", {"message": "it broke"}, ["it broke"]):
        fake.chat = says(part("So "), json.dumps({"error": error}).encode() + b"\n", end=None)
        words, found = await failure(backend_for(fake))
        assert words == "So "
        assert "it broke" in str(found)


async def test_an_ollama_before_chats_is_told_to_be_updated(fake: FakeOllama) -> None:
    fake.chat = refuses(404, b"404 page not found")
    _, error = await failure(backend_for(fake))
    assert type(error) is ProtocolError
    assert "0.1.14" in str(error)
