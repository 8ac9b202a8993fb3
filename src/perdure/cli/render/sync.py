"""What a sync, a push, a pull or a clone did, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from perdure.git.refs.refs import short_name
from perdure.git.remotes.reconcile import KEPT
from perdure.plural import plural

if TYPE_CHECKING:
    from perdure.actions.agreement import UnagreedSetting
    from perdure.rescue.clone import Cloned
    from perdure.rescue.sync import SyncResult
    from perdure.snapshot.revisions.ahead import Ahead
    from perdure.views.companions import Overview

_SHOWN = 5
_NAMED = 10
"""Branches and tags that are named one by one."""


def result_lines(result: SyncResult, *, gives: bool = True) -> Iterator[str]:
    """What came and what went, one line each; ``gives``: whether anything was to go."""
    yield from _moved(f"From {result.remote}", result.came)
    for ref in result.merged:
        yield f"Both sides had something new on {short_name(ref)}; it is brought together."
    yield from _moved(f"To {result.remote}", result.sent)
    for ref, side in result.gone.items():
        where = "here too" if side == "here" else f"on {result.remote} too"
        yield f"{short_name(ref)} was taken away, and now {where}; its line is kept."
    for ref in result.differ:
        yield (
            f"The tag {short_name(ref)} names one thing here and another on {result.remote}: each "
            "side keeps its own."
        )
    for ref in sorted(result.stays):
        yield (
            f"{short_name(ref)} is no longer here, and {result.remote} keeps it: "
            f"{result.refused[ref]}."
        )
    if any(ref.startswith(KEPT) for ref in result.refused):
        yield f"{result.remote} takes no kept lines: what you undid or deleted stays here only."
    if result.is_level and not (result.came or result.sent or result.gone):
        nothing = "has everything already" if gives else "has nothing new"
        yield f"{result.remote} {nothing}."


def _moved(start: str, refs: dict[str, Ahead]) -> Iterator[str]:
    kept = sum(ref.startswith(KEPT) for ref in refs)
    shown = [ref for ref in refs if not ref.startswith(KEPT)]
    for ref in shown[:_NAMED]:
        brought = f": {refs[ref]}" if refs[ref] else ""
        yield f"{start}: {short_name(ref)}{brought}."
    if len(shown) > _NAMED:
        more = plural(len(shown) - _NAMED, "more branch or tag", "more branches or tags")
        yield f"{start}: {more}."
    if kept:
        yield f"{start}: {plural(kept, 'kept line')}."


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
