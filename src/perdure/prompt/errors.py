"""What can go wrong while a prompt is put together."""

from __future__ import annotations

from perdure.errors import Problem


class MemoryProblem(Problem):
    """Base of this room's errors."""


class PersonaTooLarge(MemoryProblem):
    """The persona and the newest message alone do not fit; neither is ever trimmed."""


class UnknownAssembly(MemoryProblem):
    """A prompt was put together by rules that this version does not have."""


class ChoiceMissing(MemoryProblem):
    """A recorded choice names something that the tree does not have."""
