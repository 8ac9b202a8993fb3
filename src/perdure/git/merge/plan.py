"""Plans a merge: what it would come to, file by file.

Which files need more than lines to be merged is the caller's to know: he gives a `Resolver`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perdure.git.errors import (
    CannotMerge,
    HistoryError,
)
from perdure.git.merge.text import merge_text, merge_union, union_paths
from perdure.git.objects.store import MOST_BYTES
from perdure.git.objects.tree import Change, Node, is_regular
from perdure.git.refs.ancestry import Reach
from perdure.git.worktree.merge_state import Versions

if TYPE_CHECKING:
    from perdure.git.repository.repository import Parts, Repository

_CROSSED = 8
"""How often the past of a past is merged first. git has no end to it; nobody crosses that often."""
_Reading = Callable[[str], bytes | None]


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
    """

    claims: Callable[[str], bool]
    merge: Callable[[Sequence[ThreeWay], Callable[[str], ThreeWay]], Mapping[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class FileConflict:
    """A file in conflict.

    Attributes:
        path: the file.
        kind: ``text``: marks stand in it; ``removed``: one side took it away, the other changed
            it; ``binary``: it is no text.
        pairs: of a text what stands against each other, ours and theirs; in an open merge what
            still does.
        settled: in an open merge: no marks are left in it.
        gone: of ``removed``: the side that took it away, ``ours`` or ``theirs``; "" for both.
    """

    path: str
    kind: str
    pairs: tuple[tuple[bytes, bytes], ...] = ()
    settled: bool = False
    gone: str = ""


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What a merge would do.

    Attributes:
        kind: ``nothing``: it is all here already; ``forward``: the branch only moves on;
            ``merge``: a commit with two parents, or an open merge where there are conflicts.
        branch: the branch merged into.
        name: what is merged, as the caller named it.
        ours: tip of the branch.
        theirs: commit that is merged.
        changes: what changes on our side, conflicts included.
        conflicts: files to be settled.
    """

    kind: str
    branch: str
    name: str
    ours: str
    theirs: str
    changes: tuple[Change, ...] = ()
    conflicts: tuple[FileConflict, ...] = ()
    versions: Mapping[str, Versions] = field(default_factory=dict)


def plan_merge(
    repo: Repository, name: str, *, resolver: Resolver | None = None, since: str | None = None
) -> MergePlan:
    """What merging a branch would do.

    Args:
        repo: the repository.
        name: the branch, or another revision.
        resolver: merges what needs more than lines.
        since: only what came to the branch after this commit, which is then the common past.

    Raises:
        UnknownRevision: there is no such branch.
        CannotMerge: no common past (or it is not here: a shallow clone), links, submodules.
        HistoryError: HEAD names no branch.
    """
    parts = repo.parts()
    head = parts.refs.head()
    if head.branch is None or head.commit is None:
        raise HistoryError(
            "HEAD names a commit and no branch", "nothing was changed", "switch to a branch first"
        )
    theirs = repo.resolve(name)
    reach = Reach(repo.commit_info, parts.boundary)
    bases = [since] if since is not None else reach.merge_bases(head.commit, theirs)
    if not bases:
        raise CannotMerge(
            f"{name} and {head.branch} have no commit in common here",
            "nothing was changed",
            "git fetch --unshallow" if parts.boundary else "check that it is the same companion",
        )
    plan = MergePlan("nothing", head.branch, name, head.commit, theirs)
    if theirs in bases:
        return plan
    kind = "forward" if head.commit in bases else "merge"
    return _Merger(repo, parts, plan, reach, bases).plan(kind, resolver)


class _Merger:
    """Works out one merge."""

    def __init__(
        self, repo: Repository, parts: Parts, plan: MergePlan, reach: Reach, bases: Sequence[str]
    ) -> None:
        self._repo = repo
        self._trees = parts.trees
        self._plan = plan
        self._reach = reach
        self._bases = bases
        self._roots = {c: repo.commit_info(c).tree for c in (plan.ours, plan.theirs, *bases)}

    def plan(self, kind: str, resolver: Resolver | None) -> MergePlan:
        ours, theirs = self._roots[self._plan.ours], self._roots[self._plan.theirs]
        paths = [change.path for change in self._trees.difference(ours, theirs)]
        contents: dict[str, bytes | None] = {}
        conflicts: list[FileConflict] = []
        if kind == "forward":
            contents = {path: self._content(self._plan.theirs, path) for path in paths}
        else:
            claimed = [path for path in paths if resolver is not None and resolver.claims(path)]
            if resolver is not None and claimed:
                past = self._past(self._bases, resolver)

                def three(path: str) -> ThreeWay:
                    ours, theirs = self._plan.ours, self._plan.theirs
                    sides = (self._content(ours, path), self._content(theirs, path))
                    return ThreeWay(path, past(path), *sides)

                found = resolver.merge([three(path) for path in claimed], three)
                contents.update(sorted(found.items()))
            union = union_paths(self._content(self._plan.ours, ".gitattributes") or b"")
            for path in paths:
                if path not in contents:
                    self._merge_path(path, contents, conflicts, is_union=union(path))
        changes = [
            Change(path, content)
            for path, content in contents.items()
            if content != self._content(self._plan.ours, path)
        ]
        versions = {conflict.path: self._versions(conflict.path) for conflict in conflicts}
        plan = replace(self._plan, kind=kind, changes=tuple(changes))
        return replace(plan, conflicts=tuple(conflicts), versions=versions)

    # Contents

    def _root(self, commit: str) -> str:
        if commit not in self._roots:
            self._roots[commit] = self._repo.commit_info(commit).tree
        return self._roots[commit]

    def _node(self, commit: str, path: str) -> Node | None:
        node = self._trees.node(self._root(commit), path)
        if node is not None and node[0] == 0o40000:
            return None
        if node is not None and not is_regular(node):
            raise CannotMerge(
                f"{path} is a link or a submodule", "nothing was changed", "git merge"
            )
        return node

    def _content(self, commit: str, path: str) -> bytes | None:
        node = self._node(commit, path)
        return self._repo.blob(node[1], most=MOST_BYTES) if node else None

    def _past(self, bases: Sequence[str], resolver: Resolver, depth: int = 0) -> _Reading:
        """The common past of claimed files; where lines crossed, its ends are merged first.

        Any one of the ends may be without what the others have, and all of that would look as if
        both sides had just begun it.
        """
        read = self._at(bases[0])
        for other in bases[1:]:
            below = self._reach.merge_bases(bases[0], other) if depth < _CROSSED else []
            past = self._past(below, resolver, depth + 1) if below else _nothing
            read = self._joined(past, read, self._at(other), resolver, (bases[0], other))
        return read

    def _joined(
        self,
        past: _Reading,
        one: _Reading,
        other: _Reading,
        resolver: Resolver,
        ends: Sequence[str],
    ) -> _Reading:
        """Two ends of the past as one."""

        def three(path: str) -> ThreeWay:
            return ThreeWay(path, past(path), one(path), other(path))

        roots = [self._root(commit) for commit in ends]
        paths = [change.path for change in self._trees.difference(*roots)]
        found = resolver.merge([three(p) for p in paths if resolver.claims(p)], three)
        return lambda path: found[path] if path in found else one(path)

    def _at(self, commit: str) -> _Reading:
        return lambda path: self._content(commit, path)

    def _base(self, path: str, bases: Sequence[str], depth: int = 0) -> bytes | None:
        """The common past; where lines crossed, their own past merged first, as git does."""
        found = self._content(bases[0], path)
        for other in bases[1:]:
            content = self._content(other, path)
            if content == found:
                continue
            below = self._reach.merge_bases(bases[0], other) if depth < _CROSSED else []
            past = self._base(path, below, depth + 1) if below else None
            if found is None or content is None:
                found = found if past == content else content
            else:
                found = merge_text(past or b"", found, content).content
        return found

    def _versions(self, path: str) -> Versions:
        base = next((node for c in self._bases if (node := self._node(c, path))), None)
        return Versions(
            base, self._node(self._plan.ours, path), self._node(self._plan.theirs, path)
        )

    def _merge_path(
        self,
        path: str,
        contents: dict[str, bytes | None],
        conflicts: list[FileConflict],
        *,
        is_union: bool,
    ) -> None:
        base = self._base(path, self._bases)
        ours = self._content(self._plan.ours, path)
        theirs = self._content(self._plan.theirs, path)
        if theirs in (base, ours):
            return
        if ours == base:
            contents[path] = theirs
        elif ours is None or theirs is None:
            contents[path] = theirs if ours is None else ours
            gone = "ours" if ours is None else "theirs"
            conflicts.append(FileConflict(path, "removed", gone=gone))
        elif is_union:
            contents[path] = merge_union(base or b"", ours, theirs)
        elif any(b"\0" in data for data in (base or b"", ours, theirs)):
            contents[path] = ours
            conflicts.append(FileConflict(path, "binary"))
        else:
            names = (self._plan.branch, self._plan.name)
            merged = merge_text(base or b"", ours, theirs, names=names)
            contents[path] = merged.content
            if merged.pairs:
                conflicts.append(FileConflict(path, "text", merged.pairs))
