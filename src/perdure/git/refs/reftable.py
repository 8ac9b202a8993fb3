"""One table of git's reftable format: the refs and reflog entries in it.

Format: ``Documentation/technical/reftable.adoc`` in git. A file has a header, blocks of refs, an
index of them, blocks of objects with the refs that name them (skipped here), blocks of reflog
entries, and a footer with the places of all these. Of each section that is read every byte has to
belong to a block, and its index to end where it ends, so that no ref is left out in silence.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from perdure.git.config import repository as config
from perdure.git.errors import DamagedRepository

_MAGIC = b"REFT"
_HEADER = {1: 24, 2: 28}
"""Bytes of the header by version; the second one names the kind of ids."""
_AFTER_HEADER = 44
"""Bytes of the footer after its copy of the header: five places and a checksum."""
_BLOCK_HEADER = 4
_BLOCK_FOOT = 2
_OID = 20
_BREAKS = re.compile(rb"[\x00-\x1f<>]")
_SPACES = re.compile(rb"[\x00\t\r\n]")
_LARGEST_INDEX = 2**64 - 1
_LARGEST_BLOCK = 2**24 - 1


class DamagedTable(DamagedRepository):
    """A table that does not hold what the format says."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of a reflog; ``is_gone``: it takes an entry of an older table away.

    Attributes:
        ref: full name of the ref.
        index: number of the change, the newest highest.
        old: hex id before the change.
        new: hex id after it.
        name, email: who changed it.
        seconds: when, since 1970.
        zone: time zone as ``+0230`` is written, 230.
        text: what git says about it.
    """

    ref: bytes
    index: int
    is_gone: bool
    old: str = ""
    new: str = ""
    name: bytes = b""
    email: bytes = b""
    seconds: int = 0
    zone: int = 0
    text: bytes = b""

    @property
    def is_mark(self) -> bool:
        """Whether it only says that there is a reflog, which is empty."""
        return self.old == self.new == "0" * 2 * _OID

    def line(self) -> bytes:
        """The entry as a line of a reflog's file, whatever stands in its texts."""
        name, email = (_BREAKS.sub(b"", text) for text in (self.name, self.email))
        text = _SPACES.sub(b" ", self.text.rstrip())
        said = b"\t" + text if text else b""
        ids = f"{self.old} {self.new}".encode()
        return b"%s %s <%s> %d %+05d%s\n" % (ids, name, email, self.seconds, self.zone, said)


@dataclass(frozen=True, slots=True)
class _Block:
    """Records of one block: where the first begins and the last ends; ``next``: the next block."""

    data: bytes
    first: int
    end: int
    next: int


class Table:
    """One table, whose header and footer are checked; its blocks are, as they are read.

    Raises:
        DamagedTable: it is none, or cut.
        UnsupportedRepository: its ids are of another kind than sha1.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data
        self._header = self._checked_header()
        size = int.from_bytes(data[5:8])
        self._block_size = size
        self._stop = len(data) - self._header - _AFTER_HEADER
        foot = data[self._stop :]
        if foot[: self._header] != data[: self._header]:
            raise self._damaged("its end does not repeat its beginning")
        if zlib.crc32(foot[:-4]) != int.from_bytes(foot[-4:]):
            raise self._damaged("the checksum of its end does not match")
        places = [int.from_bytes(foot[at : at + 8]) for at in range(self._header, len(foot) - 4, 8)]
        self._ref_index, objects, _, self._logs, self._log_index = places
        objects >>= 5
        self._refs_end = objects or self._logs or self._stop
        order = [self._ref_index, self._refs_end, self._logs, self._log_index, self._stop]
        if (order := [place for place in order if place]) != sorted(order):
            raise self._damaged("its end names places where nothing can be")
        self._first = data[self._header : self._stop][:1]
        is_log = self._first == b"g" and not (self._ref_index or objects or self._logs)
        self._has_logs = is_log or self._logs > 0
        if self._first != b"r" and self._stop > self._header and not is_log:
            raise self._damaged("it begins with neither refs nor a reflog")

    def _checked_header(self) -> int:
        data = self._data
        version = data[4] if len(data) > 4 and data.startswith(_MAGIC) else 0
        header = _HEADER.get(version, 0)
        if not header or len(data) < 2 * header + _AFTER_HEADER:
            raise self._damaged("it is no table that perdure knows, or it is cut")
        if version > 1 and data[24:28] != b"sha1":
            raise config.other_ids()
        return header

    def _damaged(self, what: str) -> DamagedTable:
        return DamagedTable(
            f"the table of refs {self.name} is damaged: {what}",
            "the commits are not touched",
            "see git fsck and git for-each-ref, or fetch the repository anew from a backup",
        )

    def refs(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Each ref in the order of names: its hex id, or ``ref: `` and a name; None: it is deleted.

        Raises:
            DamagedTable: what is read makes no sense.
        """
        if self._first == b"g":
            # Of refs whose mark is damaged nothing would be seen: a reflog can be unpacked.
            self._log_block(0, _LARGEST_BLOCK)
        if self._first != b"r":
            return
        last = b""
        at = 0
        while at < self._refs_end and (not at or self._data[at : at + 1] == b"r"):
            block = self._block(at, b"r", self._refs_end)
            name, place = b"", block.first
            while place < block.end:
                name, kind, place = self._key(block, name, place)
                if name <= last:
                    raise self._damaged("its refs are not in order")
                last = name
                value, place = self._value(block, kind, place)
                yield name, value
            at = block.next
        self._check_index(at, self._refs_end, self._ref_index, last)

    def _block(self, at: int, mark: bytes, end: int) -> _Block:
        """A block of refs, or of an index."""
        data = self._data
        start = at or self._header
        if start + _BLOCK_HEADER > end or data[start : start + 1] != mark:
            raise self._damaged("a block is missing")
        length = int.from_bytes(data[start + 1 : start + 4])
        stop = after = at + length
        if stop > end:
            raise self._damaged("a block is cut")
        if length < self._block_size and not data[stop]:
            # Filled up to the size of blocks, as all but the last one are.
            after = at + self._block_size
        if data[stop : min(after, end)].strip(b"\0"):
            raise self._damaged("something stands between its blocks")
        return self._records(data, start + _BLOCK_HEADER, stop, after)

    def _check_index(self, at: int, end: int, root: int, last: bytes) -> None:
        """After the blocks of a section nothing comes but its index, whose last name is theirs."""
        name = last
        starts: set[int] = set()
        while at < end:
            starts.add(at)
            block = self._block(at, b"i", end)
            name, place = b"", block.first
            while place < block.end:
                name, _, place = self._key(block, name, place)
                _, place = self._number(block, place)
            at = block.next
        if name != last or root not in (starts or {0}):
            raise self._damaged("its index does not fit its blocks")

    def _records(self, data: bytes, first: int, stop: int, after: int) -> _Block:
        """A block without the list at its end, from which a search may begin."""
        count = int.from_bytes(data[stop - _BLOCK_FOOT : stop])
        end = stop - _BLOCK_FOOT - 3 * count
        if stop - _BLOCK_FOOT < first or not count or end < first:
            raise self._damaged("a block has no records")
        return _Block(data, first, end, after)

    def _number(self, block: _Block, at: int) -> tuple[int, int]:
        """A number of seven bits a byte, as git writes it, and where the next value is."""
        number = -1
        for place in range(at, min(at + 10, block.end)):
            byte = block.data[place]
            number = (number + 1 << 7) + (byte & 0x7F)
            if byte < 0x80:
                return number, place + 1
        raise self._damaged("a number does not end")

    def _text(self, block: _Block, at: int) -> tuple[bytes, int]:
        length, at = self._number(block, at)
        return self._bytes(block, at, length)

    def _bytes(self, block: _Block, at: int, length: int) -> tuple[bytes, int]:
        if length > block.end - at:
            raise self._damaged("a record is cut")
        return block.data[at : at + length], at + length

    def _key(self, block: _Block, last: bytes, at: int) -> tuple[bytes, int, int]:
        """A record's name, of which the beginning may be that of the last one, and its kind."""
        shared, at = self._number(block, at)
        rest, at = self._number(block, at)
        if shared > len(last):
            raise self._damaged("a name continues none")
        end, at = self._bytes(block, at, rest >> 3)
        name = last[:shared] + end
        if not name:
            raise self._damaged("a record has no name")
        return name, rest & 7, at

    def _value(self, block: _Block, kind: int, at: int) -> tuple[bytes | None, int]:
        _, at = self._number(block, at)
        if kind == 0:
            return None, at
        if kind == 3:
            target, at = self._text(block, at)
            return b"ref: " + target, at
        if kind not in {1, 2}:
            raise self._damaged("a ref is of no known kind")
        # An annotated tag has a second id: of what it names.
        ids, at = self._bytes(block, at, _OID * kind)
        return ids[:_OID].hex().encode(), at

    def log(self, most: int) -> Iterator[LogEntry]:
        """Each entry of the reflogs: by name of the ref, the newest first.

        Args:
            most: bytes that the entries may have together once they are unpacked.

        Raises:
            DamagedTable: what is read makes no sense, or is more.
        """
        at, last = self._logs, b""
        while self._has_logs and at < self._stop and self._data[at : at + 1] != b"i":
            block = self._log_block(at, most)
            most -= len(block.data)
            key, place = b"", block.first
            while place < block.end:
                key, kind, place = self._key(block, key, place)
                if key <= last:
                    raise self._damaged("its reflogs are not in order")
                last = key
                entry, place = self._entry(block, key, kind, place)
                yield entry
            at = block.next
        if self._has_logs:
            self._check_index(at, self._stop, self._log_index, last)

    def _log_block(self, at: int, most: int) -> _Block:
        data = self._data
        start = at or self._header
        begin = start + _BLOCK_HEADER
        if data[start : start + 1] != b"g" or begin >= self._stop:
            raise self._damaged("a block of reflogs is missing")
        length = int.from_bytes(data[start + 1 : start + 4]) - (start - at) - _BLOCK_HEADER
        if not 0 < length <= most:
            raise self._damaged("its reflogs are longer than perdure reads")
        # What cannot be packed grows by five bytes in 16 KiB.
        packed = data[begin : min(self._stop, begin + length + length // 1000 + 1024)]
        stream = zlib.decompressobj()
        try:
            plain = stream.decompress(packed, length)
            # Of the end of a stream that is just as long as it should be, the checksum is left.
            plain += stream.decompress(stream.unconsumed_tail, 1) if not stream.eof else b""
        except zlib.error as error:
            raise self._damaged("a block of reflogs cannot be unpacked") from error
        if not stream.eof or len(plain) != length:
            raise self._damaged("a block of reflogs has another length than it says")
        after = begin + len(packed) - len(stream.unused_data)
        return self._records(plain, 0, len(plain), after)

    def _entry(self, block: _Block, key: bytes, kind: int, at: int) -> tuple[LogEntry, int]:
        ref, index = key[:-9], _LARGEST_INDEX - int.from_bytes(key[-8:])
        if not ref or key[-9:-8] != b"\0" or kind > 1:
            raise self._damaged("an entry of a reflog is of no known kind")
        if kind == 0:
            return LogEntry(ref, index, True), at
        ids, at = self._bytes(block, at, 2 * _OID)
        name, at = self._text(block, at)
        email, at = self._text(block, at)
        seconds, at = self._number(block, at)
        zone, at = self._bytes(block, at, 2)
        text, at = self._text(block, at)
        old, new = ids[:_OID].hex(), ids[_OID:].hex()
        shift = int.from_bytes(zone, signed=True)
        return LogEntry(ref, index, False, old, new, name, email, seconds, shift, text), at
