"""Walking history: newest first, all of it or the commits that touched some paths."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from perdure.git.objects.commit import CommitInfo, ReadCommit
from perdure.git.objects.tree import Node, Trees


def walk(
    start: str,
    *others: str,
    read: ReadCommit,
    trees: Trees,
    paths: Sequence[str],
    boundary: frozenset[str],
) -> Iterator[CommitInfo]:
    """Commits reachable from one or several, newest first by commit time, in ``git log``'s order.

    With paths, a commit is left out when it has them exactly as one of its parents, and then only
    that parent is followed: git's history simplification.

    Args:
        start: id of the first commit.
        others: ids of more commits to begin from.
        read: reads a commit.
        trees: reads trees.
        paths: files or folders; none means every commit.
        boundary: commits whose parents are not here (a shallow clone).
    """
    queue: list[tuple[float, int, CommitInfo]] = []
    seen: set[str] = set()

    def add(oid: str) -> None:
        if oid not in seen:
            seen.add(oid)
            info = read(oid)
            heapq.heappush(queue, (-info.committed_at.timestamp(), len(seen), info))

    for oid in (start, *others):
        add(oid)
    while queue:
        info = heapq.heappop(queue)[2]
        parents = () if info.id in boundary else info.parents
        same = _same_as(info, parents, read, trees, paths) if paths else None
        if same is not None:
            add(same)
            continue
        for parent in parents:
            add(parent)
        if not paths or parents or any(_at(trees, info, paths)):
            yield info


def _at(trees: Trees, info: CommitInfo, paths: Sequence[str]) -> list[Node | None]:
    return [trees.node(info.tree, path) for path in paths]


def _same_as(
    info: CommitInfo, parents: Sequence[str], read: ReadCommit, trees: Trees, paths: Sequence[str]
) -> str | None:
    """The first parent that has the paths as this commit has them."""
    here = None
    for parent in parents:
        other = read(parent)
        if other.tree == info.tree:
            return parent
        if here is None:
            here = _at(trees, info, paths)
        if _at(trees, other, paths) == here:
            return parent
    return None
