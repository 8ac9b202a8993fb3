"""Brings what came from a remote together with what is here, in one operation.

Branches that are not checked out move at once. The one that is moves with its files, or waits where
somebody's edits, an open merge or a link are in the way; the conversation goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from perdure.actions.sync.tips import merge_tips
from perdure.companion.config.upgrades import SETTINGS, refuse_newer
from perdure.companion.errors import CompanionProblem, NewerFormat
from perdure.git.errors import (
    BadPath,
    CannotMerge,
    CheckedOutElsewhere,
    HistoryError,
    RefElsewhere,
    Unfinished,
    UnsavedEdits,
)
from perdure.git.operations.log import SYNC
from perdure.git.operations.operation import made_commit, perform
from perdure.git.refs.refs import HEADS, TAGS, RefMove, check_branch, short_name
from perdure.git.remotes.kept import lines_to_keep
from perdure.git.remotes.reconcile import RefStep, StepKind
from perdure.snapshot.author import device
from perdure.snapshot.companion import read_companion
from perdure.snapshot.errors import NotACompanion
from perdure.snapshot.files import check_counts, read_small_at

if TYPE_CHECKING:
    from perdure.actions.workspace import Workspace

_MOST_NEW = 500
"""Branches, tags and kept lines that one sync makes: each is flushed to the disk by itself."""
_TOO_MANY = f"it is one of more than {_MOST_NEW} new ones, of which each sync brings some"


class Arrival:
    """What one round brings. ``waits``: the refs that could not move now, each with the reason."""

    def __init__(self, workspace: Workspace, remote: str) -> None:
        self._workspace, self._repo, self._remote = workspace, workspace.repo, remote
        self.waits: dict[str, str] = {}
        self.moves: list[RefMove] = []
        self.merged: list[str] = []

    def bring(self, steps: Sequence[RefStep]) -> None:
        """Move the refs here as the steps say.

        Raises:
            HistoryError: nothing was moved, or nothing more.
        """
        branch = self._repo.head().branch
        current = f"{HEADS}{branch}" if branch else ""
        new = [step.ref for step in steps if step.step is StepKind.TAKE and step.here is None]
        self.waits |= dict.fromkeys(new[_MOST_NEW:], _TOO_MANY)
        steps = [step for step in steps if step.ref not in self.waits]
        with ExitStack() as made:
            # A line that comes from there may be one that is to be kept here as well.
            by_ref = {
                move.ref: move
                for step in steps
                for move in self._moves(step, made, is_current=step.ref == current)
            }
            moves = list(by_ref.values())
            for group in (
                [move for move in moves if move.ref != current],
                [move for move in moves if move.ref == current],
            ):
                self._perform(group)

    def _moves(self, step: RefStep, made: ExitStack, *, is_current: bool) -> list[RefMove]:
        if self._is_newer(step):
            self.waits[step.ref] = "it needs a newer perdure than this one"
            return []
        try:
            moves = self._moved(step, made)
        except HistoryError as problem:
            self.waits[step.ref] = problem.what
            return []
        if is_current and step.step in {StepKind.TAKE, StepKind.MERGE}:
            new = next((move.new for move in moves if move.ref == step.ref), None)
            if trouble := self._silences(step.here, new):
                self.waits[step.ref] = trouble
                return []
        if step.step is StepKind.MERGE:
            self.merged.append(step.ref)
        return moves

    def _silences(self, here: str | None, new: str | None) -> str:
        """Why nobody could talk with her any more after a step; "" where that stays as it is."""
        trouble = self._unreadable(new)
        return trouble if trouble and not self._unreadable(here) else ""

    def _unreadable(self, commit: str | None) -> str:
        try:
            if commit is not None:
                read_companion(self._repo, commit)
                check_counts(self._repo, commit)
        except NotACompanion:
            return f"it has no {SETTINGS}"
        except (CompanionProblem, HistoryError) as problem:
            return problem.what
        return ""

    def _moved(self, step: RefStep, made: ExitStack) -> list[RefMove]:
        here, there = step.here, step.there
        match step.step:
            case StepKind.TAKE:
                # Of all other lines the sync has kept what is to be kept before it began.
                moved = {step.ref: here} if here is not None and step.ref.startswith(TAGS) else {}
                kept = lines_to_keep(self._repo, moved) if moved else []
                return [*kept, RefMove(step.ref, here, there)]
            case StepKind.DROP_HERE if here is not None:
                kept = lines_to_keep(self._repo, {step.ref: here})
                return [*kept, RefMove(step.ref, here, None)]
            case StepKind.MERGE if here is not None and there is not None:
                merge = made.enter_context(merge_tips(self._repo, here, there))
                return [RefMove(step.ref, here, merge.commit)]
            case StepKind.RESTORE | StepKind.UNRELATED if here is not None and there is not None:
                moves = [self._restored(step.ref, here, there, made)]
                if step.step is StepKind.UNRELATED:
                    # Nobody would look for another companion's life below a merge.
                    name = self._repo.free_branch(f"{short_name(step.ref)}-{self._remote}")
                    moves.append(RefMove(check_branch(name), None, there))
                return moves
            case StepKind.REPLACE if here is not None and there is not None:
                return self._replaced(step.ref, here, there)
        return []

    def _restored(self, ref: str, here: str, there: str, made: ExitStack) -> RefMove:
        """The files as they are here, on top of both: a step forward for either side."""
        new = made.enter_context(
            made_commit(
                self._repo,
                (),
                parents=[here, there],
                files_of=here,
                message=f"merge: {short_name(ref)} as it is here\n",
                author=self._workspace.author,
            )
        )
        return RefMove(ref, here, new)

    def _replaced(self, ref: str, here: str, there: str) -> list[RefMove]:
        """What is there counts; what is here gets a branch of its own."""
        name = self._repo.free_branch(f"{short_name(ref)}-{device()}")
        return [RefMove(check_branch(name), None, here), RefMove(ref, here, there)]

    def _is_newer(self, step: RefStep) -> bool:
        """Whether a branch comes in a format that this version cannot write to."""
        if not step.ref.startswith(HEADS) or step.there is None:
            return False
        try:
            refuse_newer(read_small_at(self._repo, SETTINGS, step.there) or b"")
        except NewerFormat:
            return True
        return False

    def _perform(self, moves: list[RefMove]) -> None:
        """Move them in one operation; where one cannot move, the others by themselves."""
        if not moves:
            return
        try:
            perform(
                self._repo,
                SYNC,
                f"with {self._remote}",
                moves,
                author=self._workspace.author,
            )
            self.moves += moves
        except RefElsewhere:
            # A turn was committed meanwhile: the next round brings it together with that.
            return
        except (UnsavedEdits, Unfinished, CheckedOutElsewhere, CannotMerge, BadPath) as problem:
            if len(moves) == 1:
                self.waits[moves[0].ref] = problem.what
                return
            for move in moves:
                self._perform([move])
