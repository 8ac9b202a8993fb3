"""What a push sends: the objects that the other side lacks, as the entries of one pack.

Versions of one path are deltas of one another, and the newest of what the other side has there.
Where there are many, entries that are stored as deltas are copied as they are. `whole_store` sends
all that a repository holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from perdure.git.errors import DamagedRepository, TooMuchUnpacked
from perdure.git.objects.new_objects import NewObjects, PathKey
from perdure.git.objects.pack import KINDS, OFS_DELTA, PackFile
from perdure.git.objects.store import ObjectStore
from perdure.git.packs.delta import entry_header, full_entry
from perdure.git.packs.delta_order import Base, write_versions
from perdure.git.packs.join import Join
from perdure.git.packs.resolve import IncomingLimits
from perdure.git.packs.scan import PackEntry, pack_entries

SLICE_BYTES = 16 * 1024 * 1024
"""Bytes of one pack of a first push."""
_BATCH_BYTES = 32 * 1024 * 1024
"""Bytes of objects that are in memory at once."""
_MANY = 4096
"""Objects above which they are copied as they are stored: to compress them again takes longer."""
_PIECE_BYTES = 64 * 1024
"""Bytes of a pack that are handed on at once, about: entries are small."""
_LIMITS = IncomingLimits()
_BLOCK = 512
"""Bytes of what `os.stat` counts."""
_SPARSE = 1024 * 1024
"""Bytes of a pack above which it is looked whether it lies on the disk."""
_HEADER = 12
"""Bytes of a pack before its first entry."""
_CHECKSUM = 20
"""Bytes of a pack after its last entry."""


@dataclass(frozen=True, slots=True)
class OutgoingPack:
    """A pack about to be sent.

    Attributes:
        count: how many entries it has.
        entries: each one's raw id, and its bytes: header and compressed content. They are made
            while they are read, once.
    """

    count: int
    entries: Iterator[tuple[bytes, bytes]]


def pack_bytes(pack: OutgoingPack) -> Iterator[bytes]:
    """A pack as a file has it, piece by piece: header, entries, checksum (gitformat-pack(5))."""
    return _pack_file(pack.count, (entry for _, entry in pack.entries))


def _pack_file(count: int, entries: Iterator[bytes]) -> Iterator[bytes]:
    """A pack's file, piece by piece; one of ``entries`` may hold several of them."""
    head = b"PACK" + struct.pack(">LL", 2, count)
    checksum = hashlib.sha1(usedforsecurity=False)
    piece = bytearray(head)
    for entry in entries:
        is_large = len(entry) >= _PIECE_BYTES
        if not is_large:
            piece += entry
        if piece and (is_large or len(piece) >= _PIECE_BYTES):
            checksum.update(piece)
            yield bytes(piece)
            piece.clear()
        if is_large:
            # As it is: of the largest objects no copy more should be in memory.
            checksum.update(entry)
            yield entry
    checksum.update(piece)
    yield bytes(piece) + checksum.digest()


class HasObjects(Protocol):
    """A repository's objects: `perdure.git.repository.repository.Parts` is one."""

    @property
    def store(self) -> ObjectStore:
        """Where they are."""
        ...

    @property
    def boundary(self) -> frozenset[str]:
        """Commits whose parents are not here: the edge of a shallow clone."""
        ...


def outgoing(
    parts: HasObjects,
    new: Sequence[str],
    known: Collection[str],
    *,
    thin: bool = True,
    most: int | None = None,
) -> OutgoingPack:
    """The objects that some tips need and the other side does not have.

    Args:
        parts: the repository.
        new: ids that it is to have: of commits, or of tags.
        known: ids that it says it has; those that are not here are passed over.
        thin: whether deltas may stand on what it has.
        most: bytes that an object may have; any without. With it, all of them together may not
            unpack to more than a pack from outside may (`IncomingLimits`).

    Raises:
        TooLargeObject: an object has more; while the entries are read.
        TooMuchUnpacked: all of them together do; while the entries are read.
        DamagedRepository: an object is missing or broken; also while the entries are read.
    """
    found = NewObjects(parts.store, parts.boundary, known)
    found.run(new)
    return OutgoingPack(len(found.wanted), _entries(parts.store, found, thin=thin, most=most))


def whole_store(store: ObjectStore) -> Iterator[bytes]:
    """A pack of every object of a repository, as it is stored, piece by piece; also of strays.

    Nothing is searched for, unpacked or hashed: whoever takes it does that.

    Raises:
        DamagedRepository: a pack or an entry makes no sense, or an object in a file of its own
            cannot be read; also while it is read.
        OSError: a pack is gone.
    """
    from perdure.git.packs.repack import loose_files

    store.rescan()
    packs: list[tuple[PackFile, list[PackEntry] | None]] = []
    known: set[bytes] = set()
    # The newest first, as a search for what is wanted would have it.
    here = list(reversed(store.packs.values()))
    if not all(map(_is_plausible, here)) or _size(here) > _LIMITS.pack_bytes:
        raise DamagedRepository(f"the packs in {store.folder} are not what they say")
    for pack in here:
        oids = set(pack.oids())
        packs.append((pack, None if known.isdisjoint(oids) else _sound_entries(pack)))
        known |= oids
    names = (path.parent.name + path.name for path in loose_files(store.folder))
    loose = [name for name in names if bytes.fromhex(name) not in known]
    return _pack_file(len(known) + len(loose), _as_stored(store, packs, loose))


def _sound_entries(pack: PackFile) -> list[PackEntry]:
    entries, bad = pack_entries(pack)
    if bad:
        raise DamagedRepository(f"{pack.path.name} holds entries that make no sense")
    return entries


def _as_stored(
    store: ObjectStore,
    packs: Sequence[tuple[PackFile, list[PackEntry] | None]],
    loose: Sequence[str],
) -> Iterator[bytes]:
    """Packs one after another, each as a whole, or the entries of it that none before it has.

    What a delta is built on is in its own pack, or was taken from one that came before. Within a
    pack that is copied as a whole, every delta is as far behind its base as it was.
    """
    at = _HEADER
    whole: list[tuple[PackFile, int]] = []
    places: dict[bytes, int] = {}
    for pack, entries in packs:
        raw = pack.pack
        if entries is None:
            end = len(raw) - _CHECKSUM
            yield from _pieces(pack.path, _HEADER, end)
            whole.append((pack, at - _HEADER))
            at += end - _HEADER
            continue
        names: dict[int, bytes] = {}
        for slot in entries:
            names[slot.offset] = slot.oid
            place = places.get(slot.oid)
            if place is None:
                place = places[slot.oid] = _place(whole, slot.oid)
            if place >= 0:
                continue
            entry = raw[slot.offset : slot.end]
            if slot.number == OFS_DELTA:
                base = places.get(names.get(slot.base, b""))
                if base is None:
                    raise DamagedRepository(f"{pack.path.name} holds a delta of what is no entry")
                if at - base != slot.offset - slot.base:
                    head = entry_header(OFS_DELTA, slot.size, at - base)
                    entry = head + raw[slot.payload : slot.end]
            places[slot.oid] = at
            at += len(entry)
            yield entry
    unpacked = 0
    for oid in loose:
        kind, data = store.read(oid)
        unpacked += len(data)
        if unpacked > _LIMITS.unpacked(at):
            raise TooMuchUnpacked
        entry = full_entry(kind, data)
        at += len(entry)
        yield entry


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    """A part of a file, piece by piece: what is mapped would all be counted as memory."""
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (piece := file.read(min(_PIECE_BYTES, end - start))):
            start += len(piece)
            yield piece


def _size(packs: Sequence[PackFile]) -> int:
    return sum(pack.path.stat().st_size for pack in packs)


def _is_plausible(pack: PackFile) -> bool:
    """Whether a pack is as large as it says, and holds no more than fits: it can be read whole."""
    found = pack.path.stat()
    is_sparse = found.st_size > _SPARSE and 0 < found.st_blocks * _BLOCK < found.st_size // 2
    return pack.count <= _LIMITS.entries(found.st_size) and not is_sparse


def _place(whole: Sequence[tuple[PackFile, int]], oid: bytes) -> int:
    """Where an entry of the packs that were copied as a whole stands; -1: none of them has it."""
    for pack, moved in whole:
        at = pack.find(oid)
        if at is not None:
            return moved + at
    return -1


def slices(
    parts: HasObjects, tip: str, known: Collection[str], most: int = SLICE_BYTES
) -> list[str]:
    """Cut a first push into several, so that a broken connection costs one of them.

    Args:
        parts: the repository.
        tip: the commit that a branch is to have.
        known: ids that the other side says it has.
        most: bytes of one pack, about.

    Returns:
        Commits on the first-parent line of the tip, oldest first, the tip last: each a fast-forward
        of the one before. What a merge brings comes with it. A commit that is larger stands alone.

    Raises:
        DamagedRepository: an object is missing or broken.
    """
    if stored_bytes(parts.store.folder) <= most:
        return [tip]
    found = NewObjects(parts.store, parts.boundary, known)
    found.run([tip])
    if len(found.wanted) <= _MANY and _whole_bytes(parts.store, found.wanted) <= most:
        return [tip]
    sizes = _sizes(parts.store, found.wanted.keys())
    own = {commit: sum(sizes.get(oid, 0) for oid in oids) for commit, oids in found.brought()}
    line: list[str] = []
    here: str | None = tip
    while here in found.fresh:
        line.append(here)
        here = next(iter(found.fresh[here]), None)
    cuts: list[str] = []
    size = 0
    taken: set[str] = set()
    before = ""
    for commit in reversed(line):
        more = 0
        todo = [commit]
        while todo:
            each = todo.pop()
            if each in found.fresh and each not in taken:
                taken.add(each)
                more += own.get(each, 0)
                todo += found.fresh[each]
        if before and size + more > most:
            cuts.append(before)
            size = 0
        size += more
        before = commit
    return [*cuts, tip]


def stored_bytes(folder: Path) -> int:
    """Bytes of all object files: what no pack of some of the objects will be much larger than.

    Counted as they lie on the disk, since a file may say that it is larger than any disk.
    """
    found = [path.lstat() for path in folder.glob("*/*") if path.suffix != ".idx"]
    size = sum(each.st_size for each in found)
    # Some file systems do not tell.
    return min(size, sum(each.st_blocks for each in found) * _BLOCK or size)


def _whole_bytes(store: ObjectStore, wanted: Collection[bytes]) -> int:
    """Bytes of objects as they are, neither compressed nor deltas."""
    return sum(store.size(oid.hex())[1] for oid in wanted)


def _on_disk(store: ObjectStore) -> int:
    """Bytes of all objects as they are stored; of a file with holes what is there."""
    from perdure.git.packs.repack import loose_files

    store.rescan()
    paths = [*(pack.path for pack in store.packs.values()), *loose_files(store.folder)]
    found = (path.lstat() for path in paths)
    return sum(min(each.st_size, each.st_blocks * _BLOCK or each.st_size) for each in found)


def _sizes(store: ObjectStore, wanted: AbstractSet[bytes]) -> dict[bytes, int]:
    """Bytes that objects take where they are stored."""
    found: dict[bytes, int] = {}
    for pack in list(store.packs.values()):
        rows = pack.rows()
        ends = [offset for offset, _, _ in rows[1:]] + [len(pack.pack) - 20]
        for (offset, oid, _), end in zip(rows, ends, strict=True):
            if oid in wanted:
                found[oid] = end - offset
    for oid in wanted - found.keys():
        with contextlib.suppress(OSError):
            name = oid.hex()
            found[oid] = (store.folder / name[:2] / name[2:]).stat().st_size
    return found


def _entries(
    store: ObjectStore, found: NewObjects, *, thin: bool, most: int | None
) -> Iterator[tuple[bytes, bytes]]:
    """Those that are stored as deltas are copied, where there are many; the others come before."""
    stream = _Stream()
    # What was taken away and comes back is sent too, and may itself be made a delta of these.
    bases = {place: oid for place, oid in found.bases.items() if oid not in found.wanted}
    outside = _bases(store, bases) if thin else {}
    copied = _copied(store, found.wanted) if len(found.wanted) > _MANY else None
    left = _LIMITS.unpacked(_on_disk(store)) if most is not None else None
    batch: dict[bytes, tuple[bytes, bytes]] = {}
    size = 0
    for oid in found.wanted:
        if copied is not None and oid in copied:
            continue
        batch[oid] = store.read(oid.hex(), most)
        size += len(batch[oid][1])
        if left is not None and (left := left - len(batch[oid][1])) < 0:
            raise TooMuchUnpacked
        if size >= _BATCH_BYTES:
            write_versions(stream, batch, outside)
            # Before they are sent: a few may be all that fits into memory.
            batch, size, outside = {}, 0, {}
            yield from stream.taken()
    write_versions(stream, batch, outside)
    yield from stream.taken()
    if copied is not None:
        for _ in copied.steps(stream):
            yield from stream.taken()


def _copied(store: ObjectStore, wanted: Container[bytes]) -> Join | None:
    """What comes from whole packs that hold deltas; each turn's own pack holds none."""
    found: list[tuple[int, PackFile]] = []
    for pack in list(store.packs.values()):
        with contextlib.suppress(OSError, DamagedRepository, IndexError):
            if not _is_plausible(pack):
                continue
            has_deltas = any(pack.header(row[0])[0] not in KINDS for row in pack.rows())
            if has_deltas and pack.is_whole():
                found.append((pack.path.stat().st_mtime_ns, pack))
    found.sort(key=lambda row: -row[0])
    try:
        return Join([pack for _, pack in found], store, wanted)
    except (OSError, DamagedRepository):
        # Entries that make no sense: each object is then read by itself, from a whole copy.
        return None


def _bases(store: ObjectStore, oids: Mapping[PathKey, bytes]) -> dict[PathKey, Base]:
    """What the other side has, read as far as it fits into memory."""
    found: dict[PathKey, Base] = {}
    left = _BATCH_BYTES
    for place, oid in oids.items():
        data = store.read(oid.hex(), None)[1]
        left -= len(data)
        if left < 0:
            break
        found[place] = Base(data, -1, 0, oid)
    return found


class _Stream:
    """Entries as they will stand in the pack, kept until they are taken."""

    def __init__(self) -> None:
        self.size = _HEADER
        self._made: list[tuple[bytes, bytes]] = []

    def add(self, oid: bytes, entry: bytes) -> int:
        at = self.size
        self.size += len(entry)
        self._made.append((oid, entry))
        return at

    def taken(self) -> list[tuple[bytes, bytes]]:
        made, self._made = self._made, []
        return made
