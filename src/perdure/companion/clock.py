"""The time as it is written down: aware, local, whole seconds."""

from __future__ import annotations

from datetime import datetime


def now() -> datetime:
    """Now, in the user's local time."""
    return datetime.now().astimezone().replace(microsecond=0)
