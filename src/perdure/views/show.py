"""What `show` and `diff` show: turns, commits, and texts of two states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.errors import TooManyFiles
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.progress import Progress
from perdure.snapshot.conversation.newest_turns import conversation_turns
from perdure.snapshot.conversation.turn_commits import commit_of_turn, commit_that_says, turn_at
from perdure.snapshot.conversation.turn_names import find_turn_at
from perdure.snapshot.errors import NoRevision, UnknownTurn
from perdure.snapshot.excluded import read_excluded
from perdure.snapshot.revisions.diff import TextChange, changes_in


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn as it is at the tip, and the commit that added it, if one was found."""

    id: TurnId
    turn: Turn
    commit: CommitInfo | None
    aside: bool = False
    """It is kept out of prompts."""

    def to_dict(self) -> dict[str, object]:
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

    def to_dict(self) -> dict[str, object]:
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


def find_shown(
    path: Path, name: str, now: datetime, progress: Progress | None = None
) -> ShownTurn | ShownCommit:
    """Find a turn by one of its names, or the commit that a revision or a date names.

    Raises:
        UnknownTurn: it looks like a turn's name, but there is no such turn.
        NoRevision: it names nothing here.
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
        said = conversation_turns(repo, head.commit, turn_id.conversation, progress)
        turn = next((each for each in said if each.number == turn_id.number), None)
    if turn_id is not None and turn is not None and head.commit is not None:
        commit = commit_of_turn(repo, head.commit, turn_id, progress)
        return ShownTurn(turn_id, turn, commit, turn_id in read_excluded(repo, head.commit))
    from perdure.snapshot.revisions.resolve import resolve_revision

    try:
        commit = repo.commit_info(resolve_revision(repo, name, head.branch, now, progress))
    except (NoRevision, UnknownTurn):
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
    """Find a turn by its whole id, without listing every conversation."""
    turn_id = TurnId.read(name)
    if turn_id is None:
        return None
    commit = commit_that_says(repo, head, turn_id, progress) if head else None
    turn = turn_at(repo, head, commit, turn_id) if head and commit else None
    aside = turn_id in read_excluded(repo, head)
    return ShownTurn(turn_id, turn, commit, aside) if turn else None
