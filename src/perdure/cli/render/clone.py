"""What a clone brought, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.agreement import UnagreedSetting
    from perdure.rescue.clone import Cloned
    from perdure.views.companions import Overview

_SHOWN = 5


def clone_lines(
    came: Cloned, row: Overview, waiting: Sequence[str], settings: Sequence[UnagreedSetting]
) -> Iterator[str]:
    """Who she is and where, and what is next: backends and settings to be agreed to."""
    count = plural(row.conversations, "conversation")
    last = f", the last message from {row.last:%Y-%m-%d %H:%M}" if row.last else ""
    yield f"{row.name} is here: {count}{last}."
    yield f"She is in {came.path}, on {came.branch}."
    if came.named and came.named != came.branch:
        yield f"The remote names the branch {came.named}, which has no companion."
    for path, reason in came.left_out[:_SHOWN]:
        yield f"Not written: {path} ({reason})"
    if len(came.left_out) > _SHOWN:
        yield f"… and {plural(len(came.left_out) - _SHOWN, 'more file')}."
    if waiting:
        yield f"Not used until you confirm where they lead: {', '.join(waiting)}."
    if settings:
        yield f"Does not count here until you agree: {'; '.join(map(str, settings))}."
    if waiting or settings:
        yield "To look at it: perdure backend confirm"
