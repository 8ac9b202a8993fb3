"""Why a companion, or a part of it, cannot be read."""

from __future__ import annotations

from perdure.errors import Problem


class RequestProblem(Problem):
    """Base of errors about what was asked of a companion: it cannot be read, or done."""


class NotACompanion(RequestProblem):
    """The folder is no companion repository."""


class NewerCompanion(RequestProblem):
    """The companion was written by a newer perdure: it can be read, and not continued."""


def newer_companion(problem: Problem) -> NewerCompanion:
    """The error where ``companion.yaml`` names a newer format."""
    return NewerCompanion(
        problem.what,
        kept="Nothing was changed",
        next_step="Update perdure; until then git and an editor read everything",
    )


class NoBackend(RequestProblem):
    """No backend is set up, or its manifest is missing."""


class UnknownTurn(RequestProblem):
    """No turn has the given name."""


class UnknownFact(RequestProblem):
    """No fact and no proposal has the given name."""


class NoRevision(RequestProblem):
    """The words name no commit, date or turn of this history."""
