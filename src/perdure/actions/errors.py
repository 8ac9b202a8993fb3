"""Why an act on a companion cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.snapshot.errors import RequestProblem

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository


class CannotAct(RequestProblem):
    """Base of these errors; also raised for what fits none of the others.

    ``kept`` is "nothing was changed" where nothing else is said.
    """

    def __init__(self, what: str, kept: str = "nothing was changed", next_step: str = "") -> None:
        super().__init__(what, kept, next_step)


def branch_of(repo: Repository) -> str:
    """The branch that is checked out. Raises CannotAct where none is."""
    branch = repo.head().branch
    if branch is None:
        raise CannotAct(
            "no branch is checked out here", next_step="switch to one with: perdure switch NAME"
        )
    return branch


class CannotRevert(CannotAct):
    """A commit that revert cannot take back: a turn, a merge, the first one, one undone."""


class CannotRestore(CannotAct):
    """These files cannot be restored."""


class NothingToRestore(CannotRestore):
    """The files are already as they were then."""


class Archived(CannotAct):
    """The companion is in the archive: you can read her, but not chat with her."""


class NotProven(CannotAct):
    """Nothing proves that a copy of everything is kept elsewhere."""


class BoundariesThere(RequestProblem):
    """The persona already has a boundaries file."""
