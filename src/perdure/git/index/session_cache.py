"""The index as this session last wrote it, so that a turn changes only its own entry.

Reading, checking, walking and hashing an index of years takes longer than all the rest of a turn.
Here its bytes are kept, and the state of the hash up to the entry of the conversation that goes on:
what is left to do for a turn does not grow with the index, but for writing it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perdure.git.index import file as index_file
from perdure.git.index import patch
from perdure.git.index.cache_tree import Way
from perdure.git.index.patch import IndexEdit

if TYPE_CHECKING:
    from hashlib import _Hash
    from pathlib import Path

Folders = Mapping[str, tuple[str | None, str | None]]
Mark = tuple[int, int, int]


def mark_of(found: os.stat_result) -> Mark:
    """Identifies an index file: its inode, time of writing and size."""
    return found.st_ino, found.st_mtime_ns, found.st_size


@dataclass(frozen=True, slots=True)
class Place:
    """The entry that the second piece of a kept index begins with.

    Attributes:
        path: its path.
        hashed: SHA-1 of the first piece, to be gone on with.
        trees: where the content of the cached trees begins in the second piece; None without.
        way: the cached trees on the way to the path.
    """

    path: str
    hashed: _Hash
    trees: int | None
    way: Way


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """An index of version 2 or 3 in two pieces, the second from the last turn's entry on.

    Attributes:
        before: the first piece: nearly all of it, the same bytes from turn to turn.
        rest: the second, with the trailing hash.
        end: where the entries end.
        mark: the file that it was written to; None before that.
        fresh: paths whose work file is as young as that file, and may change without another stat
            (`file.walk`): the next writing has to replace or to mark their entries.
    """

    before: bytes
    rest: bytes
    end: int
    mark: Mark | None = None
    fresh: frozenset[str] = frozenset()
    place: Place | None = None

    def published(
        self, found: os.stat_result, stats: Mapping[str, os.stat_result | None]
    ) -> KeptIndex:
        """The same index, after it was written to a file.

        Args:
            found: the file's stat.
            stats: those of the work files whose entries were written.
        """
        second = found.st_mtime_ns // 10**9
        fresh = (p for p, stat in stats.items() if stat and stat.st_mtime_ns // 10**9 >= second)
        return replace(self, mark=mark_of(found), fresh=frozenset(fresh))

    def is_still(self, path: Path) -> bool:
        """Whether an index file is this one: the same file, with the same hash at its end."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            found = os.fstat(fd)
            trailer = os.pread(fd, 20, max(0, found.st_size - 20))
        except OSError:
            return False
        finally:
            os.close(fd)
        return mark_of(found) == self.mark and trailer == self.rest[-20:]

    def patched(
        self,
        edits: Sequence[IndexEdit],
        folders: Folders,
        is_same: index_file.IsSame = index_file.never_same,
    ) -> KeptIndex:
        """The index after some edits.

        Args:
            edits: what to change.
            folders: as for `patch.patch`.
            is_same: as for `patch.patch`.

        Raises:
            IndexTrouble: as `patch.patch` does.
        """
        followed = self._follow(edits[0], folders) if len(edits) == 1 else None
        if followed is not None:
            return followed
        # Without these nothing in the index is as young as itself, and it need not be walked.
        written = self.mark[1] if self.mark and self.fresh else None
        new = patch.patch(
            self._data(),
            edits,
            folders=folders,
            written=written,
            entries_end=self.end if written is None else None,
            is_same=is_same,
        )
        return KeptIndex(b"", new.data, new.end)

    def _data(self) -> bytes:
        """All bytes, with zeros for a hash: they are our own, and need no checking."""
        return b"".join((self.before, memoryview(self.rest)[:-20], bytes(20)))

    def _follow(self, edit: IndexEdit, folders: Folders) -> KeptIndex | None:
        """The index with other bytes in one entry; None where more than that has to change."""
        if edit.oid is None or self.fresh - {edit.path}:
            return None
        divided = self._divided(edit.path)
        if divided is None or divided.place is None:
            return None
        place = divided.place
        if divided.rest[40:60].hex() not in edit.accepted:
            return None
        rest = bytearray(memoryview(divided.rest)[:-20])
        (mode,) = struct.unpack_from(">I", rest, 24)
        rest[:60] = index_file.stat_bytes(edit.stat, mode) + bytes.fromhex(edit.oid)
        way = place.way
        if place.trees is not None:
            followed = way.follow(rest, place.trees, folders)
            if followed is None:
                return None
            way = followed
        hashed = place.hashed.copy()
        hashed.update(rest)
        rest += hashed.digest()
        return KeptIndex(divided.before, bytes(rest), self.end, place=replace(place, way=way))

    def _divided(self, path: str) -> KeptIndex | None:
        """The same in pieces of which the second begins with a path's entry; None without one."""
        if self.place is not None and self.place.path == path:
            return self
        data = self._data()
        slot = patch.find_quickly(data, self.end, os.fsencode(path))
        if slot is None:
            return None
        trees, way, at = None, Way.to(path, b""), self.end
        for name, content in index_file.extensions(data, self.end):
            if name == b"TREE":
                trees, way = at + 8 - slot.start, Way.to(path, content)
            at += 8 + len(content)
        before = data[: slot.start]
        hashed = hashlib.sha1(before, usedforsecurity=False)
        place = Place(path, hashed, trees, way)
        return replace(self, before=before, rest=data[slot.start :], place=place)
