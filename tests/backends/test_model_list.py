"""Which models each kind of server offers, with good servers and hostile ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from perdure.backends.errors import (
    AuthenticationFailed,
    BackendError,
    BadParameter,
    ConnectionRefused,
    DriverMissing,
    NotConfirmed,
    Overloaded,
    ProtocolError,
)
from perdure.backends.model_list import MOST, offered_models
from perdure.backends.protocol import BackendSpec, OfferedModel
from perdure.backends.store.catalogue import CATALOGUE, DEFAULT_MODEL
from tests.backends.fake_api import DIALECTS, Dialect, FakeApi
from tests.backends.fake_ollama import Exchange, Fake, FakeOllama, Script, refuses, running
from tests.backends.fake_registry import FakeRegistry
from tests.backends.real_servers import KEY, PROXIED, WINDOW, llama_server, ollama_server


def spec_for(fake: Fake, driver: str, key: str = "") -> BackendSpec:
    return BackendSpec("far", driver, "", fake.address, key)


async def test_ollama_lists_what_can_talk_with_size_window_and_what_runs() -> None:
    async with running(FakeOllama()) as fake:
        fake.entries = [
            {"name": "qwen3:8b", "size": 5_225_388_164, "details": {"context_length": 40960}},
            {"name": "nomic-embed-text:latest", "size": 274_302_450},
            {"name": "some:latest", "capabilities": ["embedding"]},
            {"name": "small:1b", "capabilities": ["completion"], "size": -3, "details": 7},
        ]

        async def ps(exchange: Exchange) -> None:
            await exchange.answer(b'{"models": [{"name": "qwen3:8b"}, 7]}')

        fake.other["/api/ps"] = ps
        assert await offered_models(spec_for(fake, "ollama")) == (
            OfferedModel("qwen3:8b", 5_225_388_164, 40960, loaded=True),
            OfferedModel("small:1b"),
        )
        del fake.other["/api/ps"]
        first, _ = await offered_models(spec_for(fake, "ollama"))
        assert not first.loaded


async def test_openai_lists_in_the_servers_order_with_what_it_states() -> None:
    async with running(FakeApi()) as fake:
        fake.listed = {
            "data": [
                {"id": "b", "max_model_len": 4096},
                {"id": "a", "meta": {"n_ctx": 2048, "size": 98_000_000}},
                {"id": "c", "status": {"value": "loaded"}},
            ]
        }
        assert await offered_models(spec_for(fake, "openai")) == (
            OfferedModel("b", context_window=4096),
            OfferedModel("a", 98_000_000, 2048),
            OfferedModel("c", loaded=True),
        )


def paged(pages: dict[str, dict[str, Any]]) -> Script:
    import json

    async def script(exchange: Exchange) -> None:
        after = parse_qs(urlsplit(exchange.path).query).get("after_id", [""])[0]
        answer = json.dumps(pages.get(after, next(iter(pages.values()))))
        await exchange.answer(answer.encode(), Content_Type="application/json")

    return script


async def test_anthropic_lists_page_after_page() -> None:
    async with running(FakeApi()) as fake:
        fake.models = paged(
            {
                "": {
                    "data": [{"id": "a", "max_input_tokens": 200000}],
                    "has_more": True,
                    "last_id": "a",
                },
                "a": {"data": [{"id": "b"}], "has_more": False, "last_id": "b"},
            }
        )
        assert await offered_models(spec_for(fake, "anthropic")) == (
            OfferedModel("a", context_window=200_000),
            OfferedModel("b"),
        )
        assert len(fake.exchanges) == 2


@pytest.mark.parametrize("last", ["a", "b", ""])
async def test_a_list_that_goes_on_for_ever_is_left(last: str) -> None:
    async with running(FakeApi()) as fake:
        page = {"data": [{"id": "a"}], "has_more": True, "last_id": last}
        other = {**page, "last_id": "a" if last == "b" else last}
        fake.models = paged({"": page, "b": other})
        assert await offered_models(spec_for(fake, "anthropic")) == (OfferedModel("a"),)
        assert len(fake.exchanges) <= 10


NAMES = [
    "ok",
    "e\x1b]52;c;x\x07l",
    "bidi\u202ename",
    "a\nb",
    "x" * 201,
    "",
    " blank",
    "ok",
    "\ud800",
]


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


def offer(fake: Any, dialect: Dialect, names: list[Any]) -> None:
    if dialect.driver == "ollama":
        fake.entries = [{"name": name} for name in names]
    else:
        fake.listed = {"data": [{"id": name} for name in names]}


async def test_only_names_that_can_be_shown_and_chosen_once_each(dialect: Dialect) -> None:
    async with running(dialect.serve()) as fake:
        offer(fake, dialect, [*NAMES, 7, None, ["x"]])
        found = await offered_models(spec_for(fake, dialect.driver))
        assert [each.name for each in found] == ["ok"]


async def test_no_more_than_can_be_chosen_from(dialect: Dialect) -> None:
    async with running(dialect.serve()) as fake:
        offer(fake, dialect, [f"m{number}" for number in range(MOST + 5)])
        found = await offered_models(spec_for(fake, dialect.driver))
        assert [each.name for each in found] == [f"m{number}" for number in range(MOST)]


def answers_list(fake: Any, dialect: Dialect, script: Any) -> None:
    fake.models = script
    if dialect.driver == "ollama":
        fake.other["/api/tags"] = script


@pytest.mark.parametrize("body", [b"<html>", b"7", b"{}", b'{"data": 7, "models": 7}'])
async def test_another_kind_of_server_is_no_empty_list(dialect: Dialect, body: bytes) -> None:
    async with running(dialect.serve()) as fake:
        answers_list(fake, dialect, refuses(200, body, Content_Type="application/json"))
        with pytest.raises(ProtocolError):
            await offered_models(spec_for(fake, dialect.driver))


async def test_an_endless_list_is_not_read_to_its_end(dialect: Dialect) -> None:
    async def endless(exchange: Exchange) -> None:
        exchange.head(Content_Type="application/json")
        while True:
            exchange.writer.write(b" " * 65536)
            await exchange.writer.drain()

    async with running(dialect.serve()) as fake:
        answers_list(fake, dialect, endless)
        with pytest.raises(ProtocolError, match="endless answer"):
            await offered_models(spec_for(fake, dialect.driver))


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationFailed), (503, Overloaded), (307, ProtocolError)]
)
async def test_what_goes_wrong_is_the_error_it_would_be_in_a_talk(
    dialect: Dialect, status: int, kind: type[BackendError]
) -> None:
    async with running(dialect.serve()) as fake:
        answers_list(fake, dialect, refuses(status, b"", Location="http://127.0.0.1:9/"))
        with pytest.raises(kind):
            await offered_models(spec_for(fake, dialect.driver))
    with pytest.raises(ConnectionRefused):
        await offered_models(spec_for(fake, dialect.driver))
    with pytest.raises(BadParameter):
        await offered_models(BackendSpec("far", dialect.driver, "", "http://169.254.169.254"))


@pytest.mark.parametrize("driver", ["openai", "anthropic"])
async def test_a_server_without_a_list_offers_none(driver: str) -> None:
    async with running(FakeApi(models=refuses(404, b"nothing here"))) as fake:
        assert await offered_models(spec_for(fake, driver)) == ()


async def test_the_key_goes_along_and_no_driver_is_made_up(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRA_KEY", "for-this-one")
    async with running(dialect.serve()) as fake:
        await offered_models(spec_for(fake, dialect.driver, key="env:MIRA_KEY"))
        sent = {value.removeprefix("Bearer ") for value in fake.exchanges[0].headers.values()}
        assert "for-this-one" in sent
        fake.exchanges.clear()
        for driver in (dialect.driver, "embedded"):
            with pytest.raises(NotConfirmed, match="from outside"):
                await offered_models(BackendSpec("far", driver, "", disabled="from outside"))
        assert fake.exchanges == []
    with pytest.raises(DriverMissing):
        await offered_models(BackendSpec("far", "telepathy", ""))


async def test_the_embedded_driver_offers_the_catalogue(
    registry: FakeRegistry, store: Path
) -> None:
    spec = BackendSpec("local", "embedded", "")
    known = {each.name: each for each in await offered_models(spec)}
    assert set(known) == set(CATALOGUE)
    assert known[DEFAULT_MODEL].size == CATALOGUE[DEFAULT_MODEL].size
    assert known[DEFAULT_MODEL].context_window == 8192
    assert not known["tiny"].installed
    store.mkdir(parents=True, exist_ok=True)
    (store / "tiny.gguf").write_bytes(b"x" * CATALOGUE["tiny"].size)
    (tiny,) = (each for each in await offered_models(spec) if each.name == "tiny")
    assert tiny.installed


@pytest.fixture(scope="module")
def addresses(
    model_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("proxy")
    with (
        llama_server(model_path) as llama,
        ollama_server(f"{llama.address}/v1", folder) as proxy,
    ):
        yield {"openai": llama.address, "anthropic": llama.address, "ollama": proxy.address}


@pytest.mark.model
@pytest.mark.parametrize("driver", ["openai", "anthropic", "ollama"])
async def test_real_servers(
    driver: str, addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_TEST_KEY", KEY)
    key = "" if driver == "ollama" else "env:PERDURE_TEST_KEY"
    found = await offered_models(BackendSpec("far", driver, "", addresses[driver], key))
    names = [each.name for each in found]
    if driver == "ollama":
        assert PROXIED in names
    else:
        (model,) = found
        assert driver != "openai" or (model.context_window, model.size > 9e7) == (WINDOW, True)
