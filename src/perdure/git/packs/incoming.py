"""A pack that another repository sends: received, resolved, checked, and only then put in place.

Until `IncomingPack.put_in_place` nothing that it holds can be read by anyone; whatever is wrong,
`abandon` leaves the repository as it was. docs/durability.md has the order.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import DamagedRepository, RefusedPack, storage_errors
from perdure.git.objects.fsck import MOST_TROUBLES, Inspection, Trouble
from perdure.git.objects.git_settings import refused
from perdure.git.objects.pack import KINDS, NUMBERS, PackFile, entry_start
from perdure.git.objects.store import ObjectStore
from perdure.git.packs.delta import full_entry
from perdure.git.packs.delta_order import tree_entries
from perdure.git.packs.keep import INCOMING_PREFIX, Keep
from perdure.git.packs.resolve import IncomingLimits, PackResolver, Resolved
from perdure.git.packs.small import PackWriter, fresh_name
from perdure.git.packs.write import PACK_MODE, index_of
from perdure.git.paths import DEEPEST
from perdure.progress import Progress

_EVERY = 2048
_FEW = 8192
"""Objects, of some 1,300 turns, that are stored as a session's are, for the background to make
small: a pack of each of many fetches would stay."""
_FEW_BYTES = 8 * 1024 * 1024
"""Bytes that they may have then, compressed."""
_LARGE = 4 * 1024 * 1024
"""Bytes of an object that is not worth compressing anew."""
_FOLDERS_SEEN = 10_000
"""Folders of tips that are looked at, beyond four times those that came."""
_DEEPEST_TAG = 32
_MOST_SETTINGS = 1000
_NO_END = b""
_STANDARD = IncomingLimits()


class IncomingPack(contextlib.AbstractContextManager["IncomingPack"]):
    """One pack on its way in.

    Attributes:
        size: bytes received.
        count: how many objects it holds, once it is resolved.
        numbers: their type numbers by raw id, once it is resolved.
        inspection: what they name, and what is odd.
    """

    def __init__(self, git_dir: Path, *, limits: IncomingLimits = _STANDARD) -> None:
        """Receive nothing yet.

        Args:
            git_dir: the common git folder.
            limits: what the pack may be and cost.
        """
        self.size = 0
        self.count = 0
        self.numbers: dict[bytes, int] = {}
        self.inspection = Inspection()
        self._limits = limits
        self._folder = git_dir / "objects" / "pack"
        self._name = fresh_name()
        self._pack = self._folder / f"{INCOMING_PREFIX}{self._name}_pack"
        self._index = self._folder / f"{INCOMING_PREFIX}{self._name}_idx"
        self._lock = disk.KernelLock(self._pack)
        self._sum = hashlib.sha1(usedforsecurity=False)
        self._tail = b""
        self._few: dict[bytes, bytes] | None = {}
        self._few_bytes = 0
        self._reader: PackFile | None = None

    def write(self, data: bytes) -> None:
        """Take bytes as they come.

        Raises:
            RefusedPack: it is larger than it may be.
            StorageFull, ReadOnly, WriteFailed: it could not be written.
        """
        self.size += len(data)
        if self.size > self._limits.pack_bytes:
            raise RefusedPack(f"it has more than {self._limits.pack_bytes:,} bytes")
        with storage_errors("receiving a pack"):
            if self._lock.fd < 0:
                disk.make_folder(self._folder)
                self._lock.try_take()
            disk.write_all(self._lock.fd, data)
        # All but the last 20 bytes, which are the sum of those before.
        joined = self._tail + data
        self._sum.update(joined[:-20])
        self._tail = joined[-20:]

    def index(self, store: ObjectStore, *, progress: Progress | None = None) -> None:
        """Resolve every object, and write the index. Nothing is visible yet.

        Args:
            store: where the objects are that a thin pack is built on.
            progress: called every so often with how many objects are done, and how many there are.

        Raises:
            RefusedPack: it is broken, beyond a limit, or built on an object that is missing or
                broken here.
            StorageFull, ReadOnly, WriteFailed: it could not be written.
        """
        if not self.size:
            return
        if self._sum.digest() != self._tail:
            raise RefusedPack("it is cut short, or was changed on its way")
        with storage_errors("receiving a pack"):
            self._resolve(store, progress)

    def _resolve(self, store: ObjectStore, progress: Progress | None) -> None:
        resolver = PackResolver(self._lock.fd, self.size, self._limits)

        def read_base(oid: bytes) -> tuple[bytes, bytes]:
            try:
                return store.read(oid.hex(), self._limits.object_bytes)
            except DamagedRepository as error:
                why = f"it is built on an object that cannot be read here ({error.what})"
                raise RefusedPack(why) from error

        if resolver.count > _FEW:
            self._few = None
        most_named = self._limits.named_floor + 2 * resolver.count
        for found in resolver.objects(read_base):
            self._take(found)
            # It may be large, and the next one is made while this loop waits.
            del found
            if self.inspection.named > most_named:
                raise RefusedPack("it names far more than it holds")
            if progress is not None and len(self.numbers) % _EVERY == 0:
                progress(len(self.numbers), resolver.count)
        self.count = resolver.count
        if self._few is None:
            self._complete(resolver)

    def _take(self, found: Resolved) -> None:
        _, number, oid, data = found
        kind = KINDS[number]
        if oid in self.numbers:
            raise RefusedPack("it holds one object twice")
        self.numbers[oid] = number
        self.inspection.look(kind, oid, data)
        if len(data) > _LARGE:
            self._few = None
        if self._few is not None:
            entry = self._few[oid] = full_entry(kind, data)
            self._few_bytes += len(entry)
            if self._few_bytes > _FEW_BYTES:
                self._few = None

    def _complete(self, resolver: PackResolver) -> None:
        """Add what a thin pack is built on, and write the index; both are on disk then."""
        fd = self._lock.fd
        rows = [
            (bytes(resolver.oids[20 * entry : 20 * entry + 20]), crc, resolver.offsets[entry])
            for entry, crc in enumerate(resolver.crcs)
        ]
        checksum = self._tail
        if resolver.outside:
            at = resolver.offsets[-1]
            for oid, (kind, data) in resolver.outside.items():
                entry = full_entry(kind, data)
                os.pwrite(fd, entry, at)
                rows.append((oid, zlib.crc32(entry), at))
                at += len(entry)
            os.pwrite(fd, len(rows).to_bytes(4), 8)
            checksum = _sum_of(fd, at)
            os.pwrite(fd, checksum, at)
        os.fchmod(fd, PACK_MODE)
        disk.sync(fd)
        disk.write_file(self._index, index_of(rows, checksum), mode=PACK_MODE)

    def read(self, oid: bytes) -> bytes:
        """Content of an object of it, by its raw id, once it is resolved.

        Raises:
            KeyError: it holds no such object.
        """
        if self._few is not None:
            entry = self._few[oid]
            return zlib.decompress(entry[entry_start(entry) :])
        if self._reader is None:
            self._reader = PackFile(self._index, self._pack)
        at = self._reader.find(oid)
        if at is None:
            raise KeyError(oid)
        return self._reader.read(at, self._limits.object_bytes)[1]

    def has_strays(self, tips: Collection[str]) -> bool:
        """Whether it holds an object that the tips do not reach; only where nothing is missing.

        An object that nothing names and that is no tip is one. Where there is none of those, all
        are reached: what names an object is never named by it, so every way up ends at a tip.
        """
        seen = self.inspection
        ends = {bytes.fromhex(tip) for tip in tips}
        named = (ends, seen.trees, seen.blobs, seen.commits, seen.tagged)
        return any(not any(oid in each for each in named) for oid in self.numbers)

    def put_in_place(self, packs: PackWriter) -> Keep | None:
        """Make the objects part of the repository; on disk when this returns.

        The caller holds the commit lock.

        Args:
            packs: the writer of the repository's packs.

        Returns:
            What keeps git from removing them; to be released when the refs have moved, or will
            not. None where nothing came.

        Raises:
            StorageFull, ReadOnly, WriteFailed: nothing is in place.
        """
        if not self.count:
            self.abandon()
            return None
        with storage_errors("storing what came"):
            if self._few is not None:
                keep = packs.write_entries(self._few)
                self.abandon()
                return keep
            keep = Keep(self._folder, self._name)
            pack, index = (self._folder / f"{self._name}{ending}" for ending in (".pack", ".idx"))
            try:
                self._pack.rename(pack)
                self._index.rename(index)
                disk.sync_folder(self._folder)
                packs.adopt(self._name)
            except BaseException:
                if not index.exists():
                    pack.unlink(missing_ok=True)
                keep.release()
                raise
            self._lock.release()
            return keep

    def abandon(self) -> None:
        """Remove what was received, unless it is in place."""
        if self._lock.fd >= 0:
            for path in (self._pack, self._index):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.abandon()


def _sum_of(fd: int, size: int) -> bytes:
    """SHA-1 of the first bytes of a file."""
    made = hashlib.sha1(usedforsecurity=False)
    at = 0
    while at < size:
        piece = os.pread(fd, min(1 << 20, size - at), at)
        made.update(piece)
        at += len(piece)
    return made.digest()


def check_incoming(
    incoming: IncomingPack, store: ObjectStore, tips: Collection[str]
) -> list[Trouble]:
    """What is wrong with a resolved pack, before it is put in place.

    Whatever any of its objects names must be in it or here already: so all that the tips reach is
    here when it is in place. What is here already is not looked at again.

    Args:
        incoming: the pack.
        store: what is here already.
        tips: ids that refs are about to have.

    Returns:
        What is odd about its objects, or missing; nothing where all is well.

    Raises:
        DamagedRepository: an object that is here cannot be read.
    """
    roots = {tip: _root_of(incoming, bytes.fromhex(tip)) for tip in tips}
    paths, is_too_deep = _new_folders(incoming, roots.values())
    found = [
        replace(each, path=_joined(paths[each.oid], each.path)) if each.oid in paths else each
        for each in incoming.inspection.troubles
    ]
    if is_too_deep:
        says = f"its folders lie deeper than {DEEPEST} in one another"
        found.append(Trouble("depth", next(iter(tips)), says))
    found += _refused_settings(incoming)
    endless = [tip for tip, root in roots.items() if root == _NO_END]
    says = f"its tags lie deeper than {_DEEPEST_TAG} in one another"
    found += [Trouble("depth", tip, says) for tip in endless[:MOST_TROUBLES]]
    return found + list(itertools.islice(_unmet(incoming, store, tips), MOST_TROUBLES))


def _refused_settings(incoming: IncomingPack) -> list[Trouble]:
    """Files of git's own settings that it refuses where it is strict."""
    named = incoming.inspection.settings
    if len(named) > _MOST_SETTINGS:
        says = "its files .gitmodules and .gitattributes have more versions than any companion's"
        return [Trouble("strict", next(iter(named)).hex(), says)]
    return [
        Trouble("strict", oid.hex(), says)
        for oid, kind in named.items()
        if incoming.numbers.get(oid) == NUMBERS[b"blob"]
        and (says := refused(kind, incoming.read(oid)))
    ]


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _new_folders(
    incoming: IncomingPack, roots: Iterable[bytes | None]
) -> tuple[dict[str, str], bool]:
    """The tips' folders that came, by id with a path of each; whether they are too deep."""
    paths: dict[str, str] = {}
    level = {root: "" for root in roots if root}
    left = _FOLDERS_SEEN + 4 * len(incoming.inspection.trees)
    for _ in range(DEEPEST):
        below: dict[bytes, str] = {}
        for oid, path in level.items():
            if incoming.numbers.get(oid) != NUMBERS[b"tree"]:
                continue
            paths.setdefault(oid.hex(), path)
            left -= 1
            for mode, name, inner in tree_entries(incoming.read(oid)):
                if mode.lstrip(b"0") == b"40000":
                    below[inner] = _joined(path, name.decode("utf-8", "backslashreplace"))
        level = below
        if left < 0:
            break
    return paths, bool(level)


def _root_of(incoming: IncomingPack, oid: bytes) -> bytes | None:
    """The tree of a commit that came, also of one that a tag that came leads to.

    None where there is none, `_NO_END` where tags lead to tags for too long.
    """
    for _ in range(_DEEPEST_TAG):
        number = incoming.numbers.get(oid)
        try:
            if number == NUMBERS[b"tag"]:
                oid = bytes.fromhex(incoming.read(oid)[7:47].decode())
            elif number == NUMBERS[b"commit"]:
                return bytes.fromhex(incoming.read(oid)[5:45].decode())
            else:
                return oid if number else None
        except ValueError:
            return None
    return _NO_END


def _unmet(incoming: IncomingPack, store: ObjectStore, tips: Collection[str]) -> Iterator[Trouble]:
    """What is named and is nowhere, or is something else than it is named as."""
    seen = incoming.inspection
    wanted = itertools.chain(
        zip(seen.trees, itertools.repeat(b"tree")),
        zip(seen.commits, itertools.repeat(b"commit")),
        zip(seen.blobs, itertools.repeat(b"blob")),
        seen.tagged.items(),
    )
    for oid, kind in wanted:
        number = incoming.numbers.get(oid)
        there = KINDS[number] if number is not None else _kind_here(store, oid.hex())
        if there is None:
            yield Trouble("missing", oid.hex(), f"a {kind.decode()} is missing from what came")
        elif there != kind:
            yield Trouble("kind", oid.hex(), f"it is a {there.decode()}, not a {kind.decode()}")
    for tip in tips:
        if bytes.fromhex(tip) not in incoming.numbers and not store.has(tip):
            yield Trouble("missing", tip, "it was promised, and did not come")


def _kind_here(store: ObjectStore, oid: str) -> bytes | None:
    return store.size(oid)[0] if store.has(oid) else None
