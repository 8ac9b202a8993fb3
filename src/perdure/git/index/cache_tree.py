"""The index's TREE extension: cached tree ids that make git's commits quick.

Format: git's ``gitformat-index``, "Cache tree".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass


def patch_trees(
    content: bytes,
    folders: Mapping[str, tuple[str | None, str | None]],
    paths: Sequence[str],
    shift: Mapping[str, int],
) -> bytes:
    """Update the cached trees, or mark those above changed paths as unknown.

    Args:
        content: the extension without its header.
        folders: per folder on the way its tree before and after; empty: nothing is known.
        paths: the paths that changed.
        shift: entries that came (1) or went (-1), by path.
    """
    on_the_way = _above(paths)
    nodes = list(_cached_trees(content))
    known = {path: oid for path, _, _, _, oid, _ in nodes if path in on_the_way}
    follows = _follows(on_the_way, known, folders)
    rows = []
    for path, name, count, inner, oid, _ in nodes:
        new_count, new_oid = count, oid
        if path in on_the_way:
            new_count, new_oid = -1, None
            if follows:
                new_oid = folders[path][1]
                below = f"{path}/" if path else ""
                new_count = count + sum(n for p, n in shift.items() if p.startswith(below))
        row = name + b"\0%d %d\n" % (new_count, inner)
        rows.append(row + bytes.fromhex(new_oid) if new_oid is not None else row)
    return b"".join(rows)


@dataclass(frozen=True, slots=True)
class Way:
    """The cached trees above one path, updated turn by turn.

    Attributes:
        folders: every folder on the way, "" for the root.
        ids: of those that are cached, where their id stands and what it is, None for unknown.
    """

    folders: frozenset[str]
    ids: Mapping[str, tuple[int, str | None]]

    @classmethod
    def to(cls, path: str, content: bytes) -> Way:
        """Find the cached trees above a path; the content has no header."""
        above = _above([path])
        ids = {
            folder: (at, oid)
            for folder, _, _, _, oid, at in _cached_trees(content)
            if folder in above
        }
        return cls(frozenset(above), ids)

    def follow(
        self, content: bytearray, start: int, folders: Mapping[str, tuple[str | None, str | None]]
    ) -> Way | None:
        """Overwrite the ids in place, for a change that adds and removes no path.

        Args:
            content: what holds the extension's content from ``start`` on; changed in place.
            start: see there.
            folders: as for `patch_trees`.

        Returns:
            The way as it is then; None, with nothing changed, where one must become unknown.
        """
        known = {folder: oid for folder, (_, oid) in self.ids.items()}
        if all(oid is None for oid in known.values()):
            return self
        if not _follows(self.folders, known, folders):
            return None
        ids = dict(self.ids)
        for folder, (at, _) in self.ids.items():
            new = folders[folder][1] or ""
            content[start + at : start + at + 20] = bytes.fromhex(new)
            ids[folder] = (at, new)
        return Way(self.folders, ids)


def _above(paths: Sequence[str]) -> set[str]:
    """The folders above some paths, including the root."""
    found = {""}
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def _follows(
    above: Collection[str],
    known: Mapping[str, str | None],
    folders: Mapping[str, tuple[str | None, str | None]],
) -> bool:
    """Whether every cached tree above a path is the one that a change started from."""
    return all(
        folder in known
        and folder in folders
        and known[folder] is not None
        and known[folder] == folders[folder][0]
        and folders[folder][1] is not None
        for folder in above
    )


def _cached_trees(content: bytes) -> Iterator[tuple[str, bytes, int, int, str | None, int]]:
    """Nodes of the TREE extension: path, name, entries, subtrees, id or None, where that stands."""
    at = 0
    open_folders: list[tuple[str, int]] = []
    while at < len(content):
        end = content.index(b"\0", at)
        line = content.index(b"\n", end)
        name = content[at:end]
        count, inner = (int(number) for number in content[end + 1 : line].split(b" "))
        at = line + 1
        oid, place = None, at
        if count >= 0:
            oid = content[at : at + 20].hex()
            at += 20
        while open_folders and open_folders[-1][1] == 0:
            open_folders.pop()
        above = ""
        if open_folders:
            above, left = open_folders[-1]
            open_folders[-1] = (above, left - 1)
        text = name.decode("utf-8", "surrogateescape")
        path = f"{above}/{text}" if above else text
        open_folders.append((path, inner))
        yield path, name, count, inner, oid, place
