"""Finds versions of the same path, and writes them as chains of deltas."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from perdure.git.objects.pack import OFS_DELTA, REF_DELTA
from perdure.git.packs.delta import delta, entry_header, full_entry

CHAIN = 40
"""Deltas on deltas in a fresh pack. Merging puts some more on top: up to 50, as in git."""
_COMMITTED = re.compile(rb"^committer .* (\d{1,18}) [+-]\d{4}$", re.MULTILINE)
_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)

Version = tuple[bytes, bytes, bytes]
"""Kind, path, and id of one version of it."""


class EntryStream(Protocol):
    """Takes the entries of a pack, one after the other."""

    @property
    def size(self) -> int:
        """Offset of the next entry."""
        ...

    def add(self, oid: bytes, entry: bytes) -> int:
        """Append one entry. Returns its offset."""
        ...


class Base(NamedTuple):
    """An object that others are deltas of."""

    data: bytes
    at: int
    """Offset of its entry; -1 where it is not in the pack, but the reader has it."""
    depth: int
    oid: bytes = b""
    """Raw id, of one that is not in the pack."""


def tree_entries(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Mode, name and raw id of each entry of a tree."""
    return _ENTRY.findall(data)


def in_order(objects: Mapping[bytes, tuple[bytes, bytes]]) -> list[Version]:
    """Order objects for writing: versions of one path together, newest first.

    Commits come first, then trees, commit by commit as git has them, then files by path. What no
    commit among them leads to (staged files, pieces of history) comes last, by size.
    """
    commits = [(_time(data), oid) for oid, (kind, data) in objects.items() if kind == b"commit"]
    commits.reverse()
    commits.sort(key=lambda row: -row[0])
    seen = {oid for _, oid in commits}
    trees: list[Version] = []
    files: list[Version] = []
    for _, oid in commits:
        root = bytes.fromhex(objects[oid][1][5:45].decode("ascii"))
        for version in _visit(objects, root, seen):
            (trees if version[0] == b"tree" else files).append(version)
    files.sort(key=lambda version: version[1])
    rest = sorted(objects.keys() - seen, key=lambda oid: -len(objects[oid][1]))
    # A NUL is in no path: these are nobody's versions, and only tried against one another.
    strays = [(objects[oid][0], b"\0" + objects[oid][0], oid) for oid in rest]
    return [(b"commit", b"", oid) for _, oid in commits] + trees + files + strays


def _time(data: bytes) -> int:
    found = _COMMITTED.search(data)
    return int(found[1]) if found else 0


def _visit(
    objects: Mapping[bytes, tuple[bytes, bytes]], root: bytes, seen: set[bytes]
) -> Iterator[Version]:
    """What a tree leads to that is among the objects and was not seen in a newer one."""
    waiting = [(b"", root)]
    while waiting:
        path, oid = waiting.pop()
        if oid in seen or oid not in objects:
            continue
        seen.add(oid)
        kind, data = objects[oid]
        yield kind, path, oid
        if kind == b"tree":
            for _, name, inner in tree_entries(data):
                if inner not in seen and inner in objects:
                    waiting.append((path + b"/" + name, inner))


def write_versions(
    stream: EntryStream,
    objects: Mapping[bytes, tuple[bytes, bytes]],
    outside: Mapping[tuple[bytes, bytes], Base] | None = None,
) -> None:
    """Write all objects, each older version as a delta of the next newer one.

    Args:
        stream: where to.
        objects: kind and content by raw id.
        outside: by kind and path a version that the pack's reader has: the newest one is then a
            delta of that.
    """
    newest = {place: (base, base) for place, base in (outside or {}).items()}
    for kind, path, oid in in_order(objects):
        data = objects[oid][1]
        base = anchor = None
        if (kind, path) in newest:
            base, anchor = newest[kind, path]
            if base.depth >= CHAIN:
                # Not begun anew: a version that is further away still has most of it.
                base = anchor
        entry, depth = encode(kind, data, base, stream.size)
        here = Base(data, stream.add(oid, entry), depth)
        newest[kind, path] = here, here if depth == 0 or anchor is None else anchor


def encode(kind: bytes, data: bytes, base: Base | None, at: int) -> tuple[bytes, int]:
    """Encode an object, as a delta if that is smaller. Returns the entry and its depth."""
    if base is None:
        return full_entry(kind, data), 0
    made = delta(kind, base.data, data)
    if base.at < 0:
        head = entry_header(REF_DELTA, len(made)) + base.oid
    else:
        head = entry_header(OFS_DELTA, len(made), at - base.at)
    entry = head + zlib.compress(made)
    if len(made) * 2 > len(data):
        full = full_entry(kind, data)
        if len(full) <= len(entry):
            return full, 0
    return entry, base.depth + 1
