"""A companion's repository: the one class that the other rooms use."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import layout
from perdure.git.config import repository as config
from perdure.git.errors import (
    HistoryError,
    NotARepository,
    ReadOnly,
    storage_errors,
    too_many,
)
from perdure.git.layout import Layout, WorkState
from perdure.git.objects.commit import Author, CommitInfo
from perdure.git.objects.tree import FOLDER, Change, Entry, FileChange
from perdure.git.packs import keep
from perdure.git.refs.refs import TAGS, Head, free_branch
from perdure.git.repository.commits import Commits
from perdure.git.state import mark
from perdure.git.state.folder import StateFolder
from perdure.git.worktree.git_folder import GitFolder

if TYPE_CHECKING:
    from perdure.git.commit.journal_file import JournalFile
    from perdure.git.commit.write_order import HasJournal
    from perdure.git.commit.writer import Writer
    from perdure.git.leases import Lease
    from perdure.git.timeline.timeline import Timeline
    from perdure.git.worktree.edits import WorkTreeEdits
    from perdure.git.worktree.files import WorkTree

__all__ = [
    "Author",
    "Change",
    "CommitInfo",
    "Entry",
    "FileChange",
    "Head",
    "Repository",
    "WorkState",
]


MOST_READ = 16 * 1024 * 1024
"""Bytes of a file that is read, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Parts(GitFolder):
    """The parts of a repository, for the other modules of this room."""

    writer: Writer
    boundary: frozenset[str]
    """Commits whose parents are not here: the edge of a shallow clone."""


class Repository(contextlib.AbstractContextManager["Repository"]):
    """One open repository. Reading imports nothing that writes.

    Attributes:
        path: root of the work tree.
        git_dir: the common git folder.
        state_dir: what must not be deleted: leases, journals, locks.
        commits: the commits, by revision and by id.
        state: that folder as far as it may be believed, and what the user was told about it.
        recovery_trouble: why a crash's remains could not be put in order when opening, e.g. on a
            read-only disk; "" when there was nothing to do, or it is done. Reading works all the
            same, and the next open tries again.
    """

    def __init__(self, place: Layout) -> None:
        self._config = config.read_config(place.git_dir)
        config.check_supported(self._config)
        self._git = git = GitFolder.at(place)
        self.path = place.work
        self.git_dir = place.git_dir
        self.state_dir = place.state
        self.state = StateFolder(place)
        self.recovery_trouble = ""
        self.commits = Commits(git)
        self._mutex = threading.RLock()
        self._writer: Writer | None = None
        self._leftovers: list[JournalFile] = []

    # Opening and closing

    @classmethod
    def open(cls, path: Path | str, *, recover: bool = True) -> Repository:
        """Open a repository.

        Args:
            path: root of its work tree.
            recover: finish what a crash left. Uncommitted turns stay in `leftover`.

        Raises:
            NotARepository: there is none.
            UnsupportedRepository: sha256 ids, a bare one, an unknown extension or place of refs.
            DamagedRepository: HEAD is gone.
            NoMoreFiles, WriteFailed: the system did not let it be read.
        """
        try:
            with storage_errors(f"opening {path}"):
                repo = cls(layout.find(Path(path)))
        except ReadOnly as error:
            raise NotARepository(f"{path} may not be read: permission denied") from error
        if recover:
            repo._recover()
        return repo

    def _recover(self) -> None:
        packs = self._git.layout.git_dir / "objects" / "pack"
        try:
            if mark.anything_in(self._git.layout.state):
                self.state.own()
            if _anything_left(self._git.layout.state) or keep.are_left(packs):
                self.writer.recover()
                self.recovery_trouble = self.writer.unreadable
        except HistoryError as error:
            self.recovery_trouble = str(error)

    @property
    def cache_dir(self) -> Path:
        """The folder of what can be rebuilt from the commits."""
        return self.state.cache_dir

    def close(self) -> None:
        """Release locks and the journal file; an unfinished turn stays in it."""
        writer = self._writer
        if writer is not None:
            writer.stop()
        with self._mutex:
            for file in self._leftovers:
                file.abandon()
            self._leftovers.clear()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def writer(self) -> Writer:
        """The writing half, made when first needed."""
        with self._mutex:
            if self._writer is None:
                from perdure.git.commit.writer import Writer

                self._writer = Writer(self._git, self.state, self._mutex, self.commits.is_on_branch)
            return self._writer

    def parts(self) -> Parts:
        """The parts that it is made of, for modules of this room."""
        git, ends = self._git, self.commits.shallow_ends()
        return Parts(git.layout, git.store, git.trees, git.refs, git.work, self.writer, ends)

    # Reading

    def head(self) -> Head:
        """What HEAD names."""
        return self._git.refs.head()

    def stray_refs(self) -> dict[str, str]:
        """Files among the branches that git does not take for one, and the id that each holds."""
        return self._git.refs.strays()

    def tags(self) -> dict[str, str]:
        """Every tag that names a commit, by name; annotated ones are followed."""
        found: dict[str, str] = {}
        for ref in self._git.refs.names(TAGS):
            with contextlib.suppress(HistoryError):
                found[ref.removeprefix(TAGS)] = self.resolve(ref)
        return found

    def free_branch(self, wanted: str) -> str:
        """A name for a new branch: ``wanted``, or it with the first number that is free."""
        return free_branch(self._git.refs, wanted)

    def resolve(self, rev: str) -> str:
        """Id of the commit that a branch, tag, HEAD, ``HEAD~3`` or the start of an id names.

        Raises:
            UnknownRevision: none, or more than one.
        """
        return self.commits.resolve(rev)

    def commit_info(self, rev: str) -> CommitInfo:
        """One commit.

        Raises:
            UnknownRevision: there is no such commit.
            DamagedRepository: it cannot be read.
        """
        return self.commits.info(rev)

    def _tree(self, rev: str | None) -> str | None:
        if rev is None:
            commit = self._git.refs.head().commit
            return self.commits.read(commit).tree if commit else None
        return self.commit_info(rev).tree

    def oid(self, path: str, rev: str | None = None) -> str | None:
        """Blob id of a regular file; None where there is none (links and folders count as none)."""
        root = self._tree(rev)
        node = self._git.trees.node(root, path) if root and path else None
        return node[1] if node and node[0] & 0o170000 == 0o100000 else None

    def folder_oid(self, path: str, rev: str | None = None) -> str | None:
        """Tree id of a folder; None where there is none."""
        root = self._tree(rev)
        node = self._git.trees.node(root, path.strip("/"))
        return node[1] if node and node[0] == FOLDER else None

    def read(self, path: str, rev: str | None = None) -> bytes | None:
        """Content of a regular file at a revision, at HEAD's commit without one."""
        oid = self.oid(path, rev)
        return self.blob(oid) if oid else None

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
        return self._git.store.content(b"blob", oid, most)

    def size(self, oid: str) -> int:
        """Bytes of a blob, by its header. Raises MissingObject, DamagedRepository."""
        return self._git.store.size(oid)[1]

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
        found = list(islice(self._git.trees.files(root, prefix.strip("/")), most and most + 1))
        if most is not None and len(found) > most:
            raise too_many(prefix, most)
        return sorted(found, key=lambda entry: entry.path)

    def names(self, folder: str, rev: str | None = None) -> list[tuple[str, bool]]:
        """Names directly in a folder and whether each is a folder; empty where there is none."""
        root = self._tree(rev)
        node = self._git.trees.node(root, folder.strip("/"))
        if node is None or node[0] != FOLDER:
            return []
        return sorted(
            (name, mode == FOLDER) for name, (mode, _) in self._git.trees.entries(node[1]).items()
        )

    def timeline(self, progress: Callable[[int, int], None] | None = None) -> Timeline:
        """The history as an index answers for it; of use where a walk would take long.

        Args:
            progress: called with how many commits were indexed and how many there are, 0 while they
                are being counted; an index is made when there is none.
        """
        from perdure.git.timeline.index_file import Source
        from perdure.git.timeline.timeline import Timeline

        git, ends = self._git, self.commits.shallow_ends()
        source = Source(git.store.read, self.commits.read, git.trees, self.blob, ends)
        return Timeline(self.cache_dir, source, progress)

    def folder_difference(self, old: str | None, new: str | None) -> list[FileChange]:
        """What differs between two folders, named by their tree ids; paths are from the folder.

        Raises:
            DamagedRepository: a tree is missing or cannot be read.
        """
        return self._git.trees.difference(old, new)

    def keeps_refs_in_tables(self) -> bool:
        """Whether the first change makes files of the refs, which git keeps in tables here.

        Raises:
            UnsupportedRepository: that is not done here: there are linked work trees.
        """
        if not self._git.refs.look_for_tables():
            return False
        from perdure.git.commit.conversion import check_convertible

        check_convertible(self._git.layout)
        return True

    # The work tree

    def work_tree(self) -> WorkTree:
        """The files beside the history, read without following a link."""
        return self._git.work

    @property
    def edits(self) -> WorkTreeEdits:
        """What people changed in the work tree, against the commit that is checked out."""
        from perdure.git.worktree.edits import WorkTreeEdits

        return WorkTreeEdits(self._git)

    def diff(self, a: str | None, b: str | None, paths: Sequence[str] = ()) -> list[FileChange]:
        """What differs between two revisions.

        Args:
            a: the older one; None is HEAD.
            b: the newer one; None is the work tree, whose ``new_oid`` is the id that the content
                would have: it is in no object yet.
            paths: files or folders to look at, everything without.
        """
        wanted = [path.strip("/") for path in paths]
        old = self._tree(a)
        if b is None:
            return self.edits.against(old, wanted)
        found = self._git.trees.difference(old, self._tree(b))
        return [
            change
            for change in found
            if not wanted
            or any(change.path == path or change.path.startswith(f"{path}/") for path in wanted)
        ]

    def state_of_work(self) -> WorkState:
        """Whether HEAD is detached, and which operation of git is not finished."""
        git = self._git
        return layout.state_of_work(git.layout, git.refs.head().branch, git.refs.root_names())

    def human(self) -> Author | None:
        """The identity that git would commit with; None when none is set up."""
        from perdure.git.config.user import human

        return human(self._config, self.git_dir)

    def remotes(self) -> list[str]:
        """Names of the remotes that are set up here."""
        names = (key.split(".", 1)[1] for key in self._config if key.startswith("remote."))
        return sorted({name.rpartition(".")[0] for name in names} - {""})

    def odd_config(self) -> list[tuple[Path, str, str]]:
        """Settings that are not known, or with which git here runs or reads other things.

        The engine itself heeds none of them.

        Returns:
            The file, the key and the value of each; a key may come several times.
        """
        files = (self.git_dir / "config", self._git.layout.own / "config.worktree")
        return config.odd_settings(files, self.path)

    @property
    def lies_with(self) -> Path | None:
        """Another folder whose repository this is, where this folder's ``.git`` leads there."""
        return self._git.layout.lies_with

    # Writing

    def commit(
        self,
        changes: Sequence[Change],
        *,
        message: str | Callable[[str | None], str],
        author: Author,
        branch: str,
        at: datetime | None = None,
        expect: Mapping[str, str | None] | None = None,
        journal: HasJournal | None = None,
        start: str | None = None,
    ) -> str:
        """Commit changes on top of a branch; safe from a power cut when this returns.

        The changes are applied to whatever the tip is when the branch is moved: a commit that
        someone else makes meanwhile is kept. The work files and git's index follow when the branch
        is checked out and the files are not edited.

        Args:
            changes: what to change.
            message: the whole message, trailers included; or a function that makes it from the id
                of the parent, which another writer may have moved meanwhile.
            author: who it is from.
            branch: name of the branch; it need not be checked out, nor exist.
            at: aware time of the commit; now without one.
            expect: blob id that a path must have at the tip, None for "absent".
            journal: a `Journal` or a `Leftover` that this commit brings home; it is finished.
            start: commit that a branch which does not exist yet begins at.

        Returns:
            Id of the commit; the tip's own when it has all of the changes already.

        Raises:
            TipMoved: the tip has another version of an expected path.
            BadPath: a path or branch name cannot be stored.
            Busy: another program holds the branch's lock.
            StorageFull: no space; nothing was changed, and it works again once there is some.
            ReadOnly: the repository may not be written.
            DamagedRepository: the tip cannot be read.
        """
        from perdure.git.commit.write_order import PendingCommit

        when = at or datetime.now().astimezone()
        begin = self.resolve(start) if start is not None else None
        order = PendingCommit(
            changes, message, author, branch, when, dict(expect or {}), begin, journal
        )
        return self.writer.commit(order)

    def acquire(self, conversation: str) -> Lease | None:
        """Acquire the lease of a conversation; None if another session holds it.

        Raises:
            ReadOnly: the repository may not be written.
        """
        from perdure.git import leases

        self.state.own()
        return leases.acquire(self.git_dir, self.state_dir / "leases", conversation)

    def hold_leftover(self, file: JournalFile) -> None:
        """Keep a dead session's journal locked until `close`."""
        self._leftovers.append(file)


def _anything_left(state: Path) -> bool:
    """Whether there may be anything to recover."""
    for name, start, ending in (
        ("held", "", ""),
        ("spare", "", ""),
        ("journals", "", ".journal"),
        ("", "level-", ".json"),
        ("", "operation", ".json"),
        ("", "converted-", ""),
    ):
        with contextlib.suppress(OSError):
            names = [path.name for path in (state / name).iterdir()]
            if any(entry.startswith(start) and entry.endswith(ending) for entry in names):
                return True
    return False
