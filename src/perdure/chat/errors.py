"""What can keep a turn, or a whole session, from going on."""

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


class NothingToAnswer(ChatProblem):
    """`resume` was asked for, but the last message has its reply."""


class UnknownTurn(ChatProblem):
    """No turn answers to the name that was given."""


class UnknownFact(ChatProblem):
    """No fact, or no proposal, answers to the name that was given."""


class UnknownMoment(ChatProblem):
    """Words that name no commit, date or turn of this history."""


class TurnRunning(ChatProblem):
    """A second message was sent while a reply is still streaming."""


class BoundariesThere(ChatProblem):
    """The persona has a boundaries file already."""


class LeavesMachine(ChatProblem):
    """A backend further down the list is a hosted one, and nobody agreed to that beforehand."""


class SessionClosed(ChatProblem):
    """Something was asked of a session that has been closed."""


class CannotRemember(ChatProblem):
    """A summary or a proposal cannot be written as things stand."""
