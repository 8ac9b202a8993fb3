"""Reads git's index file, and builds a new one.

Format: git's ``gitformat-index``. dulwich's writer drops the cached trees, fails on a split index
and takes 170 ms at 10,000 entries; what changes in an index is patched (`git.index.patch`).
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from perdure.git.paths import is_path, shown

FIXED = 62
"""Bytes of an entry before its path, or before the second flags of an extended one."""
_STAT = struct.Struct(">10I")
EXTENDED = 0x4000


IndexRow = tuple[bytes, bytes, int, int]
"""An entry: its path, its first 60 bytes (stat, mode and id), its flags and the second ones."""
IsSame = Callable[[str, str], bool]
"""Whether the work file of a path has the content of a blob."""


def never_same(path: str, oid: str) -> bool:  # noqa: ARG001 - what is asked of an `IsSame`
    """An `IsSame` for callers who do not look: any recent entry may differ from its file."""
    return False


class IndexTrouble(Exception):
    """The index is damaged, or of a kind that perdure leaves alone."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One entry of an index: where its bytes are, and what they mean."""

    start: int
    end: int
    path: bytes
    mode: int
    oid: str
    stage: int
    size: int
    mtime: tuple[int, int]
    flags: int
    more_flags: int = 0

    @property
    def hidden(self) -> bool:
        """Marked assume-unchanged or skip-worktree: git does not look at the work file."""
        return bool(self.flags & 0x8000 or self.more_flags & 0x4000)

    def is_level(self, found: os.stat_result, written: int) -> bool:
        """Whether a file's stat shows that it still has this content, without reading it.

        Only for a file that is older than the index: a younger one may have changed in the same
        tick of the clock.

        Args:
            found: the file's stat.
            written: when the index was last written, in ns.
        """
        mtime = self.mtime[0] * 10**9 + self.mtime[1]
        return (
            stat.S_ISREG(found.st_mode)
            and mtime == found.st_mtime_ns
            and self.size == found.st_size & 0xFFFFFFFF
            and self.size > 0
            and mtime < written
        )

    @property
    def only_intended(self) -> bool:
        """Made by ``git add -N``: no content is staged yet."""
        return bool(self.more_flags & 0x2000)


def check_header(data: bytes) -> tuple[int, int]:
    """Check an index's header and checksum; its version and number of entries.

    Raises:
        IndexTrouble: it is no index, damaged, or of an unknown version.
    """
    if len(data) < 32 or data[:4] != b"DIRC":
        raise IndexTrouble("the index file is not an index")
    trailer = data[-20:]
    # An all-zero trailer is what index.skipHash writes.
    if trailer != bytes(20):
        digest = hashlib.sha1(memoryview(data)[:-20], usedforsecurity=False).digest()
        if digest != trailer:
            raise IndexTrouble("the index file is damaged (its checksum does not hold)")
    version, count = struct.unpack_from(">LL", data, 4)
    if version not in {2, 3, 4}:
        raise IndexTrouble(f"the index file has version {version}")
    return version, count


def entries(data: bytes) -> Iterator[IndexEntry]:
    """Read every entry in order. In version 4, ``start`` and ``end`` are of the compressed bytes.

    Raises:
        IndexTrouble: the index cannot be read.
    """
    version, count = check_header(data)
    if version != 4:
        yield from (entry_at(data, start) for start, _, _, _ in spans(data, count))
        return
    at = 12
    path = b""
    limit = len(data) - 20
    for _ in range(count):
        start = at
        if start + FIXED > limit:
            raise IndexTrouble("the index file is cut short")
        flags, more, at = _flags(data, start)
        cut, at = _offset_varint(data, at)
        end = data.index(b"\0", at)
        path = path[: len(path) - cut] + data[at:end]
        at = end + 1
        yield _entry(data, start, at, path, flags, more)


def spans(
    data: bytes | bytearray, count: int, limit: int | None = None
) -> Iterator[tuple[int, int, int, int]]:
    """Walk the entries of version 2 or 3: (start, path start, path end, end) of each.

    What an entry says is not read: for all of them that takes thirty times as long.

    Args:
        data: the index.
        count: how many entries it has.
        limit: where they must have ended; before the trailing hash without.

    Raises:
        IndexTrouble: it is cut short.
    """
    at = 12
    limit = len(data) - 20 if limit is None else limit
    flags_of = struct.Struct(">H").unpack_from
    for _ in range(count):
        if at + FIXED > limit:
            raise IndexTrouble("the index file is cut short")
        (flags,) = flags_of(data, at + 60)
        name = at + (FIXED + 2 if flags & EXTENDED else FIXED)
        length = flags & 0xFFF
        end = name + length if length < 0xFFF else data.index(b"\0", name)
        start, at = at, at + ((end - at + 8) & ~7)
        yield start, name, end, at


def below(data: bytes, prefixes: Collection[str] = ("",)) -> dict[str, list[IndexEntry]]:
    """The entries of some files and folders by path; "" means all.

    There are several of a path that is in conflict. The paths of all others are only looked at.

    Raises:
        IndexTrouble: the index cannot be read.
    """
    version, count = check_header(data)
    raw = [os.fsencode(prefix) for prefix in prefixes]
    wanted = tuple(p + end for p in raw for end in (b"/", b"\0")) if b"" not in raw else (b"",)
    if version == 4:
        inside = (slot for slot in entries(data) if (slot.path + b"\0").startswith(wanted))
    else:
        starts = (at for at, name, _, _ in spans(data, count) if data.startswith(wanted, name))
        inside = (entry_at(data, at) for at in starts)
    found: dict[str, list[IndexEntry]] = {}
    for slot in inside:
        found.setdefault(os.fsdecode(slot.path), []).append(slot)
    return found


def entry_at(data: bytes | bytearray, start: int) -> IndexEntry:
    """The entry of an index of version 2 or 3 that begins at ``start``."""
    flags, more, at = _flags(data, start)
    end = data.index(b"\0", at)
    after = start + ((end - start + 8) & ~7)
    return _entry(data, start, after, bytes(data[at:end]), flags, more)


def _flags(data: bytes | bytearray, start: int) -> tuple[int, int, int]:
    """An entry's flags, the second ones, and where its path begins."""
    (flags,) = struct.unpack_from(">H", data, start + 60)
    if not flags & EXTENDED:
        return flags, 0, start + FIXED
    (more,) = struct.unpack_from(">H", data, start + FIXED)
    return flags, more, start + FIXED + 2


def _entry(
    data: bytes | bytearray, start: int, end: int, path: bytes, flags: int, more: int
) -> IndexEntry:
    mtime = struct.unpack_from(">II", data, start + 8)
    mode, _, _, size = struct.unpack_from(">IIII", data, start + 24)
    oid, stage = data[start + 40 : start + 60].hex(), (flags >> 12) & 3
    return IndexEntry(start, end, path, mode, oid, stage, size, mtime, flags, more)


def _offset_varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    value = byte & 0x7F
    while byte & 0x80:
        byte = data[at]
        at += 1
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at


def row_bytes(head: bytes, flags: int, more: int, path: bytes) -> bytes:
    """An entry of version 2 or 3 from its first 60 bytes, its flags and its path."""
    flags = (flags & 0xF000) | min(len(path), 0xFFF)
    tail = struct.pack(">H", flags)
    if flags & EXTENDED:
        tail += struct.pack(">H", more)
    row = head + tail + path
    return row + bytes(8 - len(row) % 8)


def stat_bytes(found: os.stat_result | None, mode: int) -> bytes:
    """The first 40 bytes of an entry; without a stat, git will read the file itself."""
    if found is None:
        return _STAT.pack(0, 0, 0, 0, 0, 0, mode, 0, 0, 0)
    low = 0xFFFFFFFF
    return _STAT.pack(
        found.st_ctime_ns // 10**9 & low,
        found.st_ctime_ns % 10**9,
        found.st_mtime_ns // 10**9 & low,
        found.st_mtime_ns % 10**9,
        found.st_dev & low,
        found.st_ino & low,
        mode,
        found.st_uid & low,
        found.st_gid & low,
        found.st_size & low,
    )


def rows_of(data: bytes) -> tuple[list[IndexRow], int]:
    """The entries of a file, and where they end."""
    end = 12
    rows = []
    for slot in entries(data):
        rows.append((slot.path, data[slot.start : slot.start + 60], slot.flags, slot.more_flags))
        end = slot.end
    return rows, end


def file_of(rows: Sequence[IndexRow], extensions: bytes = b"") -> bytes:
    """An index of version 2 or 3 with some entries, in their order."""
    extended = any(flags & EXTENDED for _, _, flags, _ in rows)
    parts = [row_bytes(head, flags, more, path) for path, head, flags, more in rows]
    return signed([header(len(rows), extended=extended), *parts, extensions])


def header(count: int, *, extended: bool) -> bytes:
    """The first bytes of an index of version 2, or 3 where an entry has second flags."""
    return b"DIRC" + struct.pack(">LL", 3 if extended else 2, count)


def signed(parts: Iterable[bytes | bytearray]) -> bytes:
    """The pieces of an index with their hash behind them."""
    body = b"".join(parts)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def flat(data: bytes) -> bytes:
    """An index of version 2 or 3 with the same entries.

    Raises:
        IndexTrouble: the index cannot be read.
    """
    if check_header(data)[0] != 4:
        return data
    rows, end = rows_of(data)
    return file_of(rows, data[end:-20])


def entry_bytes(
    path: bytes, mode: int, oid: str, found: os.stat_result | None, stage: int = 0
) -> bytes:
    """Build an entry; ``found`` is the file's stat if the file has exactly that content.

    Raises:
        IndexTrouble: no file can have that path.
    """
    if not is_path(os.fsdecode(path)):
        raise IndexTrouble(f"{shown(os.fsdecode(path))} cannot stand in an index")
    return row_bytes(stat_bytes(found, mode) + bytes.fromhex(oid), stage << 12, 0, path)


def find_fresh(data: bytes, count: int, written: int | None) -> tuple[int, list[int]]:
    """Find where the entries end, and which files may have changed unnoticed since then.

    These are as young as the index, in whole seconds: git as it is mostly built (without USE_NSEC)
    does not look at the rest, and by the index's age alone knows that it must read such a file. An
    index that is written anew is younger, and has to say it in the entry, as git does, of files
    that did change: ``git diff-files`` takes every entry that says so for an edit.

    Args:
        data: an index of version 2 or 3.
        count: how many entries it has.
        written: when the index was last written, in ns; None: the second answer is not asked for.

    Raises:
        IndexTrouble: it is cut short.
    """
    end = 12
    fresh: list[int] = []
    second = written // 10**9 if written is not None else 1 << 40
    seconds_of = struct.Struct(">I").unpack_from
    for start, _, _, end in spans(data, count):  # noqa: B007 - where the last one ends
        if seconds_of(data, start + 8)[0] >= second:
            fresh.append(start)
    return end, fresh


def extensions(data: bytes, at: int) -> list[tuple[bytes, bytes]]:
    """The extensions after the entries, which end at ``at``: name and content."""
    found = []
    end = len(data) - 20
    while at < end:
        if at + 8 > end:
            raise IndexTrouble("the index file is cut short")
        name = data[at : at + 4]
        (size,) = struct.unpack_from(">L", data, at + 4)
        if at + 8 + size > end:
            raise IndexTrouble("the index file is cut short")
        found.append((name, data[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


def build(
    leaves: Iterable[tuple[str, tuple[int, str]]], stats: Mapping[str, os.stat_result | None]
) -> bytes:
    """Build an index of version 2 from the files of a tree, and the stats of those in place.

    A path that no file can have is left out: git refuses an index that has it.
    """
    good = [
        (os.fsencode(path), stat_bytes(stats.get(path), mode) + bytes.fromhex(oid), 0, 0)
        for path, (mode, oid) in leaves
        if is_path(path)
    ]
    return file_of(sorted(good))
