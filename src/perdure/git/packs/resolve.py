"""Resolves a pack that has no index, in one pass and within limits: whoever sent it may be hostile.

The entries are read one after the other, as only their compressed content says where each ends;
whole objects are handed out at once. Then every object is followed by all that is built on it,
the largest family last, so that few bases are in memory and each delta is applied once. What is
built on an object that is not in the pack (a *thin* pack) comes last. Format: git's
``gitformat-pack``.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from perdure.git.errors import DamagedRepository, RefusedPack
from perdure.git.objects.pack import (
    CHAIN_LIMIT,
    KINDS,
    MOST_PIECES,
    NUMBERS,
    OFS_DELTA,
    REF_DELTA,
    WORK_LIMIT,
    delta_pieces,
    varint,
)
from perdure.git.objects.store import MOST_BYTES

_WINDOW = 1024 * 1024
"""Bytes of the file that are read at once."""
_LEAST = 64 * 1024
"""Bytes of an entry that are there before it is looked at; of a larger one the rest is read on."""
_KEPT_BYTES = 48 * 1024 * 1024
"""Deltas that stay in memory until their base is there; others are read again."""
_TRAILER = 20
_NO_BASE = -1
_BY_ID = -2


@dataclass(frozen=True, slots=True)
class IncomingLimits:
    """What one incoming pack may be and cost. Beyond that it is refused.

    Attributes:
        pack_bytes: of the file. Below 2 GiB: larger ones need another kind of index.
        entry_floor: objects that any pack may hold.
        entry_share: bytes of the pack for each further one. Companions have 130.
        object_bytes: of one object, as far as this engine reads.
        work_floor: bytes that any pack may unpack to, all objects and deltas together.
        work_factor: bytes for each byte of the pack beyond that. Companions of 50,000 turns come
            to 9 to 13.
        step_floor: instructions of all deltas that any pack may have.
        step_share: bytes of the pack for each further one. Companions have 30 to 51.
        held_bytes: bases in memory at once.
        named_floor: different entries of trees that any pack may have, beyond two for each object.
    """

    pack_bytes: int = 2**31 - 2**20
    entry_floor: int = 100_000
    entry_share: int = 64
    object_bytes: int = MOST_BYTES
    work_floor: int = 256 * 1024 * 1024
    work_factor: int = 100
    step_floor: int = MOST_PIECES
    step_share: int = 4
    held_bytes: int = 96 * 1024 * 1024
    named_floor: int = 200_000

    def entries(self, size: int) -> int:
        """Objects that a pack of some size may hold."""
        return self.entry_floor + size // self.entry_share

    def unpacked(self, size: int) -> int:
        """Bytes that a pack of some size may unpack to."""
        return self.work_floor + self.work_factor * size


class Resolved(NamedTuple):
    """One object of a pack: number of its entry, type number, raw id and content."""

    entry: int
    number: int
    oid: bytes
    data: bytes


class _Frame(NamedTuple):
    """An object of which some entries that are built on it are not resolved yet."""

    data: bytes
    waiting: list[int]
    depth: int
    work: int


ReadBase = Callable[[bytes], tuple[bytes, bytes]]
"""Reads an object that a thin pack is built on, by its raw id: kind and content."""


class PackResolver:
    """One resolution of one file.

    Attributes:
        count: entries, as the header says.
        offsets: where each begins; one more at the end, where the last one ends.
        crcs: CRC-32 of each.
        oids: the ids of all, 20 bytes each; complete when `objects` has come to its end.
        numbers: type number of each object.
        outside: objects by raw id that are not in the pack, and that it is built on.
    """

    def __init__(self, fd: int, size: int, limits: IncomingLimits) -> None:
        self._fd = fd
        self._limits = limits
        self._end = size - _TRAILER
        head = os.pread(fd, 12, 0)
        if size < 12 + _TRAILER or head[:4] != b"PACK":
            raise RefusedPack("it is no pack")
        if int.from_bytes(head[4:8]) not in {2, 3}:
            raise RefusedPack("it is a pack of an unknown version")
        self.count = int.from_bytes(head[8:])
        most = limits.entries(size)
        # The smallest entry has a byte of header and eight of compressed nothing.
        if self.count > min(most, (self._end - 12) // 9):
            raise RefusedPack(f"it says that it holds {self.count:,} objects")
        self.offsets = array("Q")
        self.crcs = array("I")
        self.numbers = bytearray()
        self.oids = bytearray(20 * self.count)
        self.outside: dict[bytes, tuple[bytes, bytes]] = {}
        self._sizes = array("I")
        self._payloads = array("B")
        self._bases = array("i")
        self._first = array("i", [-1]) * self.count
        self._next = array("i", [-1]) * self.count
        self._by_id: dict[bytes, list[int]] = {}
        self._kept: dict[int, bytes] = {}
        self._kept_left = _KEPT_BYTES
        self._weights = array("I")
        self._work = limits.unpacked(size)
        self._steps = limits.step_floor + size // limits.step_share
        self._held = 0

    def objects(self, read_base: ReadBase) -> Iterator[Resolved]:
        """Every object once, each after the one that it is built on.

        Args:
            read_base: reads what a thin pack is built on.

        Raises:
            RefusedPack: an entry is broken, or a limit is reached.
            DamagedRepository: whatever ``read_base`` raises.
        """
        yield from self._parse()
        self._weigh()
        for entry in range(self.count):
            if self._bases[entry] == _NO_BASE:
                oid = bytes(self.oids[20 * entry : 20 * entry + 20])
                if self._first[entry] >= 0 or oid in self._by_id:
                    number = self.numbers[entry]
                    yield from self._grown(entry, oid, number, self._inflated(entry))
        while self._by_id:
            oid = next(iter(self._by_id))
            kind, data = self.outside[oid] = read_base(oid)
            yield from self._grown(-1, oid, NUMBERS[kind], data)

    # Reading the entries

    def _parse(self) -> Iterator[Resolved]:
        """Look at every entry; hand out the whole ones."""
        at, low = 12, 12
        window = b""
        for entry in range(self.count):
            place = at - low
            if len(window) - place < _LEAST and low + len(window) < self._end:
                window = os.pread(self._fd, min(_WINDOW, self._end - at), at)
                low, place = at, 0
            try:
                number, size, start = _header(window, place)
                base = _NO_BASE
                if number == OFS_DELTA:
                    back, start = _back(window, start)
                    base = self._entry_at(at - back, entry)
                elif number == REF_DELTA:
                    base, start = _BY_ID, start + 20
                elif number not in KINDS:
                    raise RefusedPack(f"it holds an entry of unknown kind {number}")
            except IndexError as error:
                raise RefusedPack("it is cut short") from error
            self._spend(size)
            data, end, crc = self._inflate(window, low, place, start, size)
            self.offsets.append(at)
            self.crcs.append(crc)
            self.numbers.append(number)
            self._sizes.append(size)
            self._payloads.append(start - place)
            self._bases.append(base)
            at = low + end
            if base == _NO_BASE:
                yield self._done(entry, number, data)
                continue
            if base == _BY_ID:
                self._by_id.setdefault(window[start - 20 : start], []).append(entry)
            else:
                self._next[entry], self._first[base] = self._first[base], entry
            if size <= self._kept_left:
                self._kept_left -= size
                self._kept[entry] = data
        self.offsets.append(at)
        if at != self._end:
            raise RefusedPack("it holds more than it says")

    def _entry_at(self, offset: int, before: int) -> int:
        """The entry that begins at an offset, of those before one."""
        offsets = self.offsets
        if before and offsets[-1] == offset:
            return before - 1
        found = bisect_left(offsets, offset) if offset > 0 else before
        if found >= before or offsets[found] != offset:
            raise RefusedPack("it holds a delta of something that is no entry")
        return found

    def _spend(self, size: int) -> None:
        if size > self._limits.object_bytes:
            raise RefusedPack(f"it holds an object of {size:,} bytes")
        self._work -= size
        if self._work < 0:
            raise RefusedPack("it unpacks to far more than it is")

    def _inflate(
        self, window: bytes, low: int, place: int, start: int, size: int
    ) -> tuple[bytes, int, int]:
        """Content of an entry in a window of the file, where in it that ends, and the CRC-32.

        What is beyond the window is read on; the end is counted as if it were longer.
        """
        engine = zlib.decompressobj()
        stop = min(len(window), start + size + size // 512 + 64)
        crc = zlib.crc32(window[place:start])
        pieces: list[bytes] = []
        given = window[start:stop]
        left = size
        try:
            while True:
                # One byte more than promised, so that an entry that holds more is noticed.
                made = engine.decompress(given, left + 1)
                left -= len(made)
                pieces.append(made)
                if engine.eof or left < 0:
                    break
                crc = zlib.crc32(given, crc)
                given = window[stop : stop + _LEAST]
                if not given:
                    more = min(_LEAST, self._end - low - stop)
                    given = os.pread(self._fd, more, low + stop) if more > 0 else b""
                stop += len(given)
                if not given:
                    raise RefusedPack("it is cut short")
        except zlib.error as error:
            raise RefusedPack("an entry does not inflate") from error
        if left:
            raise RefusedPack("an entry has another size than it says")
        rest = len(engine.unused_data)
        crc = zlib.crc32(given[: len(given) - rest], crc)
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), stop - rest, crc

    def _inflated(self, entry: int) -> bytes:
        """Content of an entry that was looked at before."""
        kept = self._kept.pop(entry, None)
        if kept is not None:
            self._kept_left += len(kept)
            return kept
        start = self.offsets[entry] + self._payloads[entry]
        packed = os.pread(self._fd, self.offsets[entry + 1] - start, start)
        return zlib.decompressobj().decompress(packed, self._sizes[entry] + 1)

    # Applying deltas

    def _weigh(self) -> None:
        """Count how many entries stand on each one, itself counted."""
        weights = self._weights = array("I", [1]) * self.count
        for entry in range(self.count - 1, -1, -1):
            base = self._bases[entry]
            if base >= 0:
                weights[base] += weights[entry]

    def _family(self, entry: int, oid: bytes) -> list[int]:
        """What is built on an object, the largest family first: it is taken from the end."""
        found = self._by_id.pop(oid, [])
        if entry >= 0:
            each = self._first[entry]
            while each >= 0:
                found.append(each)
                each = self._next[each]
        if len(found) > 1:
            weights = self._weights
            found.sort(key=lambda each: -weights[each])
        return found

    def _grown(self, entry: int, oid: bytes, number: int, data: bytes) -> Iterator[Resolved]:
        """Everything that is built on an object, step by step."""
        path = [_Frame(data, self._family(entry, oid), 0, 0)]
        self._hold(len(data))
        while path:
            frame = path[-1]
            base, waiting, depth, work = frame
            each = waiting.pop()
            if not waiting:
                # Its last one: whatever is built on that needs it no more.
                path.pop()
                self._held -= len(base)
            delta = self._inflated(each)
            data = self._applied(base, delta)
            work += len(delta) + len(data)
            if depth >= CHAIN_LIMIT - 1 or work > WORK_LIMIT:
                raise RefusedPack("it holds deltas on deltas without end")
            found = self._done(each, number, data)
            if found.oid in self.outside:
                raise RefusedPack("it is built on an object that it holds itself")
            yield found
            family = self._family(each, found.oid)
            if family:
                path.append(_Frame(data, family, depth + 1, work))
                self._hold(len(data))

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > self._limits.held_bytes:
            raise RefusedPack("its deltas need more memory than they may")

    def _applied(self, base: bytes, delta: bytes) -> bytes:
        try:
            self._spend(varint(delta, varint(delta, 0)[1])[0])
            pieces = delta_pieces(base, delta, min(MOST_PIECES, self._steps))
        except IndexError as error:
            raise RefusedPack("a delta is cut short") from error
        except RefusedPack:
            raise
        except DamagedRepository as error:
            raise RefusedPack(error.what) from error
        self._steps -= len(pieces)
        return b"".join(pieces)

    def _done(self, entry: int, number: int, data: bytes) -> Resolved:
        made = hashlib.sha1(b"%s %d\0" % (KINDS[number], len(data)), usedforsecurity=False)
        made.update(data)
        oid = made.digest()
        self.oids[20 * entry : 20 * entry + 20] = oid
        self.numbers[entry] = number
        return Resolved(entry, number, oid, data)


def _header(window: bytes, at: int) -> tuple[int, int, int]:
    """Type number and size of an entry, and where what follows begins."""
    byte = window[at]
    number, size, shift = (byte >> 4) & 7, byte & 15, 4
    at += 1
    while byte & 0x80:
        byte = window[at]
        size |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise RefusedPack("it names a size that no object has")
    return number, size, at


def _back(window: bytes, at: int) -> tuple[int, int]:
    """How far before a delta its base begins, and where what follows begins."""
    byte = window[at]
    at += 1
    back = byte & 0x7F
    while byte & 0x80:
        byte = window[at]
        at += 1
        back = ((back + 1) << 7) | (byte & 0x7F)
        if back > 2**40:
            raise RefusedPack("it holds a delta of something that is no entry")
    return back, at
