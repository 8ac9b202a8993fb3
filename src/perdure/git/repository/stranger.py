"""A folder from somebody else, read as data and copied into a repository of our own.

Nothing in it is obeyed and nothing in it is written: not its configuration, hooks, filters, index
or state. Read are HEAD, branches, tags and the lines that perdure kept, and the objects that they
lead to, each hashed again; no link is followed, and no other folder that it borrows from.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from perdure.git import disk, links
from perdure.git.commit.journal_file import Record, read_journal
from perdure.git.config.repository import check_supported, is_true, read_config
from perdure.git.errors import (
    DamagedRepository,
    NotARepository,
    RefusedPack,
    TooMuchUnpacked,
    UnsupportedRepository,
    storage_errors,
)
from perdure.git.index import file as index_file
from perdure.git.index.file import IndexTrouble
from perdure.git.layout import Layout, looks_bare, shallow_ends
from perdure.git.objects.commit import OID
from perdure.git.objects.fsck import Trouble
from perdure.git.objects.new_objects import NewObjects
from perdure.git.objects.store import MOST_BYTES, ObjectStore
from perdure.git.packs.incoming import IncomingPack, check_incoming
from perdure.git.packs.outgoing import outgoing, pack_bytes, stored_bytes
from perdure.git.packs.resolve import IncomingLimits
from perdure.git.refs.refs import HEADS, OPS, REMOTES, TAGS, Refs, is_ref_name
from perdure.git.repository.create import FreshRepository
from perdure.git.worktree.files import WorkTree
from perdure.progress import Progress

_MOST_REFS = 100_000
_MOST_DAMAGED = 100
"""Refs that lead to something missing, after which no further one is tried."""
_MOST_LOOKS = 1_000_000
"""Objects and refs that are looked at to tell whole refs from damaged ones."""
_LIMITS = IncomingLimits()
_FATAL = frozenset({"broken", "missing", "kind", "entries"})
_MOST_JOURNALS = 64
_LARGEST_JOURNAL = 16 * 1024 * 1024
_LARGEST_DRAFT = 1024 * 1024
_LARGEST_INDEX = 16 * 1024 * 1024
_INDEX_HEADER = 12
_MOST_TREES = 1000
_LONGEST_HEAD = 4096
_OPEN = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}
"""Files of git's, and what is not finished while they are there."""
_OTHER_REFS = {"refs/stash": "what was stashed is on no branch"}
DETACHED = "was-checked-out"
"""The branch for a commit that is checked out without one."""


@dataclass(frozen=True, slots=True)
class _Objects:
    """What a pack is made of: the objects there, and where a shallow clone ends."""

    store: ObjectStore
    boundary: frozenset[str]


@dataclass(frozen=True, slots=True)
class Staged:
    """What git's index has of a file. ``stage`` 0: it is staged; else a side of a conflict."""

    stage: int
    oid: str


@dataclass(frozen=True, slots=True)
class CopiedHistory:
    """What was copied.

    Attributes:
        refs: ids by full name.
        head: the ref that HEAD names there; None where it names none.
        left_out: refs that were not taken, each with the reason.
        odd: what is odd about its objects, and harmless: names that no file may have, links.
        borrows: whether it borrows objects from another folder, which was not read.
        remotes: how many branches of its remotes were not taken.
    """

    refs: Mapping[str, str]
    head: str | None
    left_out: tuple[tuple[str, str], ...]
    odd: tuple[Trouble, ...]
    borrows: bool
    remotes: int


class StrangerFolder:
    """A folder with a companion that somebody handed over: its repository, if any, and its files.

    Attributes:
        path: the folder.
        git_dir: its git folder; None where it has none.
    """

    def __init__(self, path: Path) -> None:
        """Look at it, and read nothing yet.

        Raises:
            NotARepository: there is no folder, or only a file that names one elsewhere.
        """
        self.path = path
        self.git_dir = _git_dir(path)

    @property
    def is_bare(self) -> bool:
        """Whether it is a repository without files beside it."""
        return self.git_dir == self.path

    @cached_property
    def tells_programs(self) -> bool:
        """Whether its files' permissions tell which are programs, as its settings say."""
        if self.git_dir is None:
            return False
        return is_true(read_config(self.git_dir).get("core.filemode", "true"))

    def open_operation(self) -> str:
        """What git has not finished there, ``merge`` or ``rebase`` for instance; "" for nothing."""
        if self.git_dir is None:
            return ""
        git_dir = self.git_dir
        return next((name for file, name in _OPEN.items() if os.path.lexists(git_dir / file)), "")

    def staged(self) -> dict[str, list[Staged]] | None:
        """What git's index has of each file by path; None where it cannot be told."""
        if self.git_dir is None:
            return {}
        found: dict[str, list[Staged]] = {}
        left, end = _LARGEST_INDEX, _INDEX_HEADER
        try:
            data = disk.read_file(self.git_dir / "index", most=_LARGEST_INDEX)
            for entry in index_file.entries(data):
                end = entry.end
                left -= len(entry.path)
                if left < 0:
                    return None
                if stat.S_ISREG(entry.mode) and not entry.only_intended:
                    path = os.fsdecode(entry.path)
                    found.setdefault(path, []).append(Staged(entry.stage, entry.oid))
            # A split index has the rest of its entries in another file.
            is_split = b"link" in dict(index_file.extensions(data, end))
        except FileNotFoundError:
            return {}
        except (OSError, IndexTrouble, struct.error, ValueError, IndexError):
            return None
        return None if is_split else found

    def linked_trees(self) -> list[str]:
        """The names of its other work trees (`git worktree`), whose files are not looked at."""
        return [path.name for path in _linked(self.git_dir)] if self.git_dir is not None else []

    def work_tree(self) -> WorkTree:
        """Its files, read without following a link."""
        return WorkTree(self.path, self.path)

    def copy_history(
        self, fresh: FreshRepository, progress: Progress | None = None
    ) -> CopiedHistory:
        """Copy branches, tags and kept lines with all that they lead to.

        Raises:
            LinkInside: a link is where the history lies.
            UnsupportedRepository: its ids are SHA-256, or its refs of an unknown kind.
            DamagedRepository: nothing of it is whole.
            RefusedPack, TooMuchUnpacked: it is beyond a limit, or an object is none.
            StorageFull, ReadOnly, WriteFailed: it could not be written.
        """
        git_dir = self.git_dir
        if git_dir is None:
            raise NotARepository(f"{self.path} has no history", "it stays as it is")
        with storage_errors(f"reading {self.path}"):
            links.check_history(git_dir)
            check_supported({**read_config(git_dir), "core.bare": "false"})
            found = Refs(Layout(self.path, git_dir, git_dir))
            refs, left_out = _wanted(found.names("refs/"))
            head = _head(found, refs)
            _take_detached(git_dir, refs)
            if not refs:
                raise DamagedRepository(
                    f"{self.path} has no branch that can be read", "nothing was changed"
                )
            boundary = shallow_ends(git_dir)
            store = ObjectStore(git_dir / "objects", most=MOST_BYTES, alone=True)
            objects = _Objects(store, boundary)
            damaged: list[tuple[str, str]] = []
            try:
                odd = _copied(objects, fresh, refs, progress)
            except TooMuchUnpacked:
                raise
            except DamagedRepository:
                every = refs
                refs, damaged = _whole(objects, refs, head)
                if refs == every:
                    # Nothing is missing: it is beyond a limit.
                    raise
                odd = _copied(objects, fresh, refs, progress)
            # Those alone that came: a list of others may be endless, and git reads all of it.
            if ends := fresh.repo.parts().store.stored(boundary):
                text = "".join(f"{oid}\n" for oid in sorted(ends))
                disk.write_file(fresh.repo.git_dir / "shallow", text.encode())
            fresh.put_refs(refs)
        return CopiedHistory(
            refs,
            head,
            (*left_out, *damaged),
            tuple(odd),
            (git_dir / "objects" / "info" / "alternates").exists(),
            sum(name.startswith(REMOTES) for name in found.names("refs/")),
        )

    def unsaved_turns(self) -> list[Record]:
        """What its journals hold of turns that were being written; nothing follows from it."""
        found = []
        for folder in self._state_folders("journals"):
            for path in sorted(folder.glob("*.journal"))[:_MOST_JOURNALS]:
                with suppress(OSError):
                    record, _ = read_journal(disk.read_file(path, most=_LARGEST_JOURNAL))
                    if record is not None and not record.is_done:
                        found.append(record)
        return found[:_MOST_JOURNALS]

    def draft(self) -> str:
        """The newest message that was typed and not sent; "" for none."""
        for folder in self._state_folders():
            with suppress(OSError):
                text = disk.read_file(folder / "draft.txt", most=_LARGEST_DRAFT)
                plain = harmless(text.decode("utf-8", "replace"))
                if plain.strip():
                    return plain
        return ""

    def _state_folders(self, *below: str) -> Iterator[Path]:
        """Its state folder, and those set aside in it, where no link is on the way."""
        if self.git_dir is None:
            return
        aside = _plain(self.git_dir, "perdure", "aside")
        names = sorted((path.name for path in aside.iterdir()), reverse=True) if aside else []
        for way in (("state",), *(("aside", name) for name in names)):
            found = _plain(self.git_dir, "perdure", *way, *below)
            if found is not None:
                yield found


def harmless(text: str) -> str:
    """A text without characters that steer a terminal."""
    return "".join(each for each in text if each.isprintable() or each in "\n\t\u200d")


def _git_dir(path: Path) -> Path | None:
    if not path.is_dir():
        raise NotARepository(f"{path} is no folder", "nothing was changed", "check the path")
    dot_git = path / ".git"
    if dot_git.is_symlink() or dot_git.is_file():
        raise NotARepository(
            f"the history of {path} is in another folder, which {dot_git} only names",
            "it was not read, and nothing was changed",
            "adopt the folder that has the history itself",
        )
    if dot_git.is_dir():
        return dot_git
    return path if looks_bare(path) else None


def _wanted(found: Mapping[str, str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The refs that are taken, and those that are not although they might be missed."""
    names = [
        name
        for name in found
        if name.startswith((HEADS, TAGS, "refs/perdure/")) and not name.startswith(OPS)
    ]
    if len(names) > _MOST_REFS:
        raise UnsupportedRepository(
            f"there are {len(names):,} branches and tags in it, more than perdure takes",
            "nothing was changed",
            "take away those that nobody needs, with git",
        )
    taken = {name: found[name] for name in names if is_ref_name(name)}
    left_out = [
        (name, "neither git nor perdure takes its name") for name in names if name not in taken
    ]
    other = (name for name in found if not name.startswith((HEADS, TAGS, REMOTES, "refs/perdure/")))
    return taken, [
        *((name, _OTHER_REFS.get(name, "it is no branch and no tag")) for name in other),
        *left_out,
    ]


def _head(found: Refs, refs: dict[str, str]) -> str | None:
    """The ref that HEAD names; a commit that is checked out without a branch gets one."""
    try:
        head = found.head()
    except DamagedRepository:
        return None
    if head.branch is not None:
        return f"{HEADS}{head.branch}"
    if head.commit is None or head.commit in refs.values():
        return next((name for name, oid in refs.items() if oid == head.commit), None)
    name = f"{HEADS}{DETACHED}"
    refs.setdefault(name, head.commit)
    return name


def _take_detached(git_dir: Path, refs: dict[str, str]) -> None:
    """Give a branch to each commit that another work tree has checked out without one."""
    for tree in _linked(git_dir):
        with suppress(OSError):
            oid = (
                disk.read_file(tree / "HEAD", most=_LONGEST_HEAD).decode("ascii", "replace").strip()
            )
            name = f"{HEADS}{DETACHED}-{tree.name}"
            if OID.fullmatch(oid) and oid not in refs.values() and is_ref_name(name):
                refs.setdefault(name, oid)


def _linked(git_dir: Path) -> list[Path]:
    """The git folders of other work trees, as many as are looked at."""
    folder = _plain(git_dir, "worktrees")
    with suppress(OSError):
        found = folder.iterdir() if folder is not None else ()
        return sorted(path for path in islice(found, _MOST_TREES) if not path.is_symlink())
    return []


def _whole(
    objects: _Objects, refs: Mapping[str, str], head: str | None
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The refs of which every object is there, and the others with what is wrong."""
    whole: dict[str, str] = {}
    damaged: list[tuple[str, str]] = []
    # Halved until each that is damaged stands alone.
    waiting = [sorted(refs, key=lambda each: (each != head, not each.startswith(HEADS)))]
    left = _MOST_LOOKS
    while waiting:
        group = waiting.pop()
        if left < 0 or len(damaged) >= _MOST_DAMAGED:
            damaged += [(name, "too many others are damaged") for name in group]
            continue
        found = NewObjects(objects.store, objects.boundary, list(whole.values()))
        try:
            found.run([refs[name] for name in group])
            _read_all(objects.store, found.wanted)
        except TooMuchUnpacked:
            raise
        except DamagedRepository as error:
            if len(group) == 1:
                damaged.append((group[0], error.what))
            else:
                half = len(group) // 2
                waiting += [group[half:], group[:half]]
        else:
            whole |= {name: refs[name] for name in group}
        left -= len(whole) + len(group) + len(found.wanted)
    if not whole:
        raise DamagedRepository(f"no branch of it is whole: {damaged[0][1]}", "nothing was changed")
    return whole, damaged


def _read_all(store: ObjectStore, wanted: Collection[bytes]) -> None:
    """Read objects of which nothing is kept. Raises DamagedRepository, TooMuchUnpacked."""
    left = _LIMITS.unpacked(stored_bytes(store.folder))
    for oid in wanted:
        left -= len(store.read(oid.hex())[1])
        if left < 0:
            raise TooMuchUnpacked


def _copied(
    objects: _Objects, fresh: FreshRepository, refs: Mapping[str, str], progress: Progress | None
) -> list[Trouble]:
    """Copy the objects that some refs lead to; what is odd about them, and harmless."""
    tips = list(dict.fromkeys(refs.values()))
    parts = fresh.repo.parts()
    with IncomingPack(fresh.repo.git_dir) as incoming:
        for data in pack_bytes(outgoing(objects, tips, (), most=MOST_BYTES)):
            incoming.write(data)
        incoming.index(parts.store, progress=progress)
        troubles = [
            each
            for each in check_incoming(incoming, parts.store, tips)
            if not (each.kind == "missing" and objects.boundary)
        ]
        fatal = next((each for each in troubles if each.kind in _FATAL), None)
        if fatal is not None:
            raise RefusedPack(f"{fatal.says} ({fatal.oid[:10]})")
        with parts.writer.exclusive("copying the history"):
            keep = incoming.put_in_place(parts.writer.packs)
            if keep is not None:
                keep.release()
    parts.store.rescan()
    return troubles


def _plain(base: Path, *names: str) -> Path | None:
    """A folder below another one, with no link on the way; None where it is not there."""
    here = base
    for name in names:
        here /= name
        if here.is_symlink() or not here.is_dir():
            return None
    return here
