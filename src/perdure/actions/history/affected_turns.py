"""Which turns were answered with a change in their past."""

from __future__ import annotations

from collections.abc import Sequence

from perdure.companion.ids import TurnId
from perdure.git.repository.repository import CommitInfo, Repository
from perdure.git.timeline.commit_info import turn_said
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.excluded import read_excluded
from perdure.snapshot.revisions.ahead import commits_ahead


def affected_turns(
    repo: Repository, parents: Sequence[str], change: str, tip: str
) -> tuple[TurnId, ...]:
    """The answered turns at the tip that were committed on top of a change.

    Args:
        repo: the repository.
        parents: the change's parents.
        change: id of the change.
        tip: id of the commit that the turns are looked for below.

    Returns:
        Their ids, oldest first; those that are set aside already are left out.
    """
    since = list(commits_ahead(repo, tip, parents))
    transcript, excluded = Transcript(repo, tip), read_excluded(repo, tip)
    found: dict[TurnId, None] = {}
    for info in reversed(_after(since, change)):
        said = turn_said(info, [file.path for file in repo.commits.changed(info.id)])
        turn_id = TurnId.read(said or "")
        turn = transcript.turn(turn_id) if turn_id else None
        if turn_id and turn and turn.replies and turn_id not in excluded:
            found[turn_id] = None
    return tuple(sorted(found))


def _after(commits: Sequence[CommitInfo], change: str) -> list[CommitInfo]:
    """The commits that have a change in their past, in the same order."""
    known = {info.id: info for info in commits}
    after: dict[str, bool] = {change: True}
    for start in commits:
        todo = [start.id]
        while todo:
            oid = todo[-1]
            parents = [parent for parent in known[oid].parents if parent in known]
            open_ones = [parent for parent in parents if parent not in after]
            if oid in after or not open_ones:
                after.setdefault(oid, any(after[parent] for parent in parents))
                todo.pop()
            else:
                todo += open_ones
    return [info for info in commits if after[info.id] and info.id != change]
