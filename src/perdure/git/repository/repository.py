"""A companion's repository: the one class that the other rooms use."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from perdure.git import (
    disk,
    layout,
    links,
)
from perdure.git.config import repository as config
from perdure.git.errors import (
    HistoryError,
    NotARepository,
    ReadOnly,
    storage_errors,
)
from perdure.git.layout import Layout, WorkState
from perdure.git.objects.commit import Author, CommitInfo
from perdure.git.objects.store import ObjectStore
from perdure.git.objects.tree import Change, Entry, FileChange, Trees
from perdure.git.packs import keep
from perdure.git.refs.refs import Head, Refs
from perdure.git.repository.reader import Reader
from perdure.git.state import mark

if TYPE_CHECKING:
    from perdure.git.commit.journal_file import JournalFile
    from perdure.git.commit.write_order import HasJournal
    from perdure.git.commit.writer import Writer
    from perdure.git.leases import Hand
    from perdure.git.worktree.edits import ConflictCopy, Outside, OutsideEdits
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


@dataclass(frozen=True, slots=True)
class Parts:
    """What a repository is made of, for the other modules of this room."""

    layout: Layout
    store: ObjectStore
    trees: Trees
    refs: Refs
    writer: Writer
    boundary: frozenset[str]
    """Commits whose parents are not here: the edge of a shallow clone."""


class Repository(Reader):
    """One open repository. Reading imports nothing that writes.

    Attributes:
        path: root of the work tree.
        state_dir: what must not be deleted: leases, journals, locks.
        recovery_trouble: why a crash's remains could not be put in order when opening, e.g. on a
            read-only disk; "" when there was nothing to do, or it is done. Reading works all the
            same, and the next open tries again.
    """

    def __init__(self, place: Layout) -> None:
        self._config = config.read(place.git_dir)
        config.check(self._config)
        super().__init__(place)
        self.path = place.work
        self.state_dir = place.state
        self.recovery_trouble = ""
        self._mutex = threading.RLock()
        self._writer_made: Writer | None = None
        self._leftovers: list[JournalFile] = []
        self._owns_state = False
        self._no_cache = f"no-cache-{secrets.token_hex(8)}"

    # Opening and closing

    @classmethod
    def open(cls, path: Path | str, *, recover: bool = True) -> Repository:
        """Open a repository.

        Args:
            path: root of its work tree.
            recover: finish what a crash left. Turns that never landed stay in `journal.leftover`.

        Raises:
            NotARepository: there is none.
            UnsupportedRepository: sha256 ids, reftable refs, a bare one, an unknown extension.
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
        packs = self._layout.git_dir / "objects" / "pack"
        try:
            if mark.anything_in(self._layout.state):
                self.own_state()
            if _anything_left(self._layout.state) or keep.are_left(packs):
                self._writer().recover()
                self.recovery_trouble = self._writer().unreadable
        except HistoryError as error:
            self.recovery_trouble = str(error)

    def owns_state(self) -> bool:
        """Whether what the state folder says may be believed here (`git.state.mark`)."""
        self._owns_state = self._owns_state or mark.is_own(self._layout)
        return self._owns_state

    def own_state(self) -> None:
        """See to it that the state folder is this user's own, before anything is kept there.

        What came with the folder from elsewhere is set aside.

        Raises:
            ReadOnly, StorageFull, WriteFailed, Busy: that cannot be done.
        """
        links.check_folders(self._layout.git_dir, self._layout.own)
        if not self._owns_state:
            mark.own(self._layout)
            self._owns_state = True

    @property
    def unknown_because_of(self) -> Path | None:
        """The user's own folder of marks, where it cannot be written: none is known next time."""
        return None if mark.is_own(self._layout) else mark.known_folder()

    @property
    def cache_dir(self) -> Path:
        """The folder of what can be rebuilt from the commits.

        An index that came from elsewhere could say anything, so none of it is read: where it cannot
        be moved away, this is a folder that is not there, and nothing is kept.
        """
        try:
            self.own_state()
        except HistoryError:
            return self.git_dir / "perdure" / self._no_cache
        return super().cache_dir

    def tell_set_aside(self) -> list[Path]:
        """Folders with state from elsewhere of which the user was not told; he is from now on."""
        return mark.tell_set_aside(self._layout)

    def close(self) -> None:
        """Give back locks and the session's journal file; a turn still in it stays there."""
        writer = self._writer_made
        if writer is not None:
            writer.stop()
        with self._mutex:
            for file in self._leftovers:
                file.abandon()
            self._leftovers.clear()
            if self._writer_made is not None:
                self._writer_made.close()
                self._writer_made = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _writer(self) -> Writer:
        with self._mutex:
            if self._writer_made is None:
                from perdure.git.commit.writer import Writer

                self._writer_made = Writer(
                    self._layout, self._store, self._trees, self._refs, self._mutex, self.has_landed
                )
            return self._writer_made

    def parts(self) -> Parts:
        """What it is made of, writer included. For modules of this room."""
        return Parts(
            self._layout, self._store, self._trees, self._refs, self._writer(), self.shallow_ends()
        )

    # The work tree

    def work_tree(self) -> WorkTree:
        """The files beside the history, read without following a link."""
        from perdure.git.worktree.files import WorkTree

        return WorkTree(self.path, self._layout.spare)

    def _outside(self) -> Outside:
        from perdure.git.worktree.edits import Outside

        return Outside(self._layout, self._trees, self.work_tree())

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
            rows = self._outside().against_work(old, wanted)
            return [FileChange(*row) for row in rows]
        found = self._trees.difference(old, self._tree(b))
        return [
            change
            for change in found
            if not wanted
            or any(change.path == path or change.path.startswith(f"{path}/") for path in wanted)
        ]

    def state_of_work(self) -> WorkState:
        """Whether HEAD is detached, and which operation of git is not finished."""
        return layout.state_of_work(self._layout, self._refs.head().branch)

    def outside_edits(self, prefixes: Sequence[str]) -> OutsideEdits:
        """Edits of people below some folders: those that may be committed, and those held."""
        found = self._outside()
        return found.find(self._tree(None), [p.strip("/") for p in prefixes], self.state_of_work())

    def conflict_copies(self, folder: str = "") -> list[ConflictCopy]:
        """What sync programs made below a folder, or directly in the root folder without one."""
        return self._outside().copies(self._tree(None), folder)

    def is_edited(self, branch: str, path: str) -> bool:
        """Whether a hand has changed a chunk's work file, where ``branch`` is checked out.

        A turn must not land on it: who commits the edit with git would take the turn out again.
        """
        oid = self.oid(path) if self._refs.head().branch == branch else None
        return oid is not None and self._outside().is_edited(path, oid, self._store)

    def is_gone(self, branch: str, path: str) -> bool:
        """Whether the tip has a file that the folder has not, where ``branch`` is checked out."""
        oid = self.oid(path) if self._refs.head().branch == branch else None
        return oid is not None and self._outside().is_gone(path)

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
        found = []
        for path in (self.git_dir / "config", self._layout.own / "config.worktree"):
            with contextlib.suppress(OSError):
                text = disk.read_file(path).decode("utf-8", "replace")
                found += [(path, key, value) for key, value in config.odd(text)]
        return [row for row in found if not self._leads_back(*row[1:])]

    def _leads_back(self, key: str, value: str) -> bool:
        """Whether a setting names the very work tree, as git writes it for a submodule."""
        return key == "core.worktree" and os.path.realpath(self.git_dir / value) == (
            os.path.realpath(self.path)
        )

    @property
    def lies_with(self) -> Path | None:
        """Another folder whose repository this is, where this folder's ``.git`` leads there."""
        return self._layout.lies_with

    def is_told(self, what: str) -> bool:
        """Whether the user was told of something in this folder; from now on he was.

        Kept by content in the user's own data folder: nobody who gives a folder away writes there.
        """
        return mark.is_told(self._layout, what)

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
        committer: Author | None = None,
    ) -> str:
        """Commit changes on the tip of a branch; saved against a power cut at return.

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
            committer: when someone else than the author.

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
        from perdure.git.commit.write_order import Order

        order = Order(
            changes,
            message,
            author,
            committer or author,
            branch,
            at or datetime.now().astimezone(),
            dict(expect or {}),
            self.resolve(start) if start is not None else None,
            journal,
        )
        return self._writer().commit(order)

    @property
    def index_trouble(self) -> str:
        """Why git's index is not level with the tip, "" when it is."""
        with self._mutex:
            return self._writer_made.level.trouble if self._writer_made else ""

    def level(self) -> bool:
        """Try again to bring index and work files level. True when nothing is left to do."""
        return self._writer().catch_up()

    def take(self, conversation: str) -> Hand | None:
        """Take the right to append to a conversation; None when somebody else has it.

        Raises:
            ReadOnly: the repository may not be written.
        """
        from perdure.git import leases

        self.own_state()
        return leases.take(self.git_dir, self.state_dir / "leases", conversation)

    def hold_leftover(self, file: JournalFile) -> None:
        """Keep a dead session's journal locked until `close`. `journal.leftover` uses it."""
        self._leftovers.append(file)

    def set_aside_journal(self) -> bool:
        """Give a turn of this session that did not land up to `leftover`, as a crash would.

        Returns:
            Whether there was one.
        """
        return self._writer().set_aside_journal()

    def journal_file(self) -> JournalFile:
        """This session's journal file, made when first asked for. `Journal.begin` uses it."""
        return self._writer().journal_file()


def _anything_left(state: Path) -> bool:
    """Whether a recovery has anything to look at: a few short listings."""
    for name, start, ending in (
        ("held", "", ""),
        ("spare", "", ""),
        ("journals", "", ".journal"),
        ("", "level-", ".json"),
        ("", "operation", ".json"),
    ):
        with contextlib.suppress(OSError):
            names = [path.name for path in (state / name).iterdir()]
            if any(entry.startswith(start) and entry.endswith(ending) for entry in names):
                return True
    return False
