"""Commits that nobody asked for: a summary, proposals, the README's month, a lock entry.

They are no acts of the user's. Undo takes them along with the turn that they are about, and leaves
those about other conversations where they are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from perdure.companion.ids import TurnId
from perdure.snapshot.conversation.newest_turns import conversation_turns

if TYPE_CHECKING:
    from perdure.git.objects.commit import CommitInfo
    from perdure.git.repository.repository import Repository

_COMPANIONS = "@companion.invalid"
_WRITTEN_DOWN = re.compile(r"memory: (summary of “|\d+ (fact|proposal)s?(,| from “))")
"""What `memory_landing` calls its commits; what a user accepts is called by its own words."""
_TURN = re.compile(r"\b(\d{4}-\d\d-\d\d-\d{4}-[0-9a-f]{8}/\d+)")
_FRONT_PAGE, _LOCKS = "companion: the README has ", "backend: "


class ProgramCommits:
    """Tells the program's own commits from the user's, in one repository."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.is_own = lru_cache(maxsize=4096)(self._is_own)

    def _is_own(self, info: CommitInfo) -> bool:
        """Whether nobody asked for it: by its author, its subject, and the files it touches."""
        if not info.author.email.endswith(_COMPANIONS) or len(info.parents) != 1:
            return False
        if info.subject.startswith(_FRONT_PAGE):
            return self._paths(info) == {"README.md"}
        if info.subject.startswith(_LOCKS):
            return all(path.startswith("backends.lock/") for path in self._paths(info))
        if _WRITTEN_DOWN.match(info.subject) is None or _caused_by(info) is None:
            return False
        asked = any(key == "Asked" for key, _ in info.trailers)
        return not asked and all(path.startswith("memory/") for path in self._paths(info))

    def is_brought_by(self, info: CommitInfo, act: CommitInfo) -> bool:
        """Whether the program's own commit right before a turn was made for that turn."""
        turn = turn_of_commit(act)
        if turn is None:
            return False
        if info.subject.startswith(_FRONT_PAGE):
            month = info.subject.removeprefix(_FRONT_PAGE)
            return turn.number == 1 and month == f"{turn.conversation.day:%Y-%m}"
        return info.subject.startswith(_LOCKS)

    def goes_with(self, info: CommitInfo, act: CommitInfo | None, target: str) -> bool:
        """Whether the program's own commit goes with what is taken back.

        Args:
            info: the own commit.
            act: what is taken back, where it is one commit.
            target: the commit as of which all is afterwards.
        """
        caused = _caused_by(info)
        if caused is None:
            return False
        turn = turn_of_commit(act) if act is not None else None
        if turn is not None and turn.conversation == caused.conversation:
            return caused.number >= turn.number
        there = conversation_turns(self._repo, target, caused.conversation)
        return all(each.number != caused.number for each in there)

    def _paths(self, info: CommitInfo) -> set[str]:
        return {change.path for change in self._repo.commits.changed(info.id)}


def turn_of_commit(info: CommitInfo) -> TurnId | None:
    """The turn that a commit says it is about: one said, answered, corrected or swapped."""
    for key, value in info.trailers:
        if key == "Turn":
            return TurnId.read(value)
    found = _TURN.search(info.body)
    return TurnId.read(found[1]) if found else None


def _caused_by(info: CommitInfo) -> TurnId | None:
    values = [value for key, value in info.trailers if key == "Caused-By"]
    return TurnId.read(values[-1]) if values else None
