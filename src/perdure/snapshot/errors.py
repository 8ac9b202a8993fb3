"""What can keep a companion, or a part of it, from being read."""

from __future__ import annotations

from perdure.errors import Problem


class ChatProblem(Problem):
    """Base of this room's errors."""


class NotACompanion(ChatProblem):
    """The folder is no companion repository."""


class NewerCompanion(ChatProblem):
    """The companion was written by a newer perdure; it can be read, not continued."""


def newer_companion(problem: Problem) -> NewerCompanion:
    """What to tell where ``companion.yaml`` names a newer format."""
    return NewerCompanion(
        problem.what,
        kept="Nothing was changed",
        next_step="Update perdure; until then git and an editor read everything",
    )


class NoBackend(ChatProblem):
    """No backend is set up, or its manifest is missing."""


class UnknownTurn(ChatProblem):
    """No turn answers to the name that was given."""


class UnknownFact(ChatProblem):
    """No fact, or no proposal, answers to the name that was given."""


class UnknownMoment(ChatProblem):
    """Words that name no commit, date or turn of this history."""
