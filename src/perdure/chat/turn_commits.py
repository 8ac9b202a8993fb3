"""From a turn to the commit that added it, and from a commit to the turn that caused it."""

from __future__ import annotations

from collections.abc import Callable

from perdure.companion.conversation.chunk import MOST_BYTES, parse_chunk_path, parse_chunks
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.git.timeline.query import Query

Progress = Callable[[int, int], None]


def commit_of_turn(
    repo: Repository, start: str, turn: TurnId, progress: Progress | None = None
) -> CommitInfo | None:
    """The first commit below ``start`` (an id) that has a turn; None where there is none.

    A trailer only says where to look, since messages can be copied: the turn must be in the chunk
    as of that commit, and not before. A turn that came without a trailer is looked for among
    the commits that touch its conversation.
    """
    said = commit_that_says(repo, start, turn, progress)
    if said is not None:
        return said
    timeline = repo.timeline(progress)
    paths = tuple(
        entry.path
        for entry in repo.files("conversations", start)
        if (named := parse_chunk_path(entry.path)) and named[0] == turn.conversation
    )
    if not paths:
        return None
    touching = [listed.commit for listed in timeline.listing(start, Query(paths=paths))]
    return next((info for info in reversed(touching) if _adds(repo, info, turn)), None)


def commit_that_says(
    repo: Repository, start: str, turn: TurnId, progress: Progress | None = None
) -> CommitInfo | None:
    """The first commit below ``start`` that says to be of a turn, and did add it."""
    said = repo.timeline(progress).turn(start, str(turn))
    return next((info for info in said if _adds(repo, info, turn)), None)


def turn_at(repo: Repository, start: str, info: CommitInfo, turn: TurnId) -> Turn | None:
    """A turn as it stands in ``start``, in the chunk that the commit which added it touched."""
    for change in repo.changed(info.id):
        named = parse_chunk_path(change.path)
        data = repo.read(change.path, start) if named and named[0] == turn.conversation else None
        for chunk in parse_chunks(data, path=change.path) if data is not None else ():
            for each in chunk.turns:
                if each.number == turn.number:
                    return each
    return None


def _adds(repo: Repository, info: CommitInfo, turn: TurnId) -> bool:
    for change in repo.changed(info.id):
        named = parse_chunk_path(change.path)
        if named is None or named[0] != turn.conversation or change.new_oid is None:
            continue
        before = _numbers(repo, change.path, change.old_oid)
        if turn.number in _numbers(repo, change.path, change.new_oid) - before:
            return True
    return False


def _numbers(repo: Repository, path: str, oid: str | None) -> set[int]:
    chunks = parse_chunks(repo.small(oid, MOST_BYTES), path=path) if oid else ()
    return {turn.number for chunk in chunks for turn in chunk.turns}


def cause(repo: Repository, info: CommitInfo) -> TurnId | None:
    """The turn that a commit says it was caused by: ``Caused-By``, or ``Turn`` on a mixed commit.

    Counts only where the commit has a chunk of that conversation.
    """
    for key, value in info.trailers:
        if key not in {"Caused-By", "Turn"}:
            continue
        try:
            turn = TurnId.parse(value)
        except ValueError:
            continue
        day = turn.conversation.day
        folder = f"conversations/{day:%Y-%m}/{day:%d}"
        ending = f"-{turn.conversation.hex}.md"
        if any(name.endswith(ending) for name, _ in repo.names(folder, info.id)):
            return turn
    return None
