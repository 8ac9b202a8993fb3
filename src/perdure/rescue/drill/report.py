"""What a drill found out about one remote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal

Depth = Literal["quick", "full", "speak"]


class Verdict(Enum):
    """What came of a drill; a finding is of the same kinds."""

    PROVEN = "proven"
    """It came back, and it is all that is here. As a finding: worth telling, and no more."""
    UNPROVEN = "unproven"
    """It could not be tried, or something here is not among what came back."""
    BROKEN = "broken"
    """It does not come back, or not whole."""


_ORDER = (Verdict.PROVEN, Verdict.UNPROVEN, Verdict.BROKEN)


@dataclass(frozen=True, slots=True)
class DrillFinding:
    """One thing that was found.

    Attributes:
        kind: how bad it is.
        what: a sentence without its full stop.
        next_step: what the user can do; may be empty.
    """

    kind: Verdict
    what: str
    next_step: str = ""

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {"kind": self.kind.value, "what": self.what, "next": self.next_step or None}


@dataclass(frozen=True, slots=True)
class BranchTurns:
    """Turns of a branch: here, and in what came back; None where it has no such branch."""

    name: str
    here: int | None
    there: int | None


@dataclass(frozen=True, slots=True)
class RestoredReply:
    """What the restored companion said through one backend. ``problem``: why it said nothing."""

    backend: str
    text: str = ""
    seconds: float = 0.0
    problem: str = ""


@dataclass(slots=True)
class DrillReport:
    """A drill of one remote.

    Attributes:
        remote: its name.
        url: its address.
        depth: how much was tried.
        at: when it began.
        seconds: how long it took.
        tips: the remote's refs; empty unless all that they lead to came back.
        covers: commits that are here, and came back with all of their past.
        newest: commit time of the newest commit that came back, in seconds since 1970.
        branches: turns of each branch that either side has.
        objects: objects that were hashed and connected.
        chunks: chunk files that were read.
        prompts: prompts that were rebuilt from the copy and compared by their hash.
        replies: what was said, of a drill that speaks.
        findings: what was found, the worst first once it is ended.
    """

    remote: str
    url: str
    depth: Depth
    at: datetime
    seconds: float = 0.0
    tips: Mapping[str, str] = field(default_factory=dict)
    covers: list[str] = field(default_factory=list)
    newest: float = 0.0
    branches: list[BranchTurns] = field(default_factory=list)
    objects: int = 0
    chunks: int = 0
    prompts: int = 0
    replies: list[RestoredReply] = field(default_factory=list)
    findings: list[DrillFinding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The worst of what was found."""
        found = (finding.kind for finding in self.findings)
        return max(found, key=_ORDER.index, default=Verdict.PROVEN)

    def add(self, kind: Verdict, what: str, next_step: str = "") -> None:
        """Add a finding."""
        self.findings.append(DrillFinding(kind, what, next_step))

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "remote": self.remote,
            "url": self.url,
            "depth": self.depth,
            "verdict": self.verdict.value,
            "at": self.at.isoformat(),
            "seconds": round(self.seconds, 2),
            "branches": {
                each.name: {"here": each.here, "there": each.there} for each in self.branches
            },
            "objects": self.objects,
            "chunks": self.chunks,
            "prompts": self.prompts,
            "replies": [
                {
                    "backend": each.backend,
                    "text": each.text or None,
                    "seconds": round(each.seconds, 2),
                    "problem": each.problem or None,
                }
                for each in self.replies
            ],
            "findings": [each.to_dict() for each in self.findings],
        }
