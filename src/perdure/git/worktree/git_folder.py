"""One git folder and the work tree beside it, as whoever reads or writes them is given them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure.git.layout import Layout
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree import Trees
from perdure.git.refs.refs import Refs

if TYPE_CHECKING:
    from perdure.git.worktree.files import WorkTree


@dataclass(frozen=True, slots=True)
class GitFolder:
    """A git folder: where everything is, its objects, trees and refs, and the work tree."""

    layout: Layout
    store: ObjectStore
    trees: Trees
    refs: Refs
    work: WorkTree

    @classmethod
    def at(cls, layout: Layout, store: ObjectStore | None = None) -> GitFolder:
        """What is in some folders; ``store``: their objects, where those are being read already."""
        from perdure.git.worktree.files import WorkTree  # a plan reads no work tree

        store = store or ObjectStore(layout.git_dir / "objects")
        work = WorkTree(layout.work, layout.spare)
        return GitFolder(layout, store, Trees(store), Refs(layout), work)
