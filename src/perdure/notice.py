"""Messages to the user other than answers and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know: a committed edit, a trimmed context, a recovery."""

    text: str
    level: Literal["info", "warning"] = "info"
