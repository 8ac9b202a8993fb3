"""Pushes refs to a remote, and only ever forward.

One conversation says what the remote has and then sends: whoever was quicker is noticed in it, and
nothing is sent. A large first push goes in slices, the oldest first, each a step forward of its
branch, so that a cut costs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perdure.git.packs.outgoing import outgoing, slices
from perdure.git.refs.refs import HEADS
from perdure.git.remotes.reconcile import travelling
from perdure.git.wire.transport import PushOrder

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.git.wire.transport import Advertised, Transport

Moves = Mapping[str, str | None]
"""Where refs are to stand on the remote; None takes one away."""
Decide = Callable[[Mapping[str, str]], Moves | None]
"""Given the remote's refs, where they are to stand; None where it must be fetched from first."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of a push.

    Attributes:
        refs: the remote's refs afterwards.
        moved: those that this push moved: where each was, and where it is.
        refused: those that the remote refused, with its reason.
        behind: the remote has something that is not here: nothing was sent.
    """

    refs: dict[str, str]
    moved: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    behind: bool = False


def push(
    repo: Repository, transport: Transport, decide: Decide, progress: Callable[[str], None]
) -> Pushed:
    """Push what ``decide`` says, given what the remote has.

    Raises:
        RemoteProblem: the remote cannot be reached, or refused all of it.
        DamagedRepository: an object that is to be sent is missing or broken.
    """
    refs: dict[str, str] = {}
    done: dict[str, tuple[str | None, str | None]] = {}
    refused: dict[str, str] = {}
    cuts: dict[str, list[str]] = {}
    while True:
        step = _Step(repo, decide, cuts, progress)
        result = transport.push(step, progress)
        refs = travelling(result.advertised.refs)
        if step.behind:
            return Pushed(refs, done, refused, behind=True)
        sent = {ref: oid for ref, oid in step.moves.items() if ref not in result.refused}
        for ref, oid in sent.items():
            done[ref] = (done[ref][0] if ref in done else refs.get(ref)), oid
            if oid is None:
                refs.pop(ref, None)
            else:
                refs[ref] = oid
        refused |= result.refused
        if step.is_last or result.refused or not sent:
            return Pushed(refs, done, refused)


class _Step:
    """One conversation of a push: called with what the remote has, says what to send."""

    def __init__(
        self,
        repo: Repository,
        decide: Decide,
        cuts: dict[str, list[str]],
        progress: Callable[[str], None],
    ) -> None:
        """``cuts``: where large branches are cut, by their tips; kept from one to the next."""
        self._repo = repo
        self._decide = decide
        self._cuts = cuts
        self._progress = progress
        self.moves: dict[str, str | None] = {}
        self.behind = False
        self.is_last = True

    def __call__(self, advertised: Advertised) -> PushOrder | None:
        there = travelling(advertised.refs)
        wanted = self._decide(there)
        if wanted is None:
            self.behind = True
            return None
        if not wanted:
            return None
        parts = self._repo.parts()
        known = list(parts.store.stored(there.values()))
        self.moves = dict(wanted)
        first = self._first_slice(known)
        if first is not None:
            self.moves, self.is_last = first, False
        new = [oid for oid in self.moves.values() if oid is not None]
        return PushOrder(self.moves, outgoing(parts, new, known))

    def _first_slice(self, known: list[str]) -> dict[str, str | None] | None:
        """The next step of a branch that is too large for one push; None where none is.

        The newest branch goes first: it has most of what the others have.
        """
        read = self._repo.commit_info
        tips = [
            (read(oid).committed_at, ref, oid)
            for ref, oid in self.moves.items()
            if ref.startswith(HEADS) and oid is not None
        ]
        for _, ref, oid in sorted(tips, reverse=True):
            if oid not in self._cuts:
                self._progress("looking at what is to be sent")
                self._cuts[oid] = slices(self._repo.parts(), oid, known)
            left = [cut for cut in self._cuts[oid] if cut not in self._sent(oid, known)]
            count = len(self._cuts[oid])
            if count > 1 and left:
                self._progress(f"sending part {count - len(left) + 1} of {count}")
            if len(left) > 1:
                return {ref: left[0]}
        return None

    def _sent(self, tip: str, known: list[str]) -> set[str]:
        """Which cuts of a branch the remote has: up to the last one that a ref there names."""
        cuts = self._cuts[tip]
        there = set(known)
        last = max((at for at, cut in enumerate(cuts) if cut in there), default=-1)
        return set(cuts[: last + 1])
