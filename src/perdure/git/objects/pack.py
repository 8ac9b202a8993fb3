"""Reading one pack: version 2 of pack and index, as in git's ``gitformat-pack``.

dulwich reads packs too, in three to four times the time (150 commits and their trees: 19 ms, here
5), and nearly every object of a companion is in a pack.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import sys
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from perdure.git.errors import DamagedRepository, TooLargeObject

KINDS = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}
NUMBERS = {kind: number for number, kind in KINDS.items()}
OFS_DELTA, REF_DELTA = 6, 7
_IDX_MAGIC = b"\xfftOc\x00\x00\x00\x02"
CHAIN_LIMIT = 5000
"""Deltas on deltas; git itself makes at most 4,095."""
WORK_LIMIT = 512 * 1024 * 1024
"""Bytes of all deltas of one chain and of what they make: a short chain of large ones takes long,
too. Where nothing is said of a limit, none is held."""
MOST_PIECES = 1 << 20
"""Of one delta. They are all in memory."""
_READ_WHOLE = 128 * 1024
"""Bytes of a pack, or of an index, that is read at once."""
_KEPT_BYTES = 4 * 1024 * 1024
"""Bytes of bases that a pack keeps in memory: neighbours of an object are deltas of one another."""


def _content(path: Path) -> mmap.mmap | bytes:
    """A file's bytes: read where they are few, mapped where they are many.

    Before Python 3.13 each mapping keeps a file open, and a companion has packs by the dozen.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size <= _READ_WHOLE:
            return file.read()
        if sys.version_info >= (3, 13):
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, trackfd=False)
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class PackFile:
    """An index, read at once, and its pack, opened when an object is wanted from it."""

    def __init__(self, idx: Path, pack: Path | None = None) -> None:
        """Map the index.

        Args:
            idx: the index.
            pack: its pack, where that is not beside it under the same name.

        Raises:
            OSError: the file is gone.
            DamagedRepository: it is not an index of version 2.
        """
        self.name = idx.stem
        self.path = pack or idx.with_suffix(".pack")
        self._idx = _content(idx)
        if self._idx[:8] != _IDX_MAGIC or len(self._idx) < 8 + 1024 + 40:
            raise DamagedRepository(f"the pack index {idx.name} is not of version 2")
        self._fanout = struct.unpack_from(">256L", self._idx, 8)
        self.count: int = self._fanout[255]
        if len(self._idx) < 8 + 1024 + 28 * self.count + 40:
            raise DamagedRepository(f"the pack index {idx.name} is cut short")
        self._names = 8 + 1024
        self._crcs = self._names + 20 * self.count
        self._offsets = self._crcs + 4 * self.count
        self._large = self._offsets + 4 * self.count
        self._pack: mmap.mmap | bytes | None = None
        self._kept: dict[int, tuple[bytes, bytes]] = {}
        self._kept_bytes = 0

    @property
    def pack(self) -> mmap.mmap | bytes:
        """The pack's bytes. Raises OSError when it was deleted since the index was read."""
        if self._pack is None:
            mapped = _content(self.path)
            if mapped[:8] not in {b"PACK\x00\x00\x00\x02", b"PACK\x00\x00\x00\x03"}:
                raise DamagedRepository(f"{self.path.name} is not a pack")
            self._pack = mapped
        return self._pack

    def _oid(self, position: int) -> bytes:
        start = self._names + 20 * position
        return self._idx[start : start + 20]

    def find(self, oid: bytes) -> int | None:
        """Offset of an object's entry in the pack, None where the pack does not have it."""
        first = oid[0]
        low = self._fanout[first - 1] if first else 0
        high = self._fanout[first]
        if low == high:
            return None
        names, at = self._idx, self._names
        while low < high:
            middle = (low + high) // 2
            start = at + 20 * middle
            here = names[start : start + 20]
            if here == oid:
                return self._offset(middle)
            if here < oid:
                low = middle + 1
            else:
                high = middle
        return None

    def _offset(self, position: int) -> int:
        try:
            (offset,) = struct.unpack_from(">L", self._idx, self._offsets + 4 * position)
            if offset & 0x80000000:
                place = self._large + 8 * (offset & 0x7FFFFFFF)
                (offset,) = struct.unpack_from(">Q", self._idx, place)
        except struct.error as error:
            raise DamagedRepository(
                f"the index of {self.path.name} leads beyond its end"
            ) from error
        return int(offset)

    def oids(self, prefix: str = "") -> Iterator[bytes]:
        """Object ids in order, those that begin with some hex digits when a prefix is given."""
        low = prefix.ljust(40, "0")
        start = bisect_left(range(self.count), bytes.fromhex(low), key=self._oid)
        for position in range(start, self.count):
            oid = self._oid(position)
            if not oid.hex().startswith(prefix):
                return
            yield oid

    def header(self, offset: int) -> tuple[int, int, int]:
        """Type number, size and where the rest of an entry begins."""
        pack = self.pack
        byte = pack[offset]
        number, size, shift = (byte >> 4) & 7, byte & 15, 4
        offset += 1
        while byte & 0x80:
            byte = pack[offset]
            size |= (byte & 0x7F) << shift
            shift += 7
            offset += 1
            if shift > 63:
                raise DamagedRepository(f"{self.path.name} names a size that no object has")
        return number, size, offset

    def inflate(self, at: int, size: int) -> bytes:
        """The bytes of an entry that begin at ``at`` and have that size when inflated.

        Raises:
            DamagedRepository: they do not inflate, or to another size.
        """
        engine = zlib.decompressobj()
        pack = self.pack
        end = at + size + size // 512 + 512
        try:
            # One byte more than promised, so that an entry that holds more is noticed.
            data = engine.decompress(pack[at:end], size + 1)
            while len(data) < size and not engine.eof and end < len(pack):
                data += engine.decompress(pack[end : end + 65536], size + 1 - len(data))
                end += 65536
        except zlib.error as error:
            raise DamagedRepository(f"an entry of {self.path.name} does not inflate") from error
        if len(data) != size:
            raise DamagedRepository(f"an entry of {self.path.name} has the wrong size")
        return data

    def size(self, offset: int) -> tuple[bytes, int]:
        """Kind and size of the entry at an offset, by headers alone: nothing is unpacked.

        Raises:
            DamagedRepository: the entry cannot be read.
        """
        target = -1
        for _ in range(CHAIN_LIMIT):
            try:
                number, size, at = self.header(offset)
                if number in KINDS:
                    return KINDS[number], size if target < 0 else target
                base, at = self.base_of(number, offset, at)
                if target < 0:
                    target = self._target(at)
            except IndexError as error:
                raise DamagedRepository(f"{self.path.name} is cut short") from error
            offset = base
        raise DamagedRepository(f"{self.path.name} has deltas that never end")

    def _target(self, at: int) -> int:
        """The size that a delta makes, by its first bytes. Raises IndexError where it has none."""
        try:
            start = zlib.decompressobj().decompress(self.pack[at : at + 256], 32)
        except zlib.error as error:
            raise DamagedRepository(f"an entry of {self.path.name} does not inflate") from error
        return varint(start, varint(start, 0)[1])[0]

    def read(self, offset: int, most: int | None = None) -> tuple[bytes, bytes]:
        """Kind and content of the entry at an offset, its deltas applied.

        Args:
            offset: where it begins.
            most: bytes that the entry, and what it is built on, may have; checked before anything
                is unpacked.

        Raises:
            DamagedRepository: the entry cannot be read.
            TooLargeObject: it, or something that it is built on, has more.
        """
        deltas: list[tuple[int, bytes]] = []
        left = WORK_LIMIT
        for _ in range(CHAIN_LIMIT):
            kept = self._kept.get(offset)
            if kept is not None:
                return self._grow(*kept, deltas)
            try:
                number, size, at = self.header(offset)
                self._check(size, most)
                if number in KINDS:
                    data = self.inflate(at, size)
                    if deltas:
                        self._keep(offset, KINDS[number], data)
                    return self._grow(KINDS[number], data, deltas)
                base, at = self.base_of(number, offset, at)
                delta = self.inflate(at, size)
                made = varint(delta, varint(delta, 0)[1])[0]
            except IndexError as error:
                raise DamagedRepository(f"{self.path.name} is cut short") from error
            left -= size + made
            self._check(made if left >= 0 else WORK_LIMIT - left, most)
            deltas.append((offset, delta))
            offset = base
        raise DamagedRepository(f"{self.path.name} has deltas that never end")

    def _check(self, size: int, most: int | None) -> None:
        if most is not None and size > most:
            raise TooLargeObject(f"an object in {self.path.name}", size, most)

    def _grow(
        self, kind: bytes, data: bytes, deltas: list[tuple[int, bytes]]
    ) -> tuple[bytes, bytes]:
        """Apply a chain of deltas, the last one first; what each of them makes is kept."""
        while deltas:
            offset, delta = deltas.pop()
            data = apply_delta(data, delta)
            self._keep(offset, kind, data)
        return kind, data

    def _keep(self, offset: int, kind: bytes, data: bytes) -> None:
        if len(data) > _KEPT_BYTES // 64:
            return
        if self._kept_bytes > _KEPT_BYTES:
            self._kept.clear()
            self._kept_bytes = 0
        if offset not in self._kept:
            self._kept[offset] = (kind, data)
            self._kept_bytes += len(data) + 200

    def base_of(self, number: int, offset: int, at: int) -> tuple[int, int]:
        """Offset of a delta's base, and where the delta's own bytes begin."""
        pack = self.pack
        if number == OFS_DELTA:
            byte = pack[at]
            at += 1
            back = byte & 0x7F
            while byte & 0x80 and back < offset:
                byte = pack[at]
                at += 1
                back = ((back + 1) << 7) | (byte & 0x7F)
            if 0 < back < offset:
                return offset - back, at
        elif number == REF_DELTA:
            base = self.find(pack[at : at + 20])
            if base is not None:
                return base, at + 20
        raise DamagedRepository(f"{self.path.name} holds an entry of unknown kind {number}")

    def rows(self) -> list[tuple[int, bytes, int]]:
        """Offset, id and CRC of every entry as the index has them, in the order of the pack."""
        count, idx = self.count, self._idx
        crcs = struct.unpack_from(f">{count}L", idx, self._crcs)
        offsets = struct.unpack_from(f">{count}L", idx, self._offsets)
        if any(offset & 0x80000000 for offset in offsets):
            offsets = tuple(self._offset(position) for position in range(count))
        oids = (self._oid(position) for position in range(count))
        return sorted(zip(offsets, oids, crcs, strict=True))

    def is_whole(self) -> bool:
        """Whether pack and index still have the checksums that they were written with."""
        pack, idx = self.pack, self._idx
        trailer = pack[-20:]
        return (
            hashlib.sha1(memoryview(pack)[:-20], usedforsecurity=False).digest() == trailer
            and idx[-40:-20] == trailer
            and hashlib.sha1(memoryview(idx)[:-20], usedforsecurity=False).digest() == idx[-20:]
        )


def entry_start(entry: bytes) -> int:
    """Where the compressed bytes of an entry begin that holds a whole object."""
    at = 0
    while entry[at] & 0x80:
        at += 1
    return at + 1


def varint(delta: bytes, at: int) -> tuple[int, int]:
    """A number at the start of a delta, and where it ends.

    Raises:
        IndexError: it is cut short.
        DamagedRepository: it is larger than any size.
    """
    value = shift = 0
    while True:
        byte = delta[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise DamagedRepository("a delta names a size that no object has")


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Build an object from its base and a git delta (``gitformat-pack``, "Deltified").

    Raises:
        DamagedRepository: the delta does not fit the base.
    """
    return b"".join(delta_pieces(base, delta))


def delta_pieces(base: bytes, delta: bytes, most: int = MOST_PIECES) -> list[bytes]:
    """The pieces of its base and of a git delta that an object is built from, in order.

    Args:
        base: the object that it is a delta of.
        delta: the instructions, one a piece.
        most: how many there may be.

    Raises:
        DamagedRepository: the delta does not fit the base, or has more.
    """
    pieces: list[bytes] = []
    try:
        source_size, at = varint(delta, 0)
        target_size, at = varint(delta, at)
        left = target_size
        while at < len(delta):
            op = delta[at]
            at += 1
            if op & 0x80:
                start = size = 0
                for bit in range(4):
                    if op & (1 << bit):
                        start |= delta[at] << (8 * bit)
                        at += 1
                for bit in range(3):
                    if op & (0x10 << bit):
                        size |= delta[at] << (8 * bit)
                        at += 1
                pieces.append(base[start : start + (size or 0x10000)])
            elif op:
                pieces.append(delta[at : at + op])
                at += op
            else:
                raise DamagedRepository("a delta has an unknown instruction")
            # A few bytes can say "copy all of it" a million times, or make a million small pieces.
            left -= len(pieces[-1])
            if left < 0 or len(pieces) > most:
                raise DamagedRepository("a delta does not fit its base")
    except IndexError as error:
        raise DamagedRepository("a delta is cut short") from error
    if len(base) != source_size or left:
        raise DamagedRepository("a delta does not fit its base")
    return pieces
