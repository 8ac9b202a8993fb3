"""The current time as perdure writes it down: aware, local, whole seconds."""

from __future__ import annotations

from datetime import datetime


def now() -> datetime:
    """The current time in the user's own time zone."""
    return datetime.now().astimezone().replace(microsecond=0)


def read_time(text: object) -> datetime | None:
    """A time with its offset, in ISO 8601; None for anything else."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
