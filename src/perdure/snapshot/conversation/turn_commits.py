"""From a turn to the commit that added it, and from a commit to the turn that caused it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.companion.conversation.chunk import (
    CHUNK_FILE_LIMIT,
    CONVERSATIONS,
    parse_chunk_path,
    parse_chunks,
)
from perdure.companion.ids import TurnId
from perdure.companion.turns import Chunk, ChunkHead, Reply, Turn
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.git.timeline.query import Query
from perdure.progress import Progress
from perdure.snapshot.conversation.newest_turns import conversation_turns

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
    ending = f"-{turn.conversation.hex}.md"
    files = repo.files(CONVERSATIONS, start)
    paths = tuple(entry.path for entry in files if entry.path.endswith(ending))
    if not paths:
        return None
    touching = repo.timeline(progress).listing(start, Query(paths=paths))
    commits = [listed.commit for listed in touching]
    return next((info for info in reversed(commits) if _adds(repo, info, turn)), None)


def commit_that_says(
    repo: Repository, start: str, turn: TurnId, progress: Progress | None = None
) -> CommitInfo | None:
    """The first commit below ``start`` that says to be of a turn, and did add it."""
    said = repo.timeline(progress).turn(start, str(turn))
    return next((info for info in said if _adds(repo, info, turn)), None)


def turn_at(repo: Repository, start: str, info: CommitInfo, turn: TurnId) -> Turn | None:
    """A turn as it stands in ``start``, in the chunk that the commit which added it touched."""
    for path, _, _ in _changed_chunks(repo, info, turn):
        if path.startswith(CONVERSATIONS) and (oid := repo.oid(path, start)):
            there = parse_chunks(repo.small(oid, CHUNK_FILE_LIMIT), path=path)
            for each in _numbered(there, turn.number):
                return each
    return None


def cause(repo: Repository, info: CommitInfo) -> TurnId | None:
    """The turn that a commit says it was caused by: ``Caused-By``, or ``Turn`` on a mixed commit.

    Counts only where the commit has a chunk of that conversation.
    """
    for key, value in info.trailers:
        turn = TurnId.read(value) if key in {"Caused-By", "Turn"} else None
        if turn is None:
            continue
        day = turn.conversation.day
        folder = f"conversations/{day:%Y-%m}/{day:%d}"
        ending = f"-{turn.conversation.hex}.md"
        if any(name.endswith(ending) for name, _ in repo.names(folder, info.id)):
            return turn
    return None


@dataclass(frozen=True, slots=True)
class AnswerCommit:
    """The commit that brought an answer to a turn.

    Attributes:
        commit: the commit.
        facts: what its trailers say.
        reply: the answer's first reply; None where the commit brought the message only.
        base: the commit whose tree the prompt was made from; "" where there is none.
        head: front matter of the turn's chunk as the commit has it; None where it has no such file.
        turns: the turns of that chunk by number.
    """

    commit: CommitInfo
    facts: TurnFacts
    reply: Reply | None
    base: str
    head: ChunkHead | None
    turns: Mapping[int, Turn]


def find_answer_commit(
    repo: Repository, start: str, turn: TurnId, answer: int = 0, progress: Progress | None = None
) -> AnswerCommit | None:
    """The commit below ``start`` (an id) that brought an answer to a turn.

    A trailer only says where to look, since messages can be copied: the answer must be in the
    commit's tree, and not in its parent's.

    Args:
        repo: the repository.
        start: id of the commit to look below.
        turn: the turn.
        answer: its permanent number; 0: the one that stands in ``start``, else the one that was
            brought last.
        progress: called while an index of the history is made.

    Returns:
        None where no commit says to have brought it. Of a turn without an answer, the commit that
        brought its message.
    """
    # A prompt and its versions: nobody who looks for a commit alone needs them.
    from perdure.snapshot.conversation.trailers import parse_trailers

    wanted = answer
    if not answer:
        there = conversation_turns(repo, start, turn.conversation, progress)
        standing = (each for each in there if each.number == turn.number and each.replies)
        wanted = next((each.replies[0].answer for each in standing), 0)
    found: AnswerCommit | None = None
    for info in repo.timeline(progress).turn(start, str(turn)):
        facts = parse_trailers(info.trailers)
        if facts is None:
            continue
        change = _turn_change(repo, info, turn)
        reply = next((each for each in change.replies if each.answer == wanted), None)
        is_wanted = reply is not None
        if not answer and change.replies:
            reply = reply or change.replies[0]
        message_only = found is None and change.is_new and not change.replies
        if reply is not None or message_only:
            base = facts.base or (info.parents[0] if info.parents else "")
            found = AnswerCommit(info, facts, reply, base, change.head, change.turns)
            if is_wanted:
                break
    return found


# What a commit did to a turn


@dataclass(frozen=True, slots=True)
class _TurnChange:
    """Whether the turn is new in a commit, the replies that came with it, and its chunk there."""

    is_new: bool
    replies: tuple[Reply, ...]
    head: ChunkHead | None
    turns: Mapping[int, Turn]


def _adds(repo: Repository, info: CommitInfo, turn: TurnId) -> bool:
    change = _turn_change(repo, info, turn)
    return change.is_new and turn.number in change.turns


def _turn_change(repo: Repository, info: CommitInfo, turn: TurnId) -> _TurnChange:
    """What a commit changed of one turn, in its conversation's chunks and their alternatives."""
    before: list[Turn] = []
    after: list[Turn] = []
    head: ChunkHead | None = None
    turns: dict[int, Turn] = {}
    for path, chunks_before, chunks_after in _changed_chunks(repo, info, turn):
        before += _numbered(chunks_before, turn.number)
        after += _numbered(chunks_after, turn.number)
        if path.startswith(CONVERSATIONS):
            for chunk in chunks_after:
                head = head or chunk.head
                turns |= {each.number: each for each in chunk.turns}
    known = {reply.answer for each in before for reply in each.replies}
    replies: dict[int, Reply] = {}
    for reply in (reply for each in after for reply in each.replies):
        replies.setdefault(reply.answer, reply)
    new = tuple(reply for number, reply in replies.items() if number not in known)
    return _TurnChange(bool(after) and not before, new, head, turns)


def _changed_chunks(
    repo: Repository, info: CommitInfo, turn: TurnId
) -> Iterator[tuple[str, Sequence[Chunk], Sequence[Chunk]]]:
    """Files of a turn's conversation that a commit changed, alternatives too: before and after."""
    for change in repo.commits.changed(info.id):
        named = parse_chunk_path(change.path)
        if named is not None and named[0] == turn.conversation:
            before, after = (
                parse_chunks(repo.small(oid, CHUNK_FILE_LIMIT), path=change.path) if oid else ()
                for oid in (change.old_oid, change.new_oid)
            )
            yield change.path, before, after


def _numbered(chunks: Iterable[Chunk], number: int) -> Iterator[Turn]:
    return (each for chunk in chunks for each in chunk.turns if each.number == number)
