"""What servers send in the place of a clean stream is read all the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.backends.errors import BackendError, ProtocolError, StreamCut
from perdure.backends.http.event_stream import EventReader, json_objects, plain_event
from perdure.backends.protocol import (
    Backend,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
)
from tests.backends.fake_api import DIALECTS, Dialect, FakeApi, chunk, event, streams
from tests.backends.fake_ollama import Exchange, Script, running

ASK = Request((PromptMessage("user", "Hi."),), 64)
OWL = "\U0001f989"


@pytest.fixture(params=["openai", "anthropic", "ollama"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture
async def fake(dialect: Dialect) -> AsyncIterator[Any]:
    async with running(dialect.serve()) as found:
        yield found


async def heard(backend: Backend) -> list[StreamEvent]:
    try:
        return [event async for event in backend.stream(ASK)]
    finally:
        await backend.close()


def words(events: list[StreamEvent]) -> str:
    return "".join(each.text for each in events if isinstance(each, Piece))


NOISE = {
    "comment": b": keep alive\n\n",
    "bare comment": b":\n\n",
    "comment as data": b"data: : busy\n\n",
    "empty data": b"data:\n\n",
    "blank data": b"data:   \n\n",
    "ping with text": b"event: ping\ndata: still here\n\n",
    "ping with json": b'event: ping\ndata: {"type": "ping"}\n\n',
    "text": b"data: ping\n\n",
    "number": b"data: 7\n\n",
    "retry": b"retry: 3000\nid: 9\n\n",
    "blank lines": b"\n\n\r\n\r\n",
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE.keys())
async def test_keep_alives_of_any_form_are_passed_over(
    dialect: Dialect, fake: Any, noise: bytes
) -> None:
    if dialect.driver == "ollama":
        noise = noise.replace(b'data: {"type": "ping"}', b"data: ping")
    spoken = [dialect.says("Good "), noise, dialect.says("evening.")]
    fake.chat = streams(noise, *dialect.start, *spoken, noise, *dialect.end, noise)
    events = await heard(dialect.make(dialect.spec(fake.address), None))
    assert words(events) == "Good evening."
    assert isinstance(events[-1], Finished)
    assert events[-1].stop == "end"


async def test_a_byte_order_mark_costs_no_event(dialect: Dialect, fake: Any) -> None:
    parts = [dialect.says("Good "), dialect.says("evening.")]
    first, *more = [*dialect.start, *parts] if dialect.driver == "anthropic" else parts
    for mark in ([b"\xef\xbb\xbf" + first], [b"\xef", b"\xbb\xbf", first]):
        fake.chat = streams(*mark, *more, *dialect.end)
        events = await heard(dialect.make(dialect.spec(fake.address), None))
        assert words(events) == "Good evening."
        last = events[-1]
        assert isinstance(last, Finished)
        assert last.usage.prompt == 30


async def test_every_cut_of_the_bytes_gives_the_same_words(dialect: Dialect, fake: Any) -> None:
    whole = b"".join([*dialect.start, dialect.says(f"Good {OWL} "), dialect.says("été.")])
    whole += b"".join(dialect.end)
    for step in (1, 3, 1000):
        parts = [whole[at : at + step] for at in range(0, len(whole), step)]
        fake.chat = streams(*parts)
        events = await heard(dialect.make(dialect.spec(fake.address), None))
        assert words(events) == f"Good {OWL} été."


async def test_halves_of_a_character_in_two_events_are_joined(dialect: Dialect, fake: Any) -> None:
    bare = [dialect.says("{}").replace(b"{}", half) for half in (rb"Owl \ud83e", rb"\udd89!")]
    fake.chat = streams(*dialect.start, *bare, *dialect.end)
    events = await heard(dialect.make(dialect.spec(fake.address), None))
    assert words(events) == f"Owl {OWL}!"


async def test_frames_that_were_glued_together_are_all_read(dialect: Dialect, fake: Any) -> None:
    if dialect.driver == "anthropic":
        pytest.skip("its events have names on lines of their own")
    one, two = dialect.says("Good ").rstrip(b"\n"), dialect.says("evening.")
    fake.chat = streams(*dialect.start, one + two, *dialect.end)
    events = await heard(dialect.make(dialect.spec(fake.address), None))
    assert words(events) == "Good evening."


def answers(body: object, kind: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(json.dumps(body).encode(), Content_Type=kind)

    return script


WHOLE: dict[str, object] = {
    "openai": {
        "model": "tiny-1",
        "choices": [
            {"index": 0, "message": {"content": "Good evening."}, "finish_reason": "stop"},
            {"index": 1, "message": {"content": "Another."}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 30, "completion_tokens": 3},
    },
    "anthropic": {
        "type": "message",
        "model": "tiny-1",
        "content": [{"type": "text", "text": "Good evening."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 30, "output_tokens": 3},
    },
    "ollama": {
        "model": "tiny-1",
        "message": {"role": "assistant", "content": "Good evening."},
        "done": True,
        "prompt_eval_count": 30,
        "eval_count": 3,
    },
}


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain", ""])
async def test_a_whole_answer_in_the_place_of_a_stream(
    dialect: Dialect, fake: Any, kind: str
) -> None:
    fake.chat = answers(WHOLE[dialect.driver], kind)
    events = await heard(dialect.make(dialect.spec(fake.address), None))
    assert words(events) == "Good evening."
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.stop, last.usage.prompt, last.usage.reply, last.model) == ("end", 30, 3, "tiny-1")


@pytest.mark.parametrize("kind", ["application/json", "text/html", "application/octet-stream"])
async def test_a_stream_under_another_type_is_a_stream(
    dialect: Dialect, fake: Any, kind: str
) -> None:
    async def script(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type=kind)
        for data in (*dialect.reply("Good ", "evening."), *dialect.end):
            await exchange.chunk(data)
        exchange.writer.write(b"0\r\n\r\n")

    fake.chat = script
    events = await heard(dialect.make(dialect.spec(fake.address), None))
    assert words(events) == "Good evening."


async def test_json_lines_without_heads_are_read() -> None:
    lines = [chunk("Good ")[6:-1], chunk("evening.")[6:-1]]
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})[6:-1]
    async with running(FakeApi(chat=streams(*lines, end))) as fake:
        backend = DIALECTS["openai"].make(DIALECTS["openai"].spec(fake.address), None)
        assert words(await heard(backend)) == "Good evening."


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'event: error\ndata: {"message": "out of memory"}\n\n', "out of memory"),
        (b'event: error\ndata: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
        (b"event: error\ndata: out of memory\n\n", "out of memory"),
        (b'event: error\ndata: {"type": "error", "error": {"message": "oops"}}\n\n', "oops"),
    ],
)
async def test_an_error_as_an_event_is_told_in_its_words(data: bytes, said: str) -> None:
    for name in ("openai", "anthropic"):
        dialect = DIALECTS[name]
        async with running(dialect.serve()) as fake:
            fake.chat = streams(*dialect.reply("So "), data)
            with pytest.raises(BackendError, match=said):
                await heard(dialect.make(dialect.spec(fake.address), None))


async def test_a_web_page_is_no_reply(dialect: Dialect, fake: Any) -> None:
    fake.chat = streams(b"<!doctype html>", b"<p>hello</p>\n")
    with pytest.raises((ProtocolError, StreamCut)):
        await heard(dialect.make(dialect.spec(fake.address), None))


async def test_only_the_first_of_two_choices_is_heard() -> None:
    def both(index: int, text: str) -> bytes:
        return event({"choices": [{"index": index, "delta": {"content": text}}]})

    parts = [both(0, "Good "), both(1, "Bad "), both(0, "evening."), both(1, "day.")]
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    async with running(FakeApi(chat=streams(*parts, end))) as fake:
        backend = DIALECTS["openai"].make(DIALECTS["openai"].spec(fake.address), None)
        assert words(await heard(backend)) == "Good evening."


objects = st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=3)


@given(st.lists(objects, max_size=5), st.sampled_from(["", " ", "data: ", "\n", "data:data: "]))
def test_objects_are_found_behind_one_another(found: list[dict[str, str]], between: str) -> None:
    text = between.join(map(json.dumps, found))
    assert json_objects(text) == (found, "")
    assert json_objects(f"{text} rest") == (found, "rest")


@given(st.lists(objects, max_size=4), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.data())
def test_the_reader_gives_the_same_for_every_cut(
    sent: list[dict[str, str]], end: bytes, data: st.DataObject
) -> None:
    noise = b": x" + end + end
    whole = noise + b"".join(
        b"data: " + json.dumps(each).encode() + end + end + noise for each in sent
    )
    reader, found, rest = EventReader(plain_event), [], whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += reader.feed(rest[:size])
        rest = rest[size:]
    found += reader.end()
    assert b"".join(found) == b"".join(map(plain_event, sent))


@pytest.mark.parametrize(
    "mark", [b"data: [done]\n\n", b'data: "[DONE]"\n\n', b"[DONE]\n", b"event: done\ndata:\n\n"]
)
def test_the_end_mark_in_other_spellings(mark: bytes) -> None:
    reader = EventReader(plain_event)
    reader.feed(chunk("So") + mark)
    reader.end()
    assert reader.done


@pytest.mark.parametrize("between", [b"", b"\n", b"data: {}\n\n"])
def test_byte_order_marks_and_heads_at_any_event(between: bytes) -> None:
    marked = b"\xef\xbb\xbf".join([b"", b"\xef\xbb\xbf" + chunk("So"), between, chunk(" far")])
    odd = chunk(" on").replace(b"data: ", b" DATA:\t\xef\xbb\xbf")
    for step in (1, 7, 9999):
        reader = EventReader(plain_event)
        data = marked + odd
        found = [
            each for at in range(0, len(data), step) for each in reader.feed(data[at : at + step])
        ]
        said = [json.loads(each[6:]).get("choices") for each in found + reader.end()]
        assert [each[0]["delta"]["content"] for each in said if each] == ["So", " far", " on"]
