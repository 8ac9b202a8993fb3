"""The two sides of a merge and their common past, read file by file.

Where lines of history crossed, two commits have several ends of a common past. Those are merged
first, as git does: any one of them may be without what the others have, and all of that would look
as if both sides had just begun it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.git.errors import CannotMerge
from perdure.git.objects.store import MOST_BYTES
from perdure.git.objects.tree import FOLDER, Node, is_regular
from perdure.git.refs.ancestry import Reach

if TYPE_CHECKING:
    from perdure.git.repository.repository import Parts, Repository

_CROSSED = 8
"""How often the past of a past is merged first. git has no end to it; nobody crosses that often."""
_Reading = Callable[[str], bytes | None]
JoinPasts = Callable[[str, tuple[str, str], bytes, bytes, bytes], bytes]
"""Merges two ends of the past into one: path, the two commits, their own past, one, the other."""


def _nothing(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ThreeWay:
    """A file in the base, on our side and on theirs; None means it is not there."""

    path: str
    base: bytes | None
    ours: bytes | None
    theirs: bytes | None


@dataclass(frozen=True, slots=True)
class Resolver:
    """Merges certain files its own way, without conflicts.

    Attributes:
        claims: whether a path is its business.
        merge: from all claimed paths that differ, and a reader of any other path, to contents;
            None takes a path away, and paths may come that no side had.
        is_sound: whether a path's content can be read, after lines of both sides came together.
        is_yaml: whether a path is a YAML mapping, which has keys at the margin.
    """

    claims: Callable[[str], bool]
    merge: Callable[[Sequence[ThreeWay], Callable[[str], ThreeWay]], Mapping[str, bytes | None]]
    is_sound: Callable[[str, bytes], bool] = lambda _path, _content: True
    is_yaml: Callable[[str], bool] = lambda _path: False


class Sides:
    """What two commits and their common past hold.

    Args:
        repo: the repository.
        parts: of it.
        tips: the two commits: "ours" and "theirs".
        join: merges what two ends of the past have differently.
        is_lenient: a link, a submodule and a file that is too large are read as no file; without,
            they raise CannotMerge.
    """

    def __init__(
        self,
        repo: Repository,
        parts: Parts,
        tips: tuple[str, str],
        *,
        join: JoinPasts,
        is_lenient: bool = False,
    ) -> None:
        self._repo = repo
        self._trees = parts.trees
        self._join = join
        self._is_lenient = is_lenient
        self._roots: dict[str, str] = {}
        self.reach = Reach(repo.commit_info, parts.boundary)
        self.ours, self.theirs = tips
        self.bases: Sequence[str] = self.reach.merge_bases(*tips)

    def paths(self) -> list[str]:
        """The paths that the two sides have differently, sorted."""
        return self._differing(self.ours, self.theirs)

    def _differing(self, one: str, other: str) -> list[str]:
        found = self._trees.difference(self.root(one), self.root(other))
        return [change.path for change in found]

    def root(self, commit: str) -> str:
        """The tree of a commit."""
        if commit not in self._roots:
            self._roots[commit] = self._repo.commit_info(commit).tree
        return self._roots[commit]

    def node(self, commit: str, path: str) -> Node | None:
        """What stands at a path that is no folder: a file, a link, a submodule."""
        node = self._trees.node(self.root(commit), path)
        return node if node is not None and node[0] != FOLDER else None

    def is_folder(self, commit: str, path: str) -> bool:
        """Whether a folder stands at a path."""
        node = self._trees.node(self.root(commit), path)
        return node is not None and node[0] == FOLDER

    def content(self, commit: str, path: str) -> bytes | None:
        """A file's content in a commit; None: there is none.

        Raises:
            CannotMerge: a link or a submodule.
            TooLargeObject: it is larger than what is merged.
        """
        node = self.node(commit, path)
        if node is None:
            return None
        if self._is_lenient:
            return None if self.is_opaque(node) else self._repo.blob(node[1])
        if not is_regular(node):
            raise CannotMerge(
                f"{path} is a link or a submodule", "nothing was changed", "git merge"
            )
        return self._repo.blob(node[1], most=MOST_BYTES)

    def is_opaque(self, node: Node | None) -> bool:
        """Whether an entry can only be taken or left: no file, or a file too large to merge."""
        if node is None:
            return False
        return not is_regular(node) or self._repo.size(node[1]) > MOST_BYTES

    def resolved(self, resolver: Resolver, paths: Sequence[str]) -> Mapping[str, bytes | None]:
        """What a resolver makes of the paths that are its business."""
        claimed = [path for path in paths if resolver.claims(path)]
        if not claimed:
            return {}
        past = self._past(self.bases, resolver)

        def read(path: str) -> ThreeWay:
            sides = (self.content(self.ours, path), self.content(self.theirs, path))
            return ThreeWay(path, past(path), *sides)

        return resolver.merge([read(path) for path in claimed], read)

    def _past(self, bases: Sequence[str], resolver: Resolver, depth: int = 0) -> _Reading:
        """The common past of files that a resolver claims."""
        read = self._at(bases[0])
        for other in bases[1:]:
            below = self.reach.merge_bases(bases[0], other) if depth < _CROSSED else []
            past = self._past(below, resolver, depth + 1) if below else _nothing
            paths = self._differing(bases[0], other)
            read = self._joined(resolver, paths, (past, read, self._at(other)))
        return read

    def _joined(
        self,
        resolver: Resolver,
        paths: Sequence[str],
        reading: tuple[_Reading, _Reading, _Reading],
    ) -> _Reading:
        """Two ends of the past as one."""

        def versions(path: str) -> ThreeWay:
            return ThreeWay(path, *(read(path) for read in reading))

        found = resolver.merge([versions(p) for p in paths if resolver.claims(p)], versions)
        return lambda path: found[path] if path in found else reading[1](path)

    def _at(self, commit: str) -> _Reading:
        return lambda path: self.content(commit, path)

    def base(self, path: str) -> bytes | None:
        """A file's content in the common past; None: it was not there."""
        return self._base(path, self.bases)

    def _base(self, path: str, bases: Sequence[str], depth: int = 0) -> bytes | None:
        found = self.content(bases[0], path)
        for other in bases[1:]:
            content = self.content(other, path)
            if content == found:
                continue
            below = self.reach.merge_bases(bases[0], other) if depth < _CROSSED else []
            past = self._base(path, below, depth + 1) if below else None
            if found is None or content is None:
                found = found if past == content else content
            else:
                ends = (bases[0], other)
                found = self._join(path, ends, past or b"", found, content)
        return found
