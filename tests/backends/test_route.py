"""Where connections really go: to the addresses that were looked up and checked, and only there."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from perdure.backends.errors import (
    BackendError,
    BadParameter,
    DriverMissing,
    ProtocolError,
    StreamCut,
    TimedOut,
    Unreachable,
)
from perdure.backends.http import errors, route
from perdure.backends.http.address import checked_address
from perdure.backends.http.timeouts import Timeouts, timeouts_of
from perdure.backends.protocol import (
    Backend,
    BackendSpec,
    Finished,
    Piece,
    PromptMessage,
    Request,
)
from tests.backends.fake_api import DIALECTS, Dialect, streams
from tests.backends.fake_ollama import Exchange, refuses, running

REQUEST = Request((PromptMessage("user", "Hello, Mira."),), 64)
NAME = "models.example"


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture
async def fake(dialect: Dialect) -> AsyncIterator[Any]:
    async with running(dialect.serve()) as found:
        found.chat = streams(*dialect.reply("Hel", "lo."), *dialect.end)
        yield found


class Names:
    """A resolver: gives the answers in turn, the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Names]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def lead(*answers: list[str]) -> Names:
        found = Names(*answers)
        monkeypatch.setattr(route, "look_up", found)
        return found

    return lead


def named(fake: Any, name: str = NAME) -> str:
    """The server's address by a name."""
    return f"http://{name}:{urlsplit(fake.address).port}"


def by_name(dialect: Dialect, fake: Any, name: str = NAME, **more: Any) -> Backend:
    return dialect.make(dialect.spec(named(fake, name), allow_http=True, **more), None)


async def said(backend: Backend) -> str:
    events = [event async for event in backend.stream(REQUEST)]
    assert isinstance(events[-1], Finished)
    return "".join(event.text for event in events if isinstance(event, Piece))


async def test_a_name_is_looked_up_once_and_told_to_the_server(
    dialect: Dialect, fake: Any, names: Callable[..., Names]
) -> None:
    # A second answer, as of a name that is moved once it was checked.
    asked = names(["127.0.0.1"], ["169.254.169.254"])
    backend = by_name(dialect, fake)
    assert await said(backend) == "Hello."
    assert await said(backend) == "Hello."
    port = urlsplit(fake.address).port
    assert asked.asked == [(NAME, port)]
    assert {each.headers["host"] for each in fake.exchanges} == {f"{NAME}:{port}"}
    # A name is another machine's, wherever it leads today.
    assert backend.hosted
    await backend.close()


BAD = [
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "::",
    "255.255.255.255",
    "100.100.100.200",
    "fd00:ec2::254",
    "168.63.129.16",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "no address",
]


@pytest.mark.parametrize("bad", BAD)
async def test_a_name_that_leads_where_no_model_is_gets_no_connection(
    dialect: Dialect, fake: Any, names: Callable[..., Names], bad: str
) -> None:
    names(["127.0.0.1", bad])
    backend = by_name(dialect, fake, key="env:MIRA_KEY")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRA_KEY", "for-this-one")
        with pytest.raises(BadParameter, match=NAME):
            await backend.open()
    assert fake.exchanges == []
    await backend.close()


@pytest.mark.parametrize("bad", [each for each in BAD if each != "no address"])
def test_such_an_address_itself_is_refused_before_anything_else(bad: str) -> None:
    shown = f"[{bad}]" if ":" in bad else bad
    for scheme in ("http", "https"):
        with pytest.raises(BadParameter):
            checked_address(f"{scheme}://{shown}", "far", allow_http=True)


def test_http_to_another_machine_only_where_the_manifest_allows_it(dialect: Dialect) -> None:
    for host in ("models.example", "192.168.1.20", "[2001:db8::1]", "mira.localhost"):
        with pytest.raises(BadParameter, match="allow_http: yes"):
            dialect.make(dialect.spec(f"http://{host}"), None)
        assert dialect.make(dialect.spec(f"http://{host}", allow_http=True), None).hosted
    for host in ("127.0.0.1", "[::1]", "localhost"):
        assert not dialect.make(dialect.spec(f"http://{host}"), None).hosted


async def test_localhost_that_leads_away_is_refused(
    dialect: Dialect, fake: Any, names: Callable[..., Names]
) -> None:
    names(["127.0.0.1", "192.0.2.7"])
    backend = dialect.make(dialect.spec(named(fake, "localhost")), None)
    with pytest.raises(BadParameter, match=r"192\.0\.2\.7"):
        await backend.open()
    names(["127.0.0.1"])
    assert await said(backend) == "Hello."
    assert not backend.hosted
    await backend.close()


async def test_of_several_addresses_one_that_answers_is_taken(
    dialect: Dialect, fake: Any, names: Callable[..., Names]
) -> None:
    # Nobody listens at the first two; localhost often leads to ::1 and 127.0.0.1.
    names(["127.0.0.9", "::1", "127.0.0.1"])
    backend = by_name(dialect, fake)
    assert await said(backend) == "Hello."
    await backend.close()


async def test_after_a_lost_server_the_name_is_looked_up_and_checked_again(
    dialect: Dialect, fake: Any, names: Callable[..., Names]
) -> None:
    asked = names(["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1", "169.254.169.254"])
    backend = by_name(dialect, fake)
    await backend.open()
    good = fake.chat

    async def hangs_up(exchange: Exchange) -> None:
        exchange.writer.transport.abort()

    for times in (1, 2):
        fake.chat = hangs_up
        with pytest.raises(Unreachable):
            await said(backend)
        assert len(asked.asked) == times
        if times == 1:
            fake.chat = good
            assert await said(backend) == "Hello."
    with pytest.raises(BadParameter):
        await said(backend)
    await backend.close()


@pytest.mark.parametrize("error", [OSError("Name or service not known"), UnicodeError("label")])
async def test_a_name_that_nobody_knows_is_out_of_reach(
    dialect: Dialect,
    fake: Any,
    names: Callable[..., Names],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    names([""])

    async def unknown(host: str, port: int) -> list[str]:
        raise error

    monkeypatch.setattr(route, "look_up", unknown)
    backend = by_name(dialect, fake)
    with pytest.raises(Unreachable, match=rf"the name {NAME}"):
        await backend.open()


async def test_a_resolver_that_does_not_answer_is_not_waited_for(
    dialect: Dialect, fake: Any, names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch
) -> None:
    names([""])

    async def silent(host: str, port: int) -> list[str]:
        never: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        return await never

    monkeypatch.setattr(route, "look_up", silent)
    backend = by_name(dialect, fake, connect_timeout=0.01)
    with pytest.raises(TimedOut):
        await backend.open()


async def test_the_systems_own_resolver() -> None:
    assert set(await route.look_up("localhost", 80)) <= {"127.0.0.1", "::1"}
    assert await route.look_up("127.0.0.1", 80) == ["127.0.0.1"]


async def test_a_proxy_looks_the_name_up_itself(
    dialect: Dialect, fake: Any, names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(["169.254.169.254"])
    monkeypatch.setenv("HTTPS_PROXY", fake.address)
    backend = dialect.make(dialect.spec(f"https://{NAME}"), None)
    with pytest.raises(BackendError):
        await backend.open()
    assert [each.path for each in fake.exchanges] == [f"{NAME}:443"]
    assert asked.asked == []
    # Never for this machine, and not where the environment says so.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert await said(dialect.make(dialect.spec(fake.address), None)) == "Hello."
    monkeypatch.setenv("NO_PROXY", NAME)
    names(["127.0.0.1"])
    assert await said(by_name(dialect, fake)) == "Hello."


async def test_a_proxy_of_another_kind_names_what_is_missing(
    dialect: Dialect, names: Callable[..., Names], monkeypatch: pytest.MonkeyPatch
) -> None:
    names([""])
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setattr(route, "find_spec", lambda _name: None)
    with pytest.raises(DriverMissing, match="socksio"):
        await dialect.make(dialect.spec(f"https://{NAME}"), None).open()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for `NAME`, signed by itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    crt, key = folder / "server.crt", folder / "server.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9"]
    what = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    files = ["-keyout", str(key), "-out", str(crt)]
    subprocess.run([openssl, "req", "-x509", *kind, *what, *files], check=True, capture_output=True)
    return crt, key


async def test_tls_proves_the_name_and_not_the_address(
    dialect: Dialect,
    certificate: tuple[Path, Path],
    names: Callable[..., Names],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crt, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    asked_for: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    fake = dialect.serve()
    fake.chat = streams(*dialect.reply("Hello."), *dialect.end)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    names(["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(crt))
    backend = dialect.make(dialect.spec(f"https://{NAME}:{port}"), None)
    assert await said(backend) == "Hello."
    await backend.close()
    assert set(asked_for) == {NAME}
    # The same server by another name proves nothing, and is told nothing.
    fake.exchanges.clear()
    other = dialect.make(dialect.spec(f"https://other.example:{port}"), None)
    with pytest.raises(Unreachable, match=r"(?i)certificate"):
        await other.open()
    assert fake.exchanges == []
    server.close()
    await server.wait_closed()


async def test_a_reply_that_drips_on_for_ever_ends(dialect: Dialect, fake: Any) -> None:
    async def drips(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type=dialect.content_type)
        for part in dialect.reply("So "):
            await exchange.chunk(part)
        while True:
            await exchange.chunk(dialect.says("and "))
            await asyncio.sleep(0)

    fake.chat = drips
    backend = dialect.make(dialect.spec(fake.address), Timeouts(first=1, whole=0))
    with pytest.raises(TimedOut):
        await said(backend)
    await backend.close()


async def test_a_stream_without_measure_is_not_read_to_its_end(
    dialect: Dialect, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "stream_limit", lambda _tokens: 2000)
    long = [f"word {number} " for number in range(100)]
    fake.chat = streams(*dialect.reply(*long), *dialect.end)
    backend = dialect.make(dialect.spec(fake.address), None)
    with pytest.raises((ProtocolError, StreamCut), match="endless answer"):
        await said(backend)
    await backend.close()


def test_what_a_manifest_says_about_waiting() -> None:
    spec = BackendSpec("far", "openai", "tiny")
    assert timeouts_of(spec) == Timeouts()
    assert (Timeouts().connect, Timeouts().first, Timeouts().between) == (5, 600, 120)
    quick = timeouts_of(BackendSpec("far", "openai", "tiny", connect_timeout=0.5, timeout=20))
    assert (quick.connect, quick.answer, quick.first, quick.between) == (0.5, 20, 20, 20)
    patient = timeouts_of(BackendSpec("far", "openai", "tiny", timeout=7200))
    assert (patient.connect, patient.answer, patient.first) == (5, 30, 7200)
    assert patient.whole == 7200


async def test_a_manifests_timeout_ends_the_wait_for_a_word(dialect: Dialect, fake: Any) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.gone()

    backend = dialect.make(dialect.spec(fake.address), None)
    await backend.open()
    await backend.close()
    fake.chat = silent
    hasty = dialect.make(dialect.spec(fake.address, timeout=0.5), None)
    with pytest.raises(TimedOut):
        await said(hasty)
    await hasty.close()


@pytest.mark.parametrize(
    ("driver", "path", "asked"),
    [
        ("openai", "/openai/v1/chat/completions/", "/openai/v1/chat/completions"),
        ("openai", "/v1/models", "/v1/chat/completions"),
        (
            "openai",
            "/openai/deployments/a-1?api-version=2024-10-21",
            "/openai/deployments/a-1/chat/completions?api-version=2024-10-21",
        ),
        ("anthropic", "/v1/messages", "/v1/messages"),
        ("anthropic", "/face/v1/messages", "/face/v1/messages"),
        ("ollama", "/api/chat", "/api/chat"),
        ("ollama", "/mine/api", "/mine/api/chat"),
        ("ollama", "/v1", "/api/chat"),
    ],
)
async def test_an_address_may_be_that_of_one_question(
    monkeypatch: pytest.MonkeyPatch, driver: str, path: str, asked: str
) -> None:
    monkeypatch.setenv("A_KEY", "k-1234567890")
    dialect = DIALECTS[driver]
    async with running(dialect.serve()) as fake:
        fake.chat = refuses(403, b"{}")
        backend = dialect.make(dialect.spec(fake.address + path, key="env:A_KEY"), None)
        with pytest.raises(BackendError):
            await anext(backend.stream(Request((PromptMessage("user", "Hi."),), 8)))
        await backend.close()
    last = fake.exchanges[-1]
    assert last.path == asked
    has_version = "api-version" in path
    assert ("api-key" in last.headers) == has_version
    assert ("authorization" in last.headers) == (driver != "anthropic" and not has_version)


@pytest.mark.parametrize("query", ["?key=abc", "?api-version=", "?api-version=1&key=abc"])
def test_nothing_but_a_version_may_stand_behind_an_address(query: str) -> None:
    for driver in ("openai", "anthropic", "ollama"):
        dialect = DIALECTS[driver]
        with pytest.raises(BadParameter):
            dialect.make(dialect.spec(f"https://far.example/v1{query}"), None)
