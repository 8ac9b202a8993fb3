"""Problems with a companion's files.

```
CompanionProblem
├── BadFile        a file that cannot be read as its format has it; names file and line
│   └── NewerFormat  written by a newer version; may still be opened read-only
├── NoSuchTurn     a chunk without that turn
├── NoSuchAnswer   a turn without that answer
├── BadName        a name that cannot become a folder
├── BadFact        a fact without words, or too long; a topic that is none
└── UnknownTemplate
```
"""

from __future__ import annotations

from dataclasses import dataclass

from perdure.errors import Problem


class CompanionProblem(Problem):
    """Base of this room's errors."""


class BadFile(CompanionProblem):
    """``file`` cannot be read at ``line`` (from 1; 0 means the whole file)."""

    def __init__(
        self, file: str, line: int, problem: str, kept: str = "", next_step: str = ""
    ) -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {problem}", kept, next_step)
        self.file = file
        self.line = line
        self.problem = problem


class NewerFormat(BadFile):
    """The companion's format is newer than this version of perdure."""

    def __init__(self, file: str, line: int, found: int, known: int) -> None:
        super().__init__(
            file,
            line,
            f"this companion uses format {found}, but this version of perdure knows format {known}",
            kept="nothing was changed",
            next_step="upgrade perdure, or open it read-only",
        )
        self.found = found
        self.known = known


class NoSuchTurn(CompanionProblem):
    """The chunk lacks that turn, or what was asked for in it."""


class NoSuchAnswer(CompanionProblem):
    """The turn has no such answer."""


class BadName(CompanionProblem):
    """The name is empty, too long, or has path or control characters."""


class BadFact(CompanionProblem):
    """The fact is empty or too long, or its topic cannot be used."""


class UnknownTemplate(CompanionProblem):
    """There is no such template."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part of a file that does not follow the format. ``line`` counts from 1."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class FileTrouble:
    """A `Trouble` with its file: the path, the line (0: the whole file), what is wrong."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"
