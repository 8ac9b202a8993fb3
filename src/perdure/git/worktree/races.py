"""Detects git commands that began before our last commit and undid part of it.

git commands are not atomic over HEAD, index and refs (docs/durability.md, "Plain git beside it").
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from perdure.git.index import file as index_file
from perdure.git.index.file import IndexTrouble
from perdure.git.index.full import read_index
from perdure.git.index.session_cache import Mark, mark_of
from perdure.git.objects.tree import Blobs, oid_of
from perdure.git.worktree.git_folder import GitFolder

LastCommits = tuple[str, dict[str, tuple[tuple[str | None, ...], str | None]]]
"""Branch that was checked out at the last commits; per path former blobs and the last."""
NOTHING: LastCommits = ("", {})


class RaceDetector:
    """What our last commits put into the index and the work tree.

    Attributes:
        last: which they were.
        seen: the index file that was last looked at, or written by us.
    """

    def __init__(self, git: GitFolder) -> None:
        self._git = git
        self._index = git.layout.own / "index"
        self.last = NOTHING
        self.seen: Mark | None = None

    def note(self, branch: str, blobs: Blobs) -> None:
        """Remember what we put into index and work tree, and on which branch."""
        known = self.last[1] if self.last[0] == branch else {}
        fresh = {}
        for path, (old, new) in blobs.items():
            before = known[path][0] if path in known else ()
            # As many as a chunk has turns: an editor of `git commit` may be open for all of them.
            former = (*before, oid_of(old))[-512:]
            fresh[path] = (former, oid_of(new))
        kept = {path: oid for path, oid in known.items() if path not in fresh}
        self.last = (branch, dict([*kept.items(), *fresh.items()][-16:]))

    def ours(self, paths: Iterable[str]) -> dict[str, list[str | None]]:
        """What we last put into index and work tree, whatever the tip holds now.

        ``git checkout -b`` reads the tip, and switches HEAD some milliseconds later: a turn that
        is committed in between is on the old branch, and index and work file have it on the new one
        as if it were staged there.
        """
        known = self.last[1]
        return {path: [known[path][1]] for path in paths if path in known}

    def stale(
        self, branch: str, stats: Mapping[str, os.stat_result | None]
    ) -> dict[str, list[str | None]]:
        """Blobs that an index entry may hold because git overwrote our index with an older one.

        Only where the work file is ours: with an older version there, too, somebody has checked it
        out.
        """
        was, known = self.last
        return {
            path: [*(known[path][0] if was == branch else ()), known[path][1]]
            for path, found in stats.items()
            if path in known and (found is not None or was != branch)
        }

    def is_overwritten(self, rests: Callable[[], bool]) -> bool:
        """Whether another program wrote the index with an entry from before our last commit.

        git reads the index before it locks it, to commit: it can put an older one over ours and
        then fail because the tip has moved. `git checkout -f` that has read the tip before the
        commit does so to the work file, too; and so does a switch that has not moved HEAD yet.

        Args:
            rests: whether HEAD and index stay as they are for a moment.
        """
        branch, known = self.last
        head = self._git.refs.head()
        if not known or head.branch != branch or head.commit is None:
            return False
        try:
            found = self._index.stat()
            seen = mark_of(found)
            if seen == self.seen:
                return False
            present = index_file.below(read_index(self._index, self._git.trees), known)
        except (OSError, IndexTrouble):
            return False
        self.seen = seen
        root = self._git.trees.root(head.commit)
        for path, (former, new) in known.items():
            there = oid_of(self._git.trees.node(root, path))
            staged = present[path][-1].oid if path in present else None
            if there == new != staged and staged in former:
                is_file_left = self._git.work.holds(path, new)
                if is_file_left or (self._git.work.holds(path, staged) and rests()):
                    self.seen = None
                    return True
        return False

    def is_carried_over(self, commit: str) -> bool:
        """Whether index or work tree carried our commit over to another branch.

        ``git checkout -b`` may have read the tip before the commit, and switched HEAD after it.
        """
        root = self._git.trees.root(commit)
        ours = {
            path: new
            for path, (_, new) in self.last[1].items()
            if oid_of(self._git.trees.node(root, path)) != new
        }
        if any(self._git.work.holds(path, new) for path, new in ours.items()):
            return True
        try:
            present = index_file.below(read_index(self._index, self._git.trees), ours)
        except (OSError, IndexTrouble):
            return False
        return any(
            (present[path][-1].oid if path in present else None) == new
            for path, new in ours.items()
        )
