"""Changes many entries of git's index at once, for switches and merges.

`patch.patch` looks for each entry by itself, which is quickest for the one or two of a turn.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from perdure.git.index import cache_tree, patch
from perdure.git.index import file as index_file
from perdure.git.index.file import IndexTrouble


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A new entry. ``stage`` is 0, or 1 to 3 (base, ours, theirs) in a conflict."""

    path: str
    mode: int
    oid: str
    stat: os.stat_result | None = None
    stage: int = 0


def rewrite(
    data: bytes,
    gone: Collection[str],
    entries: Sequence[NewEntry],
    *,
    written: int | None,
    is_same: index_file.IsSame = index_file.never_same,
) -> bytes:
    """Replace the entries of some paths; the bytes of all others stay the same.

    Args:
        data: the index file.
        gone: paths whose entries go, at whatever stage; those of ``entries`` go too.
        entries: what comes in their place.
        written: when the index was last written, in ns: entries whose file is as young are marked
            for git to look at again (`file.walk`).
        is_same: whether a path's work file has a blob's content; such a young entry stays as it is.

    Raises:
        IndexTrouble: the index is left alone: damaged, or unknown.
    """
    plain = index_file.flat(data)
    slots = list(index_file.entries(plain))
    end = slots[-1].end if slots else 12
    touched = {os.fsencode(path) for path in gone}
    touched.update(os.fsencode(entry.path) for entry in entries)
    rows: list[tuple[bytes, int, bytes]] = []
    left = [slot for slot in slots if slot.path not in touched]
    for slot in left:
        row = plain[slot.start : slot.end]
        young = written is not None and slot.mtime[0] >= written // 10**9
        if young and not is_same(os.fsdecode(slot.path), slot.oid):
            row = row[:36] + bytes(4) + row[40:]
        rows.append((slot.path, slot.stage, row))
    rows.extend(
        (os.fsencode(entry.path), entry.stage, index_file.entry_bytes(
            os.fsencode(entry.path), entry.mode, entry.oid, entry.stat, entry.stage
        ))
        for entry in entries
    )  # fmt: skip
    rows.sort(key=lambda row: row[:2])
    _check_folders([row[0] for row in rows])
    extended = any(slot.flags & index_file.EXTENDED for slot in left)
    found = index_file.extensions(plain, end)
    patch.check_known(found)
    paths = [os.fsdecode(path) for path in touched]
    trees = partial(cache_tree.patch_trees, folders={}, paths=paths, shift={})
    parts = [index_file.header(len(rows), extended=extended), *(row[2] for row in rows)]
    return index_file.signed([*parts, *patch.kept_extensions(found, trees)])


def _check_folders(paths: Sequence[bytes]) -> None:
    """A path that is a file cannot be a folder too: git would refuse the whole index."""
    known = set(paths)
    checked: set[bytes] = set()
    for path in paths:
        parent = path.rpartition(b"/")[0]
        while parent and parent not in checked:
            if parent in known:
                raise IndexTrouble(f"{os.fsdecode(parent)} is a file and a folder in the index")
            checked.add(parent)
            parent = parent.rpartition(b"/")[0]
