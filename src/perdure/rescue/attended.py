"""A sync that somebody looks on at: what comes before it, what it asks about, what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perdure.git.errors import HistoryError
from perdure.git.refs.refs import short_name
from perdure.git.remotes.reconcile import KEPT
from perdure.git.wire.errors import RemoteProblem
from perdure.plural import plural
from perdure.rescue.first_push import HoldsFindings, check_first_push
from perdure.rescue.run import chosen_remotes, keep_secret, sync_each
from perdure.rescue.sync import SyncResult, not_level

if TYPE_CHECKING:
    from perdure.actions.companion.outgoing_check import HistoryFindings
    from perdure.actions.workspace import Workspace
    from perdure.git.remotes.settings import Remote
    from perdure.git.wire.connect import EarlyConnection
    from perdure.rescue.guards import Side
    from perdure.snapshot.revisions.ahead import Ahead

Tell = Callable[[str], None]
_NAMED = 10
"""Branches and tags that are named one by one."""


@dataclass
class SyncOutcome:
    """What came of syncing with one or several remotes.

    Attributes:
        results: of those that could be asked.
        failed: the others, each with the reason.
        conflicts: places that two devices changed differently, and nobody has settled; counted
            only where something came.
    """

    results: list[SyncResult] = field(default_factory=list)
    failed: list[tuple[Remote, HistoryError]] = field(default_factory=list)
    conflicts: int = 0

    def problems(self) -> list[HistoryError]:
        """What went wrong, and what was left undone."""
        found = [_named(remote, problem) for remote, problem in self.failed]
        return found + [each for result in self.results if (each := not_level(result)) is not None]

    def to_dicts(self) -> list[dict[str, object]]:
        """As plain data, a remote each."""
        rows = [result.to_dict() for result in self.results]
        return rows + [
            {"remote": remote.name, "level": False, "problem": problem.what}
            for remote, problem in self.failed
        ]

    def describe(self, *, gives: bool = True) -> Iterator[str]:
        """What came and what went, a sentence each; what went wrong is left out."""
        for result in self.results:
            yield from result_lines(result, gives=gives)

    def in_short(self) -> str:
        """The same in one line: counts, and no names of branches."""
        return " ".join(_in_short(result) for result in self.results)


def _named(remote: Remote, problem: HistoryError) -> HistoryError:
    """A problem that says which remote it is about."""
    if re.search(rf"\b{re.escape(remote.name)}\b", problem.what):
        return problem
    return HistoryError(f"{remote.name}: {problem.what}", problem.kept, problem.next_step)


def chosen_for(workspace: Workspace, name: str | None, note: Tell) -> list[Remote]:
    """The remotes to sync with, the passwords that stood in their addresses in the keyring.

    Args:
        workspace: the companion.
        name: of the remote; None: all of them.
        note: called with what was done, in words.

    Raises:
        RemoteProblem: there is no such remote, or none at all.
    """
    return [_keep_secret(workspace, each, note) for each in chosen_remotes(workspace.repo, name)]


def _keep_secret(workspace: Workspace, remote: Remote, note: Tell) -> Remote:
    """Move a password that somebody else wrote into the remote's address, and say so."""
    if remote.secret is None:
        return remote
    try:
        remote = keep_secret(workspace.repo, remote)
    except RemoteProblem:
        # Said in its turn, after the remotes before it.
        return remote
    note(
        f"The password in the address of {remote.name} was moved to the keyring; .git/config no "
        "longer has it."
    )
    return remote


def save_edits(workspace: Workspace, note: Tell) -> None:
    """Commit what was edited by hand: whoever backs up means the files that they see."""
    from perdure.actions.concerns import KINDS
    from perdure.errors import Problem

    try:
        found = workspace.repo.edits.find(tuple(KINDS))
        if not (found.ready or found.held):
            return
        done = workspace.commit_hand_edits()
        for text in done.committed:
            note(text)
        for text in done.held:
            note(f"Not committed: {text}")
    except Problem as problem:
        # What is committed goes all the same.
        note(f"Not committed, and so not sent: {problem}")


def unagreed_findings(
    workspace: Workspace, remotes: Iterable[Remote], progress: Tell
) -> Iterator[tuple[Remote, HistoryFindings]]:
    """What first pushes would take along that looks like keys, and nobody has agreed to.

    Whoever agrees has it accepted by `perdure.actions.companion.outgoing_check.accept`; the others
    are told by the sync, in their turn.
    """
    for remote in remotes:
        try:
            check_first_push(workspace.repo, remote, progress)
        except HoldsFindings as problem:
            yield remote, problem.findings
        except RemoteProblem:
            continue


def sync_attended(
    workspace: Workspace,
    remotes: Sequence[Remote],
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Side | None = None,
    progress: Tell = lambda _: None,
    early: EarlyConnection | None = None,
) -> SyncOutcome:
    """Sync with several remotes; what fails is in the outcome. Arguments: `sync_each`."""
    done = SyncOutcome()
    for remote, found in sync_each(
        workspace, remotes, takes=takes, gives=gives, keep=keep, progress=progress, early=early
    ):
        if isinstance(found, HistoryError):
            done.failed.append((remote, found))
        else:
            done.results.append(found)
    if any(each.came for each in done.results):
        from perdure.actions.sync.conflicts import recent_places

        tip = workspace.repo.head().commit
        done.conflicts = recent_places(workspace.repo, tip) if tip else 0
    return done


# In words


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


def _in_short(result: SyncResult) -> str:
    parts = []
    if result.came:
        parts.append(f"{_counted(result.came)} from {result.remote}")
    if result.sent:
        parts.append(f"{_counted(result.sent)} to {result.remote}")
    if result.gone:
        parts.append(f"{plural(len(result.gone), 'branch or tag', 'branches or tags')} taken away")
    if parts:
        return f"{'; '.join(parts)}."
    return f"{result.remote} has everything already." if result.is_level else ""


def _counted(refs: dict[str, Ahead]) -> str:
    """Turns and changes; where there are none, how many branches, tags and kept lines."""
    first, *rest = refs.values()
    for each in rest:
        first += each
    if first:
        return str(first)
    kept = sum(ref.startswith(KEPT) for ref in refs)
    parts = [plural(kept, "kept line")] if kept else []
    if more := len(refs) - kept:
        parts.insert(0, plural(more, "branch or tag", "branches or tags"))
    return " and ".join(parts)
