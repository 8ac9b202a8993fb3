"""From a turn to the commit that added it, and from a commit to the turn that caused it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.companion.conversation.chunk import MOST_BYTES, parse_chunk_path, parse_chunks
from perdure.companion.ids import TurnId
from perdure.companion.turns import Reply, Turn
from perdure.git.repository.repository import CommitInfo, FileChange, Repository
from perdure.git.timeline.query import Query
from perdure.progress import Progress

if TYPE_CHECKING:
    from perdure.snapshot.conversation.trailers import TurnFacts


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


@dataclass(frozen=True, slots=True)
class Asked:
    """The commit that brought an answer, and what it says of it."""

    commit: CommitInfo
    facts: TurnFacts
    reply: Reply | None
    """The answer's first reply; None where the commit brought the message only."""

    @property
    def base(self) -> str:
        """The commit whose tree the prompt was made from; "" where there is none."""
        return self.facts.base or (self.commit.parents[0] if self.commit.parents else "")


def find_asked(
    repo: Repository, start: str, turn: TurnId, answer: int = 0, progress: Progress | None = None
) -> Asked | None:
    """The commit below ``start`` (an id) that brought an answer to a turn.

    A trailer only says where to look, since messages can be copied: the answer must be in the
    commit's tree, and not in its parent's.

    Args:
        repo: the repository.
        start: id of the commit to look below.
        turn: the turn.
        answer: its permanent number; 0: the one that was brought last.
        progress: told while an index of the history is made.

    Returns:
        None where no commit says to have brought it. Of a turn without an answer, the commit that
        brought its message.
    """
    # A prompt and its versions: nobody who looks for a commit alone needs them.
    from perdure.snapshot.conversation.trailers import parse_trailers

    found: Asked | None = None
    for info in repo.timeline(progress).turn(start, str(turn)):
        facts = parse_trailers(info.trailers)
        if facts is None:
            continue
        brought = _brought(repo, info, turn)
        if brought is None:
            continue
        reply = next((each for each in brought if answer in {0, each.answer}), None)
        if reply is not None or (found is None and not brought):
            found = Asked(info, facts, reply)
            if answer and reply is not None:
                break
    return found


def _brought(repo: Repository, info: CommitInfo, turn: TurnId) -> list[Reply] | None:
    """The replies that a commit brought to a turn; None where it brought nothing of that turn."""
    new = False
    before: set[int] = set()
    after: dict[int, Reply] = {}
    had = False
    for change in _of_conversation(repo.changed(info.id), turn):
        for old in _turns(repo, change.path, change.old_oid, turn):
            had = True
            before.update(reply.answer for reply in old.replies)
        for now in _turns(repo, change.path, change.new_oid, turn):
            new = True
            for reply in now.replies:
                after.setdefault(reply.answer, reply)
    if not new:
        return None
    brought = [reply for number, reply in after.items() if number not in before]
    return brought if brought or not had else None


def _of_conversation(changes: list[FileChange], turn: TurnId) -> Iterator[FileChange]:
    for change in changes:
        place = change.path.removeprefix("alternatives/")
        named = parse_chunk_path(f"conversations/{place}" if place != change.path else change.path)
        if named is not None and named[0] == turn.conversation:
            yield change


def _turns(repo: Repository, path: str, oid: str | None, turn: TurnId) -> Iterator[Turn]:
    for chunk in parse_chunks(repo.small(oid, MOST_BYTES), path=path) if oid else ():
        for each in chunk.turns:
            if each.number == turn.number:
                yield each
