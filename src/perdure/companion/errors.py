"""What can be wrong with a companion's files.

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
    """``file`` cannot be read at ``line`` (from 1; 0 where the whole file is meant)."""

    def __init__(
        self, file: str, line: int, problem: str, kept: str = "", next_step: str = ""
    ) -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {problem}", kept, next_step)
        self.file = file
        self.line = line
        self.problem = problem


class NewerFormat(BadFile):
    """The companion was written in a format that this version does not know."""

    def __init__(self, file: str, line: int, found: int, known: int) -> None:
        super().__init__(
            file,
            line,
            f"this companion has format {found}, this version of perdure knows format {known}",
            kept="nothing was changed",
            next_step="upgrade perdure, or open it read-only",
        )
        self.found = found
        self.known = known


class NoSuchTurn(CompanionProblem):
    """The chunk does not have that turn, or not what is asked for in it."""


class NoSuchAnswer(CompanionProblem):
    """The turn does not have that answer."""


class BadName(CompanionProblem):
    """A name that is empty, too long, or holds path or control characters."""


class BadFact(CompanionProblem):
    """A fact without words, or one that is too long; a topic that is none."""


class UnknownTemplate(CompanionProblem):
    """No template has that name."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something in a file that could not be read as the format has it. ``line`` counts from 1."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class FileTrouble:
    """A `Trouble` of one of several files: the file's path, the line (0: the whole file), what."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"
