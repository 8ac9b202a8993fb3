"""Blame: each line of a file traced back to the commit that added it.

Follows git's blame: from a commit, lines that a parent has too are that parent's to answer for, in
the order of the parents; a file that a parent does not have is looked for there under another name.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from perdure.git.diff.words import matching_lines, split_lines
from perdure.git.objects.commit import CommitInfo
from perdure.git.objects.tree import FileChange

_ALIKE = 0.5
"""Share of lines from which on a removed file and a new one are one that was renamed; git's own."""


Places = dict[int, list[int]]
"""Per line of a file those in the result: merged from two sides, one may stand there twice."""


class History(Protocol):
    """What blame needs of a repository."""

    def commit_info(self, rev: str) -> CommitInfo: ...

    def oid(self, path: str, rev: str | None = None) -> str | None: ...

    def blob(self, oid: str) -> bytes: ...

    def diff(self, a: str | None, b: str | None) -> list[FileChange]: ...


@dataclass(frozen=True, slots=True)
class BlamedLine:
    """A line of a file and where it came from.

    Attributes:
        number: its number in the file, from 1.
        text: the line, without its line end.
        commit: the commit that brought it.
        path: the file's name in that commit.
        was: its number in the file as of that commit.
    """

    number: int
    text: str
    commit: CommitInfo
    path: str
    was: int


def blame(
    repo: History,
    start: str,
    path: str,
    jump: Callable[[str, str], str] = lambda commit, path: commit,  # noqa: ARG005 - no short cut
) -> list[BlamedLine]:
    """Trace every line of a file.

    Args:
        repo: where the history is.
        start: id of the commit whose version of the file is meant.
        path: the file; not being there is the caller's to report, and gives no lines.
        jump: from a commit and a path to one below it, on a line without merges, up to which the
            path is unchanged.
    """
    oid = repo.oid(path, start)
    if oid is None:
        return []
    texts = _lines(repo, oid)
    found: dict[int, BlamedLine] = {}
    tracer = _Tracer(repo, jump)
    tracer.suspect(start, path, oid, {place: [place] for place in range(len(texts))})
    for commit, name, lines in tracer.run():
        for place, results in lines.items():
            for result in results:
                text = texts[result].removesuffix("\n")
                found[result] = BlamedLine(result + 1, text, commit, name, place + 1)
    return [found[place] for place in sorted(found)]


def _lines(repo: History, oid: str) -> list[str]:
    return split_lines(repo.blob(oid).decode("utf-8", "surrogateescape"))


class _Tracer:
    """Suspects by commit, newest first, so that every child is examined before its parents."""

    def __init__(self, repo: History, jump: Callable[[str, str], str]) -> None:
        self._repo = repo
        self._jump = jump
        self._suspects: dict[str, dict[str, tuple[str, Places]]] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._order = 0

    def suspect(self, commit: str, path: str, oid: str, lines: Places) -> None:
        """Note that a commit or one of its ancestors added some lines of a file."""
        if not lines:
            return
        commit = self._jump(commit, path)
        files = self._suspects.setdefault(commit, {})
        if not files:
            self._order += 1
            at = self._repo.commit_info(commit).committed_at.timestamp()
            heapq.heappush(self._queue, (-at, self._order, commit))
        _, known = files.setdefault(path, (oid, {}))
        for place, results in lines.items():
            known[place] = [*known.get(place, ()), *results]

    def run(self) -> list[tuple[CommitInfo, str, Places]]:
        """Each guilty commit with its lines and the file's name in it."""
        guilty = []
        while self._queue:
            commit = heapq.heappop(self._queue)[2]
            files = self._suspects.pop(commit)
            parents = self._repo.commit_info(commit).parents
            for path, (oid, lines) in files.items():
                left = self._pass_on(commit, path, oid, lines, parents)
                if left:
                    guilty.append((self._repo.commit_info(commit), path, left))
        return guilty

    def _pass_on(
        self, commit: str, path: str, oid: str, lines: Places, parents: tuple[str, ...]
    ) -> Places:
        """Pass lines on to the parents that have them; the rest stay."""
        names = {parent: self._name_in(parent, commit, path, oid) for parent in parents}
        for parent, (name, other) in names.items():
            if other == oid:
                self.suspect(parent, name, oid, lines)
                return {}
        left = dict(lines)
        here = _lines(self._repo, oid)
        for parent, (name, other) in names.items():
            if other is None or not left:
                continue
            theirs: Places = {}
            for there, place, size in matching_lines(_lines(self._repo, other), here):
                for step in range(size):
                    if place + step in left:
                        theirs[there + step] = left.pop(place + step)
            self.suspect(parent, name, other, theirs)
        return left

    def _name_in(self, parent: str, commit: str, path: str, oid: str) -> tuple[str, str | None]:
        """A file's name and blob in a parent, following renames."""
        there = self._repo.oid(path, parent)
        if there is not None:
            return path, there
        gone = [
            (change.path, change.old_oid)
            for change in self._repo.diff(parent, commit)
            if change.old_oid is not None and change.new_oid is None
        ]
        for name, old in gone:
            if old == oid:
                return name, old
        best: tuple[str, str | None] = ("", None)
        most = _ALIKE
        for name, old in gone:
            alike = _likeness(self._repo.blob(old), self._repo.blob(oid))
            if alike >= most:
                best, most = (name, old), alike
        return best


def _likeness(old: bytes, new: bytes) -> float:
    """Bytes in common lines, as a share of the larger file."""
    before, after = Counter(old.split(b"\n")), Counter(new.split(b"\n"))
    common = sum((len(line) + 1) * count for line, count in (before & after).items())
    return common / (max(len(old), len(new)) + 1)
