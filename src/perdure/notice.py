"""What the user is told besides an answer or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should see: an outside edit committed, a trimmed context, a recovery."""

    text: str
    level: Literal["info", "warning"] = "info"
