"""Reads git's index as a whole, even if it is split or sparse.

A split index (``core.splitIndex``) has what has changed since a shared file was written: which of
that file's entries go, which have other content, and new ones. A sparse one (``index.sparse``) has
one entry for a folder that is not checked out. Formats: git's ``gitformat-index``, "Split index"
and "Sparse Directory Entries"; bitmaps: EWAH, git's ``bitmap-format``, "Appendix A".
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import DamagedRepository
from perdure.git.index import file as index_file
from perdure.git.index.file import EXTENDED, IndexRow, IndexTrouble
from perdure.git.objects.tree import Trees

_SKIP = 0x4000
"""In the second flags: the file is not in the work tree."""
_STAGE = 0x3000


def read_index(place: Path, trees: Trees) -> bytes:
    """Read an index file as one piece.

    Raises:
        FileNotFoundError, OSError: there is none, or it cannot be read.
        IndexTrouble: it is damaged, or a part of it is missing.
    """
    data = disk.read_file(place)
    if b"link" not in data and b"sdir" not in data:
        return data
    entries, end = index_file.rows_of(data)
    found = dict(index_file.extensions(data, end))
    if b"link" not in found and b"sdir" not in found:
        return data
    if b"link" in found:
        entries = _joined(entries, found[b"link"], place.parent)
    try:
        rows = [each for row in entries for each in _opened(row, trees)]
    except DamagedRepository as error:
        raise IndexTrouble(f"a folder in the index cannot be read: {error.what}") from error
    return index_file.file_of(sorted(rows, key=lambda row: (row[0], row[2] & _STAGE)))


def _joined(rows: Sequence[IndexRow], link: bytes, folder: Path) -> list[IndexRow]:
    """The entries of a split index with those of its shared file."""
    name = link[:20].hex()
    if not any(link[:20]):
        return list(rows)
    try:
        data = disk.read_file(folder / f"sharedindex.{name}")
    except OSError as error:
        raise IndexTrouble("the index is split, and its other part cannot be read") from error
    if data[-20:] not in {link[:20], bytes(20)}:
        raise IndexTrouble("the index is split, and its other part is another one's")
    shared: list[IndexRow | None] = list(index_file.rows_of(data)[0])
    try:
        gone, at = _bits(link, 20, len(shared)) if link[20:] else ([], 20)
        replaced = _bits(link, at, len(shared))[0] if link[at:] else []
        for place, (_, head, flags, more) in zip(replaced, rows, strict=False):
            old = shared[place]
            shared[place] = (old[0] if old else b"", head, flags, more)
        for place in gone:
            shared[place] = None
    except (IndexError, struct.error) as error:
        raise IndexTrouble("the index is split, and cannot be put together") from error
    added = rows[len(replaced) :]
    if len(replaced) > len(rows) or not all(row[0] for row in added):
        raise IndexTrouble("the index is split, and cannot be put together")
    names = {(row[0], row[2] & _STAGE) for row in added}
    kept = [row for row in shared if row and (row[0], row[2] & _STAGE) not in names]
    return [*kept, *added]


def _bits(data: bytes, at: int, most: int) -> tuple[list[int], int]:
    """The places of a bitmap's ones, and where it ends; no place is ``most`` or above."""
    _, count = struct.unpack_from(">LL", data, at)
    words = struct.unpack_from(f">{count}Q", data, at + 8)
    found: list[int] = []
    place = here = 0
    while here < count:
        word = words[here]
        run, literals = word >> 1 & 0xFFFFFFFF, word >> 33
        if word & 1:
            found.extend(range(place, min(place + 64 * run, most)))
        place += 64 * run
        for literal in words[here + 1 : here + 1 + literals]:
            found.extend(place + bit for bit in range(64) if literal >> bit & 1)
            place += 64
        here += 1 + literals
    if found and found[-1] >= most:
        raise IndexError(found[-1])
    return found, at + 12 + 8 * count


def _opened(row: IndexRow, trees: Trees) -> Iterator[IndexRow]:
    """Expand an entry; a folder's into entries for its files, none of them checked out."""
    path, head, _, _ = row
    (mode,) = struct.unpack_from(">I", head, 24)
    if mode != stat.S_IFDIR:
        yield row
        return
    for name, (kind, oid) in trees.leaves(head[40:60].hex()):
        yield (
            path.rstrip(b"/") + b"/" + os.fsencode(name),
            index_file.stat_bytes(None, kind) + bytes.fromhex(oid),
            EXTENDED,
            _SKIP,
        )
