"""Turns that ``git commit -a`` removed because their work file could not be written in time.

The file is from before them then, and git takes that for somebody's edit. The pending sync
(`PendingSync`) names the blobs that the file may still have: where the tip has one of them again,
and the newest is in its past, nobody meant it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from perdure.git.commit.write_order import PendingCommit
from perdure.git.layout import shallow_ends
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree import Change, Trees, oid_of
from perdure.git.refs.ancestry import first_line

_FAR = 256
"""Commits of the first line that are looked through for the newest blob."""


def commits_to_restore(
    branch: str,
    tip: str,
    former: Mapping[str, Sequence[str | None]],
    store: ObjectStore,
    trees: Trees,
) -> Iterator[PendingCommit]:
    """Pending commits that restore what was removed, with their original messages.

    Args:
        branch: the branch that is checked out.
        tip: its commit.
        former: per path the blobs of the pending sync, the newest last.
        store: the objects.
        trees: the trees.
    """
    for path, oids in former.items():
        if not oids:
            continue
        newest, here = oids[-1], _oid(trees, tip, path)
        if newest is None or here == newest or here not in oids[:-1]:
            continue
        commit = _brought(tip, path, newest, store, trees)
        if commit is None:
            continue
        message = store.read(commit)[1].partition(b"\n\n")[2]
        text, author = message.decode("utf-8", "replace"), store.commit(commit).author
        change, now = Change(path, store.read(newest)[1]), datetime.now().astimezone()
        yield PendingCommit([change], text, author, branch, now, {path: here})


def _oid(trees: Trees, commit: str, path: str) -> str | None:
    return oid_of(trees.node(trees.root(commit), path))


def _brought(tip: str, path: str, oid: str, store: ObjectStore, trees: Trees) -> str | None:
    """The commit before a tip that added a blob; None if there is none."""
    ends = shallow_ends(store.folder.parent)
    found = None
    for info in islice(first_line(store.commit, tip, ends), _FAR):
        if _oid(trees, info.id, path) == oid:
            found = info.id
        elif found is not None:
            break
    return found
