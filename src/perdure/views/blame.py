"""The lines of a file, with the commits that added them and the turns that caused those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perdure.companion.ids import TurnId
from perdure.git.diff.blame import BlamedLine, blame
from perdure.git.repository.repository import Repository
from perdure.snapshot.conversation.turn_commits import cause


@dataclass(frozen=True, slots=True)
class LineCause:
    """A line, and the turn that its commit names as its cause."""

    line: BlamedLine
    turn: TurnId | None

    def to_dict(self) -> dict[str, object]:
        """The line as plain data."""
        info = self.line.commit
        return {
            "line": self.line.number,
            "text": self.line.text.encode("utf-8", "backslashreplace").decode(),
            "commit": info.id,
            "at": info.at.isoformat(),
            "author": info.author.name,
            "email": info.author.email,
            "subject": info.subject,
            "path": self.line.path,
            "was_line": self.line.was,
            "turn": str(self.turn) if self.turn else None,
        }


def blamed_lines(
    repo: Repository,
    start: str,
    path: str,
    progress: Callable[[int, int], None] | None = None,
) -> list[LineCause]:
    """Trace every line of a file back from a commit (an id)."""
    with repo.timeline(progress).jumps(start) as jump:
        lines = blame(repo, start, path, jump)
    commits = {line.commit.id: line.commit for line in lines}
    turns = {oid: cause(repo, info) for oid, info in commits.items()}
    return [LineCause(line, turns[line.commit.id]) for line in lines]
