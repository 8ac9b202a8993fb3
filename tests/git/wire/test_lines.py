"""git's own protocol: servers that are silent, cut, of another age, or hostile."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.wire import client, line
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.errors import (
    CutOff,
    NoRepositoryThere,
    NotAllowed,
    NotGit,
    PackRefused,
    RemoteProblem,
    RemoteSilent,
    TooMuch,
    Unreachable,
    UnsupportedRemote,
)
from perdure.git.wire.transport import Advertised, PushOrder
from tests.conftest import git
from tests.git.wire.histories import (
    fetch,
    fetched_bytes,
    history,
    more,
    outgoing,
    push,
    refs,
    tip,
)
from tests.git_servers import CutProxy, GitServer, SshServer, bare_repository, threads

OID = "1" * 40
OURS: list[tuple[bytes, bytes]] = []
Script = Callable[[IO[bytes], IO[bytes]], None]
Served = Callable[[Script], str]


def packet(data: bytes) -> bytes:
    """One packet of git's."""
    return b"%04x%s" % (len(data) + 4, data)


def told(*rows: bytes) -> bytes:
    """Packets and the one that ends them."""
    return b"".join(packet(row) for row in rows) + b"0000"


@pytest.fixture
def scripted() -> Iterator[Served]:
    """Makes a server that follows a script; it is called with what to read and to write."""
    servers = []

    def make(script: Script) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                size = int(self.rfile.read(4), 16)
                self.rfile.read(size - 4)
                script(self.rfile, self.wfile)  # type: ignore[arg-type]

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, block_on_close = True, False

            def handle_error(self, *_: object) -> None:
                """A client that goes away is no news."""

        started = threads(Server(("127.0.0.1", 0), Handler))
        servers.append(started)
        return f"git://127.0.0.1:{started.__enter__()}/x.git"

    yield make
    for each in servers:
        each.__exit__(None, None, None)


def says(*rows: bytes) -> Script:
    """A server that advertises rows, whatever it is asked."""
    return lambda _, out: (out.write(told(*rows)), None)[1]


def to(text: str) -> client.ClientTransport:
    """A transport to an address."""
    made = connect(parse_address(text), name="home")
    assert isinstance(made, client.ClientTransport)
    return made


def test_names_that_git_would_not_take_are_left_out(scripted: Served) -> None:
    odd = [
        b"refs/heads/--upload-pack=touch owned", b"refs/heads/-x", b"refs/heads/a..b",
        b"refs/heads/../../config", b"refs/heads/a\x1b[2J", b"refs/heads/x.lock",
        b"refs/heads/\xff\xfe", b"refs/tags/\xe2\x80\xae", b"refs/heads/", b"refs/tags/a b",
        b"refs/heads/a//b", b"refs/perdure/../x",
    ]  # fmt: skip
    other = [b"refs/pull/1/head", b"refs/remotes/origin/main", b".have", b"HEAD", b"../x"]
    good = b"%s refs/heads/main\0report-status symref=HEAD:refs/heads/main" % OID.encode()
    rows = [good, *(OID.encode() + b" " + name for name in odd + other)]
    rows += [b"%s refs/tags/v1" % OID.encode(), b"%s refs/tags/v1^{}" % OID.encode()]
    found = to(scripted(says(*rows))).advertised()
    assert found.refs == {"refs/heads/main": OID, "refs/tags/v1": OID}
    assert found.odd_names == len(odd)
    assert found.head == "refs/heads/main"
    seen: list[Advertised] = []
    to(scripted(says(*rows))).push(seen.append, print)
    assert seen[0].refs == found.refs
    got = to(scripted(says(*rows))).fetch(lambda _: [], [], lambda _: [], lambda _: None, print)
    assert got == found


@pytest.mark.parametrize("head", [b"refs/heads/-x", b"../../x", b"refs/tags/v", b"HEAD", b"\xff"])
def test_an_odd_head_is_not_known(scripted: Served, head: bytes) -> None:
    row = b"%s refs/heads/main\0symref=HEAD:%s" % (OID.encode(), head)
    assert to(scripted(says(row))).advertised().head is None


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (told(b"ERR access denied or repository not exported: /x.git"), NoRepositoryThere),
        (told(b"ERR \x1b]0;x\x07 service not enabled"), NotAllowed),
        (told(b"ERR too busy"), CutOff),
        (told(b"ERR"), NotGit),
        (told(b"x"), NotGit),
        (told(b"%s refs/heads/main\0symref" % OID.encode()), NotGit),
        (told(b"%s refs/heads/main\0a" % (b"2" * 64)), UnsupportedRemote),
        (told(b"shallow %s" % OID.encode()), UnsupportedRemote),
        (b"SSH-2.0-OpenSSH\r\n", NotGit),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", NotGit),
        (b"0003", NotGit),
        (b"00", NotGit),
        (b"ffffx", CutOff),
        (b"003e" + OID.encode(), CutOff),
        (b"", CutOff),
    ],
)
def test_broken_words(scripted: Served, said: bytes, kind: type[RemoteProblem]) -> None:
    url = scripted(lambda _, out: (out.write(said), None)[1])
    for call in (
        lambda: to(url).advertised(),
        lambda: to(url).push(lambda _: None, print),
        lambda: to(url).fetch(lambda _: [OID], [], lambda _: [], lambda _: None, print),
    ):
        with pytest.raises((kind, CutOff)) as caught:
            call()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500


def test_the_first_word_decides(scripted: Served) -> None:
    url = scripted(says(b"ERR access denied or repository not exported: /x.git"))
    with pytest.raises(NoRepositoryThere):
        to(url).advertised()
    with pytest.raises(UnsupportedRemote):
        to(scripted(says(b"%s refs/heads/main\0a" % (b"2" * 64)))).advertised()


def test_a_silent_server_is_left(
    scripted: Served, hold: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "SILENCE_SECONDS", 0.2)
    for said in (b"", b"003e" + OID.encode()):

        def script(_: IO[bytes], out: IO[bytes], said: bytes = said) -> None:
            out.write(said)
            hold.wait()

        with pytest.raises(RemoteSilent) as caught:
            to(scripted(script)).advertised()
        assert caught.value.passing


def test_a_server_that_takes_nothing_is_left(
    scripted: Served, hold: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "SILENCE_SECONDS", 0.3)

    def script(_: IO[bytes], out: IO[bytes]) -> None:
        out.write(told(b"%s refs/heads/main\0report-status" % OID.encode()))
        hold.wait()

    pack = OutgoingPack(99, iter([(b"x" * 20, bytes(1 << 20))] * 99))
    with pytest.raises(RemoteSilent):
        to(scripted(script)).push(lambda _: PushOrder({"refs/heads/x": OID}, pack), print)


def test_a_host_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "CONNECT_SECONDS", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        others = [socket.socket() for _ in range(4)]
        for each in others:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with pytest.raises(Unreachable, match="did not answer") as caught:
            to(f"git://127.0.0.1:{port}/x").advertised()
        assert caught.value.passing
        for each in others:
            each.close()
    with pytest.raises(Unreachable, match="nothing answers"):
        to("git://127.0.0.1:1/x").advertised()
    with pytest.raises(Unreachable, match="no host"):
        to("git://no.such.host.invalid/x").advertised()


def test_an_endless_advertisement_is_cut(scripted: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "MOST_ADVERTISED_BYTES", 100_000)

    def script(_: IO[bytes], out: IO[bytes]) -> None:
        out.write(packet(b"%s refs/heads/main\0a" % OID.encode()))
        for number in range(10_000_000):
            out.write(packet(b"%s refs/heads/%d" % (OID.encode(), number)))

    with pytest.raises(TooMuch):
        to(scripted(script)).advertised()


def test_endless_words_end_a_fetch(scripted: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "MOST_ADVERTISED_BYTES", 100_000)

    def script(_: IO[bytes], out: IO[bytes]) -> None:
        out.write(told(b"%s refs/heads/main\0side-band-64k" % OID.encode()))
        out.write(packet(b"NAK\n"))
        while True:
            out.write(packet(b"\x02\x1b[31mcounting\n"))

    monkeypatch.setattr(client, "MOST_SAID", 50)
    heard: list[str] = []
    with pytest.raises(TooMuch):
        to(scripted(script)).fetch(lambda _: [OID], [], lambda _: [], lambda _: None, heard.append)
    assert heard == ["?[31mcounting"] * 50


@pytest.mark.parametrize("answer", [b"ACK %s common", b"ACK x common", b"x y common"])
def test_endless_acknowledgements_end_a_fetch(
    scripted: Served, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(line, "MOST_ADVERTISED_BYTES", 100_000)

    def script(_: IO[bytes], out: IO[bytes]) -> None:
        out.write(told(b"%s refs/heads/main\0multi_ack_detailed" % OID.encode()))
        while True:
            out.write(packet(answer.replace(b"%s", OID.encode())))

    with pytest.raises(TooMuch):
        to(scripted(script)).fetch(lambda _: [OID], [], lambda _: [], lambda _: None, print)


def test_a_server_that_reports_while_it_takes(scripted: Served) -> None:
    """Neither side waits for the other, although both have more to say than a socket holds."""
    took: list[int] = []

    def script(given: IO[bytes], out: IO[bytes]) -> None:
        out.write(told(b"%s refs/heads/main\0report-status side-band-64k" % OID.encode()))
        while given.read(4) != b"0000":
            given.read(len(f"{OID} {OID} refs/heads/x\0report-status side-band-64k") + 40)
            break
        for _ in range(2000):
            out.write(packet(b"\x02" + b"w" * 1000 + b"\n"))
        while data := given.read(65536):
            took.append(len(data))
            if sum(took) > 7_000_000:
                break
        report = told(b"unpack ok\n", b"ok refs/heads/x\n")
        out.write(told(b"\x01" + report))

    pack = OutgoingPack(8, iter([(bytes([i]) * 20, bytes(1 << 20)) for i in range(8)]))
    order = PushOrder({"refs/heads/x": "2" * 40}, pack)
    heard: list[str] = []
    assert to(scripted(script)).push(lambda _: order, heard.append).refused == {}
    assert len(heard) == 2000
    assert max(map(len, heard)) <= 200


def receives(report: bytes, *, capabilities: bytes = b"report-status") -> Script:
    """A server that takes a push and reports."""

    def script(given: IO[bytes], out: IO[bytes]) -> None:
        out.write(told(b"%s refs/heads/main\0%s" % (OID.encode(), capabilities)))
        out.flush()
        given.read(1)
        out.write(report)

    return script


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (told(b"unpack ok\n", b"ok refs/heads/x\n"), {}),
        (
            told(b"unpack ok\n", b"ng refs/heads/x \x1b[2J no " + b"y" * 900 + b"\n"),
            {"refs/heads/x": f"[2J no {'y' * 192}…"},
        ),
        (
            told(b"unpack ok\n", b"ok refs/heads/x\n", b"ng refs/heads/other hook\n"),
            {},
        ),
    ],
)
def test_what_a_report_says(scripted: Served, report: bytes, expected: dict[str, str]) -> None:
    order = PushOrder({"refs/heads/x": "2" * 40}, OutgoingPack(0, iter(())))
    result = to(scripted(receives(report))).push(lambda _: order, print)
    assert result.refused == expected


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        (told(b"unpack disk full\x1b[2J\n", b"ng refs/heads/x unpacker error\n"), PackRefused),
        (told(b"unpack ok\n", b"ng refs/heads/x\n"), NotGit),
        (told(b"unpack ok\n", b"ng refs/heads/x \xff\xff\n"), NotGit),
        (told(b"unpack ok\n", b"what refs/heads/x\n"), CutOff),
        (b"", CutOff),
    ],
)
def test_broken_reports(scripted: Served, report: bytes, kind: type[RemoteProblem]) -> None:
    order = PushOrder({"refs/heads/x": "2" * 40}, OutgoingPack(0, iter(())))
    with pytest.raises(kind) as caught:
        to(scripted(receives(report))).push(lambda _: order, print)
    assert str(caught.value).isprintable()


def test_a_server_that_reports_nothing_is_asked_again(scripted: Served) -> None:
    """Without report-status: what it has afterwards tells."""
    order = PushOrder(
        {"refs/heads/x": "2" * 40, "refs/heads/main": None}, OutgoingPack(0, iter(()))
    )
    url = scripted(receives(b"", capabilities=b"delete-refs"))
    refused = to(url).push(lambda _: order, print).refused
    assert set(refused) == {"refs/heads/x", "refs/heads/main"}
    done = PushOrder({"refs/heads/main": OID, "refs/heads/x": None}, OutgoingPack(0, iter(())))
    assert to(url).push(lambda _: done, print).refused == {}


def test_a_report_counts_for_its_own_push_alone(scripted: Served) -> None:
    scripts = iter(
        [
            receives(told(b"unpack ok\n", b"ok refs/heads/x\n")),
            receives(b"", capabilities=b"delete-refs"),
            receives(b"", capabilities=b"delete-refs"),
        ]
    )
    order = PushOrder({"refs/heads/x": "2" * 40}, OutgoingPack(0, iter(())))

    def script(given: IO[bytes], out: IO[bytes]) -> None:
        next(scripts)(given, out)

    transport = to(scripted(script))
    assert transport.push(lambda _: order, print).refused == {}
    assert set(transport.push(lambda _: order, print).refused) == {"refs/heads/x"}


def test_a_broken_pack_is_refused(git_daemon: GitServer, tmp_path: Path) -> None:
    remote = bare_repository(git_daemon.folder)
    here = history(tmp_path / "here", 3)

    def decide(_: Advertised) -> PushOrder:
        pack = outgoing(here, [tip(here)])
        broken = ((oid, entry[:-1] + b"\x00") for oid, entry in pack.entries)
        return PushOrder({"refs/heads/main": tip(here)}, OutgoingPack(pack.count, broken))

    with pytest.raises(PackRefused, match="took nothing"):
        to(f"{git_daemon.url}/mira.git").push(decide, print)
    assert refs(remote) == {}


def test_what_the_server_limits(git_daemon: GitServer, tmp_path: Path) -> None:
    remote = bare_repository(git_daemon.folder)
    git(remote, "config", "receive.maxInputSize", "100")
    here = history(tmp_path / "here", 3)
    with pytest.raises(PackRefused):
        push(to(f"{git_daemon.url}/mira.git"), here, {"refs/heads/main": tip(here)})


def test_a_hook_that_refuses(git_daemon: GitServer, tmp_path: Path) -> None:
    remote = bare_repository(git_daemon.folder)
    hook = remote / "hooks" / "pre-receive"
    words = "echo ======; echo 'not on a Sunday'; echo"
    hook.write_text(f"#!/bin/sh\ncat > /dev/null\n({words}) >&2\nexit 1\n")
    hook.chmod(0o755)
    here = history(tmp_path / "here", 3)
    heard: list[str] = []
    transport = to(f"{git_daemon.url}/mira.git")
    result = push(transport, here, {"refs/heads/main": tip(here)}, say=heard.append)
    assert result.refused == {"refs/heads/main": "pre-receive hook declined: not on a Sunday"}
    assert "not on a Sunday" in heard


def test_no_repository_and_no_push(git_daemon: GitServer) -> None:
    with pytest.raises(NoRepositoryThere):
        to(f"{git_daemon.url}/none.git").advertised()


def test_errors_of_ours_come_out_as_they_are(git_daemon: GitServer, tmp_path: Path) -> None:
    remote = bare_repository(git_daemon.folder)
    here = history(tmp_path / "here", 3)
    push(to(f"{git_daemon.url}/mira.git"), here, {"refs/heads/main": tip(here)})

    for error in (ValueError, TypeError, AssertionError, OSError):

        def wrong(*_: object, error: type[Exception] = error) -> Any:
            raise error("ours")

        with pytest.raises(error, match="ours"):
            to(f"{git_daemon.url}/mira.git").push(wrong, print)
        with pytest.raises(error, match="ours"):
            to(f"{git_daemon.url}/mira.git").fetch(wrong, [], lambda _: [], print, print)
        with pytest.raises(error, match="ours"):
            to(f"{git_daemon.url}/mira.git").fetch(
                lambda there: list(there.refs.values()), [], lambda _: [], wrong, print
            )
        with pytest.raises(error, match="ours"):
            to(f"{git_daemon.url}/mira.git").fetch(
                lambda _: [tip(here)],
                [OID],
                wrong,
                lambda _: None,
                print,
            )

    entries = (OURS[number] for number in range(9))
    order = PushOrder({"refs/heads/x": tip(here)}, OutgoingPack(1, entries))
    with pytest.raises(IndexError):
        to(f"{git_daemon.url}/mira.git").push(lambda _: order, print)
    assert refs(remote) == {"refs/heads/main": tip(here)}


@pytest.mark.parametrize("bytes_before", [0, 1, 100, 700, 5000, 40_000])
def test_a_push_that_is_cut_leaves_nothing(
    git_daemon: GitServer, cut_proxy: Callable[[int], CutProxy], tmp_path: Path, bytes_before: int
) -> None:
    remote = bare_repository(git_daemon.folder)
    here = history(tmp_path / "here", 2, size=60_000)
    proxy = cut_proxy(git_daemon.port)
    proxy.upward = bytes_before
    with pytest.raises(RemoteProblem) as caught:
        push(to(f"git://127.0.0.1:{proxy.port}/mira.git"), here, {"refs/heads/main": tip(here)})
    assert caught.value.passing
    assert refs(remote) == {}
    proxy.upward = None
    moves = {"refs/heads/main": tip(here)}
    assert push(to(f"git://127.0.0.1:{proxy.port}/mira.git"), here, moves).refused == {}
    assert refs(remote) == moves


@pytest.mark.parametrize("bytes_before", [0, 3, 70, 300, 5000, 20_000])
def test_a_fetch_that_is_cut_says_so(
    git_daemon: GitServer, cut_proxy: Callable[[int], CutProxy], tmp_path: Path, bytes_before: int
) -> None:
    remote = bare_repository(git_daemon.folder)
    here = history(tmp_path / "here", 2, size=60_000)
    git(here, "push", "-q", str(remote), "main")
    proxy = cut_proxy(git_daemon.port)
    proxy.downward = bytes_before
    other = history(tmp_path / "other", 0)
    with pytest.raises(RemoteProblem) as caught:
        fetch(to(f"git://127.0.0.1:{proxy.port}/mira.git"), other)
    assert caught.value.passing
    proxy.downward = None
    fetch(to(f"git://127.0.0.1:{proxy.port}/mira.git"), other)
    assert tip(other, "refs/got/heads/main") == tip(here)


def test_a_fetch_brings_what_is_missing_only(git_daemon: GitServer, tmp_path: Path) -> None:
    remote = bare_repository(git_daemon.folder)
    here = history(tmp_path / "here", 20, size=9000)
    git(here, "push", "-q", str(remote), "main")
    other = history(tmp_path / "other", 0)
    transport = to(f"{git_daemon.url}/mira.git")
    fetch(transport, other)
    whole = fetched_bytes(other)
    more(here, 1, size=9000)
    git(here, "push", "-q", str(remote), "main")
    fetch(transport, other)
    assert 0 < fetched_bytes(other) < whole / 10
    # Work of one's own on top of what the remote has does not hide what both have.
    git(other, "reset", "-q", "--hard", "refs/got/heads/main")
    more(other, 12)
    for ref in refs(other):
        if ref.startswith("refs/got"):
            git(other, "update-ref", "-d", ref)
    more(here, 1, size=9000)
    git(here, "push", "-q", str(remote), "main")
    fetch(transport, other)
    assert 0 < fetched_bytes(other) < whole / 4


def test_a_server_without_protocol_2(git_ssh: SshServer, tmp_path: Path) -> None:
    """Sshd hands a variable on only where it is told to: git then speaks protocol 0."""
    settings = git_ssh.config.parent / "sshd_config"
    settings.write_text(settings.read_text().replace("AcceptEnv GIT_PROTOCOL\n", ""))
    remote = bare_repository(git_ssh.folder)
    here = history(tmp_path / "here", 10)
    transport = to(f"{git_ssh.url}/mira.git")
    assert transport.advertised() == Advertised({}, None), "of an empty one it says nothing"
    push(transport, here, {"refs/heads/main": tip(here)})
    assert transport.advertised() == Advertised({"refs/heads/main": tip(here)}, "refs/heads/main")
    other = history(tmp_path / "other", 0)
    assert fetch(transport, other).head == "refs/heads/main"
    whole = fetched_bytes(other)
    more(here, 1)
    git(here, "push", "-q", str(remote), "main")
    fetch(transport, other)
    assert tip(other, "refs/got/heads/main") == tip(here)
    assert fetched_bytes(other) < whole
    git(other, "fsck", "--full", "--strict")


def many_refs(remote: Path, oid: str, number: int) -> None:
    """That many branches, as git packs them."""
    rows = "".join(f"{oid} refs/heads/b{each:06}\n" for each in range(number))
    (remote / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{rows}")


def test_thousands_of_branches(git_daemon: GitServer, tmp_path: Path) -> None:
    remote = bare_repository(git_daemon.folder)
    here = history(tmp_path / "here", 1)
    git(here, "push", "-q", str(remote), "main:refs/heads/b000000")
    many_refs(remote, tip(here), 4000)
    assert len(to(f"{git_daemon.url}/mira.git").advertised().refs) == 4000


# The system's count for getrusage goes on from the process that started this one.
_MEASURED = """
import re, sys
from pathlib import Path
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import connect
from perdure.git.wire.errors import TooMuch
try:
    connect(parse_address(sys.argv[1]), name="home").advertised()
except TooMuch as error:
    print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1], error)
"""


def test_a_hundred_thousand_branches_are_too_many(git_daemon: GitServer, tmp_path: Path) -> None:
    remote = bare_repository(git_daemon.folder)
    here = history(tmp_path / "here", 1)
    git(here, "push", "-q", str(remote), "main:refs/heads/b000000")
    many_refs(remote, tip(here), 100_000)
    words = [sys.executable, "-c", _MEASURED, f"{git_daemon.url}/mira.git"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    kilobytes, _, error = said.partition(" ")
    assert "100,000 branches" in error
    assert int(kilobytes) < 300 * 1024
