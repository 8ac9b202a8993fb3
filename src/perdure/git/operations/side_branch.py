"""Side branches: where turns go while git is busy with their own branch.

A rebase moves its branch back, or on, without a look at what has come to it since (``git rebase
--abort``), or fails because something has (``--continue``); `git am` and a sequence of picks end
likewise. So nothing is committed to that branch meanwhile. What is said goes to a side branch, and
a ref of this work tree, ``refs/worktree/perdure/side/NAME``, marks it until it is joined: it stands
at the commit that the side branch began at.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.git import disk
from perdure.git.errors import BadPath, storage_errors
from perdure.git.refs.refs import HEADS, Moved, RefMove, check_branch

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

MARKS = "refs/worktree/perdure/side/"
_TAIL = 8192
_ABORTED = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) [^\t]*\trebase\b.*\babort")


@dataclass(frozen=True, slots=True)
class Side:
    """A side branch that waits to be joined.

    Attributes:
        name: the side branch; "" for a line that has no name any more.
        start: the commit that it began at.
        tip: where it stands; None where nothing was said on it yet.
    """

    name: str
    start: str
    tip: str | None


def sides(repo: Repository) -> list[Side]:
    """Side branches of this work tree that wait to be joined."""
    refs = repo.parts().refs
    found = []
    for mark, start in refs.names(MARKS).items():
        name = mark.removeprefix(MARKS)
        try:
            found.append(Side(name, start, refs.read(check_branch(name))))
        except BadPath:
            continue
    return found


def mark(repo: Repository, name: str, new: str | None) -> None:
    """Record a side branch that will start at a commit; None: it was joined or deleted."""
    parts = repo.parts()
    ref = f"{MARKS}{name}"
    with parts.writer.exclusive("marking a branch"):
        old = parts.refs.read(ref)
        if old == new:
            return
        with suppress(Moved):
            parts.refs.move(RefMove(ref, old, new))


def aborted(repo: Repository, branch: str) -> list[Side]:
    """Commits that ``git rebase --abort`` removed although they were made meanwhile.

    It puts the branch back to where the rebase began, wherever it is by then. Only what has not
    been looked at: perdure's own line in the reflog ends the search.
    """
    path = repo.git_dir / "logs" / HEADS / branch
    found: list[Side] = []
    with storage_errors("reading the reflog"):
        try:
            lines = disk.tail(path, _TAIL).split(b"\n")
        except FileNotFoundError:
            return found
    for line in reversed(lines):
        if b"\tperdure: " in line:
            break
        seen = _ABORTED.match(line)
        if seen and seen[1] != seen[2]:
            found.append(Side("", seen[2].decode(), seen[1].decode()))
    return found


def renamed(repo: Repository, branch: str, since: float) -> str | None:
    """What a branch is called now, where `git branch -m` has renamed it; None where it has not.

    Args:
        repo: the repository.
        branch: the name that it had.
        since: when it had that name, in seconds; whole seconds are what a reflog has.
    """
    refs = repo.parts().refs
    moves: dict[str, tuple[float, str]] = {}
    pattern = re.compile(rb"> (\d+) [^\t]*\tBranch: renamed refs/heads/(.+) to refs/heads/(.+)$")
    for ref in refs.names(HEADS):
        try:
            lines = (repo.git_dir / "logs" / ref).read_bytes()[-_TAIL:].split(b"\n")
        except OSError:
            continue
        for line in lines:
            seen = pattern.search(line)
            if seen and int(seen[1]) >= int(since):
                old, new = (seen[n].decode("utf-8", "surrogateescape") for n in (2, 3))
                moves[old] = max(moves.get(old, (0.0, "")), (float(seen[1]), new))
    name = branch
    for _ in range(len(moves)):
        if name not in moves:
            break
        name = moves[name][1]
    is_there = name != branch and refs.read(check_branch(name)) is not None
    return name if is_there else None
