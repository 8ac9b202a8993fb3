"""Syncs a companion with one remote: what is new on either side goes to the other.

A push alone is one conversation with the remote. Where the remote has something that is not here,
it is fetched, brought together with what is here in one operation, and the push is tried again.
Nothing is forced, and what a guard stops stays as it is on both sides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from perdure.git.errors import HistoryError
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, TAGS, short_name
from perdure.git.remotes.kept import keep_lines, lines_to_keep
from perdure.git.remotes.push import Pushed, push
from perdure.git.remotes.reconcile import KEPT, RefStep, StepKind, reconcile
from perdure.git.remotes.record import Pause, read_record, write_record
from perdure.git.remotes.seen import make_refs, note_branches, refuse_odd_branches
from perdure.git.remotes.settings import Remote
from perdure.git.wire.errors import RemoteProblem
from perdure.rescue.guards import Guard, Side
from perdure.snapshot.revisions.ahead import NOTHING_AHEAD, Ahead, ahead

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace
    from perdure.git.wire.transport import Transport

_NAMED = 5
"""Refused branches and tags that are named one by one."""
_ATTEMPTS = 8
"""How often a sync begins again where somebody else pushed in between, slices not counted."""

_BOTH = {StepKind.MERGE, StepKind.RESTORE, StepKind.UNRELATED}
"""Steps that make a commit here on top of both sides."""
_COMING = {StepKind.TAKE, StepKind.DROP_HERE, StepKind.REPLACE, *_BOTH}
"""Steps that change something here."""


@dataclass(slots=True)
class SyncResult:
    """What a sync did.

    Attributes:
        remote: name of the remote.
        sent: what the remote got, by branch or tag.
        came: what came from there, by branch or tag.
        gone: branches and tags that were taken away, each with the side: here or there.
        merged: branches on which both sides had moved.
        waits: what could not be brought together now, each with the reason.
        refused: what the remote refused, each with its reason.
        stays: those of them that were to be taken away there.
        differ: tags that name one thing here and another there; each side keeps its own.
        pause: why nothing more is done until somebody decides; None: nothing is in the way.
    """

    remote: str
    sent: dict[str, Ahead] = field(default_factory=dict)
    came: dict[str, Ahead] = field(default_factory=dict)
    gone: dict[str, Side] = field(default_factory=dict)
    merged: list[str] = field(default_factory=list)
    waits: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    stays: set[str] = field(default_factory=set)
    differ: list[str] = field(default_factory=list)
    pause: Pause | None = None

    @property
    def is_level(self) -> bool:
        """Whether nothing is left that should have gone there or come here.

        A place that takes no kept lines is level without them, and one that lets nobody take
        anything away has more, not less.
        """
        return not (self.waits or self.lacks or self.pause)

    @property
    def lacks(self) -> dict[str, str]:
        """Branches and tags that the remote has refused to take, each with its reason."""
        return {
            ref: why
            for ref, why in self.refused.items()
            if ref not in self.stays and not ref.startswith(KEPT)
        }

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "remote": self.remote,
            "sent": {ref: each.to_dict() for ref, each in self.sent.items()},
            "came": {ref: each.to_dict() for ref, each in self.came.items()},
            "gone": self.gone,
            "merged": self.merged,
            "waits": self.waits,
            "refused": self.refused,
            "differ": self.differ,
            "paused": self.pause.reason if self.pause else None,
            "level": self.is_level,
        }


class Sync:
    """One sync of one companion with one remote."""

    def __init__(
        self,
        workspace: Workspace,
        remote: Remote,
        transport: Transport,
        *,
        takes: bool = True,
        gives: bool = True,
        keep: Side | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare it.

        Args:
            workspace: the companion.
            remote: the remote.
            transport: the way there.
            takes: whether what the remote has comes here.
            gives: whether what is here goes there.
            keep: which side counts where a guard stops; None: it stops.
            progress: called with what is being done, in words.
        """
        self._workspace, self._repo = workspace, workspace.repo
        self._remote, self._transport = remote, transport
        self._takes, self._gives = takes, gives
        self._progress = progress
        self._record = read_record(self._repo, remote.name, remote.url)
        self._reach = Reach(self._repo.commit_info, self._repo.parts().boundary)
        self._guard = Guard(self._repo, self._reach, keep)
        self._done = SyncResult(remote.name)
        self._refused_at: dict[str, str | None] = {}
        """Where the remote had a ref when it refused to move it."""

    def run(self) -> SyncResult:
        """Do it.

        Raises:
            RemoteProblem: the remote cannot be reached, or sends what cannot be taken.
            HistoryError: something here is in the way; what was done before stays.
        """
        try:
            there = self._rounds()
        except HistoryError as problem:
            self._note(trouble=problem.what)
            raise
        note_branches(self._repo, self._remote.name, there)
        left = not_level(self._done) if self._done.pause is None else None
        trouble = left.what if left is not None else ""
        self._note(agreed=self._agreed(there), pause=self._done.pause, trouble=trouble)
        return self._done

    def _rounds(self) -> dict[str, str]:
        """Rounds until nothing is left to do; returns the remote's refs, those that are here."""
        keep_lines(self._repo)
        for _ in range(_ATTEMPTS):
            pushed = push(self._repo, self._transport, self._decide, self._progress)
            self._count(pushed)
            if pushed.refused:
                # Somebody may have been quicker: the next look tells.
                continue
            there = pushed.refs
            if pushed.behind:
                from perdure.git.remotes.fetch import fetched

                with fetched(self._repo, self._transport, self._progress) as got:
                    note_branches(self._repo, self._remote.name, got.refs)
                    there = got.refs
                    self._bring(there)
            there = self._here_of(there)
            left = self._looked_at(there)
            if not (self._to_send(left) or any(self._comes(step) for step in left)):
                if not self._takes:
                    both = (step.ref for step in left if step.step in _BOTH)
                    self._done.waits |= dict.fromkeys(both, "both sides have something new on it")
                return there
        raise RemoteProblem(
            f"others kept pushing to {self._remote.name} at the same time",
            "everything is here, and nothing of theirs was overwritten",
            "try again in a minute",
        )

    # What there is to do

    def _refs(self) -> dict[str, str]:
        refs = self._repo.parts().refs
        return {**refs.names(HEADS), **refs.names(TAGS), **refs.names(KEPT)}

    def _here_of(self, there: Mapping[str, str]) -> dict[str, str]:
        here = self._repo.parts().store.stored(there.values())
        return {ref: oid for ref, oid in there.items() if oid in here}

    def _looked_at(self, there: Mapping[str, str]) -> list[RefStep]:
        """What is to be done about every ref, guards heeded; all the remote has must be here."""
        branch, here = self._repo.head().branch, self._refs()
        new = {ref: oid for ref, oid in there.items() if here.get(ref) != oid}
        refuse_odd_branches(self._repo.parts().store, new)
        steps = reconcile(
            here,
            there,
            self._record.agreed,
            current=f"{HEADS}{branch}" if branch else None,
            is_ancestor=self._reach.is_ancestor,
            related=lambda one, other: bool(self._reach.merge_bases(one, other)),
        )
        self._done.pause = None
        self._done.differ = [step.ref for step in steps if step.step is StepKind.DIFFER]
        found = []
        for step in steps:
            allowed, pause = self._guard.look(step)
            if pause is None:
                found.append(allowed)
            elif self._done.pause is None:
                self._done.pause = pause
        return found

    def _decide(self, there: Mapping[str, str]) -> dict[str, str | None] | None:
        """What goes to the remote; None where something has to come from there first."""
        for ref in [ref for ref, at in self._refused_at.items() if there.get(ref) != at]:
            del self._refused_at[ref], self._done.refused[ref]
            self._done.stays.discard(ref)
        if len(self._here_of(there)) < len(there):
            return None
        steps = self._looked_at(there)
        if any(self._comes(step) for step in steps):
            return None
        losing = {
            step.ref: step.there
            for step in steps
            if step.step is StepKind.DROP_THERE and step.there is not None
        }
        if losing and (kept := lines_to_keep(self._repo, losing)):
            # As git deletes a branch, its line is kept by nobody.
            make_refs(self._repo, kept)
            steps = self._looked_at(there)
        return self._to_send(steps)

    def _comes(self, step: RefStep) -> bool:
        """Whether a step changes something here."""
        return self._takes and step.step in _COMING and step.ref not in self._done.waits

    def _to_send(self, steps: Sequence[RefStep]) -> dict[str, str | None]:
        """Refs to move there. What is taken away goes last, when its line is kept there."""
        if not self._gives:
            return {}
        steps = [step for step in steps if step.ref not in self._done.refused]
        moves = {step.ref: step.here for step in steps if step.step is StepKind.PUSH}
        if moves or any(ref.startswith(KEPT) for ref in self._done.refused):
            return dict(moves)
        return {step.ref: None for step in steps if step.step is StepKind.DROP_THERE}

    # What is done

    def _bring(self, there: Mapping[str, str]) -> None:
        from perdure.rescue.arrival import Arrival

        if not self._takes:
            return
        self._workspace.commit_hand_edits()
        coming = [step for step in self._looked_at(there) if self._comes(step)]
        arrival = Arrival(self._workspace, self._remote.name)
        arrival.bring(coming)
        self._done.waits |= arrival.waits
        self._done.merged += arrival.merged
        for move in arrival.moves:
            if move.new is None:
                self._done.gone[move.ref] = "here"
            else:
                self._done.came[move.ref] = self._new(move.ref, move.new, move.old)

    def _count(self, pushed: Pushed) -> None:
        self._done.refused |= pushed.refused
        self._done.stays |= pushed.refused.keys() - self._refs().keys()
        self._refused_at |= {ref: pushed.refs.get(ref) for ref in pushed.refused}
        for ref, (old, new) in pushed.moved.items():
            if new is None:
                self._done.gone[ref] = "there"
            else:
                self._done.sent[ref] = self._done.sent.get(ref, NOTHING_AHEAD) + self._new(
                    ref, new, old
                )

    def _new(self, ref: str, new: str, old: str | None) -> Ahead:
        """What one side of a branch got."""
        if not ref.startswith(HEADS):
            return NOTHING_AHEAD
        kept = [old] if old is not None else []
        return ahead(self._repo, new, kept)

    # What is remembered

    def _agreed(self, there: Mapping[str, str]) -> dict[str, str]:
        """What both sides have alike, and what was agreed of what they have not."""
        here = self._refs()
        known = self._record.agreed
        alike = {ref: oid for ref, oid in there.items() if here.get(ref) == oid}
        # A ref that neither has any more is nobody's business.
        return alike | {
            ref: oid
            for ref, oid in known.items()
            if ref not in alike and (ref in here or ref in there)
        }

    def _note(
        self,
        agreed: dict[str, str] | None = None,
        pause: Pause | None = None,
        trouble: str = "",
    ) -> None:
        now = time.time()
        record = msgspec.structs.replace(self._record, tried_at=now, trouble=trouble)
        if agreed is not None:
            at = now if self._done.is_level else record.synced_at
            record = msgspec.structs.replace(record, agreed=agreed, pause=pause, synced_at=at)
        write_record(self._repo, self._remote.name, record)


def not_level(result: SyncResult) -> RemoteProblem | None:
    """What a sync left undone, as an error; None where nothing is left."""
    name = result.remote
    if result.pause is not None:
        return RemoteProblem(
            f"{name}: {result.pause.reason}",
            "both sides stay as they are, and syncing with it is paused",
            f"perdure sync {name} --keep here, or: perdure sync {name} --keep there",
        )
    if result.lacks:
        return RemoteProblem(
            f"{name} refused {_with_reasons(result.lacks)}",
            "nothing was overwritten there, and everything is here",
            "ask whoever runs it, or add another remote",
        )
    if result.waits:
        ref, reason = next(iter(result.waits.items()))
        what = "a kept line" if ref.startswith(KEPT) else short_name(ref)
        return RemoteProblem(
            f"{what} of {name} waits: {reason}",
            "both sides stay as they are",
            f"perdure sync {name}",
        )
    return None


def _with_reasons(refused: Mapping[str, str]) -> str:
    """As in "main, first: declined; side: protected"."""
    shown = list(refused)[:_NAMED]
    told = [
        f"{', '.join(short_name(ref) for ref in shown if refused[ref] == reason)}: {reason}"
        for reason in dict.fromkeys(refused[ref] for ref in shown)
    ]
    more = len(refused) - len(shown)
    return "; ".join([*told, *([f"and {more} more"] if more else [])])
