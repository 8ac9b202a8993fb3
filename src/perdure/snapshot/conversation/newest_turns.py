"""Find the newest turns, or one conversation, without listing the folders of all years."""

from __future__ import annotations

from itertools import groupby

from perdure.companion.conversation.chunk import (
    CHUNK_FILE_LIMIT,
    CONVERSATIONS,
    parse_chunk_path,
    parse_chunks,
    turn_numbers,
)
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Turn
from perdure.git.repository.repository import Repository
from perdure.progress import Progress


class NeedsTranscript(Exception):
    """File names alone are not enough: the whole `Transcript` has to be asked."""


def turn_back(
    repo: Repository, rev: str, back: int, progress: Progress | None = None
) -> TurnId | None:
    """The turn so many before the last one, in the order of `Transcript`; None without one.

    Args:
        repo: the repository.
        rev: id of the commit as of which is counted.
        back: how far back; 0 is the last turn.
        progress: called while an index of the history is made.

    Raises:
        NeedsTranscript: two conversations began within one minute, or there is no index.
    """
    for _, group in groupby(sorted(_known(repo, rev, progress), key=_name, reverse=True), _minute):
        refs = _standing(repo, rev, list(group))
        if len({conversation for _, conversation, _ in refs}) > 1:
            raise NeedsTranscript
        for _, conversation, (path, oid) in sorted(refs, reverse=True):
            numbers = turn_numbers(repo.small(oid, CHUNK_FILE_LIMIT), path)
            if back < len(numbers):
                return TurnId(conversation, numbers[-1 - back])
            back -= len(numbers)
    return None


def conversation_turns(
    repo: Repository, rev: str, conversation: ConversationId, progress: Progress | None = None
) -> list[Turn]:
    """All turns of a conversation as of a commit, in order; none without such a conversation.

    Args:
        repo: the repository.
        rev: id of the commit.
        conversation: which one.
        progress: called while an index of the history is made.
    """
    try:
        known = _known(repo, rev, progress)
    except NeedsTranscript:
        known = [entry.path for entry in repo.files(CONVERSATIONS, rev)]
    begins, ends = f"{conversation.minute}-", f"-{conversation.hex}.md"
    named = [path for path in known if path.endswith(ends) and _name(path).startswith(begins)]
    found: list[Turn] = []
    for _, each, (path, oid) in sorted(_standing(repo, rev, named)):
        if each == conversation:
            for chunk in parse_chunks(repo.small(oid, CHUNK_FILE_LIMIT), path=path):
                found += chunk.turns
    return found


def _known(repo: Repository, rev: str, progress: Progress | None) -> list[str]:
    """Paths of conversations, deleted ones included, in no order."""
    found = repo.timeline(progress).paths_below(rev, CONVERSATIONS)
    if found is None:
        raise NeedsTranscript
    return found


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _minute(path: str) -> str:
    return _name(path)[:15]


def _standing(
    repo: Repository, rev: str, paths: list[str]
) -> list[tuple[int, ConversationId, tuple[str, str]]]:
    """The chunks that a commit has: number, conversation, path and blob."""
    found = []
    for path in paths:
        named, oid = parse_chunk_path(path), repo.oid(path, rev)
        if named is not None and oid is not None:
            found.append((named[1], named[0], (path, oid)))
    return found
