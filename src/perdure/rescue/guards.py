"""What one side has lost, in numbers, before the other side follows it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from perdure.git.objects.tree import FileChange
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, short_name
from perdure.git.remotes.reconcile import RefStep, StepKind
from perdure.git.remotes.record import Pause
from perdure.git.repository.repository import Repository
from perdure.plural import plural
from perdure.snapshot.revisions.ahead import ahead

Side = Literal["here", "there"]

_SHARE = 10
"""A tenth of the turns may go unasked."""
_CONVERSATIONS, _PERSONA = "conversations", "persona"
_RESTORED = re.compile(r"^Restored from commit ([0-9a-f]{40})\.$", re.MULTILINE)
"""How `perdure.actions.history.restore` says where its files are from."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What a commit has no more that another had.

    Attributes:
        turns: turns that are gone.
        of: turns that there were; 0 where none is gone.
        persona: files of the persona that are gone.
        months: months of which all conversations are gone, as 2026-11.
    """

    turns: int = 0
    of: int = 0
    persona: tuple[str, ...] = ()
    months: tuple[str, ...] = ()

    @property
    def ask(self) -> bool:
        """Whether somebody must be asked before anything follows."""
        return bool(self.turns * _SHARE > self.of or self.persona or self.months)

    def __str__(self) -> str:
        parts = []
        if self.turns:
            parts.append(f"{self.turns:,} of {plural(self.of, 'turn')}")
        if self.months:
            parts.append(f"all conversations of {', '.join(self.months)}")
        if self.persona:
            parts.append(", ".join(self.persona[:5]))
        return " and ".join(parts) or "nothing"


def losses(repo: Repository, before: str, after: str) -> Losses:
    """What ``after`` has no more that ``before`` had; both are commits that are here.

    What undo took back, by a commit of its own, is not lost: somebody wanted that. Nor is a file of
    the persona that a restore to an earlier version removed, which did not have it. Counting all
    turns of a large companion takes a second; it is done only where some are gone.
    """
    gone = _turns_gone(repo, before, after)
    persona = _persona_gone(repo, before, after)
    if gone or persona:
        turns, files = _taken_back(repo, before, after)
        gone -= turns
        persona -= files
    months = {conversation[:7] for conversation, _ in gone}
    months &= _months(repo, before) - _months(repo, after)
    total = sum(1 for _ in _turns_below(repo, before)) if gone else 0
    return Losses(len(gone), total, tuple(sorted(persona)), tuple(sorted(months)))


def _taken_back(repo: Repository, before: str, after: str) -> tuple[set[tuple[str, int]], set[str]]:
    """Turns and files of the persona that an undo or a restore took away, on purpose."""
    undone: set[tuple[str, int]] = set()
    files: set[str] = set()
    for oid in Reach(repo.commit_info, repo.parts().boundary).hidden(after, [before]):
        info = repo.commit_info(oid)
        if not info.parents:
            continue
        restored = _RESTORED.search(info.body)
        if info.subject.startswith("revert: undo "):
            gone = _turns_gone(repo, info.parents[0], oid)
            undone |= gone if len(gone) == 1 else set()
            persona = _persona_gone(repo, info.parents[0], oid)
            files |= persona if len(persona) == 1 else set()
        elif restored is not None and repo.parts().store.has(restored[1]):
            earlier = _entries(repo, restored[1], _PERSONA)
            files |= _persona_gone(repo, info.parents[0], oid) - earlier.keys()
    return undone, files


def _persona_gone(repo: Repository, before: str, after: str) -> set[str]:
    """Files of the persona that are gone, and were not only renamed."""
    old, new = (_entries(repo, commit, _PERSONA) for commit in (before, after))
    return {path for path, oid in old.items() if path not in new and oid not in new.values()}


def _turns_gone(repo: Repository, before: str, after: str) -> set[tuple[str, int]]:
    roots = [repo.folder_oid(_CONVERSATIONS, commit) for commit in (before, after)]
    changes = repo.folder_difference(*roots)
    old = set(_turns(repo, changes, new=False))
    return old - set(_turns(repo, changes, new=True)) if old else set()


def _turns(
    repo: Repository, changes: Iterable[FileChange], *, new: bool
) -> Iterable[tuple[str, int]]:
    """The turns in one side of changed chunks, by conversation and number; no greetings."""
    from perdure.companion.conversation.chunk import (
        CHUNK_FILE_LIMIT,
        parse_chunk_path,
        turn_numbers,
    )

    for change in changes:
        oid = change.new_oid if new else change.old_oid
        named = parse_chunk_path(f"{_CONVERSATIONS}/{change.path}")
        if named is not None and oid is not None:
            data = repo.small(oid, CHUNK_FILE_LIMIT)
            for number in turn_numbers(data, f"{_CONVERSATIONS}/{change.path}"):
                if number:
                    yield str(named[0]), number


def _turns_below(repo: Repository, commit: str) -> Iterable[tuple[str, int]]:
    root = repo.folder_oid(_CONVERSATIONS, commit)
    return _turns(repo, repo.folder_difference(None, root), new=True)


def _entries(repo: Repository, commit: str, folder: str) -> dict[str, str]:
    return {entry.path: entry.oid for entry in repo.files(folder, commit)}


def _months(repo: Repository, commit: str) -> set[str]:
    return {name for name, is_folder in repo.names(_CONVERSATIONS, commit) if is_folder}


class Guard:
    """Looks at each step before it is taken, and stops what would lose something."""

    def __init__(self, repo: Repository, reach: Reach, keep: Side | None) -> None:
        """``keep``: the side that counts where a guard would stop; None: it stops."""
        self._repo, self._reach, self._keep = repo, reach, keep
        self._known: dict[tuple[str, str], Losses] = {}

    def look(self, step: RefStep) -> tuple[RefStep, Pause | None]:
        """A step as it may be taken, and why it may not be, None where it may."""
        if not step.ref.startswith(HEADS) or step.here is None or step.there is None:
            return step, None
        if step.step is StepKind.WENT_BACK:
            return self._went_back(step, step.here, step.there)
        if step.step is StepKind.UNRELATED:
            return self._unrelated(step)
        if step.step is StepKind.PUSH:
            return self._lossy(step, step.there, step.here, "here", StepKind.REPLACE)
        before = step.here
        if step.step is StepKind.MERGE:
            before = step.agreed or self._reach.merge_bases(step.here, step.there)[0]
        return self._lossy(step, before, step.there, "there", StepKind.RESTORE)

    def _went_back(self, step: RefStep, here: str, there: str) -> tuple[RefStep, Pause | None]:
        name = short_name(step.ref)
        if self._keep == "there":
            return replace(step, step=StepKind.REPLACE), None
        if self._keep == "here":
            if self._reach.is_ancestor(there, here):
                return replace(step, step=StepKind.PUSH), None
            is_related = self._reach.merge_bases(here, there)
            kind = StepKind.MERGE if is_related else StepKind.UNRELATED
            return replace(step, step=kind), None
        lost = ahead(self._repo, step.agreed or here, [there])
        text = f"{name} there went back: {lost} that it had are gone from it"
        return step, Pause(text, step.ref, here, there)

    def _unrelated(self, step: RefStep) -> tuple[RefStep, Pause | None]:
        if self._keep == "there":
            return replace(step, step=StepKind.REPLACE), None
        if self._keep == "here":
            return step, None
        name = short_name(step.ref)
        text = f"{name} there has no commit in common with {name} here"
        return step, Pause(text, step.ref, step.here, step.there)

    def _lossy(
        self, step: RefStep, before: str, after: str, side: Side, otherwise: StepKind
    ) -> tuple[RefStep, Pause | None]:
        """A step after which one side has what the other one made of it."""
        key = before, after
        if key not in self._known:
            self._known[key] = losses(self._repo, before, after)
        gone = self._known[key]
        if not gone.ask or self._keep == side:
            return step, None
        if self._keep is not None:
            return replace(step, step=otherwise), None
        text = f"{short_name(step.ref)} {side} has lost {gone}"
        return step, Pause(text, step.ref, step.here, step.there)
