"""Kept lines: commits that no branch or tag leads to any more, so that a backup holds them too.

The log of operations keeps them on this device, where undo finds them. It does not travel; each
line that only it reaches gets a ref ``refs/perdure/kept/<its tip>``, which does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.git.operations import log as oplog
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, OPS, TAGS, RefMove
from perdure.git.remotes.reconcile import KEPT

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository


def lines_to_keep(repo: Repository, extra: tuple[str, ...] = ()) -> list[RefMove]:
    """The refs that are to be made, for every hidden line that has none.

    Args:
        repo: the repository.
        extra: tips that are about to lose their branch or tag.
    """
    parts = repo.parts()
    refs = parts.refs
    known = refs.names(KEPT)
    hidden = [*extra, *_hidden(repo)]
    wanted = [oid for oid in dict.fromkeys(hidden) if KEPT + oid not in known]
    if not wanted:
        return []
    shown = {**refs.names(HEADS), **refs.names(TAGS)}
    tips = [_commit(repo, oid) for oid in {*shown.values(), *known.values()} - set(extra)]
    reach = Reach(repo.commit_info, parts.boundary)
    kept = [tip for tip in tips if tip is not None]
    moves = []
    for oid in wanted:
        commit = _commit(repo, oid)
        if commit is None:
            continue
        if commit == oid and not reach.hidden(oid, [tip for tip in kept if tip != oid]):
            continue
        kept.append(commit)
        moves.append(RefMove(KEPT + oid, None, oid))
    return moves


def _hidden(repo: Repository) -> list[str]:
    """Tips that operations have hidden, the newest first."""
    entries = oplog.walk_log(repo.parts().refs.read(OPS), repo.commit_info)
    operations = [entry.id for entry in entries]
    known = set(operations)
    parents = (parent for oid in operations for parent in repo.commits.parents(oid))
    # The operation before is a parent too, but of the first one, which has hidden tips only.
    return [oid for oid in parents if oid not in known]


def _commit(repo: Repository, oid: str) -> str | None:
    """The commit that an id leads to; None where it leads to something else."""
    store = repo.parts().store
    for _ in range(10):
        kind, data = store.read(oid)
        if kind == b"commit":
            return oid
        if kind != b"tag":
            return None
        oid = data[7:47].decode("ascii", "replace")
    return None
