"""Joins several packs into one, copying entries without recompressing them.

The newest pack comes first and of several copies of an object the first is taken. Whatever is built
on another object therefore finds it in the same pack or in a newer one, that is, written already,
and no circle can come about. Where a pack from elsewhere is different all the same, and where a
chain would become too deep, the object is encoded again.

At the seam between two packs the newest versions in the older one are whole objects. Comparing the
newest commits of both tells which of them the newer pack has a version of.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from perdure.git.errors import DamagedRepository
from perdure.git.objects.pack import KINDS, NUMBERS, OFS_DELTA, PackFile
from perdure.git.objects.store import ObjectStore
from perdure.git.packs.delta import entry_header, full_entry
from perdure.git.packs.delta_order import Base, EntryStream, encode, tree_entries
from perdure.git.packs.scan import PackEntry, pack_entries

DEPTH = 50
"""Deltas on deltas in a merged pack, as many as git makes."""


class Join:
    """Joins packs, given newest first and whole: deltas go from newer to older.

    Raises DamagedRepository where one of them cannot be read.
    """

    def __init__(
        self, packs: Sequence[PackFile], store: ObjectStore, wanted: Container[bytes] | None = None
    ) -> None:
        """Look at the packs.

        Args:
            packs: newest first.
            store: where objects are read that must be encoded again.
            wanted: raw ids of the objects to take; all without.
        """
        self._packs = packs
        self._store = store
        self._wanted = wanted
        self._slots: list[list[PackEntry]] = []
        self._owner: dict[bytes, int] = {}
        self._base: dict[bytes, bytes] = {}
        self._kind: dict[bytes, int] = {}
        self._height: dict[bytes, int] = {}
        self._at: dict[bytes, int] = {}
        self._depth: dict[bytes, int] = {}
        self._plan()

    @property
    def count(self) -> int:
        """Objects of the merged pack."""
        return len(self._owner)

    def __contains__(self, oid: bytes) -> bool:
        return oid in self._owner

    def _plan(self) -> None:
        for number, pack in enumerate(self._packs):
            entries, bad = pack_entries(pack)
            if bad:
                raise DamagedRepository(f"{pack.path.name} holds entries that make no sense")
            names = {slot.offset: slot.oid for slot in entries}
            kept: list[PackEntry] = []
            kinds: dict[int, int] = {}
            for slot in entries:
                # A base that stands behind its delta, as none of ours does, is told apart later.
                kind = slot.number if slot.base < 0 else kinds.get(slot.base, 0)
                kinds[slot.offset] = kind
                if slot.oid not in self._owner and self._is_wanted(slot.oid):
                    self._owner[slot.oid] = number
                    self._kind[slot.oid] = kind or NUMBERS[self._read(slot.oid)[0]]
                    if slot.base >= 0 and self._is_wanted(names[slot.base]):
                        self._base[slot.oid] = names[slot.base]
                    kept.append(slot)
            self._slots.append(kept)
        self._measure()
        for newer, older in zip(self._slots, self._slots[1:], strict=False):
            self._join_seam(newer, older)

    def _is_wanted(self, oid: bytes) -> bool:
        return self._wanted is None or oid in self._wanted

    def _read(self, oid: bytes) -> tuple[bytes, bytes]:
        return self._store.read(oid.hex(), None)

    def _measure(self) -> None:
        """How many deltas stand on each object, so that none is put where they get too deep."""
        for entries in reversed(self._slots):
            for slot in reversed(entries):
                base = self._base.get(slot.oid)
                if base is not None:
                    height = self._height.get(slot.oid, 0) + 1
                    if height > self._height.get(base, 0):
                        self._height[base] = height

    # The seams

    def _join_seam(self, newer: Sequence[PackEntry], older: Sequence[PackEntry]) -> None:
        """Newest versions in the older pack get the newer pack's newest version as their base."""
        new, old = (
            next((slot.oid for slot in entries if self._kind[slot.oid] == 1), None)
            for entries in (newer, older)
        )
        if new is None or old is None:
            return
        self._attach(old, new)
        for before, after in self._changed(self._root(old), self._root(new)):
            self._attach(before, after)

    def _attach(self, older: bytes, newer: bytes) -> None:
        place, other = self._owner.get(older), self._owner.get(newer)
        if place is not None and other is not None and other < place and older not in self._base:
            self._base[older] = newer

    def _root(self, commit: bytes) -> bytes:
        return bytes.fromhex(self._read(commit)[1][5:45].decode("ascii"))

    def _changed(self, old: bytes, new: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Pairs of versions of one path that two trees have differently, folders included."""
        waiting = [(old, new)]
        while waiting:
            before, after = waiting.pop()
            yield before, after
            if before not in self._owner or self._kind[before] != 2:
                continue
            there = {name: oid for _, name, oid in tree_entries(self._read(after)[1])}
            for mode, name, oid in tree_entries(self._read(before)[1]):
                other = there.get(name, oid)
                if other != oid and mode != b"160000":
                    waiting.append((oid, other))

    # Writing

    def write(self, stream: EntryStream) -> None:
        """Write every entry: commits first, then trees, files, tags."""
        for _ in self.steps(stream):
            pass

    def steps(self, stream: EntryStream) -> Iterator[None]:
        """Write every entry, one a step."""
        for kind in KINDS:
            for number, entries in enumerate(self._slots):
                for slot in entries:
                    if self._kind[slot.oid] == kind:
                        self._write(stream, self._packs[number], slot)
                        yield

    def _write(self, stream: EntryStream, pack: PackFile, slot: PackEntry) -> None:
        oid = slot.oid
        base = self._base.get(oid)
        if base is not None:
            base = self._fitting(base, self._height.get(oid, 0))
        was = self._base.pop(oid, None)
        raw = pack.pack
        if slot.base < 0 and base is None:
            entry, depth = raw[slot.offset : slot.end], 0
        elif slot.base >= 0 and base is not None and base == was:
            head = entry_header(OFS_DELTA, slot.size, stream.size - self._at[base])
            entry, depth = head + raw[slot.payload : slot.end], self._depth[base] + 1
        else:
            entry, depth = self._again(oid, base, stream.size)
        if depth and base is not None:
            self._base[oid] = base
        self._at[oid] = stream.add(oid, entry)
        self._depth[oid] = depth

    def _fitting(self, base: bytes, height: int) -> bytes | None:
        """The base, or one that it is built on itself, that is written and not too deep."""
        found: bytes | None = base
        while found is not None:
            if found not in self._at:
                return None
            if self._depth[found] + 1 + height <= DEPTH:
                return found
            found = self._base.get(found)
        return None

    def _again(self, oid: bytes, base: bytes | None, at: int) -> tuple[bytes, int]:
        kind, data = self._read(oid)
        if base is None:
            return full_entry(kind, data), 0
        its = Base(self._read(base)[1], self._at[base], self._depth[base])
        return encode(kind, data, its, at)
