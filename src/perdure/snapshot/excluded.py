"""What ``memory/aside/`` keeps out of prompts, as of a commit."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import TurnId
from perdure.companion.memory.aside import ASIDE_FOLDER, Aside, is_aside, parse_aside
from perdure.git.repository.repository import Repository
from perdure.snapshot.files import read_small


@dataclass(frozen=True, slots=True)
class Excluded:
    """All files of ``memory/aside/`` in one commit.

    Attributes:
        files: path and content of each that could be read, by path.
        unreadable: what is wrong with the others, with file and line; they set nothing aside.
    """

    files: tuple[tuple[str, Aside], ...] = ()
    unreadable: tuple[str, ...] = ()

    def __contains__(self, turn: object) -> bool:
        return isinstance(turn, TurnId) and is_aside(turn, (aside for _, aside in self.files))

    @property
    def facts(self) -> tuple[str, ...]:
        """Lines of excluded facts, as `perdure.memory.ranking.in_order` takes them."""
        return tuple(line for _, aside in self.files for line in aside.facts)

    def names(self, turn: str) -> bool:
        """Whether a turn, given by its whole id, is excluded; False for what is no id."""
        return TurnId.read(turn) in self


def read_excluded(repo: Repository, rev: str | None) -> Excluded:
    """Read what is excluded as of a revision, HEAD without one."""
    found, troubles = [], []
    for entry in repo.files(ASIDE_FOLDER, rev):
        if not entry.path.endswith(".md"):
            continue
        try:
            found.append((entry.path, parse_aside(read_small(repo, entry.oid), entry.path)))
        except CompanionProblem as problem:
            troubles.append(str(problem))
    return Excluded(tuple(found), tuple(troubles))
