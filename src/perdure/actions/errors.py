"""Why an act on a companion cannot be done."""

from __future__ import annotations

from perdure.snapshot.errors import RequestProblem


class CannotAct(RequestProblem):
    """Base of these errors; also raised for what fits none of the others."""


class CannotRevert(CannotAct):
    """A commit that revert cannot take back: a turn, a merge, the first one, one undone."""


class CannotRestore(CannotAct):
    """These files cannot be restored."""


class NothingToRestore(CannotRestore):
    """The files are already as they were then."""


class Archived(CannotAct):
    """The companion is in the archive: she can be read, and not talked to."""


class NotProven(CannotAct):
    """Nothing proves that a copy of everything is kept elsewhere."""


class BoundariesThere(RequestProblem):
    """The persona already has a boundaries file."""
