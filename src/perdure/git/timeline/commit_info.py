"""What the timeline knows about a commit: the paths it touched, its kind, its turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from perdure.git.errors import TooLargeObject, TooManyFiles
from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.tree import FileChange
from perdure.git.objects.tree_diff import TreeComparer

FOLDERS = {
    "persona": 1,
    "memory": 2,
    "lore": 4,
    "backends": 8,
    "backends.lock": 16,
    "conversations": 32,
    "alternatives": 64,
    "probes": 128,
    "assets": 256,
    "companion.yaml": 512,
}
"""A bit for each folder that a companion has; everything else is `OTHER`."""
OTHER = 1024
TURNS = FOLDERS["conversations"]
_KINDS = {
    1: "persona",
    2: "memory",
    4: "lore",
    8: "backend",
    16: "backend",
    24: "backend",
    64: "edit",
    96: "edit",
    128: "probe",
    0: "empty",
}
_SAID = ("edit", "aside", "revert", "import", "forget")
_TURN = re.compile(r"(\d{4}-\d{2}-\d{2}-\d{4}-([0-9a-f]{8})/(?:0|[1-9]\d{0,8}))")
_MOST_BYTES = 256 * 1024
"""A persona file above this is not counted by words."""
_MOST_COUNTED = 2000
"""Persona files of one commit that are counted by words; more are in no persona that is read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A commit, with what can be derived from it and its parents.

    Attributes:
        commit: the commit.
        kind: turn, edit, persona, memory, lore, backend, probe, companion, merge, founding, mixed
            (several concerns at once) or empty; by the paths, not by what the subject says.
        turn: id of the turn that it says to be of, where it touches a chunk of that conversation.
        touched: per parent, the paths that differ from it; one list for a first commit.
        words: words added to and removed from persona files, against the first parent.
    """

    commit: CommitInfo
    kind: str
    turn: str | None
    touched: tuple[tuple[str, ...], ...]
    words: tuple[int, int] = (0, 0)

    @property
    def areas(self) -> int:
        """Bits of all folders that it touches, against any parent."""
        return areas_of([path for paths in self.touched for path in paths])

    def touches(self, prefixes: Sequence[str]) -> bool:
        """Whether it changed some of these files or folders.

        A merge did if they differ from every one of its parents: one that took a side's version
        as it was changed nothing. Lines that are not the first parent's count like any other, as
        with ``git log --full-history -- PATH``.
        """
        return all(
            any(_is_below(path, prefix) for path in paths for prefix in prefixes)
            for paths in self.touched
        )


def _is_below(path: str, prefix: str) -> bool:
    return not prefix or path == prefix or path.startswith(f"{prefix}/")


def areas_of(paths: Sequence[str]) -> int:
    """The bits of the folders that contain some paths."""
    bits = 0
    for path in paths:
        bits |= FOLDERS.get(path.partition("/")[0], OTHER)
    return bits


def facts_of(
    info: CommitInfo,
    *,
    tree_of: Callable[[str], str],
    trees: TreeComparer,
    blob: Callable[[str], bytes],
    boundary: frozenset[str],
) -> Facts:
    """Derive the facts of a commit from it and its parents.

    Args:
        info: the commit.
        tree_of: root tree of a commit, by its id.
        trees: compares trees.
        blob: content of a file, by its id.
        boundary: commits whose parents are not here (a shallow clone).
    """
    parents = () if info.id in boundary else info.parents
    roots: Sequence[str | None] = [tree_of(parent) for parent in parents] or [None]
    changes = [_changes(trees, root, info.tree) for root in roots]
    touched = tuple(tuple(change.path for change in found) for found in changes)
    turn = turn_said(info, touched[0])
    words = _persona_words(changes[0], blob)
    return Facts(info, _kind(info, parents, touched[0], turn), turn, touched, words)


def _changes(trees: TreeComparer, old: str | None, new: str) -> list[FileChange]:
    """What a commit changed; nothing if it is too much to examine."""
    try:
        return trees.difference(old, new)
    except TooManyFiles:
        return []


def turn_said(info: CommitInfo, paths: Sequence[str]) -> str | None:
    """The turn that a trailer names, if the commit touches a chunk of its conversation.

    Trailers can be copied: whether the commit is the first with that turn is for the reader to see.
    """
    for key, value in info.trailers:
        found = _TURN.fullmatch(value) if key == "Turn" else None
        if found and any(
            path.startswith("conversations/") and path.endswith(f"-{found[2]}.md") for path in paths
        ):
            return found[1]
    return None


def _kind(info: CommitInfo, parents: Sequence[str], paths: Sequence[str], turn: str | None) -> str:
    if len(parents) > 1:
        return "merge"
    if not parents:
        return "founding"
    bits = areas_of(paths)
    if bits == TURNS:
        said = info.subject.partition(":")[0]
        return "turn" if turn else said if said in _SAID else "edit"
    if bits in _KINDS:
        return _KINDS[bits]
    return "companion" if not bits & ~(FOLDERS["companion.yaml"] | 256 | OTHER) else "mixed"


def _persona_words(changes: Sequence[FileChange], blob: Callable[[str], bytes]) -> tuple[int, int]:
    added = removed = 0
    persona = (change for change in changes if change.path.startswith("persona/"))
    for change in islice(persona, _MOST_COUNTED):
        from perdure.git.diff.words import words_changed

        try:
            old, new = (blob(oid) if oid else b"" for oid in (change.old_oid, change.new_oid))
        except TooLargeObject:
            continue
        if len(old) + len(new) <= _MOST_BYTES and b"\0" not in old + new:
            more, less = words_changed(
                old.decode("utf-8", "replace"), new.decode("utf-8", "replace")
            )
            added, removed = added + more, removed + less
    return added, removed
