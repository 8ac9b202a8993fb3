"""Objects that a new commit needs but no ref reaches, so that git may remove them."""

from __future__ import annotations

from functools import cache

from perdure.git.errors import HistoryError
from perdure.git.layout import shallow_ends
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree import FOLDER, Trees
from perdure.git.refs.ancestry import Reach
from perdure.git.refs.refs import Refs

_SUBMODULE = 0o160000


def unreached(
    start: str, store: ObjectStore, trees: Trees, refs: Refs
) -> list[tuple[str, bytes, bytes]]:
    """The objects that a commit needs and no ref reaches: id, kind and content.

    Reflogs are not counted: they may be emptied at any time. Of a commit's files those are named
    that its first parent has not at that path.

    Raises:
        DamagedRepository: something of it is gone already.
    """
    read = cache(store.commit)
    tips = set(refs.names("refs/").values())
    head = refs.head().commit
    if start in tips or start == head:
        return []
    reach = Reach(read, shallow_ends(store.folder.parent))
    known = [tip for tip in {*tips, head or start} - {start} if _is_commit(store, tip)]
    found: dict[str, None] = {}
    for commit in reversed(reach.hidden(start, known)):
        found[commit] = None
        parents = reach.parents(commit)
        _new_below(trees, read(commit).tree, read(parents[0]).tree if parents else None, found)
    return [(oid, *store.read(oid)) for oid in found]


def _is_commit(store: ObjectStore, oid: str) -> bool:
    try:
        return store.read(oid)[0] == b"commit"
    except HistoryError:
        return False


def _new_below(trees: Trees, new: str, old: str | None, found: dict[str, None]) -> None:
    """Note a tree and all below it that another one does not have at the same place."""
    todo = [(new, old)]
    while todo:
        after, before = todo.pop()
        if after == before or after in found:
            continue
        found[after] = None
        there = trees.entries(before) if before else {}
        for name, (mode, oid) in trees.entries(after).items():
            was = there.get(name)
            if was is not None and was[1] == oid:
                continue
            if mode == FOLDER:
                todo.append((oid, was[1] if was is not None and was[0] == FOLDER else None))
            elif mode != _SUBMODULE:
                found[oid] = None
