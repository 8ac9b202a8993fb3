"""What somebody wants to see of the timeline, and whether a commit is among it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from perdure.git.objects.commit import CommitInfo
from perdure.git.timeline.commit_info import Facts


@dataclass(frozen=True, slots=True)
class Query:
    """A selection of commits; every part that is given must hold.

    Attributes:
        folders: only commits that changed one of these top folders (a kind of change).
        paths: only commits that changed one of these files or folders; "" is everything.
        since: not before this time of committing (aware).
        until: before this time of committing (aware).
        author: text in the author's name or address, in any case.
        grep: text in the message, trailers aside, in any case.
        limit: how many at most.
        skip: how many to leave out first.
    """

    folders: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    author: str = ""
    grep: str = ""
    limit: int | None = None
    skip: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether every commit is wanted."""
        return not (
            self.folders or self.paths or self.since or self.until or self.author or self.grep
        )

    def fits_message(self, info: CommitInfo) -> bool:
        """Whether a commit's own words and times are wanted; its paths are not looked at."""
        return (
            (self.since is None or info.committed_at >= self.since)
            and (self.until is None or info.committed_at < self.until)
            and fold(self.author) in fold(f"{info.author.name} <{info.author.email}>")
            and fold(self.grep) in fold(f"{info.subject}\n{info.body}")
        )

    def fits(self, facts: Facts) -> bool:
        """Whether a commit is wanted."""
        return (
            self.fits_message(facts.commit)
            and (not self.folders or facts.touches(self.folders))
            and (not self.paths or "" in self.paths or facts.touches(self.paths))
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """One commit of a listing.

    Attributes:
        commit: the commit, read from git.
        kind: as in `Facts`.
        turn: as in `Facts`.
        files: paths that differ from the first parent.
        words: persona words added and removed.
    """

    commit: CommitInfo
    kind: str
    turn: str | None
    files: tuple[str, ...]
    words: tuple[int, int]

    @classmethod
    def of(cls, facts: Facts) -> Listed:
        """The listing's line of a commit that was looked at."""
        return cls(facts.commit, facts.kind, facts.turn, facts.touched[0], facts.words)


@dataclass(frozen=True, slots=True)
class OnlyIn:
    """What is in the past of one commit and of none of some others.

    Attributes:
        turns: ids of turns that were said there.
        again: ids of turns said before, one for each commit that answers one again.
        turn_commits: commits that name a turn.
        others: ids of the other commits.
    """

    turns: frozenset[str]
    again: tuple[str, ...]
    turn_commits: int
    others: tuple[str, ...]


def fold(text: str) -> str:
    """Text as it is compared by: without case."""
    return text.casefold()
