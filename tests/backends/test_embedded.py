from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perdure.backends.drivers import make_backend, make_counter
from perdure.backends.embedded.driver import EmbeddedBackend
from perdure.backends.embedded.settings import COUNTING_WINDOW
from perdure.backends.errors import (
    BackendError,
    BadParameter,
    ContextExceeded,
    DriverMissing,
    ModelMissing,
    StreamCut,
    Unreachable,
    WrongChecksum,
)
from perdure.backends.protocol import (
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
    StreamEvent,
)
from perdure.backends.store.catalogue import CATALOGUE, DEFAULT_MODEL

Make = Callable[..., EmbeddedBackend]


def prompt(text: str) -> tuple[PromptMessage, ...]:
    return (PromptMessage("system", "You are Mira, a kind friend."), PromptMessage("user", text))


async def reply(backend: EmbeddedBackend, text: str, limit: int = 24) -> list[StreamEvent]:
    return [event async for event in backend.stream(Request(prompt(text), limit))]


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


LONG = "The river ran past the old mill and nobody said a word about it. " * 100


@pytest.mark.model
async def test_streams_pieces_then_one_end_with_the_counts_of_the_tokenizer(
    embedded: EmbeddedBackend,
) -> None:
    events = await reply(embedded, "Tell me about rivers.")
    *pieces, last = events
    assert len(pieces) > 5
    assert all(isinstance(event, Piece) and event.text for event in pieces)
    assert isinstance(last, Finished)
    assert last.stop == "length"
    assert last.model == DEFAULT_MODEL
    tokenizer = await embedded.tokenizer()
    assert tokenizer.exact
    assert last.usage.prompt == tokenizer.count_prompt(prompt("Tell me about rivers."))
    assert last.usage.reply == 24


@pytest.mark.model
async def test_the_next_prompt_reuses_what_it_shares_unless_a_seed_is_set(
    make_embedded: Make,
) -> None:
    reused = {}
    for name, parameters in {"free": {}, "seeded": {"seed": 7}}.items():
        backend = make_embedded(**parameters)
        first = await reply(backend, LONG[:600], 4)
        assert isinstance(first[-1], Finished)
        second = await reply(backend, LONG[:600] + "And then?", 4)
        assert isinstance(second[-1], Finished)
        counted = second[-1].usage.prompt_reused
        assert counted is not None
        reused[name] = counted
        await backend.close()
    assert reused["free"] > 50
    assert reused["seeded"] == 0


@pytest.mark.model
async def test_a_seed_gives_the_same_text_whatever_was_said_between(make_embedded: Make) -> None:
    backend = make_embedded(seed=11, temperature=1.2)
    first = text_of(await reply(backend, "Invent a name for a boat."))
    await reply(backend, "Something else altogether.")
    assert text_of(await reply(backend, "Invent a name for a boat.")) == first
    await backend.close()
    other = make_embedded(seed=12, temperature=1.2)
    assert text_of(await reply(other, "Invent a name for a boat.")) != first
    await other.close()


@pytest.mark.model
async def test_stop_texts_end_a_reply_as_its_own_end(make_embedded: Make) -> None:
    backend = make_embedded(stop="e", seed=1, max_tokens=30)
    events = await reply(backend, "Say: the tree is green.", 200)
    assert isinstance(events[-1], Finished)
    assert events[-1].stop == "end"
    assert "e" not in text_of(events)
    await backend.close()


@pytest.mark.model
async def test_max_tokens_of_the_manifest_is_a_ceiling(make_embedded: Make) -> None:
    backend = make_embedded(max_tokens=5)
    last = (await reply(backend, "Tell me a long story.", 50))[-1]
    assert isinstance(last, Finished)
    assert last.usage.reply == 5
    await backend.close()


@pytest.mark.model
async def test_pieces_never_split_a_code_point_wherever_the_reply_is_cut(
    make_embedded: Make,
) -> None:
    backend = make_embedded(seed=3, temperature=0)
    seen = ""
    for limit in range(1, 10):
        events = await reply(backend, "Repeat exactly: 🦜🧭🪶 狐狸 🦜🧭🪶 狐狸", limit)
        for event in events:
            if isinstance(event, Piece):
                event.text.encode()
                assert "\ufffd" not in event.text
        seen = text_of(events)
    assert not seen.isascii()
    await backend.close()


Pieces = asyncio.Queue[dict[str, Any] | BackendError | None]


async def _relay_of(backend: EmbeddedBackend) -> tuple[threading.Thread, Pieces]:
    for _turn_of_the_loop in range(1000):
        await asyncio.sleep(0)
        if backend._replies:
            break
    (relay,) = backend._replies
    assert relay.worker is not None
    return relay.worker, relay.pieces


@pytest.mark.model
async def test_closing_the_iterator_stops_the_model_within_a_seconds_worth_of_tokens(
    make_embedded: Make,
) -> None:
    backend = make_embedded(seed=5)
    stream = backend.stream(Request(prompt("Count from one to one thousand, in words."), 1500))
    assert isinstance(await anext(stream), Piece)
    worker, pieces = await _relay_of(backend)
    await stream.aclose()
    await asyncio.to_thread(worker.join, 60)
    assert not worker.is_alive()
    assert pieces.qsize() < 60
    assert not backend._replies
    assert text_of(await reply(backend, "Still there?"))
    await backend.close()


@pytest.mark.model
async def test_a_reply_can_be_stopped_while_the_prompt_is_still_being_read(
    make_embedded: Make,
) -> None:
    backend = make_embedded(8192)
    await backend.open()
    stream = backend.stream(Request(prompt(LONG * 3), 20))
    first = asyncio.create_task(anext(stream))
    worker, pieces = await _relay_of(backend)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.to_thread(worker.join, 60)
    assert not worker.is_alive()
    left = [pieces.get_nowait() for _ in range(pieces.qsize())]
    assert not any(
        (choice.get("delta") or {}).get("content")
        for item in left
        if isinstance(item, dict)
        for choice in item.get("choices", ())
    )
    await backend.close()


@pytest.mark.model
async def test_two_replies_at_once_are_both_answered_whole(embedded: EmbeddedBackend) -> None:
    both = await asyncio.gather(reply(embedded, "Rivers?"), reply(embedded, "Mountains?"))
    for events in both:
        assert isinstance(events[-1], Finished)
        assert text_of(events)


@pytest.mark.model
async def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(make_embedded: Make) -> None:
    backend = make_embedded(512)
    window = await backend.context_window()
    assert window == 512
    count = (await backend.tokenizer()).count_prompt(prompt(LONG))
    with pytest.raises(ContextExceeded) as caught:
        await reply(backend, LONG)
    assert (caught.value.prompt_tokens, caught.value.window) == (count, window)
    assert str(count) in str(caught.value)
    assert text_of(await reply(backend, "Short."))
    await backend.close()


@pytest.mark.model
async def test_the_window_is_never_larger_than_the_model_was_trained_for(
    make_embedded: Make,
) -> None:
    for asked in (0, 1_000_000):
        backend = make_embedded(asked)
        assert await backend.context_window() == CATALOGUE[DEFAULT_MODEL].context_window
        await backend.close()


@pytest.mark.model
async def test_who_only_counts_is_given_the_same_numbers_and_no_room_for_a_prompt(
    make_embedded: Make,
) -> None:
    whole = make_embedded(1024)
    counter = make_counter(whole.spec)
    try:
        asked = prompt(LONG)
        for backend in (whole, counter):
            assert await backend.context_window() == 1024
        counts = [(await b.tokenizer()).count_prompt(asked) for b in (whole, counter)]
        assert counts[0] == counts[1] > COUNTING_WINDOW
        assert await whole.fingerprint() == await counter.fingerprint()
        with pytest.raises(ContextExceeded) as caught:
            async for _event in counter.stream(Request(asked, 24)):
                pass
        assert caught.value.window == COUNTING_WINDOW
    finally:
        await whole.close()
        await counter.close()


@pytest.mark.model
async def test_closing_in_mid_stream_cuts_the_reply_and_ends_its_thread(
    make_embedded: Make,
) -> None:
    backend = make_embedded()
    stream = backend.stream(Request(prompt("Tell me everything about the sea."), 1500))
    await anext(stream)
    tokenizer = await backend.tokenizer()
    worker, _pieces = await _relay_of(backend)
    await backend.close()
    assert not worker.is_alive()
    with pytest.raises(StreamCut):
        async for _event in stream:
            pass
    with pytest.raises(Unreachable):
        tokenizer.count("anything not counted before")
    await backend.close()


@pytest.mark.model
async def test_a_closed_backend_opens_again(embedded: EmbeddedBackend) -> None:
    await embedded.close()
    assert text_of(await reply(embedded, "Hello again."))


@pytest.mark.model
async def test_fingerprint_is_the_files_sha256_and_names_what_else_could_change(
    embedded: EmbeddedBackend,
) -> None:
    found = await embedded.fingerprint()
    assert found.short == CATALOGUE[DEFAULT_MODEL].sha256[:16]
    assert found.details["digest"] == f"sha256:{CATALOGUE[DEFAULT_MODEL].sha256}"
    assert found.details["quantisation"] == "Q4_1"
    assert found.details["context_length"] == "8192"
    assert found.details["template"].startswith("sha256:")


@pytest.mark.model
async def test_counts_are_those_of_the_model_and_speakers_lead_their_text(
    embedded: EmbeddedBackend,
) -> None:
    tokenizer = await embedded.tokenizer()
    assert tokenizer.count("") == 0
    assert tokenizer.count("hello " * 50) == tokenizer.count("hello " * 50) > 40
    bare = tokenizer.count_prompt((PromptMessage("user", "Hi there"),))
    named = tokenizer.count_prompt((PromptMessage("user", "Hi there", name="Ann"),))
    assert named > bare


@pytest.mark.model
async def test_the_loopback_port_answers_nobody_without_the_key(embedded: EmbeddedBackend) -> None:
    import httpx2

    assert embedded._loaded is not None
    address = embedded._loaded.server.listening_address
    async with httpx2.AsyncClient(trust_env=False) as client:
        body = {"messages": [{"role": "user", "content": "hi"}]}
        answer = await client.post(f"{address}/v1/chat/completions", json=body)
    assert answer.status_code == 401


@pytest.mark.model
async def test_the_model_by_its_path_is_no_rehearsal(model_path: Path) -> None:
    backend = make_backend(BackendSpec("own", "embedded", str(model_path), context_window=512))
    assert not backend.rehearsal
    assert not backend.hosted
    events = [event async for event in backend.stream(Request(prompt("Hi"), 3))]
    assert isinstance(events[-1], Finished)
    assert events[-1].model == model_path.name
    await backend.close()


@pytest.mark.usefixtures("store")
async def test_a_model_that_is_not_there_names_the_command_that_fetches_it() -> None:
    backend = EmbeddedBackend(BackendSpec("local", "embedded", DEFAULT_MODEL))
    assert backend.rehearsal
    with pytest.raises(ModelMissing) as caught:
        await backend.open()
    assert caught.value.next_step == f"perdure models pull {DEFAULT_MODEL}"


@pytest.fixture
def spoilt_store(store: Path) -> None:
    store.mkdir()
    (store / CATALOGUE[DEFAULT_MODEL].file).write_bytes(b"GGUF and nothing else")


@pytest.mark.usefixtures("spoilt_store")
async def test_a_model_file_with_other_bytes_is_never_loaded() -> None:
    with pytest.raises(WrongChecksum) as caught:
        await EmbeddedBackend(BackendSpec("local", "embedded", DEFAULT_MODEL)).open()
    assert "models pull" in caught.value.next_step


@pytest.mark.parametrize("model", ["/nowhere/at-all.gguf", "relative.gguf", "unheard-of"])
async def test_unknown_names_and_paths_are_model_missing(model: str) -> None:
    with pytest.raises(ModelMissing):
        await EmbeddedBackend(BackendSpec("local", "embedded", model)).open()


@pytest.fixture
def broken_gguf(tmp_path: Path) -> Path:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(1000))
    return path


async def test_a_file_that_llama_cpp_cannot_read_is_model_missing(broken_gguf: Path) -> None:
    with pytest.raises(ModelMissing, match=r"broken\.gguf"):
        await EmbeddedBackend(BackendSpec("local", "embedded", str(broken_gguf))).open()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mirostat", 2),
        ("temperature", "warm"),
        ("temperature", True),
        ("temperature", float("nan")),
        ("top_k", 1.5),
        ("seed", -1),
        ("stop", [""]),
        ("max_tokens", 0),
    ],
)
def test_parameters_are_refused_by_name_never_dropped(
    name: str, value: float | str | list[str]
) -> None:
    with pytest.raises(BadParameter, match=name):
        EmbeddedBackend(BackendSpec("local", "embedded", "m", parameters={name: value}))


SPEC = BackendSpec("local", "embedded", "m")


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("address", replace(SPEC, address="https://far.invalid")),
        ("key", replace(SPEC, key="env:X")),
        ("allow_http", replace(SPEC, allow_http=True)),
        ("connect_timeout", replace(SPEC, connect_timeout=1.0)),
        ("timeout", replace(SPEC, timeout=1.0)),
    ],
)
def test_fields_that_mean_nothing_here_are_refused(field: str, spec: BackendSpec) -> None:
    with pytest.raises(BadParameter, match=f"has no {field}"):
        EmbeddedBackend(spec)


def test_an_unknown_driver_lists_those_that_are_there() -> None:
    with pytest.raises(DriverMissing, match="embedded"):
        make_backend(BackendSpec("cloud", "oracle", "m"))
