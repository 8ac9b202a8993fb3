"""The plan of one operation, which is carried out completely or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from perdure.git.refs.refs import Head, RefMove

Accepted = Mapping[str, Collection[str | None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one operation does.

    Attributes:
        op: the commit that tells of it.
        log: where the log of operations was before.
        moves: refs that change.
        before: HEAD before.
        after: HEAD after; its branch may be new.
        accepted: per path more blobs that file and index may have (a merge that is concluded).
        done: names of files of git's in the work tree's git folder that go at the end.
    """

    op: str
    log: str | None
    moves: tuple[RefMove, ...]
    before: Head
    after: Head
    accepted: Accepted = field(default_factory=dict)
    done: tuple[str, ...] = ()

    @property
    def touches_work(self) -> bool:
        """Whether it moves HEAD, and with it the index and the work tree."""
        return self.before != self.after or bool(self.done)
