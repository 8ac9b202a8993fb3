"""Takes acts out of files that have gone on since: three ways, file by file.

The files after an act are the common past, those at the tip one side, those before the act the
other. What somebody else wrote since stays, also where it stands in the lines of the act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.git.merge.text import merge_lists, merge_taking, union_paths
from perdure.git.objects.store import MOST_BYTES
from perdure.git.objects.tree import Change, Node, Placed, is_regular

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

IsSound = Callable[[str, bytes], bool]
"""Whether a path's content can still be read, after lines of both sides came together."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """What takes acts out.

    Attributes:
        changes: on the files of the tip.
        stays: files in which something of the acts stays, because it was changed again since.
    """

    changes: tuple[Change | Placed, ...]
    stays: tuple[str, ...]


def inverse(
    repo: Repository, tip: str, acts: Sequence[tuple[str, str | None]], is_sound: IsSound
) -> Inverse:
    """Take acts out of the files of a commit.

    Args:
        repo: the repository.
        tip: the commit.
        acts: each as the commit after it and the one before it, the newest act first.
        is_sound: see `IsSound`.

    Raises:
        DamagedRepository: something of it cannot be read.
        TooManyFiles: an act changed more than is looked at.
    """
    found = _Inverse(repo, tip, is_sound)
    for after, before in acts:
        found.take_out(after, before)
    return Inverse(tuple(found.changes()), tuple(sorted(found.stays)))


_Now = Node | bytes | None
"""What stands at a path: an entry as some tree has it, a merged text, or nothing."""


class _Inverse:
    def __init__(self, repo: Repository, tip: str, is_sound: IsSound) -> None:
        self._repo, self._trees, self._is_sound = repo, repo.parts().trees, is_sound
        self._root = repo.commit_info(tip).tree
        self._is_union = union_paths(repo.read(".gitattributes", tip) or b"")
        self._now: dict[str, _Now] = {}
        self.stays: set[str] = set()

    def take_out(self, after: str, before: str | None) -> None:
        new = self._repo.commit_info(after).tree
        old = self._repo.commit_info(before).tree if before is not None else None
        for each in self._trees.difference(new, old):
            past, goal = (self._trees.node(root, each.path) for root in (new, old))
            here = self._here(each.path)
            if here == past:
                self._now[each.path] = goal
            elif here != goal:
                self._merge(each.path, past, here, goal)

    def changes(self) -> Iterator[Change | Placed]:
        """What is different from the tip, by path."""
        for path, now in sorted(self._now.items()):
            if now == self._trees.node(self._root, path):
                continue
            yield Placed(path, now) if isinstance(now, tuple) else Change(path, now)

    def _here(self, path: str) -> _Now:
        return self._now[path] if path in self._now else self._trees.node(self._root, path)

    def _merge(self, path: str, past: Node | None, here: _Now, goal: Node | None) -> None:
        """Take an act out of a text that was changed since."""
        base, ours, theirs = self._text(past), self._text(here), self._text(goal)
        if base is None or ours is None or theirs is None:
            self.stays.add(path)
            return
        if self._is_union(path):
            self._now[path] = merge_lists(base, ours, theirs)
            return
        merged = merge_taking(base, ours, theirs)
        is_sound = self._is_sound(path, merged.content)
        if is_sound:
            self._now[path] = merged.content
        if merged.pairs or not is_sound:
            self.stays.add(path)

    def _text(self, now: _Now) -> bytes | None:
        """A text; None for anything else."""
        if isinstance(now, tuple):
            is_file = is_regular(now) and self._repo.parts().store.size(now[1])[1] <= MOST_BYTES
            now = self._repo.blob(now[1]) if is_file else None
        return None if now is None or b"\0" in now else now
