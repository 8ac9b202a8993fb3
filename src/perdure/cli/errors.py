"""Errors that a command finds before it calls any other room."""

from __future__ import annotations

from perdure.errors import Problem


class CommandProblem(Problem):
    """Base of this room's errors."""


class UnknownCompanion(CommandProblem):
    """No companion has that name, or several exist and none was named."""


class LostCompanion(CommandProblem):
    """The companion's folder lacks its companion.yaml, its branch or its repository."""
