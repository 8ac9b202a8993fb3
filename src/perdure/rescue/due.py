"""When the background syncs: a pure function of what happened, and when."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.companion.config.settings import SyncPolicy

QUIET = 60.0
"""Seconds without a change after which a conversation counts as quiet."""
MOST_TURNS = 25
LONGEST = 600.0
"""Seconds after which a change is sent whatever goes on."""
FIRST_PAUSE, LAST_PAUSE = 15.0, 600.0
"""Seconds until the next try after a failure; twice as long each time."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not synced yet.

    Attributes:
        since: when the first of it was made, in seconds.
        latest: when the last of it was made.
        turns: turns among it.
        nudged: whether somebody said: now.
        failures: tries that failed in a row.
        failed_at: when the last of them did.
    """

    since: float
    latest: float
    turns: int = 0
    nudged: bool = False
    failures: int = 0
    failed_at: float = 0.0


def due_at(policy: SyncPolicy, waiting: Waiting) -> float | None:
    """The time, in seconds, from which on to sync; None: never by itself."""
    if policy == "off":
        return None
    if policy == "each turn" or waiting.nudged or waiting.turns >= MOST_TURNS:
        at = waiting.latest
    else:
        at = min(waiting.latest + QUIET, waiting.since + LONGEST)
    if waiting.failures:
        pause = min(FIRST_PAUSE * 2 ** (waiting.failures - 1), LAST_PAUSE)
        at = max(at, waiting.failed_at + pause)
    return at
