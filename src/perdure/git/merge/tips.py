"""Merging two tips into one commit that depends on nothing but them: the merge by sync.

Two devices that merge the same two commits make the same commit, byte for byte: its parents stand
in the order of their ids, its author is always the same, its time is that of the later parent, and
its message says nothing of who made it. No work tree, setting or cache is looked at.

Nothing waits for a user. Where both sides changed the same lines, those of the side are taken that
changed the file last; a ``Conflict:`` trailer names the file, and from it and the parents
``tip_conflicts`` works out again what was not taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.git.errors import NoCommonCommit
from perdure.git.merge.sides import Resolver, Sides
from perdure.git.merge.text import Merged, merge_lists, merge_taking, union_paths
from perdure.git.merge.yaml import merge_yaml
from perdure.git.objects.commit import Author, CommitInfo
from perdure.git.objects.tree import PROGRAM, Change, Node, Placed
from perdure.git.operations.operation import made_commit

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

SYNC_AUTHOR = Author("perdure sync", "perdure-sync@companion.invalid")
"""Who a merge by sync is by: nobody who said or wrote anything."""
CONFLICT = "Conflict"
"""Trailer of a merge: a file in which both sides had changed the same."""
_SUBJECT = "merge: changes from two devices"
_MOST_NAMED = 1000
"""Files that a message names as conflicts. Only a stranger's history has more."""


@dataclass(frozen=True, slots=True)
class TipConflict:
    """A file that both sides changed in the same place, and of which one side was taken there.

    Attributes:
        path: the file.
        kind: ``text``; ``removed``: one side took it away, and it stayed; ``whole``: it could only
            be taken as a whole (no text, a link, too large, or its lines did not fit together);
            ``folder``: the other side has a folder of that name.
        kept: the commit that last changed it on the side that was taken.
        other: the commit that last changed it on the other side.
        other_tip: the parent of the merge that has the other side's version.
        hunks: of a ``text`` the lines that stand against each other: taken, not taken.
        starts: for each of them the line of the merged file, from 0, at which it stands.
    """

    path: str
    kind: str
    kept: str
    other: str
    other_tip: str
    hunks: tuple[tuple[bytes, bytes], ...] = ()
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TipMerge:
    """Where two tips meet.

    Attributes:
        kind: seen from the first: ``nothing``: the other is in its past; ``forward``: it is in the
            other's past; ``merge``: a commit with two parents.
        commit: the commit that holds both.
        conflicts: of a ``merge``.
    """

    kind: str
    commit: str
    conflicts: tuple[TipConflict, ...] = ()


@contextmanager
def merged_tips(
    repo: Repository, one: str, other: str, *, resolver: Resolver
) -> Iterator[TipMerge]:
    """Merge two commits, whatever is checked out; no branch moves.

    The outcome is the same whichever of the two is named first. Within the ``with`` statement git
    leaves the commit alone; after it a branch must be at it.

    Args:
        repo: the repository.
        one: id of a commit.
        other: id of another.
        resolver: merges what needs more than lines.

    Raises:
        NoCommonCommit: they have no past in common here.
        BadPath: a name that no file can have is in one of them.
        StorageFull, ReadOnly, DamagedRepository: nothing was changed.
    """
    if one == other:
        yield TipMerge("nothing", one)
        return
    merger = _Merger(repo, one, other, resolver)
    if not merger.sides.bases:
        raise NoCommonCommit(
            "the two histories have no commit in common here",
            "nothing was changed",
            "git fetch --unshallow"
            if repo.parts().boundary
            else "check that it is the same companion",
        )
    if merger.sides.bases == [other]:
        yield TipMerge("nothing", one)
    elif merger.sides.bases == [one]:
        yield TipMerge("forward", other)
    else:
        changes, conflicts = merger.merge()
        made = made_commit(
            repo,
            changes,
            parents=merger.parents,
            message=_message(conflicts),
            author=SYNC_AUTHOR,
            at=merger.at,
        )
        with made as commit:
            yield TipMerge("merge", commit, conflicts)


def tip_conflicts(
    repo: Repository, merge: CommitInfo, *, resolver: Resolver
) -> tuple[TipConflict, ...]:
    """What a merge by sync could not take from both sides, worked out again from its parents."""
    paths = conflict_paths(merge)
    if not paths or len(merge.parents) != 2:
        return ()
    merger = _Merger(repo, *merge.parents, resolver)
    return tuple(found for path in paths if merger.sides.bases and (found := merger.conflict(path)))


def conflict_paths(merge: CommitInfo) -> tuple[str, ...]:
    """The files that a merge by sync names as conflicts."""
    named = (value for key, value in merge.trailers if key == CONFLICT)
    return tuple(dict.fromkeys(path for each in named if (path := path_from(each))))


def path_as_value(path: str) -> str:
    """A path as a trailer has it: as it is, or quoted like JSON where a line cannot hold it."""
    is_plain = path.isprintable() and path.strip() == path and not path.startswith('"')
    return path if is_plain else json.dumps(path)


def path_from(value: str) -> str | None:
    """The path that a trailer's value names; None where it names none."""
    if not value.startswith('"'):
        return value or None
    try:
        path = json.loads(value)
    except ValueError:
        return None
    return path if isinstance(path, str) and path else None


def _message(conflicts: Sequence[TipConflict]) -> str:
    named = [f"{CONFLICT}: {path_as_value(each.path)}" for each in conflicts[:_MOST_NAMED]]
    return "\n".join([_SUBJECT, *([""] if named else []), *named])


_Outcome = tuple[Change | Placed, TipConflict | None]


class _Merger:
    """Works out the merge of two tips."""

    def __init__(self, repo: Repository, one: str, other: str, resolver: Resolver) -> None:
        self._repo = repo
        self._resolver = resolver
        self.parents = sorted((one, other))
        tips = (self.parents[0], self.parents[1])
        self.sides = Sides(repo, repo.parts(), tips, join=self._joined, is_lenient=True)
        read = self.sides.content
        rules = [union_paths(read(tip, ".gitattributes") or b"") for tip in tips]
        self._unions = rules
        self._sorted: dict[tuple[str, str], list[CommitInfo]] = {}

    @property
    def at(self) -> datetime:
        """When the later of the parents was committed."""
        infos = [self._repo.commit_info(parent) for parent in self.parents]
        return max(infos, key=lambda info: (info.committed_at, info.id)).committed_at

    def merge(self) -> tuple[list[Change | Placed], tuple[TipConflict, ...]]:
        """What changes on the first parent's files, and the conflicts, by path."""
        paths = self.sides.paths()
        found: dict[str, _Outcome] = {}
        for path, content in sorted(self._resolved(paths).items()):
            found[path] = self._chosen(path, content), None
        for path in paths:
            if path not in found:
                found[path] = self._path(path)
        self._part_folders(found)
        ours = {path: self.sides.node(self.sides.ours, path) for path in found}
        changes = [
            change
            for path, (change, _) in sorted(found.items())
            if not (isinstance(change, Placed) and change.node == ours[path])
            and not (isinstance(change, Change) and change.content is None and ours[path] is None)
        ]
        return changes, tuple(each for _, (_, each) in sorted(found.items()) if each)

    def conflict(self, path: str) -> TipConflict | None:
        """The conflict of one path, as `merge` finds it."""
        ours, theirs = self._nodes(path)
        if self._resolver.claims(path) or ours == theirs:
            return None
        is_parted = any(self.sides.is_folder(parent, path) for parent in self.parents)
        return self._against_folder(path) if is_parted else self._path(path)[1]

    def _resolved(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        plain = [path for path in paths if not any(map(self.sides.is_opaque, self._nodes(path)))]
        return dict(self.sides.resolved(self._resolver, plain))

    def _nodes(self, path: str) -> tuple[Node | None, Node | None]:
        return self.sides.node(self.sides.ours, path), self.sides.node(self.sides.theirs, path)

    def _pasts(self, path: str) -> list[Node | None]:
        return [self.sides.node(base, path) for base in self.sides.bases]

    # One path

    def _path(self, path: str) -> _Outcome:
        ours, theirs = self._nodes(path)
        past = self._pasts(path)
        if len(set(past)) == 1 and past[0] in (ours, theirs) and ours != theirs:
            return _placed(path, theirs if past[0] == ours else ours), None
        if any(map(self.sides.is_opaque, (ours, theirs))):
            return self._whole(path, ours, theirs)
        texts = (self._read(self.sides.ours, path), self._read(self.sides.theirs, path))
        return self._text(path, self.sides.base(path), *texts)

    def _text(
        self, path: str, base: bytes | None, ours: bytes | None, theirs: bytes | None
    ) -> _Outcome:
        if theirs in (ours, base) or ours == base:
            return self._chosen(path, theirs if ours == base else ours), None
        if ours is None or theirs is None:
            content = theirs if ours is None else ours
            return self._chosen(path, content), self._conflict(path, "removed", int(ours is None))
        newer = self._newer(path, (self.sides.ours, self.sides.theirs))
        if any(b"\0" in data for data in (base or b"", ours, theirs)):
            content = (ours, theirs)[newer]
            return self._chosen(path, content), self._conflict(path, "whole", newer)
        merged = self._merged(path, base or b"", (ours, theirs), newer)
        if not self._resolver.is_sound(path, merged.content):
            return self._sound(path, (ours, theirs), newer)
        conflict = self._conflict(path, "text", newer) if merged.pairs else None
        if conflict is not None:
            conflict = replace(conflict, hunks=merged.pairs, starts=merged.starts)
        return self._chosen(path, merged.content), conflict

    def _merged(self, path: str, base: bytes, texts: tuple[bytes, bytes], newer: int) -> Merged:
        if any(is_union(path) for is_union in self._unions):
            return Merged(merge_lists(base, *texts))
        merge = merge_yaml if self._resolver.is_yaml(path) else merge_taking
        return merge(base, texts[newer], texts[1 - newer])

    def _sound(self, path: str, texts: tuple[bytes, bytes], newer: int) -> _Outcome:
        """One side as a whole: the newer one that can be read."""
        if not self._resolver.is_sound(path, texts[newer]):
            newer = newer if not self._resolver.is_sound(path, texts[1 - newer]) else 1 - newer
        return self._chosen(path, texts[newer]), self._conflict(path, "whole", newer)

    def _joined(
        self, path: str, ends: tuple[str, str], base: bytes, one: bytes, other: bytes
    ) -> bytes:
        """Two ends of the past, as merging them would have made it."""
        return self._merged(path, base, (one, other), self._newer(path, ends)).content

    def _whole(self, path: str, ours: Node | None, theirs: Node | None) -> _Outcome:
        """What can only be taken or left; what stands on one side alone stays."""
        if ours is None or theirs is None:
            side = int(ours is None)
            return _placed(path, (ours, theirs)[side]), self._conflict(path, "removed", side)
        side = self._newer(path, (self.sides.ours, self.sides.theirs))
        return _placed(path, (ours, theirs)[side]), self._conflict(path, "whole", side)

    def _read(self, tip: str, path: str) -> bytes | None:
        return self.sides.content(tip, path)

    def _chosen(self, path: str, content: bytes | None) -> Change:
        """A file with its mode merged like its content."""
        ours, theirs = self._nodes(path)
        past = next((node for node in self._pasts(path) if node is not None), None)
        modes = [node[0] for node in (ours, theirs) if node is not None]
        changed = [mode for mode in modes if past is None or mode != past[0]]
        mode = next(iter(changed or modes), None)
        is_program = mode is not None and mode & 0o170000 == 0o100000 and mode & 0o100
        return Change(path, content, PROGRAM if is_program else 0o100644)

    # Folders in the place of files

    def _part_folders(self, found: dict[str, _Outcome]) -> None:
        """A file and a folder cannot have one name: the folder's files stay."""
        kept = {path for path, (change, _) in found.items() if not _is_removed(change)}
        folders = {path[:at] for path in kept for at, sign in enumerate(path) if sign == "/"}
        for path in sorted(kept & folders):
            found[path] = Change(path, None), self._against_folder(path)

    def _against_folder(self, path: str) -> TipConflict:
        return self._conflict(path, "folder", int(self._nodes(path)[0] is not None))

    # Who was last

    def _conflict(self, path: str, kind: str, kept: int) -> TipConflict:
        tips = (self.sides.ours, self.sides.theirs)
        last = [self._last(path, tips[at], tips[1 - at]) for at in (kept, 1 - kept)]
        return TipConflict(path, kind, last[0].id, last[1].id, tips[1 - kept])

    def _newer(self, path: str, tips: tuple[str, str]) -> int:
        """Which of two commits has the later last change of a path, by its time and then its id."""
        last = [self._last(path, tips[at], tips[1 - at]) for at in (0, 1)]
        return int((last[1].committed_at, last[1].id) > (last[0].committed_at, last[0].id))

    def _last(self, path: str, tip: str, other: str) -> CommitInfo:
        """The newest commit in a tip's past, and not in the other's, that changed a path."""
        node = self.sides.node
        for info in self._alone(tip, other):
            parents = self.sides.reach.parents(info.id)
            if all(node(parent, path) != node(info.id, path) for parent in parents):
                return info
        return self._repo.commit_info(tip)

    def _alone(self, tip: str, other: str) -> list[CommitInfo]:
        """The commits in a tip's past that are not in another's, the newest first."""
        if (tip, other) not in self._sorted:
            found = [self._repo.commit_info(each) for each in self.sides.reach.hidden(tip, [other])]
            found.sort(key=lambda info: (info.committed_at, info.id), reverse=True)
            self._sorted[tip, other] = found
        return self._sorted[tip, other]


def _placed(path: str, node: Node | None) -> Change | Placed:
    return Change(path, None) if node is None else Placed(path, node)


def _is_removed(change: Change | Placed) -> bool:
    return isinstance(change, Change) and change.content is None
