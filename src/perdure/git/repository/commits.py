"""The commits of a repository: by revision, by id, and in the order of a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from perdure.git.errors import DamagedRepository
from perdure.git.layout import shallow_ends
from perdure.git.objects.commit import OID, CommitInfo
from perdure.git.objects.tree import FileChange
from perdure.git.refs.refs import check_branch
from perdure.git.refs.revisions import Revisions
from perdure.git.timeline import walk
from perdure.git.worktree.git_folder import GitFolder

_KEPT = 4096
_LONG_MESSAGE = 32 * 1024
"""Characters of a message above which a commit is not kept."""


class Commits:
    """The commits of one repository, cached once read."""

    def __init__(self, git: GitFolder) -> None:
        self._git = git
        self._kept: dict[str, CommitInfo] = {}

    def resolve(self, rev: str) -> str:
        """Id of the commit that a revision names.

        Raises:
            UnknownRevision: none, or more than one.
        """
        return Revisions(self._git.store, self._git.refs).resolve(rev)

    def info(self, rev: str) -> CommitInfo:
        """The commit that a revision names.

        Raises:
            UnknownRevision: there is no such commit.
            DamagedRepository: it cannot be read.
        """
        # Walks ask for whole ids, which are nothing else, whatever branches are called.
        if OID.fullmatch(rev):
            with suppress(DamagedRepository):
                return self.read(rev)
        return self.read(self.resolve(rev))

    def read(self, oid: str) -> CommitInfo:
        """One commit, by its whole id.

        Raises:
            DamagedRepository: it cannot be read, or is something else.
        """
        known = self._kept.get(oid)
        if known is None:
            known = self._git.store.commit(oid)
            if oid in self.shallow_ends():
                # As git has it: what came before is not here, and no walk goes there.
                known = replace(known, parents=())
            if len(known.subject) + len(known.body) > _LONG_MESSAGE:
                return known
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[oid] = known
        return known

    def log(
        self,
        *,
        rev: str | None = None,
        paths: Sequence[str] = (),
        limit: int | None = None,
        skip: int = 0,
    ) -> Iterator[CommitInfo]:
        """List commits, newest first.

        Args:
            rev: where to begin; HEAD without one.
            paths: only commits that changed these files or folders.
            limit: how many at most.
            skip: how many to leave out first.
        """
        start = self.resolve(rev) if rev is not None else self._git.refs.head().commit
        if start is None:
            return iter(())
        found = walk.walk(
            start,
            read=self.read,
            trees=self._git.trees,
            paths=[path.strip("/") for path in paths],
            boundary=self.shallow_ends(),
        )
        return islice(found, skip, None if limit is None else skip + limit)

    def shallow_ends(self) -> frozenset[str]:
        """The commits where a shallow clone ends; what came before is not here."""
        return shallow_ends(self._git.layout.git_dir)

    def parents(self, rev: str) -> tuple[str, ...]:
        """The parents of a commit; none at the end of a shallow clone."""
        info = self.info(rev)
        return () if info.id in self.shallow_ends() else info.parents

    def changed(self, commit: str) -> list[FileChange]:
        """What a commit changed against its first parent, everything for one without."""
        info, parents = self.info(commit), self.parents(commit)
        return self._git.trees.difference(
            self.read(parents[0]).tree if parents else None, info.tree
        )

    def is_on_branch(self, branch: str, commit: str) -> bool:
        """Whether a commit is in the history of a branch."""
        from perdure.git.refs.ancestry import Reach

        tip = self._git.refs.read(check_branch(branch))
        if tip is None:
            return False
        try:
            return Reach(self.read).is_ancestor(commit, tip)
        except DamagedRepository:
            return False
