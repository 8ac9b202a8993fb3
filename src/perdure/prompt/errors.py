"""Why a prompt cannot be made."""

from __future__ import annotations

from perdure.errors import Problem


class MemoryProblem(Problem):
    """Base of this room's errors."""


class PersonaTooLarge(MemoryProblem):
    """The persona and the newest message alone do not fit; neither is ever trimmed."""


class UnknownAssembly(MemoryProblem):
    """This version lacks the rules by which a prompt was put together."""


class ChoiceMissing(MemoryProblem):
    """A recorded choice names something that the tree lacks."""
