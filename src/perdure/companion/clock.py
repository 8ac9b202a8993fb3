"""The current time as perdure writes it down: aware, local, whole seconds."""

from __future__ import annotations

from datetime import datetime


def now() -> datetime:
    """The current time in the user's own time zone."""
    return datetime.now().astimezone().replace(microsecond=0)
