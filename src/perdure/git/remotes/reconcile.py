"""Decides for each ref which side follows the other; it only decides.

Compared are where a ref stands here, where it stands on the remote, and where both stood when they
were last seen to agree. Nothing is ever forced: whoever follows moves forward, and what moved on
both sides is merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from perdure.git.refs.refs import HEADS, TAGS, is_ref_name

KEPT = "refs/perdure/kept/"
"""Lines that no branch has any more; they are only ever added."""


class StepKind(Enum):
    """What is to be done about one ref."""

    PUSH = "push"
    """The remote gets what is here."""
    TAKE = "take"
    """What the remote has comes here."""
    MERGE = "merge"
    """Both moved: their merge is made here, and then goes there."""
    DROP_HERE = "drop here"
    """It was taken away there, and stands here where it stood."""
    DROP_THERE = "drop there"
    """It was taken away here, and stands there where it stood."""
    WENT_BACK = "went back"
    """The remote's tip is not a later one than both had agreed on."""
    UNRELATED = "unrelated"
    """The two have no commit in common. If the user says that this side counts: the files as they
    are here, on top of both, and a branch of its own for what was there."""
    DIFFER = "differ"
    """A tag that names one thing here and another there: each side keeps its own."""
    REPLACE = "replace"
    """On the user's word: what is there counts here, and what was here is kept as a line."""
    RESTORE = "restore"
    """On the user's word: the files as they are here, on top of both."""


@dataclass(frozen=True, slots=True)
class RefStep:
    """A decision about one ref. ``here`` and ``there``: its ids now, None: it is not there."""

    ref: str
    step: StepKind
    here: str | None
    there: str | None
    agreed: str | None = None


IsAncestor = Callable[[str, str], bool]


def travels(ref: str) -> bool:
    """Whether a ref goes to remotes: branches, tags and kept lines do."""
    return ref.startswith((HEADS, TAGS, KEPT))


def travelling(refs: Mapping[str, str]) -> dict[str, str]:
    """The remote's refs that a companion shares, those with names that git would take."""
    return {ref: oid for ref, oid in refs.items() if travels(ref) and is_ref_name(ref)}


def reconcile(
    here: Mapping[str, str],
    there: Mapping[str, str],
    agreed: Mapping[str, str],
    *,
    current: str | None,
    is_ancestor: IsAncestor,
    related: IsAncestor,
) -> list[RefStep]:
    """Decide about every ref that differs.

    Args:
        here: the refs here that travel, by full name.
        there: the remote's.
        agreed: what both had when they were last seen to have the same.
        current: the branch's ref that is checked out; it is never taken away here.
        is_ancestor: whether the first commit is the second or in its past; both are here.
        related: whether two commits have one in common.
    """
    found = []
    for ref in sorted({*here, *there, *agreed}):
        if not travels(ref):
            continue
        ours, theirs, base = here.get(ref), there.get(ref), agreed.get(ref)
        if ours == theirs:
            continue
        if ours is None or theirs is None:
            step = _one_sided(ref, ours, theirs, base, current)
        elif ref.startswith(KEPT):
            continue
        elif ref.startswith(TAGS):
            step = _tag(ours, theirs, base)
        else:
            step = _branch(ours, theirs, base, is_ancestor, related)
        found.append(RefStep(ref, step, ours, theirs, base))
    return found


def _one_sided(
    ref: str, ours: str | None, theirs: str | None, base: str | None, current: str | None
) -> StepKind:
    """A ref that one side has, or none."""
    if ref.startswith(KEPT):
        return StepKind.PUSH if theirs is None else StepKind.TAKE
    if theirs is None:
        return StepKind.DROP_HERE if ours == base and ref != current else StepKind.PUSH
    return StepKind.DROP_THERE if theirs == base else StepKind.TAKE


def _tag(ours: str, theirs: str, base: str | None) -> StepKind:
    if ours == base:
        return StepKind.TAKE
    return StepKind.PUSH if theirs == base else StepKind.DIFFER


def _branch(
    ours: str, theirs: str, base: str | None, is_ancestor: IsAncestor, related: IsAncestor
) -> StepKind:
    if base is not None and not is_ancestor(base, theirs):
        return StepKind.WENT_BACK
    if is_ancestor(theirs, ours):
        return StepKind.PUSH
    if is_ancestor(ours, theirs):
        return StepKind.TAKE
    return StepKind.MERGE if related(ours, theirs) else StepKind.UNRELATED
