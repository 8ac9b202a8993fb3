"""What a push sends: the objects that the other side lacks, as the entries of one pack.

They are found commit by commit, from what differs between a commit's tree and those of its parents.
So a push costs what is new, not what there is: git, and dulwich, open whole trees on both sides.
More may be found than is missing (a file that went back to what it was), never less.
"""

from __future__ import annotations

import contextlib
import heapq
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from perdure.git.errors import DamagedRepository
from perdure.git.objects.commit import parents_of
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree_diff import TreeComparer
from perdure.git.packs.delta_order import Base, write_versions

_COMMITTER = re.compile(rb"\ncommitter [^\n]* (\d{1,18}) [+-]\d{4}\n")
_BATCH_BYTES = 32 * 1024 * 1024
"""Bytes of objects that are in memory at once."""
_FOLDERS = {b"40000", b"040000"}
_LINK = b"160000"
_PATIENCE = 5
"""Known commits that are looked at when nothing else waits: clocks may have been wrong."""
_DEEPEST_TAG = 32
"""Tags of tags that are followed."""
SLICE_BYTES = 16 * 1024 * 1024
_HEADER = 12
"""Bytes of a pack before its first entry."""

_Place = tuple[bytes, bytes]
"""Kind and path of an object."""


@dataclass(frozen=True, slots=True)
class OutgoingPack:
    """A pack about to be sent.

    Attributes:
        count: how many entries it has.
        entries: each one's raw id, and its bytes: header and compressed content. They are made
            while they are read, once.
    """

    count: int
    entries: Iterator[tuple[bytes, bytes]]


class HasObjects(Protocol):
    """A repository's objects: `perdure.git.repository.repository.Parts` is one."""

    @property
    def store(self) -> ObjectStore:
        """Where they are."""
        ...

    @property
    def boundary(self) -> frozenset[str]:
        """Commits whose parents are not here: the edge of a shallow clone."""
        ...


def outgoing(parts: HasObjects, new: Sequence[str], known: Collection[str]) -> OutgoingPack:
    """The objects that some tips need and the other side does not have.

    Args:
        parts: the repository.
        new: ids that it is to have: of commits, or of tags.
        known: ids that it says it has; those that are not here are passed over.

    Raises:
        DamagedRepository: an object is missing or broken; also while the entries are read.
    """
    found = _Search(parts, known)
    found.run(new)
    return OutgoingPack(len(found.wanted), _entries(parts.store, found))


def slices(
    parts: HasObjects, tip: str, known: Collection[str], most: int = SLICE_BYTES
) -> list[str]:
    """Cut a first push into several, so that a broken connection costs one of them.

    Args:
        parts: the repository.
        tip: the commit that a branch is to have.
        known: ids that the other side says it has.
        most: bytes of one pack, about.

    Returns:
        Commits on the first-parent line of the tip, oldest first, the tip last: each a fast-forward
        of the one before. What a merge brings comes with it. A commit that is larger stands alone.

    Raises:
        DamagedRepository: an object is missing or broken.
    """
    if _stored_bytes(parts.store.folder) <= most:
        return [tip]
    found = _Search(parts, known)
    found.run([tip])
    sizes = _sizes(parts.store, found.wanted.keys())
    own = {commit: sum(sizes.get(oid, 0) for oid in oids) for commit, oids in found.brought()}
    line: list[str] = []
    here: str | None = tip
    while here in found.fresh:
        line.append(here)
        here = next(iter(found.fresh[here]), None)
    cuts: list[str] = []
    size = 0
    taken: set[str] = set()
    before = ""
    for commit in reversed(line):
        more = 0
        todo = [commit]
        while todo:
            each = todo.pop()
            if each in found.fresh and each not in taken:
                taken.add(each)
                more += own.get(each, 0)
                todo += found.fresh[each]
        if before and size + more > most:
            cuts.append(before)
            size = 0
        size += more
        before = commit
    return [*cuts, tip]


def _stored_bytes(folder: Path) -> int:
    """Bytes of all object files: what no pack of some of the objects will be much larger than."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix != ".idx")


def _sizes(store: ObjectStore, wanted: AbstractSet[bytes]) -> dict[bytes, int]:
    """Bytes that objects take where they are stored."""
    found: dict[bytes, int] = {}
    for pack in list(store.packs.values()):
        rows = pack.rows()
        ends = [offset for offset, _, _ in rows[1:]] + [len(pack.pack) - 20]
        for (offset, oid, _), end in zip(rows, ends, strict=True):
            if oid in wanted:
                found[oid] = end - offset
    for oid in wanted - found.keys():
        with contextlib.suppress(OSError):
            name = oid.hex()
            found[oid] = (store.folder / name[:2] / name[2:]).stat().st_size
    return found


def _entries(store: ObjectStore, found: _Search) -> Iterator[tuple[bytes, bytes]]:
    stream = _Stream()
    outside = _bases(store, found.bases)
    batch: dict[bytes, tuple[bytes, bytes]] = {}
    size = 0
    for oid in found.wanted:
        batch[oid] = store.read(oid.hex(), None)
        size += len(batch[oid][1])
        if size >= _BATCH_BYTES:
            write_versions(stream, batch, outside)
            yield from stream.taken()
            batch, size, outside = {}, 0, {}
    write_versions(stream, batch, outside)
    yield from stream.taken()


def _bases(store: ObjectStore, oids: Mapping[_Place, bytes]) -> dict[_Place, Base]:
    """What the other side has, read as far as it fits into memory."""
    found: dict[_Place, Base] = {}
    left = _BATCH_BYTES
    for place, oid in oids.items():
        data = store.read(oid.hex(), None)[1]
        left -= len(data)
        if left < 0:
            break
        found[place] = Base(data, -1, 0, oid)
    return found


class _Stream:
    """Entries as they will stand in the pack, kept until they are taken."""

    def __init__(self) -> None:
        self.size = _HEADER
        self._made: list[tuple[bytes, bytes]] = []

    def add(self, oid: bytes, entry: bytes) -> int:
        at = self.size
        self.size += len(entry)
        self._made.append((oid, entry))
        return at

    def taken(self) -> list[tuple[bytes, bytes]]:
        made, self._made = self._made, []
        return made


class _Search:
    """Which objects some tips need beyond what is known.

    Attributes:
        wanted: their raw ids, newest commits first; a commit before what is new in it.
        bases: what the other side has in the places of the newest versions.
        fresh: the commits among them, newest first, each with its parents.
    """

    def __init__(self, parts: HasObjects, known: Collection[str]) -> None:
        self.wanted: dict[bytes, None] = {}
        self.bases: dict[_Place, bytes] = {}
        self.fresh: dict[str, Sequence[str]] = {}
        self._starts: dict[str, int] = {}
        self._store = parts.store
        self._boundary = parts.boundary
        self._compare = TreeComparer(parts.store.read)
        self._known: set[str] = set()
        for oid in known:
            if parts.store.has(oid):
                self._known.update(self._peeled(oid))

    def run(self, tips: Sequence[str]) -> None:
        """Find what the tips need."""
        commits: list[str] = []
        for tip in tips:
            for oid in self._peeled(tip):
                kind = self._store.size(oid)[0]
                if kind == b"commit":
                    commits.append(oid)
                elif kind == b"tree":
                    self._below(oid, ())
                elif oid not in self._known:
                    self.wanted[bytes.fromhex(oid)] = None
        known = [oid for oid in self._known if self._store.size(oid)[0] == b"commit"]
        self.fresh = fresh = new_commits(self._read, commits, known)
        for commit, parents in fresh.items():
            self._starts[commit] = len(self.wanted)
            self.wanted[bytes.fromhex(commit)] = None
            for parent in parents:
                if parent not in fresh:
                    self.bases.setdefault((b"commit", b""), bytes.fromhex(parent))
            others = [(self._root(parent), parent not in fresh) for parent in parents]
            self._below(self._root(commit), others)

    def brought(self) -> Iterator[tuple[str, list[bytes]]]:
        """Each commit with the objects that it brings, its own among them."""
        oids = list(self.wanted)
        ends = [*self._starts.values(), len(oids)][1:]
        for (commit, start), end in zip(self._starts.items(), ends, strict=True):
            yield commit, oids[start:end]

    def _peeled(self, oid: str) -> list[str]:
        """An id, and where it is a tag's what that leads to, step by step."""
        found = [oid]
        while self._store.size(found[-1])[0] == b"tag":
            if len(found) > _DEEPEST_TAG:
                raise DamagedRepository(f"the tag {oid} leads to other tags without end")
            data = self._store.content(b"tag", found[-1])
            found.append(data[7:47].decode("ascii", "replace"))
        return found

    def _read(self, commit: str) -> tuple[int, Sequence[str]]:
        data = self._store.content(b"commit", commit)
        found = _COMMITTER.search(data)
        parents = () if commit in self._boundary else parents_of(data)
        return int(found[1]) if found else 0, parents

    def _root(self, commit: str) -> str:
        return self._store.content(b"commit", commit)[5:45].decode("ascii", "replace")

    def _below(self, root: str, others: Sequence[tuple[str, bool]]) -> None:
        """Note a tree and all below it that no other tree has in the same place.

        Args:
            root: the tree.
            others: trees of the commit's parents, each with whether the other side has it.
        """
        todo = [(b"", root, others)]
        while todo:
            path, tree, beside = todo.pop()
            raw = bytes.fromhex(tree)
            if raw in self.wanted or any(tree == other for other, _ in beside):
                continue
            self.wanted[raw] = None
            here = self._compare.rows(tree)
            fresh = here
            there: dict[bytes, list[tuple[bytes, bytes, bool]]] = {}
            for other, is_known in beside:
                if is_known:
                    self.bases.setdefault((b"tree", path), bytes.fromhex(other))
                rows = self._compare.rows(other)
                fresh = fresh - rows
                for mode, name, oid in rows - here:
                    there.setdefault(name, []).append((mode, oid, is_known))
            for mode, name, oid in fresh:
                place = path + b"/" + name
                is_folder = mode in _FOLDERS
                was = [each for each in there.get(name, ()) if (each[0] in _FOLDERS) == is_folder]
                if is_folder:
                    todo.append((place, oid.hex(), [(o.hex(), known) for _, o, known in was]))
                elif mode != _LINK:
                    self.wanted[oid] = None
                    for _, old, is_known in was:
                        if is_known:
                            self.bases.setdefault((b"blob", place), old)


def new_commits(
    read: Callable[[str], tuple[int, Sequence[str]]], tips: Iterable[str], known: Iterable[str]
) -> dict[str, Sequence[str]]:
    """The commits that some tips reach and no known one does, newest first, with their parents.

    As git's ``limit_list``: by time, until all that waits is known. With clocks that were wrong it
    takes longer, or finds some that are known.

    Args:
        read: a commit's time and parents.
        tips: commits.
        known: commits too.
    """
    is_known: dict[str, bool] = {}
    parents: dict[str, Sequence[str]] = {}
    queue: list[tuple[int, str]] = []
    queued: set[str] = set()
    unknown: set[str] = set()
    order: dict[str, None] = {}

    def mark(oid: str, *, known: bool) -> bool:
        was = is_known.get(oid)
        if was is not None and (was or not known):
            return False
        is_known[oid] = known
        if oid not in queued:
            # One that went by as unknown comes once more, to tell its parents.
            at, parents[oid] = read(oid)
            heapq.heappush(queue, (-at, oid))
            queued.add(oid)
        if was is False:
            unknown.discard(oid)
        elif not known:
            unknown.add(oid)
        return True

    for oid in known:
        mark(oid, known=True)
    for oid in tips:
        mark(oid, known=False)
    patience = _PATIENCE
    while queue and patience:
        oid = heapq.heappop(queue)[1]
        queued.remove(oid)
        if oid in unknown:
            unknown.remove(oid)
            order[oid] = None
        took_back = False
        for parent in parents[oid]:
            took_back |= mark(parent, known=is_known[oid]) and parent in order
        patience = _PATIENCE if unknown or took_back else patience - 1
    return {oid: parents[oid] for oid in order if not is_known[oid]}
