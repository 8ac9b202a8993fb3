"""Where the timeline has its commits from: git alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.tree import Trees
from perdure.git.objects.tree_diff import TreeComparer
from perdure.git.timeline.commit_info import Facts, facts_of
from perdure.git.timeline.walk import walk


@dataclass(slots=True)
class Source:
    """Reads commits, and what follows from them.

    Attributes:
        raw: an object's kind and content, by its id.
        read: a commit, by its id.
        trees: reads trees.
        blob: content of a file, by its id.
        boundary: commits whose parents are not here (a shallow clone).
    """

    raw: Callable[[str], tuple[bytes, bytes]]
    read: Callable[[str], CommitInfo]
    trees: Trees
    blob: Callable[[str], bytes]
    boundary: frozenset[str]
    _comparer: TreeComparer = field(init=False)

    def __post_init__(self) -> None:
        self._comparer = TreeComparer(self.raw)

    @property
    def edge(self) -> str:
        """The boundary as a text: an index is good for one only."""
        return " ".join(sorted(self.boundary))

    def walk(self, *starts: str) -> Iterator[CommitInfo]:
        """Commits reachable from one or several, newest first."""
        return walk(*starts, read=self.read, trees=self.trees, paths=(), boundary=self.boundary)

    def facts(self, info: CommitInfo) -> Facts:
        """What a commit touched, and of which kind it is."""
        return facts_of(
            info,
            tree_of=lambda oid: self.read(oid).tree,
            trees=self._comparer,
            blob=self.blob,
            boundary=self.boundary,
        )

    def parents(self, oid: str) -> tuple[str, ...]:
        """Parents of a commit as far as they are here; not all of it is parsed."""
        if oid in self.boundary:
            return ()
        head = self.raw(oid)[1].partition(b"\n\n")[0]
        named = [line[7:] for line in head.split(b"\n") if line.startswith(b"parent ")]
        # Each once, as `parse_commit` has them.
        return tuple(each.decode("ascii", "replace") for each in dict.fromkeys(named))
