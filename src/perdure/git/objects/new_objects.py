"""The objects that some commits need beyond what others reach.

They are found commit by commit, from what differs between a commit's tree and those of its parents.
So it costs what is new, not what there is: git, and dulwich, open whole trees on both sides. More
may be found than is new (a file that went back to what it was), never less.
"""

from __future__ import annotations

import contextlib
import heapq
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence

from perdure.git.errors import DamagedRepository, HistoryError
from perdure.git.objects.commit import parents_of
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree_diff import TreeComparer

_COMMITTER = re.compile(rb"\ncommitter [^\n]* (\d{1,18}) [+-]\d{4}\n")
_FOLDERS = {b"40000", b"040000"}
_LINK = b"160000"
_PATIENCE = 5
"""Known commits that are looked at when nothing else waits: clocks may have been wrong."""
_NAMED_FLOOR = 500_000
"""Entries that new folders may have, beyond four for each object that they need: more than files
that anybody has, and than whoever is sent them takes."""
_DEEPEST_TAG = 32
"""Tags of tags that are followed."""

PathKey = tuple[bytes, bytes]
"""Kind and path of an object."""


class NewObjects:
    """The objects that some tips need beyond what is known.

    Attributes:
        wanted: their raw ids, newest commits first; a commit before what is new in it.
        bases: what the other side has in the places of the newest versions.
        fresh: the commits among them, newest first, each with its parents.
    """

    def __init__(
        self, store: ObjectStore, boundary: Container[str], known: Collection[str]
    ) -> None:
        """Find nothing yet.

        Args:
            store: where all of them are.
            boundary: commits whose parents are not here: the edge of a shallow clone.
            known: ids of commits and tags; those that are not here are passed over.
        """
        self.wanted: dict[bytes, None] = {}
        self.bases: dict[PathKey, bytes] = {}
        self.fresh: dict[str, Sequence[str]] = {}
        self._starts: dict[str, int] = {}
        self._whole: set[str] = set()
        self._named = 0
        self._store = store
        self._boundary = boundary
        self._compare = TreeComparer(store.read)
        self._known: set[str] = set()
        for oid in store.stored(known):
            # What is broken here is of no use; it does no harm either.
            with contextlib.suppress(HistoryError):
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
        # A tree that is wanted already may be so beside others, with which it shares what no
        # parent of this commit has: what one commit brings is found by its own parents alone.
        seen: set[tuple[str, ...]] = set()
        while todo:
            path, tree, beside = todo.pop()
            pair = (tree, *(other for other, _ in beside))
            if tree in self._whole or pair in seen or tree in pair[1:]:
                continue
            seen.add(pair)
            self.wanted[bytes.fromhex(tree)] = None
            here = self._compare.rows(tree)
            if not beside:
                self._note_whole(tree, len(here))
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

    def _note_whole(self, tree: str, entries: int) -> None:
        """Note a tree that is new with all its entries."""
        self._whole.add(tree)
        self._named += entries
        if self._named > _NAMED_FLOOR + 4 * len(self.wanted):
            raise DamagedRepository("its folders name far more than there is")


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
