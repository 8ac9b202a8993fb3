"""What can keep a turn, or a whole session, from going on."""

from __future__ import annotations

from perdure.snapshot.errors import RequestProblem


class NothingToAnswer(RequestProblem):
    """`resume` was asked for, but the last message has its reply."""


class TurnRunning(RequestProblem):
    """A second message was sent while a reply is still streaming."""


class LeavesMachine(RequestProblem):
    """A backend further down the list is a hosted one, and nobody agreed to that beforehand."""


class SessionClosed(RequestProblem):
    """Something was asked of a session that has been closed."""


class CannotRemember(RequestProblem):
    """A summary or a proposal cannot be written as things stand."""
