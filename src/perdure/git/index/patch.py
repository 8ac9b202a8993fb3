"""Patches a few entries of git's index without rewriting the rest.

Only the entries of our own paths change; every other byte of the entry list stays.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from perdure.git.index import cache_tree
from perdure.git.index import file as index_file
from perdure.git.index.file import FIXED, IndexEntry, IndexTrouble


@dataclass(frozen=True, slots=True)
class IndexEdit:
    """A change to the entry of one path.

    Attributes:
        path: the path.
        accepted: ids that the present entry may have, None for "no entry". With any other the
            entry is someone's staged work and stays.
        oid: the new id; None takes the entry out.
        mode: file mode of a new entry.
        stat: the work file's stat when it has exactly that content, else None: git looks for
            itself then.
    """

    path: str
    accepted: frozenset[str | None]
    oid: str | None
    mode: int
    stat: os.stat_result | None


@dataclass(slots=True)
class Patched:
    """The patched index, where its entries end, and the paths that were left alone."""

    data: bytes
    end: int = 0
    left: list[str] = field(default_factory=list)


def patch(
    data: bytes,
    edits: Sequence[IndexEdit],
    *,
    folders: Mapping[str, tuple[str | None, str | None]],
    written: int | None,
    entries_end: int | None = None,
    is_same: index_file.IsSame = index_file.never_same,
) -> Patched:
    """Change the entries of some paths.

    Args:
        data: the index file.
        edits: what to change.
        folders: per folder on the way to these paths ("" is the root) its tree before and after;
            cached trees that had the former get the latter.
        written: when the index was last written, in ns: entries whose file is as young may have
            changed unseen, and git must look at them again (`file.walk`). None: it is known
            that there are none.
        entries_end: where the entries end, when the file is as an earlier call made it and nothing
            in it was written since: it need not be walked then.
        is_same: whether a path's work file has a blob's content; such a young entry stays as it is.

    Raises:
        IndexTrouble: the index is left alone: damaged, or unknown.
    """
    version, count = index_file.check_header(data)
    if version == 4:
        data = index_file.flat(data)
        _, count = index_file.check_header(data)
    buffer = bytearray(data[:-20])
    outcome = Patched(b"")
    end = entries_end
    if end is None:
        end, fresh = index_file.find_fresh(data, count, written)
        for start in fresh:
            slot = index_file.entry_at(data, start)
            if not is_same(os.fsdecode(slot.path), slot.oid):
                struct.pack_into(">I", buffer, start + 36, 0)
    found = index_file.extensions(data, end)
    check_known(found)
    shift = _apply_all(buffer, count, end, edits, outcome)
    paths = [edit.path for edit in edits]
    trees = partial(
        cache_tree.patch_trees,
        folders={} if outcome.left else folders,
        paths=paths,
        shift=shift,
    )
    outcome.data = index_file.signed([buffer, *kept_extensions(found, trees, (b"REUC",))])
    return outcome


def check_known(found: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise IndexTrouble where one of an index's extensions must not be left out."""
    if any(name[:1].islower() for name, _ in found):
        raise IndexTrouble("the index is of an unknown kind")


def kept_extensions(
    found: Sequence[tuple[bytes, bytes]],
    trees: Callable[[bytes], bytes],
    others: Collection[bytes] = (),
) -> Iterator[bytes]:
    """The extensions that are written again, the cached trees as ``trees`` makes them."""
    for name, content in found:
        if name == b"TREE" or name in others:
            kept = trees(content) if name == b"TREE" else content
            yield name + struct.pack(">L", len(kept)) + kept


def _apply_all(
    buffer: bytearray, count: int, end: int, edits: Sequence[IndexEdit], outcome: Patched
) -> dict[str, int]:
    """Apply edits to the entries, and cut off the rest; by path which came (1) or went (-1)."""
    shift: dict[str, int] = {}
    for edit in edits:
        grown = _apply(buffer, count, end, edit)
        if grown is None:
            outcome.left.append(edit.path)
            continue
        end += grown[0]
        count += grown[1]
        if grown[1]:
            shift[edit.path] = grown[1]
    struct.pack_into(">L", buffer, 8, count)
    del buffer[end:]
    outcome.end = end
    return shift


def _apply(buffer: bytearray, count: int, end: int, edit: IndexEdit) -> tuple[int, int] | None:
    """Apply one edit. Returns the growth in bytes and entries; None if it was left alone."""
    path = edit.path.encode("utf-8", "surrogateescape")
    try:
        present = find_quickly(buffer, end, path)
        found, insert = ([present], present.start) if present else _find(buffer, count, end, path)
    except IndexTrouble:
        return None
    if any(slot.stage or slot.only_intended for slot in found):
        return None
    present = found[0] if found else None
    if (present.oid if present else None) not in edit.accepted:
        return None
    before = present.end - present.start if present else 0
    if edit.oid is None:
        row = b""
    elif present is None:
        row = index_file.entry_bytes(path, edit.mode, edit.oid, edit.stat)
    else:
        head = index_file.stat_bytes(edit.stat, present.mode) + bytes.fromhex(edit.oid)
        row = head + buffer[present.start + 60 : present.end]
    at = present.start if present else insert
    buffer[at : at + before] = row
    return len(row) - before, bool(row) - bool(before)


def find_quickly(buffer: bytes | bytearray, end: int, path: bytes) -> IndexEntry | None:
    """Find a path's entry by searching for its bytes; None if that is inconclusive.

    A hit is an entry when what stands before it is one: a regular file's mode, the path's own
    length, on a multiple of eight bytes. Inside another entry's path no NUL bytes can stand.
    """
    needle = path + b"\0"
    at = buffer.find(needle, 12 + FIXED, end)
    start = at - FIXED
    if at < 0 or (start - 12) % 8 or buffer.count(needle, 12, end) != 1:
        return None
    (flags,) = struct.unpack_from(">H", buffer, start + 60)
    if flags != min(len(path), 0xFFF):
        return None
    found = index_file.entry_at(buffer, start)
    return found if found.mode in {0o100644, 0o100755} else None


def _find(buffer: bytearray, count: int, end: int, path: bytes) -> tuple[list[IndexEntry], int]:
    """The entries of a path (several when it is in conflict) and where one would be inserted."""
    steps = path.split(b"/")
    above = {b"/".join(steps[:depth]) for depth in range(1, len(steps))}
    inside = path + b"/"
    found: list[IndexEntry] = []
    insert = 12
    for at, start, stop, after in index_file.spans(buffer, count, end):
        name = bytes(buffer[start:stop])
        if name in above:
            raise IndexTrouble(f"{os.fsdecode(name)} is a file in the index")
        if name.startswith(inside):
            raise IndexTrouble(f"{os.fsdecode(path)} is a folder in the index")
        if name == path:
            found.append(index_file.entry_at(buffer, at))
        elif name > inside:
            break
        if name < path:
            insert = after
    return found, insert
