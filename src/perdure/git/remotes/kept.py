"""Kept lines: commits that no branch or tag leads to any more, so that a backup holds them too.

The log of operations keeps them on this device, where undo finds them. It does not travel; each
line that only it reaches gets a ref ``refs/perdure/kept/<its tip>``, which does. A ref that is made
stays, also when redo brings its line back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from perdure.git import disk
from perdure.git.operations import log as oplog
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import HEADS, OPS, TAGS, RefMove
from perdure.git.remotes.reconcile import KEPT
from perdure.git.remotes.seen import make_refs

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_MOST = 16 * 1024 * 1024
_NONE: Mapping[str, str] = {}


class _Looked(msgspec.Struct, frozen=True):
    """Up to where the log was looked through, and the branches and tags that there were then."""

    log: str | None
    refs: dict[str, str]


def keep_lines(repo: Repository) -> None:
    """Make the refs of hidden lines that have none. Costs what the log has gained since last time.

    Raises:
        Busy, StorageFull, ReadOnly, WriteFailed: some are not made.
    """
    refs = repo.parts().refs
    now = _Looked(refs.read(OPS), _shown(repo))
    before = _read(repo)
    if now == before:
        return
    moves = lines_to_keep(repo)
    make_refs(repo, moves)
    if all(refs.read(move.ref) == move.new for move in moves):
        _write(repo, now)


def lines_to_keep(repo: Repository, losing: Mapping[str, str] = _NONE) -> list[RefMove]:
    """The refs that are to be made, for every hidden line that has none.

    Args:
        repo: the repository.
        losing: refs that are about to go, here or on a remote, each with the id that it has.
    """
    parts = repo.parts()
    known = parts.refs.names(KEPT)
    shown = {ref: oid for ref, oid in _shown(repo).items() if ref not in losing}
    reach = Reach(repo.commit_info, parts.boundary)
    hidden = [*losing.values(), *_hidden(repo, _looked_up_to(repo, reach, shown, known))]
    wanted = {oid: _commits(repo, [oid]) for oid in hidden if KEPT + oid not in known}
    if not wanted:
        return []
    tips = _commits(repo, {*shown.values(), *known.values()})
    lines = _lines(reach, {oid for oid, found in wanted.items() if found == [oid]}, tips)
    # A tag with words of its own is no commit, and no other line has it.
    return [
        RefMove(KEPT + oid, None, oid)
        for oid, found in wanted.items()
        if oid in lines or (found and found != [oid])
    ]


def kept_commits(repo: Repository) -> list[str]:
    """The ends of all hidden lines, those that have no ref yet too."""
    known = repo.parts().refs.names(KEPT).values()
    return list(dict.fromkeys(_commits(repo, [*_new(repo), *known])))


def _new(repo: Repository) -> list[str]:
    return [move.new for move in lines_to_keep(repo) if move.new is not None]


def _lines(reach: Reach, hidden: set[str], tips: list[str]) -> set[str]:
    """Those of some commits that neither a tip nor another of them has in its past."""
    alone = set(reach.unreached(hidden, tips))
    ends = hidden & alone
    below: set[str] = set()
    open_ = [parent for oid in ends for parent in reach.parents(oid)]
    while open_:
        oid = open_.pop()
        if oid in alone and oid not in below:
            below.add(oid)
            open_ += reach.parents(oid)
    return ends - below


def _looked_up_to(
    repo: Repository, reach: Reach, shown: Mapping[str, str], known: Mapping[str, str]
) -> str | None:
    """The entry of the log up to which nothing new can be hidden; None: the log's beginning.

    What was reachable then, and so needed no ref, must still be: by a branch, by a kept line, or by
    what a newer operation hides.
    """
    looked = _read(repo)
    if looked is None:
        return None
    moved = {ref: oid for ref, oid in looked.refs.items() if shown.get(ref) != oid}
    gone = [oid for ref, oid in moved.items() if not _is_ahead(repo, reach, oid, shown.get(ref))]
    if gone:
        left = _commits(repo, [*shown.values(), *known.values(), *_hidden(repo, looked.log)])
        if reach.unreached(_commits(repo, gone), left):
            return None
    return looked.log


def _is_ahead(repo: Repository, reach: Reach, old: str, new: str | None) -> bool:
    """Whether a ref only went on."""
    ends = _commits(repo, [old, new] if new is not None else [])
    return len(ends) == 2 and reach.is_ancestor(*ends)


def _hidden(repo: Repository, since: str | None) -> list[str]:
    """Tips that operations after an entry have hidden, the newest first."""
    entries: list[str] = []
    for entry in oplog.walk_log(repo.parts().refs.read(OPS), repo.commit_info):
        if entry.id == since:
            break
        entries.append(entry.id)
    # An entry's parents are the entry before it, unless it is the first, and what it hid.
    older: list[str | None] = [*entries[1:], since] if entries else []
    return [
        parent
        for oid, before in zip(entries, older, strict=True)
        for parent in repo.commits.parents(oid)
        if parent != before
    ]


def _shown(repo: Repository) -> dict[str, str]:
    refs = repo.parts().refs
    return {**refs.names(HEADS), **refs.names(TAGS)}


def _commits(repo: Repository, oids: Iterable[str]) -> list[str]:
    """The commits that ids lead to, those left out that lead to something else or nowhere."""
    return [found for oid in oids if (found := _commit(repo, oid)) is not None]


def _commit(repo: Repository, oid: str) -> str | None:
    store = repo.parts().store
    for _ in range(10):
        if not store.has(oid):
            return None
        kind = store.size(oid)[0]
        if kind != b"tag":
            return oid if kind == b"commit" else None
        oid = store.read(oid)[1][7:47].decode("ascii", "replace")
    return None


def _read(repo: Repository) -> _Looked | None:
    with contextlib.suppress(OSError, disk.TooLong, msgspec.MsgspecError, RecursionError):
        if repo.state.is_own():
            data = disk.read_file(repo.state_dir / "kept.json", most=_MOST)
            return msgspec.json.decode(data, type=_Looked)
    return None


def _write(repo: Repository, looked: _Looked) -> None:
    """Losing it costs a longer look."""
    with contextlib.suppress(OSError):
        repo.state.own()
        path = repo.state_dir / "kept.json"
        disk.replace_file(path, msgspec.json.encode(looked), synced=False)
