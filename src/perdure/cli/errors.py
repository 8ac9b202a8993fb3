"""What can be wrong with a command before any room is asked."""

from __future__ import annotations

from perdure.errors import Problem


class CommandProblem(Problem):
    """Base of this room's errors."""


class UnknownCompanion(CommandProblem):
    """No companion goes by that name, or none was named and several are there."""


class LostCompanion(CommandProblem):
    """A companion's folder without its companion.yaml, its branch or its repository."""
