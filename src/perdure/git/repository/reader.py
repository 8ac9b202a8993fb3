"""Reading a repository at its commits: no work tree, and nothing that writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git.errors import DamagedRepository, too_many
from perdure.git.layout import Layout, shallow_ends
from perdure.git.objects.commit import CommitInfo, parse_commit
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree import FOLDER, Entry, FileChange, Trees
from perdure.git.refs.refs import Head, Refs, check_branch, free_branch
from perdure.git.refs.revisions import Revisions
from perdure.git.timeline import walk

if TYPE_CHECKING:
    from perdure.git.timeline.timeline import Timeline


MOST_READ = 16 * 1024 * 1024
"""Bytes of a file that is read, where nothing else is said."""
_LONG_MESSAGE = 32 * 1024
"""Characters of a message above which a commit is not kept."""


class Reader:
    """The commits of one repository, and what stands at them.

    Attributes:
        git_dir: the common git folder.
    """

    def __init__(self, place: Layout) -> None:
        self._layout = place
        self.git_dir = place.git_dir
        self._store = ObjectStore(place.git_dir / "objects")
        self._trees = Trees(self._store)
        self._refs = Refs(place)
        self._commits: dict[str, CommitInfo] = {}

    @property
    def cache_dir(self) -> Path:
        """The folder of what can be rebuilt from the commits."""
        return self.git_dir / "perdure" / "cache"

    def head(self) -> Head:
        """What is checked out."""
        return self._refs.head()

    def stray_refs(self) -> dict[str, str]:
        """Files among the branches that git does not take for one, and the id that each holds."""
        return self._refs.strays()

    def free_branch(self, wanted: str) -> str:
        """A name for a new branch: ``wanted``, or it with the first number that is free."""
        return free_branch(self._refs, wanted)

    def resolve(self, rev: str) -> str:
        """Id of the commit that a branch, tag, HEAD, ``HEAD~3`` or the start of an id names.

        Raises:
            UnknownRevision: none, or more than one.
        """
        return Revisions(self._store, self._refs).resolve(rev)

    def commit_info(self, rev: str) -> CommitInfo:
        """One commit.

        Raises:
            UnknownRevision: there is no such commit.
            DamagedRepository: it cannot be read.
        """
        # Walks ask for whole ids; looking for branches of that name would cost more than reading.
        return self._commits.get(rev) or self._info(self.resolve(rev))

    def _info(self, oid: str) -> CommitInfo:
        known = self._commits.get(oid)
        if known is None:
            kind, data = self._store.read(oid)
            if kind != b"commit":
                raise DamagedRepository(f"{oid} is a {kind.decode()}, not a commit")
            known = parse_commit(oid, data)
            if oid in self.shallow_ends():
                # As git has it: what came before is not here, and no walk goes there.
                known = replace(known, parents=())
            if len(known.subject) + len(known.body) > _LONG_MESSAGE:
                return known
            if len(self._commits) >= 4096:
                self._commits.clear()
            self._commits[oid] = known
        return known

    def _tree(self, rev: str | None) -> str | None:
        if rev is None:
            commit = self._refs.head().commit
            return self._info(commit).tree if commit else None
        return self.commit_info(rev).tree

    def oid(self, path: str, rev: str | None = None) -> str | None:
        """Blob id of a regular file; None where there is none (links and folders count as none)."""
        root = self._tree(rev)
        node = self._trees.node(root, path) if root and path else None
        return node[1] if node and node[0] & 0o170000 == 0o100000 else None

    def folder_oid(self, path: str, rev: str | None = None) -> str | None:
        """Tree id of a folder; None where there is none."""
        root = self._tree(rev)
        node = self._trees.node(root, path.strip("/")) if root else None
        return node[1] if node and node[0] == FOLDER else None

    def read(self, path: str, rev: str | None = None, *, most: int = MOST_READ) -> bytes | None:
        """Content of a regular file at a revision, at HEAD's commit without one."""
        oid = self.oid(path, rev)
        return self.blob(oid, most=most) if oid else None

    def blob(self, oid: str, *, most: int = MOST_READ) -> bytes:
        """Content of a blob.

        Args:
            oid: its id.
            most: bytes that it may have; its header is asked before it is unpacked.

        Raises:
            MissingObject: it is not here.
            TooLargeObject: it has more.
            DamagedRepository: it is broken, or something else than a blob.
        """
        kind, data = self._store.read(oid, most)
        if kind != b"blob":
            raise DamagedRepository(f"{oid} is a {kind.decode()}, not a file")
        return data

    def size(self, oid: str) -> int:
        """Bytes of a blob, by its header. Raises MissingObject, DamagedRepository."""
        return self._store.size(oid)[1]

    def small(self, oid: str, most: int, otherwise: bytes = b"") -> bytes:
        """Content of a blob of at most so many bytes; for a larger one ``otherwise``."""
        return self.blob(oid) if self.size(oid) <= most else otherwise

    def files(
        self, prefix: str = "", rev: str | None = None, *, most: int | None = None
    ) -> list[Entry]:
        """Regular files below a folder, sorted by path; links and submodules are left out.

        Raises:
            TooManyFiles: there are more than ``most``, or than anybody can look at.
        """
        root = self._tree(rev)
        if root is None:
            return []
        found = list(islice(self._trees.files(root, prefix.strip("/")), most and most + 1))
        if most is not None and len(found) > most:
            raise too_many(prefix, most)
        return sorted(found, key=lambda entry: entry.path)

    def names(self, folder: str, rev: str | None = None) -> list[tuple[str, bool]]:
        """Names directly in a folder and whether each is a folder; empty where there is none."""
        root = self._tree(rev)
        node = self._trees.node(root, folder.strip("/")) if root else None
        if node is None or node[0] != FOLDER:
            return []
        return sorted(
            (name, mode == FOLDER) for name, (mode, _) in self._trees.entries(node[1]).items()
        )

    def log(
        self,
        *,
        rev: str | None = None,
        paths: Sequence[str] = (),
        limit: int | None = None,
        skip: int = 0,
    ) -> Iterator[CommitInfo]:
        """Commits, newest first.

        Args:
            rev: where to begin; HEAD without one.
            paths: only commits that changed these files or folders.
            limit: how many at most.
            skip: how many to leave out first.
        """
        start = self.resolve(rev) if rev is not None else self._refs.head().commit
        if start is None:
            return iter(())
        found = walk.walk(
            start,
            read=self._info,
            trees=self._trees,
            paths=[path.strip("/") for path in paths],
            boundary=self.shallow_ends(),
        )
        return islice(found, skip, None if limit is None else skip + limit)

    def timeline(self, progress: Callable[[int, int], None] | None = None) -> Timeline:
        """The history as an index answers for it; of use where a walk would take long.

        Args:
            progress: told how many commits were indexed and how many there are, 0 while they are
                being counted; an index is made when there is none.
        """
        from perdure.git.timeline.timeline import Timeline

        return Timeline(
            cache=self.cache_dir,
            raw=self._store.read,
            read=self._info,
            trees=self._trees,
            blob=self.blob,
            boundary=self.shallow_ends(),
            progress=progress,
        )

    def shallow_ends(self) -> frozenset[str]:
        """Commits at the end of a shallow clone: each stands for all that came before it."""
        return shallow_ends(self.git_dir)

    def parents(self, rev: str) -> tuple[str, ...]:
        """Parents of a commit as far as they are here: none at a shallow clone's end."""
        info = self.commit_info(rev)
        return () if info.id in self.shallow_ends() else info.parents

    def changed(self, commit: str) -> list[FileChange]:
        """What a commit changed against its first parent, everything for one without."""
        info = self.commit_info(commit)
        parents = () if info.id in self.shallow_ends() else info.parents
        return self._trees.difference(self._info(parents[0]).tree if parents else None, info.tree)

    def folder_difference(self, old: str | None, new: str | None) -> list[FileChange]:
        """What differs between two folders, named by their tree ids; paths are from the folder.

        Raises:
            DamagedRepository: a tree is missing or cannot be read.
        """
        return self._trees.difference(old, new)

    def has_landed(self, branch: str, commit: str) -> bool:
        """Whether a commit is in the history of a branch."""
        from perdure.git.refs.ancestry import is_ancestor

        tip = self._refs.read(check_branch(branch))
        if tip is None:
            return False
        try:
            return is_ancestor(commit, tip, self._info)
        except DamagedRepository:
            return False
