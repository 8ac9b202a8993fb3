"""What every driver does alike when its server fails: the same failures, scripted on loopback."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from perdure.backends.errors import (
    AuthenticationFailed,
    BackendError,
    ConnectionRefused,
    ContextExceeded,
    ModelLoading,
    ModelMissing,
    Overloaded,
    ProtocolError,
    RateLimited,
    StreamCut,
    TimedOut,
    Unreachable,
)
from perdure.backends.http.timeouts import Timeouts
from perdure.backends.protocol import (
    Backend,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
    Thinking,
)
from tests.backends.fake_api import DIALECTS, Dialect, streams
from tests.backends.fake_ollama import Exchange, refuses, running, split

REQUEST = Request(
    (
        PromptMessage("system", "You are Mira."),
        PromptMessage("assistant", "Hello, you."),
        PromptMessage("user", "Hello, Mira."),
        PromptMessage("system", "Answer briefly."),
    ),
    64,
)


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture
async def fake(dialect: Dialect) -> AsyncIterator[Any]:
    async with running(dialect.serve()) as found:
        found.chat = streams(*dialect.reply("Hel", "lo."), *dialect.end)
        yield found


@pytest.fixture
async def backend(dialect: Dialect, fake: Any) -> AsyncIterator[Backend]:
    backend = dialect.make(dialect.spec(fake.address), None)
    yield backend
    await backend.close()


async def heard(backend: Backend) -> list[StreamEvent]:
    return [event async for event in backend.stream(REQUEST)]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


async def failure(backend: Backend) -> tuple[str, BackendError]:
    """What was said before the error, and the error."""
    said = ""
    try:
        async for event in backend.stream(REQUEST):
            said += event.text if isinstance(event, Piece) else ""
    except BackendError as error:
        return said, error
    finally:
        await backend.close()
    raise AssertionError("no error")


async def test_pieces_then_one_end_with_the_servers_counts(backend: Backend) -> None:
    *pieces, last = await heard(backend)
    assert pieces == [Piece("Hel"), Piece("lo.")]
    assert isinstance(last, Finished)
    assert last.stop == "end"
    assert (last.usage.prompt, last.usage.reply) == (30, 3)
    assert last.model.startswith("tiny")
    assert not backend.hosted


async def test_text_survives_any_cut_between_bytes_and_any_line_end_inside(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    text = "Grüße 你好 👩‍👩‍👧 a\u0085b\u2028c\u2029d\n\te"
    parts = (*dialect.reply(text, "é"), *dialect.end)
    fake.chat = streams(*split(b"".join(parts)))
    assert text_of(await heard(backend)) == text + "é"


async def test_two_at_once_each_get_their_own(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    both = asyncio.Barrier(2)

    async def script(exchange: Exchange) -> None:
        await both.wait()
        said = exchange.json["messages"][-1]["content"]
        await streams(*dialect.reply(said), *dialect.end)(exchange)

    fake.chat = script

    async def ask(text: str) -> str:
        request = Request((PromptMessage("user", text),), 8)
        return text_of([event async for event in backend.stream(request)])

    one, two = await asyncio.gather(ask("one"), ask("two"))
    assert (one, two) == ("one", "two")


async def test_closing_a_stream_hangs_up_on_the_server(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    hung_up = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type=dialect.content_type)
        for part in dialect.reply("Once "):
            await exchange.chunk(part)
        await exchange.gone()
        hung_up.set()

    fake.chat = script
    stream = backend.stream(REQUEST)
    assert await anext(stream) == Piece("Once ")
    await stream.aclose()
    await hung_up.wait()


async def test_a_cancelled_wait_for_the_first_word_hangs_up_too(
    fake: Any, backend: Backend
) -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def script(exchange: Exchange) -> None:
        asked.set()
        await exchange.gone()
        hung_up.set()

    fake.chat = script
    stream = backend.stream(REQUEST)
    waiting = asyncio.ensure_future(anext(stream, None))
    await asked.wait()
    waiting.cancel()
    await hung_up.wait()
    await stream.aclose()


@pytest.mark.parametrize(
    ("status", "code", "kind", "said", "error"),
    [
        (401, "invalid_api_key", "authentication_error", "no such key", AuthenticationFailed),
        (403, "forbidden", "permission_error", "not from there", AuthenticationFailed),
        (404, "model_not_found", "not_found_error", "model: tiny not found", ModelMissing),
        (409, "conflict", "api_error", "try again", Overloaded),
        (413, "too_large", "request_too_large", "too many bytes", ContextExceeded),
        (429, "rate_limit_exceeded", "rate_limit_error", "slow down", RateLimited),
        (500, "server_error", "api_error", "it broke", Unreachable),
        (503, "slow_down", "overloaded_error", "too busy", Overloaded),
        (529, "overloaded", "overloaded_error", "too busy", Overloaded),
    ],
)
async def test_an_error_status_is_the_error_it_means(
    dialect: Dialect,
    fake: Any,
    status: int,
    code: str,
    kind: str,
    said: str,
    error: type[BackendError],
) -> None:
    for body in (dialect.error(code, kind, said), b"<html>sorry</html>" * 9999, b"\xff{", b""):
        fake.chat = refuses(status, body, Content_Type="application/json", Retry_After="7")
        words, found = await failure(dialect.make(dialect.spec(fake.address), None))
        assert words == ""
        # A 404 without words may be any web server's.
        bare = status == 404 and not body.startswith(b"{")
        assert type(found) is (ProtocolError if bare else error)
        assert len(str(found)) < 600
        if error in {RateLimited, Overloaded}:
            assert found.retry_after == 7
        # Asked once: when to ask again is for the caller to say.
    assert len([each for each in fake.exchanges if each.path.rpartition("/")[2] in CHATS]) == 4


CHATS = {"completions", "messages", "chat"}


@pytest.mark.parametrize(
    ("code", "kind", "said", "error"),
    [
        ("server_error", "api_error", "it broke", Unreachable),
        ("x", "invalid_request_error", "exceeds the context length", ContextExceeded),
    ],
)
async def test_an_error_in_the_stream_of_a_good_status(
    dialect: Dialect,
    fake: Any,
    backend: Backend,
    code: str,
    kind: str,
    said: str,
    error: type[BackendError],
) -> None:
    fake.chat = streams(*dialect.reply("So "), dialect.broken(dialect.error(code, kind, said)))
    words, found = await failure(backend)
    assert (words, type(found)) == ("So ", error)


async def test_a_stream_without_an_end_mark_is_cut(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    fake.chat = streams(*dialect.reply("So "))
    words, error = await failure(backend)
    assert (words, type(error)) == ("So ", StreamCut)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("whole", [True, False])
async def test_a_server_that_dies_in_mid_reply_cuts_it(
    dialect: Dialect, fake: Any, backend: Backend, *, whole: bool, clean: bool
) -> None:
    heard = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        exchange.head(Content_Type=dialect.content_type)
        rest = b"" if whole else dialect.says("much")[:-9]
        exchange.writer.write(b"".join(dialect.reply("So ")) + rest)
        await exchange.writer.drain()
        if not clean:
            await heard.wait()
            exchange.writer.transport.abort()

    fake.chat = script
    stream = backend.stream(REQUEST)
    assert await anext(stream) == Piece("So ")
    heard.set()
    with pytest.raises(StreamCut):
        await anext(stream)


async def test_a_backend_that_is_closed_in_mid_reply_cuts_it(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type=dialect.content_type)
        for part in dialect.reply("So "):
            await exchange.chunk(part)
        await exchange.gone()

    fake.chat = script
    stream = backend.stream(REQUEST)
    assert await anext(stream) == Piece("So ")
    await backend.close()
    with pytest.raises(StreamCut):
        await anext(stream)


async def test_a_server_that_hangs_up_before_the_first_word_is_out_of_reach(
    fake: Any, backend: Backend
) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.writer.close()

    fake.chat = script
    words, error = await failure(backend)
    assert (words, type(error)) == ("", Unreachable)


@pytest.mark.parametrize("garbage", [b"\x00\xff\xfe\x01" * 50, b"{]", b"7", b"[]", b'"text"'])
async def test_garbage_in_a_stream_is_no_reply(
    dialect: Dialect, fake: Any, backend: Backend, garbage: bytes
) -> None:
    lead = {"openai": b"data: ", "anthropic": b"event: message_delta\ndata: ", "ollama": b""}
    end = b"\n" if dialect.driver == "ollama" else b"\n\n"
    fake.chat = streams(*dialect.reply("So "), lead[dialect.driver] + garbage + end)
    words, error = await failure(backend)
    assert words == "So "
    # What may be a keep-alive is passed over; then there is no end.
    assert isinstance(error, (ProtocolError, StreamCut))


async def test_garbage_instead_of_http_is_no_server(dialect: Dialect) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x00\xff\xfeSSH-2.0-hello\r\n" * 20)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    _, error = await failure(dialect.make(dialect.spec(address), None))
    assert type(error) is ProtocolError
    server.close()
    await server.wait_closed()


async def test_an_answer_without_an_end_is_not_read_to_it(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    async def endless(exchange: Exchange) -> None:
        exchange.head(Content_Type=dialect.content_type)
        while True:
            exchange.writer.write(b" " * 65536)
            await exchange.writer.drain()

    fake.chat = endless
    _, error = await failure(backend)
    assert type(error) is ProtocolError
    fake.models = endless
    if dialect.driver == "ollama":
        fake.other["/api/tags"] = endless
    # The list is done without.
    await backend.open()
    await backend.close()


async def test_a_compressed_answer_that_nobody_asked_for_is_not_unpacked(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    packed = gzip.compress(b"".join((*dialect.reply("So"), *dialect.end)))
    fake.chat = refuses(200, packed, Content_Type=dialect.content_type, Content_Encoding="gzip")
    said, error = await failure(backend)
    assert (said, type(error)) == ("", ProtocolError)
    # A status says enough by itself.
    fake.chat = refuses(429, gzip.compress(b"slow down"), Content_Encoding="gzip", Retry_After="7")
    _, error = await failure(backend)
    assert (type(error), error.retry_after) == (RateLimited, 7)
    listed = refuses(200, gzip.compress(bytes(9 << 20)), Content_Encoding="gzip")
    fake.models = listed
    if dialect.driver == "ollama":
        fake.other["/api/tags"] = listed
    await backend.open()
    await backend.close()
    offered: Any = backend
    with pytest.raises(ProtocolError, match="compressed"):
        await offered.offered()


async def test_thoughts_that_a_server_leaves_in_the_reply_are_taken_out(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    whole = "<think>\nShe greets.\n</think>\n\nHello <think>you</think>."
    for pieces in ([whole], list(whole)):
        fake.chat = streams(*dialect.reply(*pieces), *dialect.end)
        events = await heard(backend)
        assert text_of(events) == "Hello <think>you</think>."
        thoughts = "".join(each.text for each in events if isinstance(each, Thinking))
        assert thoughts.strip() == "She greets."
    # What is cut in the middle of a mark is lost no more than any other word.
    fake.chat = streams(*dialect.reply("<thi"))
    said, error = await failure(backend)
    assert (said, type(error)) == ("<thi", StreamCut)


async def silent(exchange: Exchange) -> None:
    await exchange.gone()


async def test_a_server_that_accepts_and_never_answers(dialect: Dialect, fake: Any) -> None:
    async def falls_silent(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type=dialect.content_type)
        for part in dialect.reply("So "):
            await exchange.chunk(part)
        await exchange.gone()

    def impatient(**seconds: float) -> Backend:
        return dialect.make(dialect.spec(fake.address), Timeouts(**seconds))

    fake.chat = silent
    _, error = await failure(impatient(first=0.01))
    assert type(error) is TimedOut
    fake.chat = falls_silent
    words, error = await failure(impatient(between=0.01))
    assert (words, type(error)) == ("So ", TimedOut)
    fake.models = silent
    if dialect.driver == "ollama":
        fake.other["/api/version"] = silent
    with pytest.raises(TimedOut):
        await impatient(answer=0.01).open()


async def test_nobody_there_is_refused(dialect: Dialect) -> None:
    async with running(dialect.serve()) as gone:
        pass
    with pytest.raises(ConnectionRefused):
        await dialect.make(dialect.spec(gone.address), None).open()


async def test_it_opens_again_when_the_server_is_back(
    dialect: Dialect, fake: Any, backend: Backend
) -> None:
    busy = refuses(503, dialect.error("", "", "Loading model"), Content_Type="application/json")
    fake.models = busy
    if dialect.driver == "ollama":
        fake.other["/api/version"] = busy
    with pytest.raises(ModelLoading):
        await backend.open()
    fake.models = None
    if dialect.driver == "ollama":
        del fake.other["/api/version"]
    assert text_of(await heard(backend)) == "Hello."
    await backend.close()
    # Closed, it opens anew for who asks.
    assert text_of(await heard(backend)) == "Hello."


async def test_no_redirect_is_followed(dialect: Dialect, fake: Any, backend: Backend) -> None:
    async with running(dialect.serve()) as elsewhere:
        fake.chat = refuses(307, b"", Location=f"{elsewhere.address}/v1/chat")
        _, error = await failure(backend)
        assert type(error) is ProtocolError
        assert elsewhere.exchanges == []


async def test_a_key_goes_where_the_manifest_says_and_none_of_the_environment(
    dialect: Dialect, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OLLAMA_API_KEY"):
        monkeypatch.setenv(name, "not-for-this-host")
    monkeypatch.setenv("OPENAI_ORG_ID", "not-for-this-host")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-more: not-for-this-host")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def sent(**more: str) -> set[str]:
        backend = dialect.make(dialect.spec(fake.address, **more), None)
        fake.exchanges.clear()
        await heard(backend)
        await backend.close()
        assert len(fake.exchanges) >= 2
        carried = {value for each in fake.exchanges for value in each.headers.values()}
        assert not any("not-for-this-host" in value for value in carried)
        return {value.removeprefix("Bearer ") for value in carried}

    monkeypatch.setenv("MIRA_KEY", "for-this-one")
    assert not {"for-this-one", "set-by-perdure"} & await sent()
    assert "for-this-one" in await sent(key="env:MIRA_KEY")
    fake.chat = refuses(401, dialect.error("x", "y", "bad key for-this-one"))
    _, error = await failure(dialect.make(dialect.spec(fake.address, key="env:MIRA_KEY"), None))
    assert type(error) is AuthenticationFailed
    assert "for-this-one" not in str(error)
    # Half a key, where a long error is cut, is no secret kept either.
    fake.chat = refuses(401, dialect.error("x", "y", "-" * 290 + "for-this-one"))
    _, error = await failure(dialect.make(dialect.spec(fake.address, key="env:MIRA_KEY"), None))
    assert "for-" not in str(error)
    monkeypatch.delenv("MIRA_KEY")
    with pytest.raises(AuthenticationFailed, match="MIRA_KEY"):
        await dialect.make(dialect.spec(fake.address, key="env:MIRA_KEY"), None).open()
