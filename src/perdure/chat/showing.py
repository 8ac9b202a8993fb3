"""What `show` and `diff` look at: turns, commits, and texts of two states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from perdure.chat.asides import read_asides
from perdure.chat.naming import find_turn_at
from perdure.chat.newest import turns_of
from perdure.chat.turn_commits import commit_of_turn, commit_that_says, turn_at
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.errors import DamagedRepository, TooManyFiles
from perdure.git.repository.repository import CommitInfo, FileChange, Repository
from perdure.git.worktree.files import NotRegular, TooLarge, WorkTree
from perdure.progress import Progress
from perdure.snapshot.errors import UnknownMoment, UnknownTurn

MOST_BYTES = 2 * 1024 * 1024
"""Both versions of a file together; above that only the sizes are shown."""
_MOST_TOGETHER = 4 * 1024 * 1024
"""Bytes of all files whose texts are read; of those after them, too, only the sizes are told."""
MOST_SHOWN = 1_000
"""Files whose texts are read; of those after them only the sizes are told."""


@dataclass(frozen=True, slots=True)
class TextChange:
    """A file's text before and after; None where it was not there.

    Attributes:
        path: the file.
        old: its text before.
        new: its text after.
        binary: it is no text; both are empty then.
        sizes: bytes before and after, of a file that is no text, larger than `MOST_BYTES`, or
            beyond what is compared together; both texts are empty then.
    """

    path: str
    old: str | None
    new: str | None
    binary: bool = False
    sizes: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn as it stands now, and the commit that added it, if it could be found."""

    id: TurnId
    turn: Turn
    commit: CommitInfo | None
    aside: bool = False
    """It is kept out of prompts."""

    def record(self) -> dict[str, object]:
        """The turn as plain data."""
        message = self.turn.message
        return {
            "turn": str(self.id),
            "aside": self.aside,
            "commit": self.commit.id if self.commit else None,
            "trailers": dict(self.commit.trailers) if self.commit else {},
            "message": None
            if message is None
            else {
                "speaker": message.speaker,
                "text": message.text,
                "at": message.at.isoformat() if message.at else None,
            },
            "replies": [
                {
                    "speaker": reply.speaker,
                    "text": reply.text,
                    "at": reply.at.isoformat() if reply.at else None,
                    "answer": reply.answer,
                    "backend": reply.backend,
                    "model": reply.model,
                    "interrupted": reply.interrupted,
                    "stand_in": reply.stand_in,
                }
                for reply in self.turn.replies
            ],
        }


@dataclass(frozen=True, slots=True)
class ShownCommit:
    """A commit and what it changed against its first parent.

    ``too_many``: it holds more files than can be looked at, and none is named.
    """

    commit: CommitInfo
    changes: tuple[TextChange, ...]
    too_many: bool = False

    @property
    def message(self) -> list[str]:
        return [
            self.commit.subject,
            *([""] if self.commit.body else []),
            *self.commit.body.splitlines(),
        ]

    def record(self) -> dict[str, object]:
        """The commit as plain data."""
        return {
            "commit": self.commit.id,
            "parents": list(self.commit.parents),
            "at": self.commit.at.isoformat(),
            "author": self.commit.author.name,
            "email": self.commit.author.email,
            "subject": self.commit.subject,
            "body": self.commit.body,
            "trailers": dict(self.commit.trailers),
            "files": [change.path for change in self.changes],
        }


def look_up(
    path: Path, name: str, now: datetime, progress: Progress | None = None
) -> ShownTurn | ShownCommit:
    """A turn by one of its names, else the commit that a revision or a date names.

    Raises:
        UnknownTurn: it looks like a turn's name, but none answers to it.
        UnknownMoment: it names nothing here.
    """
    repo = Repository.open(path, recover=False)
    head = repo.head()
    shown = _by_whole_id(repo, head.commit, name, progress)
    if shown is not None:
        return shown
    turn_id = turn = problem = None
    if head.commit is not None:
        try:
            turn_id = find_turn_at(repo, head.commit, name, progress)
        except UnknownTurn as error:
            problem = error
    if turn_id is not None and head.commit is not None:
        said = turns_of(repo, head.commit, turn_id.conversation, progress)
        turn = next((each for each in said if each.number == turn_id.number), None)
    if turn_id is not None and turn is not None and head.commit is not None:
        commit = commit_of_turn(repo, head.commit, turn_id, progress)
        return ShownTurn(turn_id, turn, commit, turn_id in read_asides(repo, head.commit))
    from perdure.chat.moments import resolve_moment

    try:
        commit = repo.commit_info(resolve_moment(repo, name, head.branch, now, progress))
    except (UnknownMoment, UnknownTurn):
        if problem is not None:
            raise problem from None
        raise
    try:
        return ShownCommit(commit, tuple(changes_in(repo, commit.id)))
    except TooManyFiles:
        return ShownCommit(commit, (), too_many=True)


def _by_whole_id(
    repo: Repository, head: str | None, name: str, progress: Progress | None
) -> ShownTurn | None:
    """A turn by its whole id, without listing all that was ever said."""
    try:
        turn_id = TurnId.parse(name)
    except ValueError:
        return None
    commit = commit_that_says(repo, head, turn_id, progress) if head else None
    turn = turn_at(repo, head, commit, turn_id) if head and commit else None
    aside = turn_id in read_asides(repo, head)
    return ShownTurn(turn_id, turn, commit, aside) if turn else None


def changes_in(repo: Repository, commit: str) -> list[TextChange]:
    """Texts that a commit changed against its first parent."""
    return _texts(repo, repo.changed(commit))


def changes_between(
    repo: Repository, old: str, new: str | None, paths: Sequence[str] = ()
) -> list[TextChange]:
    """Texts that differ.

    Args:
        repo: the repository.
        old: id of the older commit.
        new: id of the newer one; None is the files in the folder.
        paths: files or folders to look at; everything without.
    """
    changes = repo.diff(old, new, paths)
    return _texts(repo, changes, work=repo.work_tree() if new is None else None)


def _texts(
    repo: Repository, changes: Sequence[FileChange], *, work: WorkTree | None = None
) -> list[TextChange]:
    found: list[TextChange] = []
    left = _MOST_TOGETHER
    for change in changes:
        most = min(MOST_BYTES, left) if len(found) < MOST_SHOWN else 0
        old = _stored(repo, change.old_oid, most)
        new = _stored(repo, change.new_oid, most) if work is None else _work_file(work, change.path)
        sizes = (old[1] if old else 0, new[1] if new else 0)
        data = [each[0] if each else None for each in (old, new)]
        is_binary = any(b"\0" in each for each in data if each is not None)
        if sum(sizes) > most or is_binary:
            before, after = (None if side is None else "" for side in (old, new))
            found.append(TextChange(change.path, before, after, binary=is_binary, sizes=sizes))
        else:
            left -= sum(sizes)
            found.append(TextChange(change.path, _text(data[0]), _text(data[1])))
    return found


_Side = tuple[bytes, int] | None
"""Content, empty for a file that is too large to be shown, and size."""


def _stored(repo: Repository, oid: str | None, most: int) -> _Side:
    """One side as it is stored, read where it has at most so many bytes.

    A submodule's, or what is missing here, counts as binary.
    """
    if oid is None:
        return None
    try:
        size = repo.size(oid)
        return repo.small(oid, most), size
    except DamagedRepository:
        return b"\0", 0


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")


def _work_file(work: WorkTree, path: str) -> _Side:
    """A file of the work tree; links are not followed, so nothing outside is ever shown."""
    try:
        seen = work.read(path, most=MOST_BYTES)
    except TooLarge as error:
        return b"", error.size
    except (NotRegular, OSError):
        return None
    return (seen.data, len(seen.data)) if seen else None
