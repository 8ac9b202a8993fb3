"""What can keep an act on a companion from being done."""

from __future__ import annotations

from perdure.snapshot.errors import RequestProblem


class CannotAct(RequestProblem):
    """Base of these errors; also raised for what fits none of the others."""


class CannotRevert(CannotAct):
    """A commit that is not taken back by a revert: a turn, a merge, the first one, one undone."""


class CannotRestore(CannotAct):
    """Files that cannot be brought back as they were."""


class NothingToRestore(CannotRestore):
    """The files are now as they were then."""


class Archived(CannotAct):
    """The companion was put into the archive: she is read, not talked to."""


class NotProven(CannotAct):
    """Nothing shows that a copy of everything is kept elsewhere."""


class BoundariesThere(RequestProblem):
    """The persona has a boundaries file already."""
