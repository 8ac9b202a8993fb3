"""Servers that were written to do harm: what they say is bounded, and leads nowhere else."""

from __future__ import annotations

import itertools
import socketserver
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.wire import line
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.errors import LeadsElsewhere, RemoteProblem, RemoteSilent, TooMuch
from perdure.git.wire.public import ask_as_stranger
from perdure.git.wire.transport import PushOrder, Transport
from tests.git_servers import GitServer, threads

OID = b"1" * 40
CAPABILITIES = b"report-status delete-refs side-band-64k ofs-delta"
Pieces = Iterable[bytes]


def packet(data: bytes) -> bytes:
    """One packet of git's."""
    return b"%04x%s" % (len(data) + 4, data)


FIRST = packet(OID + b" refs/heads/main\0" + CAPABILITIES)
EMPTY = packet(b"0" * 40 + b" capabilities^{}\0" + CAPABILITIES) + b"0000"
VERSION_2 = packet(b"version 2\n")


class _Quiet(socketserver.ThreadingTCPServer):
    daemon_threads, block_on_close = True, False

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""


@pytest.fixture
def git_server() -> Iterator[Callable[[Pieces], Transport]]:
    """Makes a server that says its pieces at once, whatever it is asked; a transport to it."""
    servers = []

    def make(pieces: Pieces) -> Transport:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for piece in pieces:
                    self.wfile.write(piece)
                while self.rfile.read(65536):
                    pass

        started = threads(_Quiet(("127.0.0.1", 0), Handler))
        servers.append(started)
        address = parse_address(f"git://127.0.0.1:{started.__enter__()}/x.git")
        return connect(address, name="home")

    yield make
    for each in servers:
        each.__exit__(None, None, None)


def numbered(row: bytes, *before: bytes) -> Pieces:
    """Packets without end, each with another number."""
    yield from before
    for start in itertools.count(0, 1000):
        yield b"".join(packet(row % number) for number in range(start, start + 1000))


def fetch(transport: Transport, take: Callable[[bytes], None] = lambda _: None) -> None:
    """Ask for one commit."""
    transport.fetch(lambda _: ["1" * 40], [], lambda _: [], take, lambda _: None)


@contextmanager
def no_more_than(megabytes: int) -> Iterator[None]:
    """Memory that Python may use meanwhile."""
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < megabytes * 2**20


@pytest.mark.parametrize(
    "pieces",
    [
        lambda: numbered(b"a %x", FIRST),
        lambda: numbered(b"\x01 %x", FIRST),
        lambda: numbered(b"%x", VERSION_2),
        lambda: numbered(b"\x01%x", VERSION_2),
        lambda: numbered(b"\x01 %x common", FIRST, b"0000"),
        lambda: numbered(b"\x02%x\n", FIRST, b"0000", packet(b"NAK\n")),
        lambda: itertools.chain(
            [FIRST, b"0000", packet(b"NAK\n")], itertools.repeat(b"0005\x01" * 1000)
        ),
    ],
    ids=["refs", "refs as a pack", "words", "words as a pack", "acks", "progress", "no data"],
)
def test_what_is_said_without_end_costs_little(
    pieces: Callable[[], Pieces],
    git_server: Callable[[Pieces], Transport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "MOST_ADVERTISED_BYTES", 2**20)
    transport = git_server(pieces())
    with pytest.raises(TooMuch), no_more_than(12):
        fetch(transport)


def test_a_report_without_end_costs_little(
    git_server: Callable[[Pieces], Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "MOST_ADVERTISED_BYTES", 2**20)
    row = b"\x01" + packet(b"ok refs/heads/x")
    transport = git_server(itertools.chain([EMPTY], itertools.repeat(packet(row) * 1000)))
    order = PushOrder({"refs/heads/x": "2" * 40}, OutgoingPack(0, iter(())))
    with pytest.raises(TooMuch), no_more_than(8):
        transport.push(lambda _: order, lambda _: None)


def test_a_pack_does_not_count_as_words(
    git_server: Callable[[Pieces], Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "MOST_ADVERTISED_BYTES", 5000)
    data = [packet(b"\x01" + b"x" * 200)] * 2000
    transport = git_server([FIRST, b"0000", packet(b"NAK\n"), *data, b"0000"])
    took: list[int] = []

    def take(data: bytes) -> None:
        took.append(len(data))

    fetch(transport, take)
    assert sum(took) == 400_000


class _Web(socketserver.StreamRequestHandler):
    """Answers each request as it is told to, and writes down what it was asked."""

    asked: list[str]
    answer: Callable[[str], Pieces]

    def handle(self) -> None:
        while row := self.rfile.readline().decode():
            headers = list(iter(lambda: self.rfile.readline().decode().strip().lower(), ""))
            sizes = [int(each[15:]) for each in headers if each.startswith("content-length:")]
            self.rfile.read(sum(sizes))
            signed = any(each.startswith("authorization:") for each in headers)
            self.asked.append(f"{row.split()[0]} {'signed' if signed else 'plain'}")
            for piece in type(self).answer(self.asked[-1]):
                self.wfile.write(piece)


WebServer = Callable[[Callable[[str], Pieces]], tuple[str, list[str]]]


@pytest.fixture
def web_server() -> Iterator[WebServer]:
    """Makes a web server that answers; its address, and what it was asked."""
    with ExitStack() as stack:

        def make(answer: Callable[[str], Pieces]) -> tuple[str, list[str]]:
            class Handler(_Web):
                asked: list[str] = []  # noqa: RUF012

            Handler.answer = staticmethod(answer)
            port = stack.enter_context(threads(_Quiet(("127.0.0.1", 0), Handler)))
            return f"http://127.0.0.1:{port}/x.git", Handler.asked

        yield make


def answered(body: bytes, kind: str = "upload-pack-advertisement") -> bytes:
    """An answer with status 200."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-{kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_pack_elsewhere_is_not_fetched_and_no_password_goes_there(
    web_server: WebServer, git_https: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_TOKEN_HOME", "letmein")
    capabilities = VERSION_2 + packet(b"ls-refs\n") + packet(b"fetch\n") + b"0000"
    ls_refs = packet(OID + b" refs/heads/main\n") + b"0000"
    place = f"{git_https.url}/pack sha1 {'2' * 40}\n".encode()
    fetched = packet(b"packfile-uris\n") + packet(place) + b"0001" + packet(b"packfile\n")
    said = iter(
        [
            b'HTTP/1.1 401 no\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
            answered(capabilities),
            answered(ls_refs, "upload-pack-result"),
            answered(fetched, "upload-pack-result"),
        ]
    )
    url, asked = web_server(lambda _: [next(said)])
    with pytest.raises(LeadsElsewhere, match="localhost"):
        fetch(connect(parse_address(url), name="home"))
    assert asked == ["GET plain", "GET signed", "POST signed", "POST signed"]
    assert git_https.requests == []


@pytest.mark.parametrize(
    "place",
    [
        "http://[::1",
        "http://127.0.0.1:99999999/",
        "//[",
        "file:///etc/passwd",
        "ssh://a/b",
        "\\\\a",
    ],
)
def test_a_redirect_to_nowhere_is_not_followed(web_server: WebServer, place: str) -> None:
    head = f"HTTP/1.1 302 x\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    url, _ = web_server(lambda _: [head.encode()])
    with pytest.raises(RemoteProblem):
        fetch(connect(parse_address(url), name="home"))
    assert ask_as_stranger(parse_address(url)).public is not True


def dripping(hold: threading.Event, *before: bytes) -> Pieces:
    """A byte now and then, without end."""
    yield from before
    while not hold.wait(0.01):
        yield b"x"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        HEAD + b"\r\n",
        HEAD + b"\r\nffff",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;",
        b"HTTP/1.1 404 no\r\nContent-Type: text/plain\r\n\r\n",
        b"HTTP/1.1 302 no\r\nLocation: /x\r\n\r\n",
    ],
    ids=["head", "body", "packet", "length of a chunk", "page", "redirect"],
)
def test_a_web_server_that_says_a_byte_now_and_then_is_left(
    web_server: WebServer, hold: threading.Event, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr(line, "SLOW_SECONDS", 0.3)
    url, _ = web_server(lambda _: dripping(hold, before))
    with pytest.raises(RemoteProblem):
        fetch(connect(parse_address(url), name="home"))


def test_a_git_server_that_says_a_byte_now_and_then_is_left(
    git_server: Callable[[Pieces], Transport],
    hold: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "SLOW_SECONDS", 0.3)
    with pytest.raises(RemoteSilent, match="next to nothing"):
        fetch(git_server(dripping(hold, b"ffff")))


@pytest.mark.parametrize(
    ("before", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 100 Continue\r\n" + b"X: y\r\n" * 90 + b"\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60_000 + b"\r\nx\r\n"),
    ],
    ids=["answers to come", "with headers", "trailers", "lengths of chunks"],
)
def test_what_a_web_server_says_beside_the_body_has_an_end(
    web_server: WebServer, before: bytes, again: bytes
) -> None:
    url, _ = web_server(lambda _: itertools.chain([before], itertools.repeat(again)))
    with pytest.raises(TooMuch, match="more than the page"):
        fetch(connect(parse_address(url), name="home"))
