"""How long a driver waits for a server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from perdure.backends.protocol import BackendSpec


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, an answer, the first word of a reply, and each later one.

    The first word comes when the model is loaded and the prompt is read: minutes on a machine
    without a graphics card.
    """

    connect: float = 5.0
    answer: float = 30.0
    first: float = 600.0
    between: float = 120.0
    whole: float = 3600.0
    """Beside ``first``, for a whole reply: one that drips on for ever holds up every other."""


def timeouts_of(spec: BackendSpec) -> Timeouts:
    """The manifest's timeouts, with defaults for the rest.

    Its ``timeout`` is the longest silence of the server, before the first word too.
    """
    usual = Timeouts()
    connect = spec.connect_timeout or usual.connect
    if not spec.timeout:
        return replace(usual, connect=connect)
    answer = min(usual.answer, spec.timeout)
    return Timeouts(connect, answer, spec.timeout, spec.timeout, max(usual.whole, spec.timeout))


class ReplyTimeouts:
    """The timeouts of one reply, counted from when the request leaves."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._ends = asyncio.get_running_loop().time() + timeouts.first + timeouts.whole

    def next(self, *, spoke: bool) -> asyncio.Timeout:
        """The time allowed for the next part; ``spoke``: a word has come already."""
        silence = self._timeouts.between if spoke else self._timeouts.first
        return asyncio.timeout_at(min(asyncio.get_running_loop().time() + silence, self._ends))
