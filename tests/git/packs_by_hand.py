"""Packs written entry by entry, as nobody's program would, and repositories to give them to."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

from perdure.git.objects.pack import OFS_DELTA, REF_DELTA
from perdure.git.packs.delta import entry_header, full_entry


def pack_of(entries: Sequence[bytes], *, count: int | None = None) -> bytes:
    """A pack with a right sum at its end, whatever is in it."""
    data = b"PACK" + struct.pack(">LL", 2, len(entries) if count is None else count)
    data += b"".join(entries)
    return data + hashlib.sha1(data, usedforsecurity=False).digest()


def summed(data: bytes) -> bytes:
    """A pack that was changed, with the sum that it needs."""
    return data[:-20] + hashlib.sha1(data[:-20], usedforsecurity=False).digest()


def raw_id(kind: bytes, data: bytes) -> bytes:
    """The id of an object."""
    head = b"%s %d\0" % (kind, len(data))
    return hashlib.sha1(head + data, usedforsecurity=False).digest()


def ref_delta(base: bytes, delta: bytes) -> bytes:
    """An entry built on an object that is named by its raw id."""
    return entry_header(REF_DELTA, len(delta)) + base + zlib.compress(delta)


def ofs_delta(back: int, delta: bytes) -> bytes:
    """An entry built on one that begins so many bytes before it."""
    return entry_header(OFS_DELTA, len(delta), back) + zlib.compress(delta)


def number(value: int) -> bytes:
    """A size as deltas have it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def tree_of(*entries: tuple[str, str | bytes, str]) -> bytes:
    """A tree of entries as they are given: mode, name, id in hex."""
    return b"".join(
        mode.encode()
        + b" "
        + (name if isinstance(name, bytes) else name.encode())
        + b"\0"
        + bytes.fromhex(oid)
        for mode, name, oid in entries
    )


def commit_of(tree: bytes, *parents: bytes) -> bytes:
    """A commit of a tree, by raw ids."""
    lines = [b"tree " + tree.hex().encode()]
    lines += [b"parent " + parent.hex().encode() for parent in parents]
    who = b"Ana <ana@example.org> 1700000000 +0000"
    return b"\n".join([*lines, b"author " + who, b"committer " + who]) + b"\n\nwords\n"


def whole_pack(*objects: tuple[bytes, bytes]) -> bytes:
    """A pack of whole objects: kind and content."""
    return pack_of([full_entry(kind, data) for kind, data in objects])


def branches() -> list[bytes]:
    """Versions of 60 MB of nothing, each built on the one before."""
    size = 60 * 2**20
    entries = [full_entry(b"blob", bytes(size))]
    for each in range(40):
        made = number(size + each) + number(size + each + 1)
        at, left = 0, size + each
        while left:
            piece = min(left, 0xFFFFFF)
            made += b"\xff" + at.to_bytes(4, "little") + piece.to_bytes(3, "little")
            at, left = at + piece, left - piece
        entries.append(ofs_delta(len(entries[-1]), made + b"\x01x"))
    return entries


def steps() -> list[bytes]:
    """Deltas of 900,000 instructions of two bytes each."""
    entries = [full_entry(b"blob", bytes(range(250)) * 12)]
    for each in range(20):
        made = number(3000) + number(1_800_000) + bytes([0x91, each, 2]) * 900_000
        entries.append(ofs_delta(sum(map(len, entries)), made))
    return entries


def names() -> list[bytes]:
    """Trees that name two million objects."""
    dice = random.Random(2)
    heads = [b"100644 %05d\0" % each for each in range(10_000)]
    return [
        full_entry(b"tree", b"".join(head + dice.randbytes(20) for head in heads))
        for _ in range(60)
    ]


BOMBS: Mapping[str, Callable[[], list[bytes]]] = {
    "branches": branches,
    "steps": steps,
    "names": names,
}
