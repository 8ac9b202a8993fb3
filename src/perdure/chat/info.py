"""What a face shows of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from perdure.companion.ids import ConversationId


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a status line shows; a fresh value at each read.

    ``backend`` and ``model`` spoke last, ``next_backend`` and ``next_model`` are asked next:
    ``once`` for the next reply only; ``rehearsal`` where that is the small embedded model.
    ``window`` and ``used`` count tokens; 0 until a prompt was made.
    """

    companion: str
    user: str
    branch: str
    backend: str
    model: str
    rehearsal: bool
    conversation: ConversationId | None
    window: int
    used: int
    saved_at: datetime | None
    path: Path
    next_backend: str
    next_model: str
    once: bool
    away: bool
    """The one that is asked next did not answer when it was asked last."""
