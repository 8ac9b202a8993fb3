"""Objects that a new commit needs but no ref reaches, so that git may remove them."""

from __future__ import annotations

from perdure.git.layout import shallow_ends
from perdure.git.objects.new_objects import NewObjects
from perdure.git.objects.store import ObjectStore
from perdure.git.refs.refs import Refs


def unreached(start: str, store: ObjectStore, refs: Refs) -> list[tuple[str, bytes, bytes]]:
    """The objects that a commit needs and no ref reaches: id, kind and content.

    Reflogs are not counted: they may be emptied at any time.

    Raises:
        DamagedRepository: something of it is gone already.
    """
    tips = set(refs.names("refs/").values())
    head = refs.head().commit
    if start in tips or start == head:
        return []
    found = NewObjects(store, shallow_ends(store.folder.parent), {*tips, head or start} - {start})
    found.run([start])
    return [(oid.hex(), *store.read(oid.hex())) for oid in found.wanted]
