"""What can keep a companion, or a part of it, from being read."""

from __future__ import annotations

from perdure.errors import Problem


class RequestProblem(Problem):
    """Base of the errors of reading a companion and acting on her: what was asked cannot be."""


class NotACompanion(RequestProblem):
    """The folder is no companion repository."""


class NewerCompanion(RequestProblem):
    """The companion was written by a newer perdure; it can be read, not continued."""


def newer_companion(problem: Problem) -> NewerCompanion:
    """What to tell where ``companion.yaml`` names a newer format."""
    return NewerCompanion(
        problem.what,
        kept="Nothing was changed",
        next_step="Update perdure; until then git and an editor read everything",
    )


class NoBackend(RequestProblem):
    """No backend is set up, or its manifest is missing."""


class UnknownTurn(RequestProblem):
    """No turn answers to the name that was given."""


class UnknownFact(RequestProblem):
    """No fact, or no proposal, answers to the name that was given."""


class NoRevision(RequestProblem):
    """Nothing in this history answers to the words: no commit, date or turn."""
