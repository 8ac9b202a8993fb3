"""The object store: reads loose objects and packs, from whichever copy is intact."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import (
    NO_MORE_FILES,
    DamagedRepository,
    MissingObject,
    TooLargeObject,
)
from perdure.git.objects.commit import OID, CommitInfo, parse_commit
from perdure.git.objects.pack import PackFile

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_CACHE_LIMIT = 8 * 1024 * 1024
"""Bytes of objects kept in memory."""
MOST_BYTES = 64 * 1024 * 1024
"""Of an object that is read, where nothing else is said. A larger file is git's business; a bundle
and packing take any."""
OTHER_COPY = "fetch it from another copy of this companion"
"""What can be done about an object that is missing or broken."""
_LOOKS = 5
"""How often the packs are listed for one object while packs come and go."""


def object_id(kind: bytes, data: bytes) -> str:
    """The id of an object as git has it: SHA-1 over ``kind size NUL data``, in hex."""
    made = hashlib.sha1(b"%s %d\0" % (kind, len(data)), usedforsecurity=False)
    made.update(data)
    return made.hexdigest()


def _broken(what: str) -> DamagedRepository:
    return DamagedRepository(what, "nothing was changed", OTHER_COPY)


class ObjectStore:
    """Reads objects by id; every object is hashed again before it is handed out.

    Threads may share one: the screen reads while a turn is being saved.
    """

    def __init__(self, folder: Path, *, most: int | None = None, alone: bool = False) -> None:
        """Read nothing yet.

        Args:
            folder: git's folder of objects.
            most: bytes that any object may have; None: as each reader says.
            alone: do not read other folders that this one borrows from.
        """
        self.folder = folder
        self._most = most
        self.packs: OrderedDict[str, PackFile] = OrderedDict()
        self._lock = threading.RLock()
        self._scanned = False
        self._is_moving = False
        self._cache: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()
        self._cached_bytes = 0
        self._others: list[ObjectStore] | None = [] if alone else None

    def read(self, oid: str, most: int | None = MOST_BYTES) -> tuple[bytes, bytes]:
        """Kind and content of an object.

        Args:
            oid: its id.
            most: bytes that it may have, by its header, before it is unpacked; None: any number.

        Raises:
            MissingObject: nothing by that id is stored.
            TooLargeObject: it has more.
            DamagedRepository: it is stored, but every copy is broken.
        """
        if self._most is not None:
            most = self._most if most is None else min(most, self._most)
        with self._lock:
            return self._read(oid, most)

    def content(self, kind: bytes, oid: str, most: int | None = MOST_BYTES) -> bytes:
        """Content of an object of a kind.

        Raises:
            MissingObject, TooLargeObject: as for `read`.
            DamagedRepository: it is broken, or something else.
        """
        found, data = self.read(oid, most)
        if found != kind:
            wanted = "file" if kind == b"blob" else kind.decode()
            raise DamagedRepository(f"{oid} is a {found.decode()}, not a {wanted}")
        return data

    def commit(self, oid: str) -> CommitInfo:
        """One commit. Raises DamagedRepository: it cannot be read, or is something else."""
        return parse_commit(oid, self.content(b"commit", oid))

    def size(self, oid: str) -> tuple[bytes, int]:
        """Kind and size of an object, by its header alone.

        Raises:
            MissingObject, DamagedRepository: as for `read`.
        """
        with self._lock:
            cached = self._cache.get(oid)
            found = (cached[0], len(cached[1])) if cached else self._size(oid)
            if found is None:
                # Waits for packs that come and go, and says what is wrong.
                kind, data = self._read(oid, MOST_BYTES)
                found = kind, len(data)
            return found

    def _size(self, oid: str) -> tuple[bytes, int] | None:
        if not OID.fullmatch(oid):
            return None
        if not self._scanned:
            self.rescan()
        for pack in reversed(self.packs.values()):
            with contextlib.suppress(FileNotFoundError, DamagedRepository):
                offset = pack.find(bytes.fromhex(oid))
                if offset is not None:
                    return pack.size(offset)
        with contextlib.suppress(OSError, DamagedRepository):
            opened = self._open_loose(oid)
            return opened[:2] if opened else None
        return None

    def _read(self, oid: str, most: int | None) -> tuple[bytes, bytes]:
        cached = self._cache.get(oid)
        if cached is not None:
            self._cache.move_to_end(oid)
            return cached
        # What is no id names no object, and no file in the folder either.
        looks = _LOOKS if OID.fullmatch(oid) else 0
        found = self.find(oid, most) if looks else None
        for _ in range(looks):
            if found is not None:
                break
            # git or another process of ours may have packed meanwhile. A pack can also go while
            # the folder is being listed, and what replaces it come too late to be in the list.
            self._is_moving = False
            self.rescan()
            found = self.find(oid, most)
            if not self._is_moving:
                break
        if found is None:
            if oid == EMPTY_TREE:
                return b"tree", b""
            raise self.missing(oid)
        self.remember(oid, *found)
        return found

    def missing(self, oid: str) -> MissingObject:
        """The error for a missing object, for the caller to raise."""
        step = OTHER_COPY
        if any((self.folder / "pack").glob("*.promisor")):
            step = "this clone was made without it; to fetch all: git fetch --refetch --no-filter"
        return MissingObject(
            f"object {oid} is missing from {self.folder}", "nothing was changed", step
        )

    def has(self, oid: str) -> bool:
        """Whether an object is stored, by its name; it is not read."""
        with self._lock:
            if oid in self._cache or oid == EMPTY_TREE:
                return True
            raw = bytes.fromhex(oid)
            for _ in range(2):
                if any(pack.find(raw) is not None for pack in self.packs.values()):
                    return True
                if (self.folder / oid[:2] / oid[2:]).is_file():
                    return True
                self.rescan()
        return any(other.has(oid) for other in self._alternates())

    def stored(self, oids: Iterable[str]) -> set[str]:
        """Those of many ids that are stored, by their names; the packs are listed once."""
        with self._lock:
            self.rescan()
            packs = list(self.packs.values())
        wanted = set(oids)
        found = {oid for oid in wanted if any(p.find(bytes.fromhex(oid)) for p in packs)}
        found |= {oid for oid in wanted - found if (self.folder / oid[:2] / oid[2:]).is_file()}
        for other in self._alternates():
            found |= other.stored(wanted - found)
        return found

    def remember(self, oid: str, kind: bytes, data: bytes) -> None:
        """Keep an object in memory, unless it is large."""
        if len(data) > _CACHE_LIMIT // 8:
            return
        with self._lock:
            if oid not in self._cache:
                self._cached_bytes += len(data) + 200
            self._cache[oid] = (kind, data)
            while self._cached_bytes > _CACHE_LIMIT:
                self._cached_bytes -= len(self._cache.popitem(last=False)[1][1]) + 200

    def find(self, oid: str, most: int | None = MOST_BYTES) -> tuple[bytes, bytes] | None:
        """Kind and content from whichever place has it whole; None where no place has it.

        Raises:
            DamagedRepository: every copy is broken, or (TooLargeObject) too large.
        """
        if not OID.fullmatch(oid):
            return None
        damage: DamagedRepository | None = None
        for reader in (self._packed, self.loose):
            try:
                found = reader(oid, most)
            except DamagedRepository as error:
                damage = error
                continue
            if found is None:
                continue
            if object_id(*found) == oid:
                return found
            damage = _broken(f"object {oid} does not have the content it is named for")
        for other in self._alternates():
            found = other.find(oid, most)
            if found is not None:
                return found
        if damage is not None:
            raise damage
        return None

    def loose(self, oid: str, most: int | None = None) -> tuple[bytes, bytes] | None:
        """Kind and content from a file of its own; None without one. The id is not compared.

        Raises:
            TooLargeObject: it has more than ``most`` bytes.
            DamagedRepository: the file is broken.
        """
        opened = self._open_loose(oid, most)
        if opened is None:
            return None
        kind, size, start, rest = opened
        if most is not None and size > most:
            raise TooLargeObject(f"object {oid}", size, most)
        engine = zlib.decompressobj()
        try:
            # One byte more than promised, so that an object that holds more is noticed.
            data = engine.decompress(rest, start + size + 1)[start:]
        except zlib.error as error:
            raise _broken(f"the stored object {oid} is broken") from error
        if len(data) != size or not engine.eof:
            raise DamagedRepository(f"the stored object {oid} has the wrong size")
        return kind, data

    def _open_loose(
        self, oid: str, most: int | None = MOST_BYTES
    ) -> tuple[bytes, int, int, bytes] | None:
        """Kind and size by the header, how long that is, and the compressed file."""
        try:
            # What does not compress grows by a few bytes in 16 KiB.
            packed = disk.read_file(
                self.folder / oid[:2] / oid[2:],
                most=None if most is None else most + most // 1000 + 1024,
            )
            start = zlib.decompressobj().decompress(packed, 64)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (zlib.error, disk.NotPlain) as error:
            raise _broken(f"the stored object {oid} is broken") from error
        except disk.TooLong as error:
            raise TooLargeObject(f"object {oid}", (most or 0) + 1, most or 0) from error
        head, end, _ = start.partition(b"\0")
        kind, _, size = head.partition(b" ")
        if not (end and size.isdigit() and len(size) < 20):
            raise _broken(f"the stored object {oid} is broken")
        return kind, int(size), len(head) + 1, packed

    def _packed(self, oid: str, most: int | None) -> tuple[bytes, bytes] | None:
        if not self._scanned:
            self.rescan()
        raw = bytes.fromhex(oid)
        damage: DamagedRepository | None = None
        for name in reversed(self.packs):
            pack = self.packs[name]
            try:
                offset = pack.find(raw)
                if offset is None:
                    continue
                found = pack.read(offset, most)
            except FileNotFoundError:
                self._is_moving = True
                continue
            except DamagedRepository as error:
                damage = error
                continue
            self.packs.move_to_end(name)
            return found
        if damage is not None:
            raise damage
        return None

    def rescan(self) -> None:
        """Look for new packs, and drop those that are gone."""
        with self._lock:
            self._rescan()

    def _rescan(self) -> None:
        self._scanned = True
        here: list[tuple[int, str]] = []
        try:
            with os.scandir(self.folder / "pack") as entries:
                for entry in entries:
                    if entry.name.endswith(".idx"):
                        try:
                            here.append((entry.stat().st_mtime_ns, entry.name[:-4]))
                        except FileNotFoundError:
                            self._is_moving = True
        except FileNotFoundError:
            pass
        known = {name for _, name in here}
        for name in [name for name in self.packs if name not in known]:
            del self.packs[name]
        for _, name in sorted(here):
            if name not in self.packs:
                self.add_pack(name)

    def add_pack(self, name: str) -> None:
        """Start reading from a new pack, unless it cannot be read."""
        with self._lock:
            try:
                self.packs[name] = PackFile(self.folder / "pack" / f"{name}.idx")
            except FileNotFoundError:
                self._is_moving = True
                self.packs.pop(name, None)
            except (OSError, DamagedRepository) as error:
                if isinstance(error, OSError) and error.errno in NO_MORE_FILES:
                    raise
                # The objects that only this pack has are then reported as missing, by their id.
                self.packs.pop(name, None)

    def drop_pack(self, name: str) -> None:
        """Stop reading from a pack that is about to be removed."""
        with self._lock:
            self.packs.pop(name, None)

    def alternates(self) -> list[Path]:
        """Other object folders that this one borrows from."""
        return [other.folder for other in self._alternates() if other.folder.is_dir()]

    def _alternates(self) -> list[ObjectStore]:
        if self._others is None:
            self._others = []
            try:
                # A folder's name is bytes; git reads the file so, too.
                text = os.fsdecode(disk.read_file(self.folder / "info" / "alternates"))
                lines = text.replace("\0", "\n").split("\n")
            except (FileNotFoundError, NotADirectoryError, disk.NotPlain):
                return self._others
            for line in lines:
                if line and not line.startswith("#"):
                    other = ObjectStore(self.folder / line)
                    # An alternate's own alternates are looked at one level deep, no further:
                    # they could name one another.
                    other._others = []
                    self._others.append(other)
        return self._others

    def ids(self, prefix: str) -> Iterator[str]:
        """Ids that begin with at least two hex digits, each once."""
        seen: set[str] = set()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names = (path.name for path in (self.folder / prefix[:2]).iterdir())
            ids = {prefix[:2] + name for name in names if len(name) == 38}
            seen |= {oid for oid in ids if oid.startswith(prefix)}
        with self._lock:
            if not self._scanned:
                self.rescan()
            for pack in self.packs.values():
                seen.update(oid.hex() for oid in pack.oids(prefix))
        yield from sorted(seen)
