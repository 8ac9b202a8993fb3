"""A remote in a folder of this machine: a disk, a share, a bare repository.

Read and written by the engine of this room, so that what is acknowledged is on the disk there too.
Nothing of the folder's own configuration is run, hooks neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk, links, ownership
from perdure.git.config.repository import check_supported, is_true, read_config, rendered
from perdure.git.errors import DamagedRepository, HistoryError, StorageFull, storage_errors
from perdure.git.layout import Layout, looks_bare, shallow_ends
from perdure.git.objects.store import MOST_BYTES, ObjectStore
from perdure.git.packs.outgoing import OutgoingPack
from perdure.git.refs.refs import HEADS, Moved, RefMove
from perdure.git.wire.errors import (
    SAFE,
    DamagedRemote,
    NoRepositoryThere,
    PackRefused,
    RemoteProblem,
    Unreachable,
)
from perdure.git.wire.transport import Advertised, PushOrder, PushResult
from perdure.git.worktree.git_folder import GitFolder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_FOLDERS = ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info")
_WAIT = 30.0
"""Seconds to wait for another push into the same folder."""


@dataclass(frozen=True, slots=True)
class _Objects:
    """What a pack is made of: the objects there, and where a shallow one ends."""

    store: ObjectStore
    boundary: frozenset[str]


class FolderTransport:
    """One repository in a folder, bare or with files beside it."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            RemoteProblem: there is none, or it is of a kind that cannot be used.
            NotOwned, LinkInside: it belongs to another user, or a link lies inside.
        """
        self._path = path
        self._git_dir = _git_dir(path)
        self._is_bare = self._git_dir == path
        ownership.check_owner(path, (path, self._git_dir))
        links.check_links(self._git_dir, self._git_dir)
        self._config = {**read_config(self._git_dir), "core.bare": "false"}
        check_supported(self._config)
        self._git = GitFolder.at(Layout(path, self._git_dir, self._git_dir))

    def advertised(self) -> Advertised:
        """What it has."""
        with self._reading():
            head = self._git.refs.head()
            return Advertised(
                self._git.refs.names("refs/"), f"{HEADS}{head.branch}" if head.branch else None
            )

    def fetch(
        self,
        wants: Callable[[Advertised], Sequence[str]],
        heads: Sequence[str],
        parents: Callable[[str], Sequence[str]],  # noqa: ARG002 - what is there can be looked at
        write: Callable[[bytes], None],
        progress: Callable[[str], None],  # noqa: ARG002 - a folder says nothing
    ) -> Advertised:
        """Read what is wanted and not known yet, as a pack."""
        from perdure.git.packs.outgoing import outgoing, pack_bytes

        advertised = self.advertised()
        wanted = list(wants(advertised))
        if wanted:
            known = [oid for oid in heads if self._git.store.has(oid)]
            objects = _Objects(self._git.store, shallow_ends(self._git_dir))
            for data in self._read(
                lambda: pack_bytes(outgoing(objects, wanted, known, most=MOST_BYTES))
            ):
                write(data)
        return advertised

    def fetch_all(
        self, wants: Callable[[Advertised], Sequence[str]], write: Callable[[bytes], None]
    ) -> Advertised | None:
        """Read all that is there, where refs that are wanted reach it, as far as refs can tell."""
        from perdure.git.packs.outgoing import whole_store

        advertised = self.advertised()
        wanted = set(wants(advertised))
        if not wanted or wanted != set(advertised.refs.values()) or shallow_ends(self._git_dir):
            return None
        for data in self._read(lambda: whole_store(self._git.store)):
            write(data)
        return advertised

    def _read(self, collect: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """A pack of what is there, piece by piece."""
        with self._reading():
            yield from collect()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever is found to be damaged is damaged there, and not here."""
        try:
            yield
        except DamagedRepository as problem:
            raise DamagedRemote(
                f"the repository in {self._path} is damaged: {problem.what}",
                SAFE,
                "look at it with git fsck --full, or add another place: perdure remote add NAME "
                "ADDRESS",
            ) from problem

    def push(
        self,
        decide: Callable[[Advertised], PushOrder | None],
        progress: Callable[[str], None],
    ) -> PushResult:
        """Store what is sent and move the refs, each by compare-and-swap."""
        with self._writing():
            lock = disk.KernelLock(self._git.layout.state / "commit.lock")
            disk.make_folder(self._git.layout.state)
            lock.take(wait=_WAIT)
            with lock:
                if self._put_refs_in_files():
                    progress(f"{self._path} kept its branches in a table, and now in files")
                return self._push(decide)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Whatever disk is full is the one that the folder is on."""
        try:
            with storage_errors(f"writing to {self._path}"):
                yield
        except StorageFull as problem:
            raise StorageFull(
                f"the disk that has {self._path} is full",
                SAFE,
                "make room there, then try again",
            ) from problem

    def _put_refs_in_files(self) -> bool:
        """Make the folder one that can be written; whether git kept its refs in tables."""
        from perdure.git.commit.conversion import put_refs_in_files

        layout = self._git.layout
        links.check_folders(layout.git_dir, layout.own)
        return put_refs_in_files(layout, self._git.refs)

    def _push(self, decide: Callable[[Advertised], PushOrder | None]) -> PushResult:
        advertised = self.advertised()
        order = decide(advertised)
        if order is None:
            return PushResult(advertised, {})
        with self._received(order.pack):
            self._git.store.rescan()
            refused = {
                ref: reason
                for ref, oid in order.moves.items()
                if (reason := self._move(ref, advertised.refs.get(ref), oid))
            }
        self._pack()
        return PushResult(advertised, refused)

    def _pack(self) -> None:
        """Join the packs of many small pushes, as git's own server side does from time to time."""
        from perdure.git.packs.background import start_if_due
        from perdure.git.packs.small import PackWriter

        with suppress(OSError, DamagedRepository):
            packs = PackWriter(self._git.store, self._git.layout.state)
            start_if_due(self._git_dir, packs.consolidate())

    def _received(self, pack: OutgoingPack) -> AbstractContextManager[object]:
        """Store a pack; until what it returns is released, git leaves it alone.

        Raises:
            PackRefused: what it needs is not all there; git's own server side refuses it, too.
        """
        from perdure.git.packs.incoming import IncomingPack, check_incoming
        from perdure.git.packs.outgoing import pack_bytes
        from perdure.git.packs.small import PackWriter

        incoming = IncomingPack(self._git_dir)
        with incoming:
            for data in pack_bytes(pack):
                incoming.write(data)
            with self._reading():
                incoming.index(self._git.store)
            found = check_incoming(incoming, self._git.store, ())
            missing = [each for each in found if each.kind in {"missing", "kind"}]
            if missing:
                raise PackRefused(
                    f"what was to go to {self._path} is not whole: {missing[0].says} "
                    f"({missing[0].oid})",
                    "nothing of it stays there, and everything here is as it was",
                    "perdure drill proves what is there already; look here with git fsck --full",
                )
            keep = incoming.put_in_place(PackWriter(self._git.store, self._git.layout.state))
            return keep or nullcontext()

    def _move(self, ref: str, old: str | None, new: str | None) -> str:
        """Move one ref. Returns why not, "" where it is done."""
        if not self._is_bare and ref == f"{HEADS}{self._git.refs.head().branch}":
            return "it is checked out there"
        if new is None and is_true(self._config.get("receive.denydeletes", "false")):
            return "nothing may be taken away there"
        try:
            self._git.refs.move(RefMove(ref, old, new))
        except Moved:
            return "it was moved at the same moment"
        except HistoryError as error:
            return error.what
        except (NotADirectoryError, IsADirectoryError):
            return "another ref there has that name as its folder"
        return ""

    def close(self) -> None:
        """Nothing is kept open."""


def make_bare(path: Path) -> None:
    """Make an empty bare repository, as `git init --bare -b main` does.

    Raises:
        RemoteProblem: something is there already.
        StorageFull, ReadOnly, WriteFailed: it cannot be made.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RemoteProblem(
            f"{path} is there already, and is no git repository",
            "it stays as it is",
            "choose another folder",
        )
    with storage_errors(f"making {path}"):
        for folder in _FOLDERS:
            disk.make_folder(path / folder)
        config = rendered().replace("bare = false", "bare = true")
        disk.write_file(path / "config", config.encode())
        # Last: what has a HEAD is a repository.
        disk.write_file(path / "HEAD", f"ref: {HEADS}main\n".encode())
        for folder in (*_FOLDERS, "refs", "objects", "."):
            disk.sync_folder(path / folder)
        disk.sync_folder(path.absolute().parent)


def _git_dir(path: Path) -> Path:
    if looks_bare(path):
        return path
    if (path / ".git").is_dir():
        return path / ".git"
    # An empty folder is where a disk is mounted once it is plugged in.
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise NoRepositoryThere(
            f"{path} cannot be used as a remote: it is no git repository",
            "nothing was changed",
            "choose a folder that is empty or not there yet",
        )
    raise Unreachable(
        f"{path} cannot be used as a remote: there is nothing there",
        "nothing was changed",
        "if it is a disk, plug it in; else see perdure remote list",
    )
