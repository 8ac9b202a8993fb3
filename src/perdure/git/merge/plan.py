"""Plans a merge: what it would come to, file by file.

Which files need more than lines to be merged is the caller's to know: he gives a `Resolver`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from perdure.git.errors import (
    CannotMerge,
    HistoryError,
)
from perdure.git.merge.sides import Resolver, Sides
from perdure.git.merge.text import merge_text, merge_union, union_paths
from perdure.git.objects.tree import Change
from perdure.git.worktree.merge_state import Versions

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository


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
    sides = Sides(repo, parts, (head.commit, theirs), join=_with_marks)
    if since is not None:
        sides.bases = [since]
    if not sides.bases:
        raise CannotMerge(
            f"{name} and {head.branch} have no commit in common here",
            "nothing was changed",
            "git fetch --unshallow" if parts.boundary else "check that it is the same companion",
        )
    plan = MergePlan("nothing", head.branch, name, head.commit, theirs)
    if theirs in sides.bases:
        return plan
    kind = "forward" if head.commit in sides.bases else "merge"
    return _Merger(plan, sides).plan(kind, resolver)


def _with_marks(_path: str, _ends: tuple[str, str], base: bytes, one: bytes, other: bytes) -> bytes:
    """Ends of the past in conflict keep git's marks: no side's lines are like them."""
    return merge_text(base, one, other).content


class _Merger:
    """Works out one merge."""

    def __init__(self, plan: MergePlan, sides: Sides) -> None:
        self._plan = plan
        self._sides = sides

    def plan(self, kind: str, resolver: Resolver | None) -> MergePlan:
        paths = self._sides.paths()
        contents: dict[str, bytes | None] = {}
        conflicts: list[FileConflict] = []
        if kind == "forward":
            contents = {path: self._theirs(path) for path in paths}
        else:
            found = self._sides.resolved(resolver, paths) if resolver is not None else {}
            contents.update(sorted(found.items()))
            union = union_paths(self._ours(".gitattributes") or b"")
            for path in paths:
                if path not in contents:
                    self._merge_path(path, contents, conflicts, is_union=union(path))
        changes = [
            Change(path, content)
            for path, content in contents.items()
            if content != self._ours(path)
        ]
        versions = {conflict.path: self._versions(conflict.path) for conflict in conflicts}
        plan = replace(self._plan, kind=kind, changes=tuple(changes))
        return replace(plan, conflicts=tuple(conflicts), versions=versions)

    def _ours(self, path: str) -> bytes | None:
        return self._sides.content(self._plan.ours, path)

    def _theirs(self, path: str) -> bytes | None:
        return self._sides.content(self._plan.theirs, path)

    def _versions(self, path: str) -> Versions:
        node = self._sides.node
        base = next((found for c in self._sides.bases if (found := node(c, path))), None)
        return Versions(base, node(self._plan.ours, path), node(self._plan.theirs, path))

    def _merge_path(
        self,
        path: str,
        contents: dict[str, bytes | None],
        conflicts: list[FileConflict],
        *,
        is_union: bool,
    ) -> None:
        base = self._sides.base(path)
        ours, theirs = self._ours(path), self._theirs(path)
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
