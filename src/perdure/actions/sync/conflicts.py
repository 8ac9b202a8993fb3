"""Places that two devices changed differently: found in the history, settled by a commit.

A place is open as long as the lines that the merge took still stand in the file as it left them,
and no later commit has a ``Settles:`` trailer for it: an edit of those lines settles it too.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Literal

from perdure.actions.concerns import KINDS
from perdure.actions.errors import CannotAct
from perdure.actions.history.merge import RESOLVER
from perdure.actions.subjects import Edit
from perdure.actions.workspace import Workspace
from perdure.companion.clock import now
from perdure.git.merge.text import text_lines
from perdure.git.merge.tips import (
    SYNC_AUTHOR,
    TipConflict,
    conflict_paths,
    path_as_value,
    path_from,
    tip_conflicts,
)
from perdure.git.operations.operation import RefMove, made_commit, perform
from perdure.git.repository.repository import Change, CommitInfo, Repository
from perdure.git.timeline.query import Query
from perdure.snapshot.revisions.ahead import commits_ahead

SETTLES = "Settles"
"""Trailer of a commit that settles a conflict: the merge's id, a space, the path. For one place
after the id a colon and the place's first line in the merge's file, from 1."""
_SAYS = "Settles what two devices had changed differently."
_REVERTS = "This reverts commit "
_MOST_MERGES = 200
"""Merges with conflicts that are looked at, the newest."""
_RECENT = 300
"""Commits that are looked at for a list."""
Choice = Literal["keep", "other", "both"] | bytes
"""What becomes of a place: as it is, as the other side has it, both, or words of one's own."""
Settled = tuple[str, int | None, str]
"""A merge, a line of the file there or None for the whole file, and a path."""


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """Who changed a file last on one of the two sides, and when."""

    commit: str
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConflictHunk:
    """Lines that stand against each other, and where those that were taken are by now.

    Attributes:
        kept: the lines that were taken; empty where that side has none.
        other: the other side's.
        start: the first of the taken lines in the file, from 0.
        origins: the merges that hold it, each with the first of these lines in the file there,
            from 1; in a file that is taken as a whole None.
    """

    kept: bytes
    other: bytes
    start: int
    origins: tuple[tuple[str, int | None], ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A file with places that two devices changed differently.

    Attributes:
        merges: ids of the merges that hold it: several where lines of history crossed.
        path: the file.
        kind: as in `perdure.git.merge.tips.TipConflict`.
        kept: the side that was taken.
        other: the other one.
        hunks: the places, of a ``text``; else one with both files, empty for what is no text.
        content: the file by now; None where there is none.
        other_content: the other side's whole file; None where it took it away.
        tip: the commit as of which all this is.
    """

    merges: tuple[str, ...]
    path: str
    kind: str
    kept: ConflictSide
    other: ConflictSide
    hunks: tuple[ConflictHunk, ...]
    content: bytes | None
    other_content: bytes | None
    tip: str

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        sides = (("kept", self.kept), ("other", self.other))
        return {
            "file": self.path,
            "kind": self.kind,
            "merges": list(self.merges),
            **{
                name: {"commit": side.commit, "author": side.author, "at": side.at.isoformat()}
                for name, side in sides
            },
            "places": [
                {
                    "line": hunk.start + 1,
                    "kept": hunk.kept.decode("utf-8", "replace"),
                    "other": hunk.other.decode("utf-8", "replace"),
                }
                for hunk in self.hunks
            ],
        }


def open_conflicts(repo: Repository, tip: str) -> list[OpenConflict]:
    """The conflicts below a commit that nobody has settled, the newest merge's first."""
    there = list(_told_of(repo, tip))
    merges = [info for info in there if conflict_paths(info)][:_MOST_MERGES]
    return conflicts_of(repo, tip, merges, settled_by(there, there)) if merges else []


def _told_of(repo: Repository, tip: str) -> Iterator[CommitInfo]:
    """Merges by sync, and commits that may settle what they left, or revert one that did."""
    timeline = repo.timeline()
    if timeline.is_indexed:
        merges = [each.commit for each in timeline.listing(tip, Query(author=SYNC_AUTHOR.email))]
        yield from merges
        since = min((info.committed_at for info in merges), default=None)
        for words in (_SAYS, _REVERTS) if merges else ():
            for each in timeline.listing(tip, Query(grep=words, since=since)):
                yield each.commit
        return
    for info in repo.commits.log(rev=tip):
        if info.author == SYNC_AUTHOR or _SAYS in info.body or _REVERTS in info.body:
            yield info


def recent_places(repo: Repository, tip: str) -> int:
    """How many places are open, as far as the newest commits tell: cheap, for a list."""
    commits = list(islice(commits_ahead(repo, tip, []), _RECENT))
    merges = [info for info in commits if conflict_paths(info)]
    if not merges:
        return 0
    found = conflicts_of(repo, tip, merges, settled_by(commits, commits))
    return sum(len(each.hunks) for each in found)


def conflicts_of(
    repo: Repository, tip: str, merges: Sequence[CommitInfo], settled: AbstractSet[Settled]
) -> list[OpenConflict]:
    """The open conflicts of some merges below a commit.

    Args:
        repo: the repository.
        tip: the commit as of which they are open.
        merges: the merges.
        settled: what of them is settled, by `settled_by`.
    """
    found: dict[tuple[object, ...], OpenConflict] = {}
    for merge in merges:
        for conflict in tip_conflicts(repo, merge, resolver=RESOLVER):
            if (merge.id, None, conflict.path) in settled:
                continue
            opened = _opened(repo, tip, merge, conflict, settled)
            if opened is not None:
                key = (opened.path, opened.kind, opened.hunks)
                found[key] = _joined(found[key], opened) if key in found else opened
    return list(found.values())


def _joined(one: OpenConflict, again: OpenConflict) -> OpenConflict:
    """The same conflict of two merges."""
    hunks = tuple(
        replace(hunk, origins=(*hunk.origins, *other.origins))
        for hunk, other in zip(one.hunks, again.hunks, strict=True)
    )
    return replace(one, merges=(*one.merges, *again.merges), hunks=hunks)


def settled_by(commits: Iterable[CommitInfo], reverts: Iterable[CommitInfo]) -> set[Settled]:
    """The files and places that commits settle, unless one of others reverts them."""
    reverted = {
        line.removeprefix(_REVERTS).rstrip(".")
        for info in reverts
        for line in info.body.split("\n")
        if line.startswith(_REVERTS)
    }
    found = set()
    for info in commits:
        for key, value in info.trailers if info.id not in reverted else ():
            place, _, named = value.partition(" ")
            path = path_from(named) if key == SETTLES else None
            merge, _, line = place.partition(":")
            if path is not None and (not line or line.isdecimal()):
                found.add((merge, int(line) if line else None, path))
    return found


def _opened(
    repo: Repository,
    tip: str,
    merge: CommitInfo,
    conflict: TipConflict,
    settled: AbstractSet[Settled],
) -> OpenConflict | None:
    """A conflict as the file stands by now; None where it was edited since."""
    path = conflict.path
    there, merged = repo.oid(path, tip), repo.oid(path, merge.id)
    other_oid = repo.oid(path, conflict.other_tip)
    content = repo.blob(there) if there is not None else None
    other = repo.blob(other_oid) if other_oid is not None else None
    hunks: tuple[ConflictHunk, ...]
    if conflict.kind == "text":
        before = repo.blob(merged) if merged is not None else b""
        places = _places(merge.id, conflict, before, content) if content is not None else ()
        hunks = tuple(
            hunk
            for hunk in places
            if not any((*origin, path) in settled for origin in hunk.origins)
        )
    elif there == merged:
        texts = [each or b"" for each in (content, other)]
        is_text = conflict.kind != "folder" and not any(b"\0" in each for each in texts)
        kept_text, other_text = texts if is_text else (b"", b"")
        hunks = (ConflictHunk(kept_text, other_text, 0, ((merge.id, None),)),)
    else:
        hunks = ()
    if not hunks:
        return None
    kept, lost = (_side(repo, commit) for commit in (conflict.kept, conflict.other))
    return OpenConflict(
        (merge.id,), path, conflict.kind, kept, lost, hunks, content, other, repo.resolve(tip)
    )


def _side(repo: Repository, commit: str) -> ConflictSide:
    info = repo.commit_info(commit)
    return ConflictSide(commit, info.author.name, info.at)


def _places(
    merge: str, conflict: TipConflict, merged: bytes, content: bytes
) -> Iterator[ConflictHunk]:
    """Where the places of a conflict are by now; those whose lines were edited are left out."""
    before, after = text_lines(merged), text_lines(content)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    blocks = matcher.get_matching_blocks()
    for (kept, other), start in zip(conflict.hunks, conflict.starts, strict=True):
        end = start + len(text_lines(kept))
        for at, to, size in blocks:
            # What was taken out is open as long as its neighbours have not come apart.
            low = at if start < end else at + (start > 0)
            high = at + size - (start == end and end < len(before))
            if low <= start and end <= high:
                yield ConflictHunk(kept, other, to + start - at, ((merge, start + 1),))
                break


# Settling


def settle(workspace: Workspace, conflict: OpenConflict, choices: Sequence[Choice | None]) -> str:
    """Settle a file's places by an ordinary commit, which undo takes back.

    Args:
        workspace: the companion.
        conflict: as `open_conflicts` gives it.
        choices: one for each place; None leaves it open.

    Returns:
        Id of the commit; "" where every place is left open.

    Raises:
        CannotAct: the file has an uncommitted edit, or that choice cannot be made for it.
        TipMoved: it was changed meanwhile; nothing was settled.
        CompanionProblem: it could not be read afterwards.
        Busy, StorageFull, ReadOnly: nothing was changed.
    """
    if len(choices) != len(conflict.hunks):
        raise ValueError("one choice for each place")
    if all(choice is None for choice in choices):
        return ""
    is_whole = conflict.kind != "text"
    content = _whole(conflict, choices[0]) if is_whole else _with(conflict, choices)
    kind = KINDS.get(conflict.path.partition("/")[0], "companion")
    name = Edit(conflict.path, None, None).name
    message = f"{kind}: settle {name}\n\n{_SAYS}\n\n{_trailers(conflict, choices)}"
    if content == conflict.content:
        return _settle_as_it_is(workspace, message, name)
    return workspace.commit([Change(conflict.path, content)], message, conflict.tip)


def _trailers(conflict: OpenConflict, choices: Sequence[Choice | None]) -> str:
    """What is settled: the whole file, or each place for itself where one is left open."""
    settled: list[str] = list(conflict.merges)
    if None in choices:
        chosen = [
            hunk for hunk, choice in zip(conflict.hunks, choices, strict=True) if choice is not None
        ]
        settled = [f"{merge}:{line}" for hunk in chosen for merge, line in hunk.origins]
    named = path_as_value(conflict.path)
    return "".join(f"{SETTLES}: {each} {named}\n" for each in settled)


def _settle_as_it_is(workspace: Workspace, message: str, name: str) -> str:
    """A commit that changes nothing but what is known: every device shall know it is settled."""
    repo, tip = workspace.repo, workspace.tip
    at, author = now(), workspace.author
    with made_commit(repo, [], parents=[tip], message=message, author=author, at=at) as commit:
        move = RefMove(f"refs/heads/{workspace.branch}", tip, commit)
        perform(repo, "settle", name, [move], author=author, at=at)
    return commit


def _whole(conflict: OpenConflict, choice: Choice | None) -> bytes | None:
    """A file that can only be taken as a whole."""
    if isinstance(choice, bytes):
        return choice
    if choice == "keep":
        return conflict.content
    if choice == "both" or conflict.kind == "folder":
        raise CannotAct(
            f"{conflict.path} can only be taken as a whole",
            next_step=f"perdure conflicts {conflict.path} --keep settles it as it is",
        )
    return conflict.other_content


def _with(conflict: OpenConflict, choices: Sequence[Choice | None]) -> bytes:
    """The file with its places as they were chosen."""
    lines = text_lines(conflict.content or b"")
    for hunk, choice in sorted(
        zip(conflict.hunks, choices, strict=True), key=lambda pair: pair[0].start, reverse=True
    ):
        end = hunk.start + len(text_lines(hunk.kept))
        lines[hunk.start : end] = _chosen(hunk, choice, is_last=end == len(lines))
    return b"".join(lines)


def _chosen(hunk: ConflictHunk, choice: Choice | None, *, is_last: bool) -> Iterable[bytes]:
    if choice is None or choice == "keep":
        return text_lines(hunk.kept)
    parts = {"other": [hunk.other], "both": [hunk.kept, hunk.other]}
    texts = [choice] if isinstance(choice, bytes) else parts[choice]
    lines = [line for text in texts for line in text_lines(text)]
    ended = [line if line.endswith(b"\n") else line + b"\n" for line in lines[:-1]]
    last = lines[-1:]
    return [*ended, *(each if is_last or each.endswith(b"\n") else each + b"\n" for each in last)]
