"""What can keep a turn, or a whole session, from going on."""

from __future__ import annotations

from perdure.snapshot.errors import ChatProblem


class NothingToAnswer(ChatProblem):
    """`resume` was asked for, but the last message has its reply."""


class TurnRunning(ChatProblem):
    """A second message was sent while a reply is still streaming."""


class LeavesMachine(ChatProblem):
    """A backend further down the list is a hosted one, and nobody agreed to that beforehand."""


class SessionClosed(ChatProblem):
    """Something was asked of a session that has been closed."""


class CannotRemember(ChatProblem):
    """A summary or a proposal cannot be written as things stand."""
