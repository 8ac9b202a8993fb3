"""The small packs that a session writes, one per turn, and joins from time to time.

A turn's objects go into one pack because that takes three fsyncs (pack, index, folder) where six
loose objects take up to twelve. Every so often the small ones are joined: entries are copied as
they are compressed already, with the CRC that their index has for them. What has been joined is
made small by `perdure.git.packs.repack`, in the background. Only packs that our lists name are
touched, never those of git.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import DamagedRepository
from perdure.git.objects.pack import PackFile
from perdure.git.objects.store import ObjectStore
from perdure.git.packs import keep as keeps
from perdure.git.packs.delta import full_entry
from perdure.git.packs.keep import Keep
from perdure.git.packs.scan import pack_entries
from perdure.git.packs.write import PackStream, remove_unfinished

SMALL_LIMIT = 32
"""Packs of one turn that are joined into one."""
_TURNS_OBJECTS = 256
"""Objects of a pack that is joined with others; a larger one counts as joined."""
PROTECTED = (".keep", ".promisor", ".mtimes", ".bitmap")


def fresh_name() -> str:
    """A pack name that was never used; git may be about to remove a known one."""
    return f"pack-{secrets.token_hex(20)}"


@dataclass(frozen=True, slots=True)
class PackList:
    """The packs in a list that exist, in order, each with its tier.

    Attributes:
        packs: all of them.
        marked: those with a mark of git's, or a ``.keep`` of ours or of the user's, beside them.
            They are left as they are, and stay in the list for when the mark is gone.
    """

    packs: dict[str, int]
    marked: frozenset[str]

    @property
    def free(self) -> dict[str, int]:
        """Those that may be replaced."""
        return {name: tier for name, tier in self.packs.items() if name not in self.marked}


def read_list(path: Path, folder: Path) -> PackList:
    """Read a list of packs, ``tier name`` a line."""
    try:
        lines = disk.read_file(path).decode("ascii", "replace").split("\n")
        here = {entry.name for entry in os.scandir(folder)}
    except FileNotFoundError:
        return PackList({}, frozenset())
    found: dict[str, int] = {}
    for line in lines:
        tier, _, name = line.partition(" ")
        if tier.isdecimal() and {f"{name}.pack", f"{name}.idx"} <= here:
            found[name] = int(tier)
    marked = (name for name in found if any(name + mark in here for mark in PROTECTED))
    return PackList(found, frozenset(marked))


def write_list(path: Path, packs: Mapping[str, int], *, synced: bool) -> None:
    """Write a list of packs."""
    lines = "".join(f"{tier} {name}\n" for name, tier in packs.items())
    disk.replace_file(path, lines.encode(), synced=synced)


def remove_pack(folder: Path, name: str) -> None:
    """Remove a pack that another one has replaced."""
    # The index goes first: a pack without one is ignored, the reverse is complained about.
    for ending in (".idx", ".rev", ".pack"):
        (folder / f"{name}{ending}").unlink(missing_ok=True)


def has_index_chain(folder: Path) -> bool:
    """Whether git keeps a chain of multi-pack-indexes here."""
    return (folder / "multi-pack-index.d").exists()


def remove_multi_pack_index(folder: Path) -> bool:
    """Remove git's index over several packs, which must not name a pack that is gone.

    Returns:
        False where there is a chain of them (git 2.47): it would have to go as a whole, and is the
        user's own doing, so no pack may go.
    """
    if has_index_chain(folder):
        return False
    found = list(folder.glob("multi-pack-index*"))
    for path in found:
        path.unlink(missing_ok=True)
    if found:
        disk.sync_folder(folder)
    return True


class PackWriter:
    """Writes packs into one object store. The caller holds the commit lock."""

    def __init__(self, store: ObjectStore, state: Path) -> None:
        self._store = store
        self._folder = store.folder / "pack"
        self._list = state / "packs"

    def write(self, objects: Sequence[tuple[str, bytes, bytes]]) -> Keep:
        """Store objects (id, kind, content) as one pack; on disk when this returns.

        They are written whether or not they exist already: what a crash left under their name,
        an empty file for example, is then never relied on, and what git is about to remove
        neither.

        Returns:
            What keeps git from removing the pack; to be released when a ref reaches the objects.
        """
        entries = {bytes.fromhex(o): full_entry(k, data) for o, k, data in objects}
        keep = self.write_entries(entries)
        for oid, kind, data in objects:
            self._store.remember(oid, kind, data)
        return keep

    def write_entries(self, entries: Mapping[bytes, bytes]) -> Keep:
        """Store entries that hold whole objects, by their raw ids. As `write` otherwise."""
        name = fresh_name()
        keep = Keep(self._folder, name)
        try:
            self._place(name, entries)
            self._note(f"{1 if len(entries) <= _TURNS_OBJECTS else 2} {name}")
        except BaseException:
            keep.release()
            raise
        self._store.add_pack(name)
        return keep

    def _place(self, name: str, entries: Mapping[bytes, bytes]) -> None:
        """Write a pack from entries by raw id; on disk when this returns."""
        stream = PackStream(self._folder, len(entries), name=name, prefix=keeps.SESSION_PREFIX)
        with stream:
            for oid, entry in entries.items():
                stream.add(oid, entry)
            stream.finish(read_back=False)
            stream.put_in_place()

    def adopt(self, name: str) -> None:
        """Start reading from a pack that came from outside. It stays as it is."""
        self._store.add_pack(name)

    def _note(self, line: str) -> None:
        """Remember packs as ours. A lost line costs a pack that is never joined, nothing else."""
        fd = os.open(
            self._list,
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW,
            disk.FILE_MODE,
        )
        try:
            disk.write_all(fd, f"{line}\n".encode())
        finally:
            os.close(fd)

    def consolidate(self) -> int:
        """Join the small packs if there are enough.

        Returns:
            How many joined packs wait to be made small; 0 when nothing was looked at.
        """
        try:
            if self._list.stat().st_size < SMALL_LIMIT * 48:
                return 0
        except FileNotFoundError:
            return 0
        ours = read_list(self._list, self._folder)
        names = [name for name, tier in ours.free.items() if tier == 1]
        if len(names) < SMALL_LIMIT or has_index_chain(self._folder):
            return 0
        self._join(names[: 2 * SMALL_LIMIT], ours)
        # Packs that the background has replaced since are let go of.
        self._store.rescan()
        return sum(tier > 1 for tier in read_list(self._list, self._folder).free.values())

    def _join(self, names: Sequence[str], ours: PackList) -> None:
        """Copy the entries of several packs into one, read it back, then remove the old ones.

        A crash before the new pack's folder entry is on the disk leaves the old packs; after it,
        both, which is a waste and no harm. A reader that has an old pack open keeps its mapping;
        one that comes too late looks for packs again.
        """
        entries: dict[bytes, bytes] = {}
        sound: list[str] = []
        for name in names:
            try:
                pack = PackFile(self._folder / f"{name}.idx")
                slots, bad = pack_entries(pack)
            except (OSError, DamagedRepository):
                continue
            raw = {slot.oid: pack.pack[slot.offset : slot.end] for slot in slots}
            if not bad and all(s.base < 0 and zlib.crc32(raw[s.oid]) == s.crc for s in slots):
                sound.append(name)
                entries.update(raw)
        left = {name: tier for name, tier in ours.packs.items() if name not in names}
        if len(sound) < 2:
            write_list(self._list, left, synced=False)
            return
        new = fresh_name()
        self._place(new, entries)
        if not PackFile(self._folder / f"{new}.idx").is_whole():
            raise DamagedRepository(f"{new} did not read back as it was written")
        if not remove_multi_pack_index(self._folder):
            return
        write_list(self._list, {**left, new: 2}, synced=False)
        self._store.add_pack(new)
        for name in sound:
            self._store.drop_pack(name)
            remove_pack(self._folder, name)

    def remove_unfinished(self) -> None:
        """Remove half-written packs of a process that was killed."""
        # The last two are names that these had in earlier versions.
        remove_unfinished(self._folder, keeps.SESSION_PREFIX, "tmp_pack_pack-", "tmp_idx_pack-")

    def remove_dead_keeps(self) -> None:
        """Release the packs of dead processes."""
        keeps.remove_dead_keeps(self._folder)

    def remove_dead_incoming(self) -> None:
        """Remove what a dead process had begun to receive."""
        keeps.remove_dead_incoming(self._folder)
