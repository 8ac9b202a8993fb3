"""A transport over dulwich's clients: the conversation is theirs, line, pack and refs are ours.

dulwich 1.2 speaks git's protocol 2 where the server does, else 0. What it hands on as it came is
checked here: names and ids of refs, statuses of a push, what a server says. Its own ways to
connect are not used: they have no time limits.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from dulwich.client import AbstractHttpGitClient, SendPackResult, TraditionalGitClient
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError
from dulwich.pack import UnpackedObject
from dulwich.protocol import ZERO_SHA, Protocol

from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.refs.refs import HEADS, TAGS, is_ref_name
from perdure.git.wire.errors import (
    SAFE,
    CutOff,
    NoRepositoryThere,
    NotAllowed,
    NotGit,
    PackRefused,
    RemoteProblem,
    TooMuch,
    UnsupportedRemote,
    server_words,
)
from perdure.git.wire.line import Line, Packets, cut_off, shallow
from perdure.git.wire.transport import Advertised, PushOrder, PushResult

if TYPE_CHECKING:
    from dulwich.objects import ObjectID
    from dulwich.refs import Ref

    from perdure.git.wire.address import Address
    from perdure.git.wire.http import Answer, WebServer

_T = TypeVar("_T")
MOST_REFS = 50_000
"""Branches, tags and refs of our own that a remote may have."""
MOST_HAVES = 512
"""Commits that a fetch names to find what both sides have."""
MOST_WALKED = 20_000
"""Commits that are looked at for that."""
MOST_SAID = 10_000
"""Lines of progress that are handed on."""
_LAST_ROWS = 3
"""Lines of what a hook says that are told with a refusal."""
_OF_GIT = re.compile(r"\d+% \(|^Total \d|^error: hook declined to update")
"""What git itself says beside a hook."""
_PREFIXES = [b"HEAD", HEADS.encode(), TAGS.encode(), b"refs/perdure/"]
_OID = re.compile(rb"[0-9a-f]{40}")
_ADVERTISEMENT = "application/x-git-(?:upload|receive)-pack-advertisement"


class LineClient(TraditionalGitClient):
    """dulwich's client for git:// and ssh, over lines of ours."""

    def __init__(self, open_line: Callable[[str], Line], address: Address) -> None:
        super().__init__()
        self._open = open_line
        self._address = address
        self.line: Line | None = None
        self.packets = Packets()

    def _connect(
        self, cmd: bytes, path: str | bytes, protocol_version: int | None = None
    ) -> tuple[Protocol, Callable[[], bool], None]:
        del path, protocol_version
        service = f"git-{cmd.decode('ascii')}"
        self.line = line = self._open(service)
        # Closed by whoever has opened the line: dulwich does so only where all goes well.
        read = self.packets.counted(line.read)
        protocol = Protocol(read, line.write, shutdown_write=line.end_writes)
        self.protocol_version = 2 if cmd == b"upload-pack" else 0
        if self._address.scheme == "git":
            place = self._address.origin.partition("://")[2]
            # Behind two NUL bytes, where servers that know no protocol 2 do not look.
            version = b"\0\0version=2\0" if self.protocol_version else b"\0"
            request = service.encode() + b" " + self._address.path.encode() + b"\0host="
            protocol.write_pkt_line(request + place.encode("utf-8") + version)
        return protocol, line.can_read, None


class WebClient(AbstractHttpGitClient):
    """dulwich's client for http and https, over requests of ours."""

    def __init__(self, server: WebServer, url: str) -> None:
        super().__init__(url)
        self._server = server
        self.packets = Packets()
        self.line = None

    def _http_request(  # type: ignore[override]
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,  # noqa: FBT001, FBT002 - dulwich's own signature
    ) -> tuple[Answer, Callable[[int], bytes]]:
        del raise_for_status
        answer = self._server.ask(url, headers or {}, _blocks(data))
        if data is None and not re.fullmatch(_ADVERTISEMENT, answer.content_type):
            # dulwich would take a page that asks to sign in for a list of refs. A head that was cut
            # has no type, and no body comes after it.
            is_cut = not answer.content_type and not answer.read(1)
            answer.close()
            if is_cut:
                raise cut_off()
            raise NotGit(
                f"{self._server.host} shows a page, and no repository that git could push to",
                SAFE,
                "check the address; where it is right, the server wants a password or token",
            )
        if data is None or (isinstance(data, bytes) and b"command=ls-refs" in data[:64]):
            answer.keep_all()
        return answer, self.packets.counted(answer.read)

    def _post_buffer_size(self, url: str) -> int:
        # A slice of a push goes as one body of known length: some servers want that, and it can be
        # sent again where the server asks who we are only then.
        del url
        return 24 * 1024 * 1024


def _blocks(data: bytes | Iterator[bytes] | None) -> bytes | Iterator[bytes] | None:
    """Entries of a pack are small: what is streamed goes in larger pieces."""
    return data if data is None or isinstance(data, bytes) else _joined(data)


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= 64 * 1024:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


class ClientTransport:
    """One remote, by a client of dulwich's. Every call is a conversation of its own."""

    def __init__(
        self,
        client: LineClient | WebClient,
        path: str,
        *,
        explain: Callable[[str], RemoteProblem],
        close: Callable[[], None],
    ) -> None:
        """Hold a client.

        Args:
            client: dulwich's, over a line or requests of ours.
            path: as the client is asked for it.
            explain: the error that words on standard error mean.
            close: ends what stays open between conversations.
        """
        self._client = client
        self._path = path
        self._explain = explain
        self._end = close
        self._ours: BaseException | None = None

    def advertised(self) -> Advertised:
        with self._conversation():
            found = self._client.get_refs(self._path.encode(), ref_prefix=_PREFIXES)
            return self._checked(found.refs)

    def fetch(
        self,
        wants: Callable[[Advertised], Sequence[str]],
        heads: Sequence[str],
        parents: Callable[[str], Sequence[str]],
        write: Callable[[bytes], None],
        progress: Callable[[str], None],
    ) -> Advertised:
        with self._conversation():
            seen: list[Advertised] = []
            walker = _Haves(heads, parents, seen, self._own)

            def determine_wants(
                refs: Mapping[Ref, ObjectID], depth: int | None = None
            ) -> list[ObjectID]:
                del depth
                there = self._own(self._checked, refs)
                seen.append(there)
                return [each.encode() for each in self._own(wants, there)]  # type: ignore[misc]

            def take(data: bytes) -> int:
                self._client.packets.was_pack(len(data))
                self._own(write, data)
                return len(data)

            found = self._client.fetch_pack(
                self._path.encode(),
                determine_wants,
                walker,  # type: ignore[arg-type]
                take,
                _said(progress),
                ref_prefix=_PREFIXES,
            )
            if found.new_shallow:
                raise shallow()
            return seen[0] if seen else Advertised({}, self._client.packets.head)

    def push(
        self, decide: Callable[[Advertised], PushOrder | None], progress: Callable[[str], None]
    ) -> PushResult:
        found: list[Advertised] = []
        orders: list[PushOrder] = []

        def update_refs(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            there = self._own(self._checked, refs)
            found.append(there)
            order = self._own(decide, there)
            if order is None:
                return {}
            orders.append(order)
            return {
                ref.encode(): new.encode() if new else ZERO_SHA  # type: ignore[misc]
                for ref, new in order.moves.items()
                if there.refs.get(ref) != new
            }

        def pack(*_: object, **__: object) -> tuple[int, Iterator[UnpackedObject]]:
            order = orders[0]
            return order.pack.count, self._records(order.pack)

        said: deque[str] = deque(maxlen=100)

        def hear(words: str) -> None:
            said.append(words)
            progress(words)

        # dulwich would keep what another push was told, where this server tells nothing.
        self._client._report_status_parser = None  # noqa: SLF001
        with self._conversation():
            done = self._client.send_pack(
                self._path.encode(),
                update_refs,
                pack,
                _said(hear),
            )
        there = found[0] if found else Advertised({}, None)
        if not orders:
            return PushResult(there, {})
        refused = self._refused(there, orders[0], done)
        return PushResult(there, _explained(refused, said))

    def close(self) -> None:
        self._end()

    def _refused(self, there: Advertised, order: PushOrder, done: SendPackResult) -> dict[str, str]:
        """What the remote says of each ref; where it says nothing, what it has afterwards."""
        asked = {ref: new for ref, new in order.moves.items() if there.refs.get(ref) != new}
        said = {ref.decode("utf-8", "replace"): why for ref, why in (done.ref_status or {}).items()}
        refused = {
            ref: server_words(why) or "no reason given"
            for ref in asked
            if (why := said.get(ref)) is not None
        }
        if silent := set(asked) - set(said):
            after = self.advertised().refs
            refused |= {
                ref: "the remote did not do it, and did not say why"
                for ref in silent
                if after.get(ref) != asked[ref]
            }
        return refused

    def _records(self, pack: OutgoingPack) -> Iterator[UnpackedObject]:
        """Entries for dulwich's writer, which hands compressed ones on as they are."""
        entries = pack.entries
        while (entry := self._own(next, entries, None)) is not None:
            record = UnpackedObject(1, sha=entry[0], decomp_chunks=[])
            record.comp_chunks = [entry[1]]
            yield record

    def _checked(self, refs: Mapping[Ref, ObjectID | None]) -> Advertised:
        """What git would take of the names that a remote says.

        Raises:
            TooMuch: there are too many.
            UnsupportedRemote: its ids are SHA-256.
        """
        found: dict[str, str] = {}
        odd = 0
        for raw, oid in refs.items():
            if oid is None or raw.endswith(b"^{}") or raw == b"HEAD":
                continue
            if len(oid) == 64:
                raise UnsupportedRemote(
                    "the remote has git's SHA-256 format, which perdure does not support",
                    SAFE,
                    "use a remote of the usual format (git init --bare)",
                )
            ref = raw.decode("utf-8", "surrogateescape")
            if not ref.startswith((HEADS, TAGS, "refs/perdure/")):
                continue
            if is_ref_name(ref) and ref.isprintable() and _OID.fullmatch(oid):
                found[ref] = oid.decode("ascii")
            else:
                odd += 1
        if len(found) > MOST_REFS:
            raise TooMuch(
                f"the remote has {len(found):,} branches and tags, more than the {MOST_REFS:,} "
                "that perdure takes",
                SAFE,
                "see git ls-remote; remove there what does not belong to the companion",
            )
        return Advertised(found, self._client.packets.head, odd)

    def _own(self, call: Callable[..., _T], *words: object) -> _T:
        """Call ours from inside of dulwich; its errors are not the remote's."""
        try:
            return call(*words)
        except BaseException as error:
            self._ours = error
            raise

    @contextmanager
    def _conversation(self) -> Iterator[None]:
        """One connection; whatever goes wrong in it is an error of ours."""
        self._ours = None
        self._client.packets.begin()
        try:
            yield
        except RemoteProblem:
            self._end()
            raise
        except Exception as error:  # noqa: BLE001 - of what a stranger sent, dulwich raises many
            self._end()
            if self._ours is not None:
                raise self._ours from None
            raise self._problem(error) from None
        finally:
            if self._client.line is not None:
                self._client.line.close()
                self._client.line = None

    def _problem(self, error: Exception) -> RemoteProblem:
        """The error of ours that one of dulwich's means."""
        match error:
            case SendPackError():
                words = server_words(b" ".join(w for w in error.args if isinstance(w, bytes)))
                return PackRefused(
                    f"the remote could not unpack what it was sent: {words}",
                    "it took nothing, and everything here is as it was",
                    "look at the remote's disk space and its permissions, then try again",
                )
            case HangupException():
                line = self._client.line
                return self._explain(line.trouble() if line is not None else "")
            case NotGitRepository():
                return self._explain("does not appear to be a git repository")
            case GitProtocolError():
                # git ends its last words with a NUL, for which dulwich puts "?".
                return self._of_protocol(server_words(str(error).removesuffix("?")))
            case OSError():
                return cut_off()
        return _not_git("nothing that could be made sense of")

    def _of_protocol(self, words: str) -> RemoteProblem:
        """Of a word that the server ended the conversation with, or what it cut short."""
        if re.search("repository not exported|no such repository|not appear to be a git", words):
            return NoRepositoryThere(
                f"there is no such repository, or not for you: {words}",
                SAFE,
                "check the address, or make the repository there first (git init --bare)",
            )
        if re.search(r"not enabled|not allowed|read.?only|denied|forbidden", words, re.IGNORECASE):
            return NotAllowed(f"the remote does not allow it: {words}", SAFE, "ask whoever runs it")
        if "Length of pkt read" in words:
            return cut_off()
        if re.search("pkt-line|first line|number of packets|content-type", words, re.IGNORECASE):
            return _not_git(words)
        return CutOff(f"the remote ended the conversation: {words}", SAFE, "try again")


def _explained(refused: dict[str, str], said: Iterable[str]) -> dict[str, str]:
    """Reasons, where a hook's is "declined", with what it said beside that."""
    rows = [row for row in said if re.search(r"[^\W_]", row) and not _OF_GIT.search(row)]
    words = " ".join(list(dict.fromkeys(rows))[-_LAST_ROWS:])
    told = f": {server_words(words)}" if words else ""
    return {ref: f"{why}{told}" if "declined" in why else why for ref, why in refused.items()}


def _not_git(what: str) -> NotGit:
    return NotGit(
        f"the remote does not answer as git does ({what})",
        SAFE,
        "check the address; git ls-remote shows what answers there",
    )


def _said(progress: Callable[[str], None]) -> Callable[[bytes], None]:
    """Hand on what a server says, as short lines, and not without end."""
    left = MOST_SAID

    def hear(data: bytes) -> None:
        nonlocal left
        for row in re.split(rb"[\r\n]+", data) if left > 0 else ():
            words = server_words(row)
            if words and left > 0:
                left -= 1
                progress(words)

    return hear


class _Haves:
    """The commits that a fetch names, in dulwich's way: ``next`` until it gives None.

    Tips first, then further and further apart: all of them go in one request, before the server
    answers. What the remote advertises is known to be there, with all below.
    """

    def __init__(
        self,
        heads: Sequence[str],
        parents: Callable[[str], Sequence[str]],
        seen: Sequence[Advertised],
        own: Callable[..., Sequence[str]],
    ) -> None:
        self._heads, self._parents, self._seen, self._own = heads, parents, seen, own
        self._acked: set[str] = set()
        self._found: Iterator[str] | None = None
        self.shallow: set[bytes] = set()

    def __next__(self) -> bytes | None:
        if self._found is None:
            self._found = self._walk()
        have = next(self._found, None)
        return have.encode("ascii") if have is not None else None

    def next(self) -> bytes | None:
        """Dulwich's older name for it."""
        return next(self)

    def ack(self, oid: bytes) -> None:
        """The remote has it, with all below."""
        self._acked.add(oid.decode("ascii", "replace"))

    def nak(self) -> None:
        """Nothing in common was found."""

    def _walk(self) -> Iterator[str]:
        there = set(self._seen[-1].refs.values()) if self._seen else set()
        # A tip that the remote does not have any more leads to what it has: those come first.
        tips = sorted(dict.fromkeys(self._heads), key=lambda oid: oid in there)
        queue: list[tuple[str, int, int]] = [(oid, 0, 1) for oid in tips]
        known: set[str] = set()
        named = walked = 0
        while queue and named < MOST_HAVES and walked < MOST_WALKED:
            coming: list[tuple[str, int, int]] = []
            for oid, wait, gap in queue:
                if oid in known:
                    continue
                known.add(oid)
                walked += 1
                if wait == 0:
                    named += 1
                    yield oid
                    if named >= MOST_HAVES:
                        return
                    wait, gap = gap, gap * 3 // 2 + 1  # noqa: PLW2901
                if oid not in there and oid not in self._acked and walked < MOST_WALKED:
                    above = self._own(self._parents, oid)
                    coming += [(each, wait - 1, gap) for each in above]
            queue = coming


def web_transport(address: Address, name: str, begun: WebServer | None = None) -> ClientTransport:
    """A transport by http or https; ``begun``: the server, if it was asked already."""
    from perdure.git.wire.credentials import Credentials
    from perdure.git.wire.http import WebServer

    server = begun or WebServer(address, Credentials(address, name))
    client = WebClient(server, server.url)
    return ClientTransport(client, "", explain=lambda _: cut_off(), close=server.close)


def line_transport(
    address: Address, begun: Callable[[str], Line | None] = lambda _: None
) -> ClientTransport:
    """A transport by git's own protocol, or by ssh; ``begun``: a line that is there already."""
    if address.scheme == "git":
        from perdure.git.wire.line import open_git_line

        client = LineClient(lambda _: open_git_line(address), address)
        return ClientTransport(client, address.path, explain=lambda _: cut_off(), close=_nothing)
    from perdure.git.wire.ssh import open_ssh_line, ssh_problem

    client = LineClient(lambda service: begun(service) or open_ssh_line(address, service), address)
    return ClientTransport(
        client,
        address.path,
        explain=lambda trouble: ssh_problem(trouble, address),
        close=_nothing,
    )


def _nothing() -> None:
    """A line is closed with its conversation."""
