"""What this device has summarised already, by branch and conversation.

So that a summary which somebody took away, or a proposal which somebody rejected, does not come
back by itself. Losing it costs that it may come back once.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from perdure.companion.ids import ConversationId
from perdure.git.disk import make_folder, replace_file

_NAME = "remembered.json"
_KEPT = 500


@dataclass(frozen=True, slots=True)
class MemoryMark:
    """How far one conversation was done on one branch; -1: not at all."""

    summary: int = -1
    facts: int = -1
    asked: str = ""
    """The model that was asked for the summary last, whatever came of it."""


class MemoryProgress:
    """The marks of one companion on this device, in ``state/``."""

    def __init__(self, state: Path) -> None:
        self._path = state / _NAME
        self._marks: dict[str, MemoryMark] = {}
        with contextlib.suppress(OSError, msgspec.DecodeError, ValueError, RecursionError):
            self._marks = msgspec.json.decode(self._path.read_bytes(), type=dict[str, MemoryMark])

    def of(self, branch: str, conversation: ConversationId) -> MemoryMark:
        """How far it was done."""
        return self._marks.get(f"{branch} {conversation}", MemoryMark())

    def note(
        self,
        branch: str,
        conversation: ConversationId,
        *,
        summary: int | None = None,
        facts: int | None = None,
        asked: str | None = None,
    ) -> None:
        """Note what was done. A disk that takes no more is no trouble: it is done once more."""
        key = f"{branch} {conversation}"
        mark = self._marks.pop(key, MemoryMark())
        self._marks[key] = MemoryMark(
            mark.summary if summary is None else summary,
            mark.facts if facts is None else facts,
            mark.asked if asked is None else asked,
        )
        kept = dict(list(self._marks.items())[-_KEPT:])
        text = json.dumps({key: asdict(mark) for key, mark in kept.items()}, indent=1)
        with contextlib.suppress(OSError):
            make_folder(self._path.parent)
            replace_file(self._path, f"{text}\n".encode(), synced=False)
