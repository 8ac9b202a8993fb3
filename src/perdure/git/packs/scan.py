"""Reads a whole pack in one pass, resolving every entry once.

Looking objects up one by one applies the same deltas again and again. Here the entries that are
whole come first, each followed by all that is built on it, so that every entry is inflated once and
only the bases on the way down are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from perdure.git.errors import DamagedRepository
from perdure.git.objects.pack import KINDS, PackFile, apply_delta
from perdure.git.objects.store import object_id


class PackEntry(NamedTuple):
    """One entry of a pack: where it is and what it is built on."""

    oid: bytes
    offset: int
    end: int
    number: int
    size: int
    """Bytes of the object, or of the delta, when inflated."""
    payload: int
    """Offset at which the compressed bytes begin."""
    base: int
    """Offset of the entry that a delta is built on; -1 for a whole object."""
    crc: int


class Content(NamedTuple):
    """One resolved entry; ``kind`` is b"" where it could not be read, ``trouble`` says why."""

    oid: bytes
    kind: bytes
    data: bytes
    trouble: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether it could be read, and hashes to the id that it is stored under."""
        return bool(self.kind) and object_id(self.kind, self.data) == self.oid.hex()


def pack_entries(pack: PackFile) -> tuple[list[PackEntry], list[tuple[bytes, str]]]:
    """Every entry, in the order of the pack; and the ids of those that make no sense, with why.

    Raises:
        OSError: the pack is gone.
        DamagedRepository: the file is no pack at all.
    """
    rows = pack.rows()
    limit = len(pack.pack) - 20
    found: list[PackEntry] = []
    bad: list[tuple[bytes, str]] = []
    for place, (offset, oid, crc) in enumerate(rows):
        end = rows[place + 1][0] if place + 1 < len(rows) else limit
        base = -1
        try:
            number, size, payload = pack.header(offset)
            if number not in KINDS:
                base, payload = pack.base_of(number, offset, payload)
        except (DamagedRepository, IndexError) as error:
            bad.append((oid, str(error)))
            continue
        if end > limit:
            bad.append((oid, f"{pack.path.name} is cut short"))
            continue
        found.append(PackEntry(oid, offset, end, number, size, payload, base, crc))
    return found, bad


def contents(pack: PackFile) -> Iterator[Content]:
    """Every object of a pack, each after the one that it is built on. Hashes are not compared.

    Raises:
        OSError: the pack is gone.
        DamagedRepository: the file is no pack at all.
    """
    entries, bad = pack_entries(pack)
    for oid, trouble in bad:
        yield Content(oid, b"", b"", trouble)
    above: dict[int, list[PackEntry]] = {}
    for slot in entries:
        if slot.base >= 0:
            above.setdefault(slot.base, []).append(slot)
    for slot in entries:
        if slot.base < 0:
            yield from _grown(pack, slot, above)
    # What is left stands on something that could not be read, or on nothing.
    for waiting in above.values():
        for slot in waiting:
            yield Content(slot.oid, b"", b"", "the object that it is a delta of is broken")


def _grown(pack: PackFile, root: PackEntry, above: dict[int, list[PackEntry]]) -> Iterator[Content]:
    """One whole object and everything built on it; what is handed out leaves ``above``."""
    try:
        data = pack.inflate(root.payload, root.size)
    except DamagedRepository as error:
        yield Content(root.oid, b"", b"", str(error))
        return
    kind = KINDS[root.number]
    yield Content(root.oid, kind, data)
    path = [(data, iter(above.pop(root.offset, ())))]
    while path:
        before, rest = path[-1]
        slot = next(rest, None)
        if slot is None:
            path.pop()
            continue
        try:
            data = apply_delta(before, pack.inflate(slot.payload, slot.size))
        except DamagedRepository as error:
            yield Content(slot.oid, b"", b"", str(error))
            continue
        yield Content(slot.oid, kind, data)
        if slot.offset in above:
            path.append((data, iter(above.pop(slot.offset))))


def verify(pack: PackFile) -> None:
    """Read a pack from end to end, every object hashed again.

    Raises:
        DamagedRepository: something is not as it was written.
        OSError: the pack is gone.
    """
    if not pack.is_whole():
        raise DamagedRepository(f"{pack.path.name} does not have its checksums")
    count = 0
    for content in contents(pack):
        count += 1
        if not content.is_sound:
            raise DamagedRepository(
                f"{pack.path.name} does not hold {content.oid.hex()} as it is named"
            )
    if count != pack.count:
        raise DamagedRepository(f"{pack.path.name} does not hold all that its index names")
