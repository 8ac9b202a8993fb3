"""Requests to a web server: what is sent, what is followed, what is believed."""

from __future__ import annotations

import base64
import gc
import socketserver
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.wire import line
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.errors import (
    CutOff,
    LeadsElsewhere,
    NoRepositoryThere,
    NotAllowed,
    NotGit,
    RemoteProblem,
    RemoteSilent,
    ServerTrouble,
    SignInRefused,
    TooMuch,
    Unreachable,
    UntrustedCertificate,
)
from perdure.git.wire.transport import Transport
from tests.conftest import git
from tests.git.wire.histories import fetch, history, push, refs, tip
from tests.git_servers import (
    PASSWORD,
    USER,
    Authority,
    CutProxy,
    GitServer,
    bare_repository,
    threads,
    web_server,
)


class Remotes:
    """Transports of one test, closed at its end."""

    def __init__(self) -> None:
        self.made: list[Transport] = []

    def __call__(self, server: GitServer) -> Transport:
        return self.url(f"{server.url}/mira.git")

    def url(self, text: str) -> Transport:
        """To any address."""
        self.made.append(connect(parse_address(text), name="home"))
        return self.made[-1]


@pytest.fixture
def to() -> Iterator[Remotes]:
    """Transports to servers' repository ``mira.git``."""
    remotes = Remotes()
    yield remotes
    for each in remotes.made:
        each.close()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The right password for the remote ``home``."""
    monkeypatch.setenv("PERDURE_TOKEN_HOME", PASSWORD)
    monkeypatch.setenv("PERDURE_USER_HOME", USER)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, NotAllowed),
        (404, NoRepositoryThere),
        (410, NoRepositoryThere),
        (413, TooMuch),
        (429, ServerTrouble),
        (500, ServerTrouble),
        (503, ServerTrouble),
        (407, SignInRefused),
        (418, NotGit),
        (204, NotGit),
    ],
)
def test_what_a_status_means(
    git_http: GitServer, status: int, kind: type[RemoteProblem], to: Remotes
) -> None:
    git_http.trouble.append((status, {"Content-Type": "text/plain"}, b""))
    with pytest.raises(kind) as caught:
        to(git_http).advertised()
    assert "as it was" in str(caught.value)


def test_words_of_a_server_are_cut_and_cleaned(git_http: GitServer, to: Remotes) -> None:
    words = b"\x1b[2Jno \xe2\x80\xae way" + b"y" * 9000
    git_http.trouble.append((403, {"Content-Type": "text/plain; charset=utf-8"}, words))
    with pytest.raises(NotAllowed) as caught:
        to(git_http).advertised()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "kind", ["text/html; charset=utf-8", "text/plain", "", "application/x-git"]
)
def test_a_page_is_no_repository(git_http: GitServer, kind: str, to: Remotes) -> None:
    page = b"<html>Sign in</html>" if "html" in kind else b"%s\trefs/heads/main\n" % (b"1" * 40)
    for _ in range(2):
        git_http.trouble.append((200, {"Content-Type": kind} if kind else {}, page))
    with pytest.raises(NotGit, match="shows a page"):
        to(git_http).advertised()
    with pytest.raises(NotGit):
        to(git_http).push(lambda _: None, print)


def test_a_redirect_on_the_same_host_is_followed(
    git_http: GitServer, tmp_path: Path, to: Remotes
) -> None:
    remote = bare_repository(git_http.folder, "moved.git")
    here = history(tmp_path / "here", 2)
    for service in ("git-receive-pack", "git-upload-pack"):
        place = f"/moved.git/info/refs?service={service}"
        git_http.trouble.append((301, {"Location": place}, b"moved"))
        if service == "git-receive-pack":
            transport = to(git_http)
            assert push(transport, here, {"refs/heads/main": tip(here)}).refused == {}
            assert refs(remote) == {"refs/heads/main": tip(here)}
    assert transport.advertised().refs == refs(remote)
    transport.close()


def test_another_host_gets_nothing(
    git_http: GitServer, served: Path, token: None, to: Remotes
) -> None:
    bare_repository(served)
    with web_server(served, password=True) as other:
        for place in (
            f"{other.url}/mira.git/info/refs?service=git-upload-pack",
            "//evil.example/x/info/refs?service=git-upload-pack",
            "https://127.0.0.1.evil.example/info/refs?service=git-upload-pack",
            f"http://{USER}:{PASSWORD}@127.0.0.1:{git_http.port}/mira.git/info/refs",
            "ftp://127.0.0.1/x",
        ):
            git_http.trouble.append((302, {"Location": place}, b""))
            with pytest.raises(LeadsElsewhere) as caught:
                to(git_http).advertised()
            assert PASSWORD not in str(caught.value)
        assert other.requests == []


def test_a_circle_of_redirects_ends(git_http: GitServer, to: Remotes) -> None:
    place = "/mira.git/info/refs?service=git-upload-pack"
    git_http.trouble += [(302, {"Location": place}, b"")] * 9
    with pytest.raises(LeadsElsewhere, match="circle"):
        to(git_http).advertised()
    assert len(git_http.requests) < 9


def test_an_unknown_authority_is_not_trusted(
    git_https: GitServer,
    users_config: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: None,
    to: Remotes,
) -> None:
    monkeypatch.delenv("GIT_SSL_CAINFO")
    git(users_config.parent, "config", "--file", str(users_config), "http.sslVerify", "false")
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    with pytest.raises(UntrustedCertificate, match="not trusted"):
        to(git_https).advertised()
    assert git_https.requests == []


def test_the_users_own_authority(
    git_https: GitServer,
    authority: Authority,
    users_config: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: None,
    to: Remotes,
) -> None:
    bare_repository(git_https.folder)
    monkeypatch.delenv("GIT_SSL_CAINFO")
    words = ["config", "--file", str(users_config)]
    git(users_config.parent, *words, f"http.{git_https.url}/x.sslCAInfo", str(authority.file))
    assert to(git_https).advertised().refs == {}
    git(users_config.parent, *words, "--unset", f"http.{git_https.url}/x.sslCAInfo")
    git(users_config.parent, *words, "http.https://else.example.sslCAInfo", str(authority.file))
    with pytest.raises(UntrustedCertificate):
        to(git_https).advertised()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert to(git_https).advertised().refs == {}
    other = users_config.parent / "other.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*words, "-keyout", "/dev/null", "-out", other], check=True, capture_output=True)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(other))
    with pytest.raises(UntrustedCertificate, match="not trusted"):
        to(git_https).advertised()
    monkeypatch.setenv("GIT_SSL_CAINFO", str(users_config))
    with pytest.raises(UntrustedCertificate, match="cannot be read"):
        to(git_https).advertised()


def test_a_repositorys_configuration_counts_for_nothing(
    git_http: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: Remotes
) -> None:
    bare_repository(git_http.folder)
    here = history(tmp_path / "here", 1)
    for name, value in {
        "http.proxy": "http://127.0.0.1:1",
        "http.extraHeader": "X-Spy: 1",
        "url.http://127.0.0.1:1/.insteadOf": git_http.url,
        "remote.home.url": "http://127.0.0.1:1/",
        "credential.helper": f"!touch {tmp_path}/owned; echo",
        "http.cookieFile": "/etc/hostname",
    }.items():
        git(here, "config", name, value)
    monkeypatch.chdir(here)
    assert to(git_http).advertised().refs == {}


class _Proxy(socketserver.StreamRequestHandler):
    """Writes down what it is asked for, and answers that it is none."""

    seen: list[str]

    def handle(self) -> None:
        while row := self.rfile.readline().strip():
            self.seen.append(row.decode())
        self.wfile.write(b"HTTP/1.1 503 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy's port and what it was told."""

    class Handler(_Proxy):
        seen: list[str] = []  # noqa: RUF012

    with threads(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, Handler.seen


def test_proxies_of_the_environment_and_of_the_user(
    proxy: tuple[int, list[str]], users_config: Path, monkeypatch: pytest.MonkeyPatch, to: Remotes
) -> None:
    port, seen = proxy
    monkeypatch.setenv("http_proxy", f"http://ana:hidden@127.0.0.1:{port}")
    there = to.url("http://far.invalid/mira.git")
    with pytest.raises(ServerTrouble):
        there.advertised()
    assert seen[0].startswith("GET http://far.invalid/mira.git/info/refs")
    seen.clear()
    words = ["config", "--file", str(users_config), "http.proxy"]
    git(users_config.parent, *words, f"127.0.0.1:{port}")
    secret = to.url("https://far.invalid/mira.git")
    with pytest.raises(Unreachable) as caught:
        secret.advertised()
    assert seen[0].startswith("CONNECT far.invalid:443")
    assert "503" in caught.value.what
    assert "hidden" not in str(caught.value)
    git(users_config.parent, *words, "127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"your proxy does not answer at 127\.0\.0\.1, port 1"):
        secret.advertised()
    monkeypatch.setenv("no_proxy", "far.invalid")
    with pytest.raises(Unreachable, match="no host"):
        secret.advertised()
    # Python before 3.11.4 leaves a proxy's refusal open; it is collected here, not in another test.
    del caught
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_this_machine_is_not_asked_by_a_proxy(
    git_http: GitServer, monkeypatch: pytest.MonkeyPatch, to: Remotes
) -> None:
    bare_repository(git_http.folder)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert to(git_http).advertised().refs == {}


@pytest.mark.parametrize("bytes_before", [0, 20, 300, 2000, 30_000])
@pytest.mark.parametrize("way", ["upward", "downward"])
def test_a_conversation_that_is_cut(
    git_http: GitServer,
    cut_proxy: Callable[[int], CutProxy],
    tmp_path: Path,
    to: Remotes,
    way: str,
    bytes_before: int,
) -> None:
    remote = bare_repository(git_http.folder)
    here = history(tmp_path / "here", 2, size=60_000)
    proxy = cut_proxy(git_http.port)
    transport = to.url(f"http://127.0.0.1:{proxy.port}/mira.git")
    moves = {"refs/heads/main": tip(here)}
    pushes = way == "upward"
    if not pushes:
        git(here, "push", "-q", str(remote), "main")
    setattr(proxy, way, bytes_before)
    other = history(tmp_path / "other", 0)
    converse = partial(push, transport, here, moves) if pushes else partial(fetch, transport, other)
    with pytest.raises(RemoteProblem) as caught:
        converse()
    assert caught.value.passing
    assert refs(remote) == ({} if pushes else moves)
    setattr(proxy, way, None)
    converse()
    assert refs(remote) == moves
    assert pushes or tip(other, "refs/got/heads/main") == tip(here)


def test_where_nobody_listens(to: Remotes) -> None:
    with pytest.raises(Unreachable, match="nothing answers at") as caught:
        to.url("https://127.0.0.1:1/x.git").advertised()
    assert "port 1" in caught.value.what


def test_a_password_does_not_go_over_plain_http(
    proxy: tuple[int, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    served: Path,
    token: None,
    to: Remotes,
) -> None:
    with web_server(served, password=True) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
        with pytest.raises(SignInRefused, match="anyone on the way"):
            to.url("http://far.invalid/mira.git").advertised()
        assert [each.rpartition(" ")[2] for each in server.requests] == ["plain"]


def test_a_long_push_is_streamed_and_a_short_one_has_a_length(
    git_http_password: GitServer,
    tmp_path: Path,
    token: None,
    monkeypatch: pytest.MonkeyPatch,
    to: Remotes,
) -> None:
    from perdure.git.wire import client

    remote = bare_repository(git_http_password.folder)
    here = history(tmp_path / "here", 4, size=9000)
    transport = to(git_http_password)
    monkeypatch.setattr(client.WebClient, "_post_buffer_size", lambda *_: 64)
    assert push(transport, here, {"refs/heads/main": tip(here)}).refused == {}
    git(remote, "fsck", "--strict")
    assert [row.split()[0] for row in git_http_password.requests] == ["GET", "GET", "POST"]
    transport.close()


def test_who_is_pushing_may_be_asked_at_the_push_only(
    git_http: GitServer, tmp_path: Path, token: None, to: Remotes
) -> None:
    """A server may list its refs for everyone and ask for a password at the POST."""
    remote = bare_repository(git_http.folder)
    here = history(tmp_path / "here", 2)

    def decide(_: object) -> object:
        from perdure.git.wire.transport import PushOrder
        from tests.git.wire.histories import outgoing

        git_http.trouble.append((401, {"WWW-Authenticate": 'Basic realm="x"'}, b"who?"))
        return PushOrder({"refs/heads/main": tip(here)}, outgoing(here, [tip(here)]))

    assert to(git_http).push(decide, print).refused == {}  # type: ignore[arg-type]
    assert refs(remote) == {"refs/heads/main": tip(here)}
    assert git_http.requests[-1].endswith("signed")


def test_a_server_that_repeats_the_password(
    git_http_password: GitServer, token: None, to: Remotes
) -> None:
    bare_repository(git_http_password.folder)
    transport = to(git_http_password)
    transport.advertised()
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    words = f"{USER}:{PASSWORD} ({pair}) may not".encode()
    git_http_password.trouble.append((403, {"Content-Type": "text/plain"}, words))
    with pytest.raises(NotAllowed, match=r"ana:… \(…\) may not"):
        transport.advertised()


@pytest.mark.parametrize("way", ["Negotiate", "Digest realm=x", "Bearer"])
def test_other_ways_to_sign_in_are_named(
    git_http: GitServer, way: str, token: None, to: Remotes
) -> None:
    git_http.trouble.append((401, {"WWW-Authenticate": way}, b""))
    with pytest.raises(SignInRefused, match="a way to sign in"):
        to(git_http).advertised()


def raw_server(answer: bytes, hold: threading.Event | None = None) -> socketserver.TCPServer:
    """A server that says some bytes, whatever it is asked."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)
            self.wfile.flush()
            if hold is not None:
                hold.wait()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close = True, False

    return Server(("127.0.0.1", 0), Handler)


GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", CutOff),
        (b"SSH-2.0-OpenSSH_9.2\r\n", NotGit),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 500 + b"\r\n", NotGit),
        (b"HTTP/1.1 200 OK\r\nX: " + b"1" * 99999, NotGit),
        (GOOD + b"Content-Length: 90\r\n\r\n001e# service=git-upload-pack\n0000", CutOff),
        (GOOD + b"Content-Length: -5\r\n\r\n", CutOff),
        (GOOD + b"Content-Length: 4\r\n\r\nzzzz", NotGit),
        (GOOD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b..", NotGit),
        (GOOD + b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\nx", CutOff),
    ],
)
def test_broken_answers(answer: bytes, kind: type[RemoteProblem], to: Remotes) -> None:
    with threads(raw_server(answer)) as port:
        transport = to.url(f"http://127.0.0.1:{port}/x.git")
        with pytest.raises(kind) as caught:
            transport.advertised()
        transport.close()
    assert str(caught.value).isprintable()


def test_an_endless_advertisement_is_cut(monkeypatch: pytest.MonkeyPatch, to: Remotes) -> None:
    monkeypatch.setattr(line, "MOST_ADVERTISED_BYTES", 5000)
    with threads(raw_server(GOOD + b"\r\n" + b"0040" * 4000)) as port:
        transport = to.url(f"http://127.0.0.1:{port}/x.git")
        with pytest.raises(TooMuch):
            transport.advertised()


def test_a_silent_server_is_left(
    monkeypatch: pytest.MonkeyPatch, hold: threading.Event, to: Remotes
) -> None:
    monkeypatch.setattr(line, "SILENCE_SECONDS", 0.2)
    for said in (b"", GOOD, GOOD + b"Content-Length: 90\r\n\r\n001e"):
        with threads(raw_server(said, hold)) as port:
            transport = to.url(f"http://127.0.0.1:{port}/x.git")
            with pytest.raises(RemoteSilent):
                transport.advertised()
            transport.close()


def test_nothing_was_ordered(git_http: GitServer, to: Remotes) -> None:
    bare_repository(git_http.folder)
    from perdure.git.wire.transport import PushOrder

    order = PushOrder({}, OutgoingPack(0, iter(())))
    assert to(git_http).push(lambda _: order, print).refused == {}
    assert len(git_http.requests) == 1
