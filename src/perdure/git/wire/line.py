"""A line to a server: bytes in both directions, with a limit on its silence, and on its words.

It is a socket, or the pipes of a process (ssh). While it writes it also reads, so that a server
that reports progress in the middle of a push never waits for us while we wait for it. What the
process says on its standard error is kept, up to a limit.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import socket
import time
from collections.abc import Callable
from typing import Final

from perdure.git.refs.refs import HEADS, is_ref_name
from perdure.git.wire.address import DEFAULT_PORTS, Address
from perdure.git.wire.errors import (
    SAFE,
    CutOff,
    RemoteSilent,
    TooMuch,
    Unreachable,
    UnsupportedRemote,
    server_words,
)

CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 60.0
"""How long a server may say nothing, and take nothing, before it counts as dead. git's servers say
something every 5 seconds while they work."""
SLOW_SECONDS = 600.0
"""How long a server may be waited for in all, beyond a second for each KiB that comes or goes."""
MOST_ADVERTISED_BYTES = 16 * 1024 * 1024
"""Of what a remote may say beside a pack, in each conversation: some 200,000 refs."""
MOST_BESIDE_BYTES = 1024 * 1024
"""Of a web server's answer that are no part of its body: head, lengths of chunks, trailers."""
_BLOCK: Final = 64 * 1024
_MOST_AHEAD = 4 * 1024 * 1024
"""Bytes that are read while we write."""
_MOST_TROUBLE = 16 * 1024
_LAST_WORDS_SECONDS = 5.0
"""For what the program in between says when it ends."""
_LENGTH = 4
"""Bytes that say how long a packet is; dulwich reads them by themselves."""
_PIECE = 65536
"""dulwich's `_RBUFSIZE`: servers of another age send a pack without packets, read in such pieces. A
packet is shorter."""
_COST = 64
"""Bytes that each packet counts for beside its own: a short one costs memory and time too."""
_HEAD_ROW = re.compile(rb"[0-9a-f]{40,64} HEAD symref-target:(\S+)|unborn HEAD symref-target:(\S+)")
_HEAD_CAPABILITY = re.compile(rb"[\0 ]symref=HEAD:(\S+)")


class Pace:
    """How long a server lets us wait, for what it says and takes meanwhile.

    One that says a byte now and then is never silent, and would hold us for ever.
    """

    def __init__(self) -> None:
        self._left = SLOW_SECONDS

    def waited(self, seconds: float, size: int) -> None:
        """So long, for so many bytes.

        Raises:
            RemoteSilent: that was too long for all that has passed.
        """
        self._left = min(SLOW_SECONDS, self._left - seconds + size / 1024)
        if self._left < 0:
            raise RemoteSilent(
                f"the remote has said next to nothing for {SLOW_SECONDS / 60:.0f} minutes",
                SAFE,
                "try again later",
            )


class Line:
    """The two ends of a connection. Not safe for use by several threads."""

    def __init__(
        self,
        reads: int,
        writes: int,
        *,
        end_writes: Callable[[], None],
        close: Callable[[], None],
        errors: int | None = None,
    ) -> None:
        """Take over descriptors.

        Args:
            reads: what the server says comes from here.
            writes: what it is to read goes here; may be the same one.
            end_writes: tells the server that nothing more comes.
            close: closes all of them.
            errors: what the program in between has to say.
        """
        self._reads, self._writes, self._errors = reads, writes, errors
        self._end_writes, self._close = end_writes, close
        self._came, self._goes, self._trouble = bytearray(), bytearray(), bytearray()
        self._ended = self._may_not_write = False
        self._pace = Pace()
        for fd in (reads, writes, errors):
            if fd is not None:
                os.set_blocking(fd, False)

    def read(self, size: int) -> bytes:
        """That many bytes; fewer only at the end.

        Raises:
            RemoteSilent: nothing came for too long.
        """
        self.flush()
        while len(self._came) < size and not self._ended:
            self._wait(writing=False)
        data = bytes(self._came[:size])
        del self._came[:size]
        return data

    def write(self, data: bytes) -> int:
        """Send bytes, now or with later ones."""
        self._goes += data
        if len(self._goes) >= _BLOCK:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Send what is waiting.

        Raises:
            RemoteSilent: the server took nothing for too long.
            CutOff: it does not read any more.
        """
        while self._goes:
            self._wait(writing=True)

    def end_writes(self) -> None:
        """Say that nothing more comes."""
        self.flush()
        self._may_not_write = True
        self._end_writes()

    def can_read(self) -> bool:
        """Whether a read would not wait."""
        self.flush()
        return bool(self._came) or self._ended or bool(select.select([self._reads], [], [], 0)[0])

    def trouble(self) -> str:
        """What was said on standard error, once the server has ended the line."""
        while not self._ended or self._errors is not None:
            try:
                self._wait(writing=False, seconds=_LAST_WORDS_SECONDS)
            except (CutOff, RemoteSilent):
                break
        return self._trouble.decode("utf-8", "replace")

    def close(self) -> None:
        """Close both directions; what still waits to be sent goes if it can at once."""
        # Where no more may be written, the descriptor may be somebody else's by this time.
        if self._goes and not self._may_not_write:
            with contextlib.suppress(OSError):
                os.write(self._writes, self._goes)
        self._close()

    def _wait(self, *, writing: bool, seconds: float | None = None) -> None:
        """Until something has come, or gone, or the line has ended."""
        poll = select.poll()
        if not self._ended and len(self._came) < _MOST_AHEAD:
            poll.register(self._reads, select.POLLIN)
        if self._errors is not None:
            poll.register(self._errors, select.POLLIN)
        if writing:
            events = select.POLLOUT
            if self._writes == self._reads and not self._ended and len(self._came) < _MOST_AHEAD:
                events |= select.POLLIN
            poll.register(self._writes, events)
        seconds = SILENCE_SECONDS if seconds is None else seconds
        before, begun = len(self._came) - len(self._goes), time.monotonic()
        ready = poll.poll(seconds * 1000)
        waited = time.monotonic() - begun
        if not ready:
            raise RemoteSilent(
                f"the remote has said nothing for {seconds:.0f} seconds",
                SAFE,
                "try again later",
            )
        for fd, event in ready:
            if fd == self._errors:
                self._hear(fd)
            if fd == self._reads and event & ~select.POLLOUT:
                self._take()
            if fd == self._writes and writing and event & (select.POLLOUT | select.POLLERR):
                self._send()
        self._pace.waited(waited, len(self._came) - len(self._goes) - before)

    def _take(self) -> None:
        try:
            data = os.read(self._reads, _BLOCK)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        self._came += data
        self._ended = not data

    def _send(self) -> None:
        try:
            sent = os.write(self._writes, self._goes[:_BLOCK])
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionError):
            self._goes.clear()
            # What it said last tells why.
            if self._came:
                return
            self._ended = True
            raise cut_off() from None
        del self._goes[:sent]

    def _hear(self, errors: int) -> None:
        try:
            data = os.read(errors, 4096)
        except BlockingIOError:
            return
        self._trouble += data[: _MOST_TROUBLE - len(self._trouble)]
        if not data:
            self._errors = None


class Packets:
    """The packets of one conversation.

    dulwich keeps every row that it reads. What is no part of a pack is counted here, by bytes and
    by packets, whichever words it is made of; and rows that dulwich makes nothing of are noticed.

    Attributes:
        head: the ref that the remote's HEAD names, as far as it has been said.
    """

    def __init__(self) -> None:
        self.head: str | None = None
        self._left = 0
        self.begin()

    def begin(self) -> None:
        """Begin a conversation: nothing was said."""
        self.head = None
        self._left = MOST_ADVERTISED_BYTES

    def counted(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """A reader for dulwich, which asks for a packet's length and then for its content.

        Raises:
            TooMuch: the remote says more than it may.
            CutOff: it ends within a length.
            UnsupportedRemote: it is a shallow clone.
        """

        def counted(size: int) -> bytes:
            data = read(size)
            if size == _LENGTH:
                if 0 < len(data) < size:
                    raise cut_off()
                self._left -= _COST
            self._left -= len(data)
            if self._left < 0:
                raise too_many_words()
            if size != _PIECE:
                self._look(data)
            return data

        return counted

    def was_pack(self, size: int) -> None:
        """Take back what was counted for bytes of a pack, which has limits of its own."""
        self._left += size + min(size, _COST + _LENGTH + 1)

    def _look(self, row: bytes) -> None:
        if row.startswith(b"shallow "):
            raise shallow()
        if self.head is not None:
            return
        found = _HEAD_ROW.match(row)
        if found is None and b"\0" in row:
            found = _HEAD_CAPABILITY.search(row)
        if found is not None:
            ref = next(each for each in found.groups() if each).decode("utf-8", "replace")
            if ref.startswith(HEADS) and is_ref_name(ref):
                self.head = ref


class Received(io.RawIOBase):
    """What a web server says, as it comes: within time, and not much beside the body."""

    def __init__(self, source: io.RawIOBase) -> None:
        self._source = source
        self._pace = Pace()
        self._left = MOST_BESIDE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        begun = time.monotonic()
        size = self._source.readinto(buffer)
        self._pace.waited(time.monotonic() - begun, size or 0)
        self._left -= size or 0
        if self._left < 0:
            raise TooMuch(
                "the server says far more than the page that it was asked for",
                SAFE,
                "check the address, or ask whoever runs the server",
            )
        return size

    def was_body(self, size: int) -> None:
        """So many bytes were of the body; chunks may have lengths as long as themselves."""
        self._left = min(MOST_BESIDE_BYTES, self._left + 2 * size)

    def close(self) -> None:
        self._source.close()
        super().close()


def cut_off() -> CutOff:
    """The error for a connection that ended in the middle."""
    return CutOff(
        "the connection to the remote ended in the middle", SAFE, "try again; nothing is sent twice"
    )


def too_many_words() -> TooMuch:
    """The error for a remote that says more than it may."""
    return TooMuch(
        "the remote says more than perdure takes: more than "
        f"{MOST_ADVERTISED_BYTES >> 20} MiB of branches, tags and words",
        SAFE,
        "see git ls-remote; remove there what does not belong to the companion",
    )


def shallow() -> UnsupportedRemote:
    """The error for a remote that lacks the beginning of its history."""
    return UnsupportedRemote(
        "the remote does not have the whole history: it is a shallow clone itself",
        SAFE,
        "use the repository that it was made from, or git fetch --unshallow there",
    )


def socket_to(host: str, port: int) -> socket.socket:
    """A connection by TCP.

    Raises:
        Unreachable: no such host, or nobody listens there.
    """
    begun = time.monotonic()
    try:
        return socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    except TimeoutError:
        seconds = time.monotonic() - begun
        raise Unreachable(
            f"{host} did not answer within {seconds:.0f} seconds",
            SAFE,
            "check the network, then try again",
        ) from None
    except (OSError, UnicodeError) as error:
        raise unreachable(host, port, error) from None


def unreachable(host: str, port: int, error: Exception) -> Unreachable:
    """The error for a host that there is no way to."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return Unreachable(
            f"there is no host {host}, or no network", SAFE, "check the address and the network"
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"nothing answers at {host}, port {port}",
            SAFE,
            "check the address, or start the server",
        )
    reason = getattr(error, "strerror", None) or server_words(str(error)) or type(error).__name__
    return Unreachable(f"{host} cannot be reached: {reason}", SAFE, "check the network")


def open_git_line(address: Address) -> Line:
    """A line to ``git://``, by TCP.

    Raises:
        Unreachable: no such host, or nobody listens there.
    """
    sock = socket_to(address.host, address.port or DEFAULT_PORTS["git"])
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end_writes() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)

    return Line(sock.fileno(), sock.fileno(), end_writes=end_writes, close=sock.close)
