"""Refs, HEAD and reflogs, moved by compare-and-swap under git's own locks."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk, links
from perdure.git.errors import (
    BadPath,
    Busy,
    DamagedRepository,
    HistoryError,
    LinkInside,
    UnsupportedRepository,
)
from perdure.git.layout import Layout
from perdure.git.paths import shown

if TYPE_CHECKING:
    from perdure.git.locks import GitLock
    from perdure.git.refs.table_stack import RefTables, TableRefs

_OID = re.compile(r"[0-9a-f]{40}")
_BAD_NAME = re.compile(r"\.\.|[\x00-\x20\x7f~^:?*\[\\]|@\{|//|/\.|\.lock(/|$)|\.$|^[-./]|/$|^@$")
_NO_UTF8 = re.compile(r"[\ud800-\udfff]")
_LONGEST_PART = 250
"""Bytes between two slashes: of a file's 255, what ``.lock`` leaves."""
_LONGEST_NAME = 1024
NO_OID = "0" * 40
HEADS, TAGS, REMOTES = "refs/heads/", "refs/tags/", "refs/remotes/"
OPS = "refs/perdure/ops"
"""The log of operations."""
_TAKEN = re.compile(
    rb"> (\d+) [^\t]*\t(?:reset: moving to (?:HEAD|@|([0-9a-f]{40}))|rebase\b.*\babort.*)$"
)
_AT_ONCE = 0.5
"""Seconds in which nobody has seen a turn and typed an id; a reflog has whole seconds."""
_LARGEST_REF = 64 * 1024
_LARGEST_PACKED = 16 * 1024 * 1024
"""Bytes of ``packed-refs``: some 200,000 branches and tags."""
_ALWAYS_FILES = frozenset({"FETCH_HEAD", "MERGE_HEAD"})
"""git keeps them outside of its tables, since they hold more than an id."""
_STUB_HEAD = "ref: refs/heads/.invalid"
"""What the file HEAD says where git keeps the refs in tables."""
LOCK_WAIT = 2.0
"""Seconds to wait for a ref that git is writing; git itself waits 0.1."""


@dataclass(frozen=True, slots=True)
class Head:
    """What HEAD names. ``branch`` None: detached. ``commit`` None: no commit yet."""

    branch: str | None
    commit: str | None


@dataclass(frozen=True, slots=True)
class RefMove:
    """A move of one ref. ``old`` None creates it; ``new`` None deletes it.

    Attributes:
        ref: full name, ``refs/heads/main`` or ``refs/tags/before-the-move``.
        old: id that it must have now.
        new: id that it gets.
    """

    ref: str
    old: str | None
    new: str | None


class Moved(Exception):
    """The ref has moved since the writer read it."""


def check_branch(name: str) -> str:
    """The full ref name of a branch.

    Raises:
        BadPath: git would not take the name (``git-check-ref-format``).
    """
    if not name or _BAD_NAME.search(name) or name == "HEAD":
        raise BadPath(f"{name!r} cannot be the name of a branch", "nothing was changed")
    return f"refs/heads/{name}"


def free_branch(refs: Refs, wanted: str) -> str:
    """A free branch name: ``wanted``, or with the first number that makes it one."""
    taken = [name.removeprefix(HEADS) for name in refs.names(HEADS)]
    name, number = wanted, 2
    while any(each == name or each.startswith(f"{name}/") for each in taken):
        name, number = f"{wanted}-{number}", number + 1
    return name


def short_name(ref: str) -> str:
    """A branch's or a tag's name without ``refs/heads/`` or ``refs/tags/``."""
    return ref.removeprefix(HEADS).removeprefix(TAGS)


def is_safe_name(name: str) -> bool:
    """Whether git would take a full name below ``refs/``, of whatever kind."""
    return name.startswith("refs/") and not _BAD_NAME.search(name.removeprefix("refs/"))


def is_ref_name(name: str) -> bool:
    """Whether a full name is one of a branch, a tag, or a ref of our own that git would take.

    One that is no UTF-8 git takes, and no other place that names are kept in.
    """
    is_ours = name.startswith((HEADS, TAGS, "refs/perdure/"))
    rest = name.partition("/")[2].partition("/")[2]
    is_name = bool(rest) and not (_BAD_NAME.search(rest) or _NO_UTF8.search(rest))
    return is_ours and is_name and _fits_in_files(rest)


def _fits_in_files(name: str) -> bool:
    """Whether a part of a ref's name can be a file's, with a lock beside it, in any folder."""
    if len(name) < _LONGEST_PART // 4:
        return True
    raw = name.encode("utf-8", "surrogateescape")
    return len(raw) <= _LONGEST_NAME and all(len(part) <= _LONGEST_PART for part in raw.split(b"/"))


def _broken(name: str) -> DamagedRepository:
    return DamagedRepository(
        f"the ref {name} is broken: its file does not hold an id",
        "the commits are not touched",
        f"look for its last id in .git/logs/{name}",
    )


def _checked_target(name: str, content: str) -> str:
    """The ref that a symbolic one names.

    Raises:
        DamagedRepository: it names something else, a file outside of the refs for instance.
    """
    target = content[5:].strip()
    if not target.startswith("refs/") or _BAD_NAME.search(target):
        raise DamagedRepository(
            f"{name} names {target[:80]!r}, which is no branch and no other ref",
            "commits and branches are not touched",
            f"see git symbolic-ref {name}",
        )
    return target


def packed_content(refs: Mapping[str, str]) -> bytes:
    """A ``packed-refs`` with some refs, id by full name.

    Raises:
        BadPath: git would not take a name, or one is a folder of another.
        HistoryError: there are more than are read again.
    """
    for name in refs:
        is_remote = name.startswith(REMOTES) and not _BAD_NAME.search(name.removeprefix(REMOTES))
        if not (is_remote or is_ref_name(name)):
            raise BadPath(f"{shown(name)} cannot be the name of a branch or tag")
        above = name.rpartition("/")[0]
        while above not in {"", "refs"}:
            if above in refs:
                raise BadPath(f"{shown(name)} cannot be there beside {shown(above)}")
            above = above.rpartition("/")[0]
    return packed_file(
        {name.encode("utf-8", "surrogateescape"): oid.encode("ascii") for name, oid in refs.items()}
    )


def packed_file(rows: Mapping[bytes, bytes]) -> bytes:
    """A ``packed-refs`` with some ids by name, as bytes; the names are not looked at.

    Raises:
        HistoryError: there are more than are read again.
    """
    lines = [b"# pack-refs with: sorted \n"]
    lines += [b"%s %s\n" % (oid, name) for name, oid in sorted(rows.items())]
    content = b"".join(lines)
    if len(content) > _LARGEST_PACKED:
        raise HistoryError(
            f"there are {len(rows):,} branches and tags, more than perdure keeps",
            "nothing was changed",
            "take away those that nobody needs, where they come from",
        )
    return content


def packed_refs(path: Path) -> bytes:
    """The content of a ``packed-refs``.

    Raises:
        DamagedRepository: it is larger than a companion's can be.
    """
    try:
        return disk.read_file(path, most=_LARGEST_PACKED)
    except disk.TooLong as error:
        raise DamagedRepository(
            f"{path} is larger than {_LARGEST_PACKED >> 20} MiB, more than perdure reads",
            "nothing was changed",
            "see git for-each-ref; git branch -D and git tag -d remove what does not belong there",
        ) from error


def _log_file(folder: Path, name: str) -> Path:
    """Where a ref's reflog is.

    Raises:
        NotPlain: a link is on the way. No turn fails for a reflog, so it is an OSError like others.
    """
    path = folder / "logs" / name
    try:
        links.check_way(folder, path)
    except LinkInside as error:
        raise disk.NotPlain(errno.ELOOP, error.what, str(path)) from error
    return path


class Refs:
    """The refs of one repository, as this work tree sees them."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._packed: dict[str, str] = {}
        self._packed_mark: tuple[int, int, int] | None = None
        self._tables: RefTables | None = None
        self.look_for_tables()

    def look_for_tables(self) -> bool:
        """Find out where the refs are: whether in git's tables, and not in files."""
        self._tables = None
        # The folder first: of most repositories no more has to be asked.
        if (self._layout.git_dir / "reftable").is_dir():
            from perdure.git.refs import table_stack

            if table_stack.is_in_tables(self._layout.git_dir):
                self._tables = table_stack.RefTables(self._layout)
        return self._tables is not None

    def _in_tables(self) -> TableRefs | None:
        """The refs where git keeps them in tables; None where they are files.

        Raises:
            DamagedRepository: a table is missing or makes no sense.
        """
        if self._tables is None:
            return None
        try:
            if self._tables.holds():
                return self._tables.refs()
        except DamagedRepository:
            # Another process of ours may have made files of them just now.
            if self.look_for_tables():
                raise
            return None
        return self._in_tables() if self.look_for_tables() else None

    def _path(self, name: str) -> Path:
        shared = name.startswith("refs/") and not name.startswith(
            ("refs/bisect/", "refs/worktree/")
        )
        return (self._layout.git_dir if shared else self._layout.own) / name

    def _content(self, name: str) -> str | None:
        tables = self._in_tables()
        if tables is not None and name not in _ALWAYS_FILES:
            return tables.symbolic.get(name)
        try:
            data = disk.read_file(self._path(name), most=_LARGEST_REF)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (disk.NotPlain, disk.TooLong, OverflowError) as error:
            raise _broken(name) from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise _broken(name) from error
            raise
        return data.decode("utf-8", "replace").strip()

    def read(self, name: str) -> str | None:
        """The id that a ref names, symbolic ones followed; None when there is no such ref.

        Raises:
            DamagedRepository: the ref's file holds something else.
        """
        for _ in range(6):
            content = self._content(name)
            if content is None:
                return self._packed_refs().get(name)
            if content.startswith("ref: "):
                name = _checked_target(name, content)
                continue
            if _OID.fullmatch(content):
                return content
            raise _broken(name)
        raise DamagedRepository(f"the ref {name} names itself in a circle")

    def head(self) -> Head:
        """What HEAD names."""
        content = self._content("HEAD") or ""
        if content == _STUB_HEAD and self._tables is None and self.look_for_tables():
            # git has put them into tables since this was opened.
            content = self._content("HEAD") or ""
        if content.startswith("ref: "):
            name = _checked_target("HEAD", content)
            return Head(name.removeprefix(HEADS), self.read(name))
        return Head(None, self.read("HEAD"))

    def _packed_refs(self) -> dict[str, str]:
        tables = self._in_tables()
        if tables is not None:
            return tables.ids
        path = self._layout.git_dir / "packed-refs"
        try:
            found = path.stat()
        except FileNotFoundError:
            return {}
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        if mark != self._packed_mark:
            text = packed_refs(path).decode("utf-8", "replace")
            rows = (line.partition(" ") for line in text.split("\n"))
            self._packed = {
                name: oid
                for oid, _, name in rows
                if name and _OID.fullmatch(oid) and not _BAD_NAME.search(name)
            }
            self._packed_mark = mark
        return self._packed

    def names(self, prefix: str) -> dict[str, str]:
        """Every ref below a prefix such as ``refs/heads/`` and its id, sorted by name.

        Refs that cannot be read are left out, and files whose name git would not take for a ref's.
        """
        packed = {name: oid for name, oid in self._packed_refs().items() if name.startswith(prefix)}
        found = set(self._files_below(prefix))
        values: dict[str, str] = {}
        for name in sorted(packed.keys() | found):
            if _BAD_NAME.search(name.removeprefix("refs/")):
                continue
            try:
                oid = self.read(name) if name in found else packed[name]
            except DamagedRepository:
                continue
            if oid is not None:
                values[name] = oid
        return values

    def _files_below(self, prefix: str) -> Iterator[str]:
        """The full names of refs that are not packed, as far as their names tell."""
        tables = self._in_tables()
        if tables is not None:
            yield from (name for name in tables.symbolic if name.startswith(prefix))
            return
        top = self._path(prefix.rstrip("/"))
        # Not by `os.walk`, which calls itself for each folder in a folder.
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            with contextlib.suppress(OSError), os.scandir(top / inner) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{inner}{entry.name}/")
                    elif not entry.name.endswith(".lock"):
                        yield f"{prefix}{inner}{entry.name}"

    def root_names(self) -> list[str]:
        """Refs outside of ``refs/`` that git has in a table, ``REVERT_HEAD`` for instance."""
        tables = self._in_tables()
        return [name for name in tables.ids if "/" not in name] if tables is not None else []

    def strays(self) -> dict[str, str]:
        """Files among the branches that git does not accept as refs, and the id in each.

        Sync programs put the branch of another machine there. git does not see it, so that nothing
        keeps its commits.
        """
        found: dict[str, str] = {}
        for ref in sorted(self._files_below(HEADS)):
            name = ref.removeprefix(HEADS)
            content = self._content(ref) if _BAD_NAME.search(name) else None
            if content is not None and _OID.fullmatch(content):
                found[name] = content
        return found

    def checked_out_elsewhere(self) -> dict[str, str]:
        """Branches that other work trees of this repository have checked out, and where those are.

        git refuses to go there.
        """
        found: dict[str, str] = {}
        git_dir = self._layout.git_dir
        for own in (git_dir, *sorted(git_dir.glob("worktrees/*"))):
            if own == self._layout.own:
                continue
            with contextlib.suppress(OSError, DamagedRepository):
                text = self._head_of(own)
                link = own / "gitdir"
                where = link.read_text("utf-8", "replace").strip() if link.is_file() else str(own)
                if text.startswith(f"ref: {HEADS}"):
                    found[text.removeprefix(f"ref: {HEADS}")] = where.removesuffix("/.git")
        return found

    def _head_of(self, own: Path) -> str:
        """What the HEAD of another work tree says. Raises OSError, DamagedRepository."""
        if self._tables is not None:
            return self._tables.head_of(own)
        return (own / "HEAD").read_text("utf-8", "replace").strip()

    def check_files(self) -> None:
        """Make sure that the refs are files, which alone are written.

        Raises:
            UnsupportedRepository: git keeps them in tables.
        """
        if self._in_tables() is not None:
            raise UnsupportedRepository(
                "git has put the branches of this folder into a table",
                "nothing was changed",
                "try again: perdure makes files of it first",
            )

    def prepare_head(self, branch: str) -> GitLock:
        """A lock for HEAD that will name a branch, not taken yet."""
        self.check_files()
        return self._layout.lock(self._layout.own / "HEAD", f"ref: {HEADS}{branch}\n".encode())

    def remove(self, lock: GitLock, name: str) -> None:
        """Delete a ref whose lock is held: out of packed-refs first, so that no old value shows.

        Raises:
            Busy: someone else holds ``packed-refs.lock``.
        """
        self.check_files()
        if name in self._packed_refs():
            self._unpack(name)
        lock.target.unlink(missing_ok=True)
        # Given back first: synced with its folder, it would outlive a power cut.
        lock.release()
        disk.sync_folder(lock.target.parent)
        with contextlib.suppress(OSError):
            _log_file(self._layout.git_dir, name).unlink(missing_ok=True)

    def _unpack(self, name: str) -> None:
        path = self._layout.git_dir / "packed-refs"
        lock = self._layout.lock(path)
        try:
            lock.take(wait=LOCK_WAIT)
            kept: list[bytes] = []
            is_gone = False
            for line in packed_refs(path).split(b"\n"):
                # A line "^id" is what the annotated tag above it names.
                if not line.startswith(b"^"):
                    is_gone = line[41:] == name.encode() and not line.startswith(b"#")
                if not is_gone:
                    kept.append(line)
            lock.write(b"\n".join(kept))
            lock.publish()
        finally:
            lock.release()
        disk.sync_folder(path.parent)

    def prepare(self, name: str, new: str | None) -> GitLock:
        """A lock for a ref with its new value on the disk, not taken yet; None: to delete it."""
        self.check_files()
        path = self._path(name)
        links.check_way(self._layout.git_dir, path)
        parent = path.parent
        created: list[Path] = []
        while not parent.is_dir():
            created.append(parent)
            parent = parent.parent
        for folder in reversed(created):
            folder.mkdir(mode=disk.FOLDER_MODE, exist_ok=True)
            disk.sync_folder(folder.parent)
        return self._layout.lock(path, f"{new}\n".encode() if new is not None else b"")

    def hold(self, lock: GitLock, name: str, old: str | None) -> None:
        """Take a ref's lock if the ref still is where it was seen; git waits 0.1 s for it.

        Args:
            lock: from `prepare`.
            name: full name of the ref.
            old: the id that it must have, None when it must not exist.

        Raises:
            Moved: it has another value by now.
            Busy: someone else holds its lock.
        """
        try:
            lock.take(wait=LOCK_WAIT)
        except Busy as error:
            raise Busy(error.what, "nothing was changed", error.next_step) from error
        if self.read(name) != old:
            raise Moved(name)
        if lock.target.is_dir():
            # git leaves empty folders where a branch with a slash in its name was.
            lock.target.rmdir()

    def publish(self, lock: GitLock) -> None:
        """The commit point: rename a held branch's lock over the branch."""
        lock.publish()

    @staticmethod
    def sync_folder(lock: GitLock) -> None:
        """Flush the moved ref to disk; a turn is saved when this returns."""
        disk.sync_folder(lock.target.parent)

    def move(self, move: RefMove) -> None:
        """Move one ref that no work tree has checked out; on the disk when this returns.

        Raises:
            Moved: it has another value by now.
            Busy: someone else holds its lock.
            NotADirectoryError, IsADirectoryError: another ref has its name as a folder.
            HistoryError: it cannot be written.
        """
        lock = self.prepare(move.ref, move.new)
        try:
            self.hold(lock, move.ref, move.old)
            if move.new is None:
                self.remove(lock, move.ref)
            else:
                self.publish(lock)
                self.sync_folder(lock)
        finally:
            lock.release()

    def was_reset_away(self, name: str, commit: str, committed: float) -> bool:
        """Whether the reflog shows that git removed a commit from a branch by accident.

        `git stash`, `git merge --abort` and others end with a reset "to HEAD", and git's reset does
        not compare: it writes the id that HEAD had when it began. ``HEAD~1`` reads differently.
        `git cherry-pick --abort` and `git revert --abort` name that id; as anybody may who resets,
        so it counts only in the moment of the commit. `git rebase --abort` puts the branch back
        wherever it is.

        Args:
            name: the branch's ref.
            commit: the commit.
            committed: when it was committed, in seconds.
        """
        try:
            lines = disk.tail(self._layout.git_dir / "logs" / name, 8192).split(b"\n")
        except OSError:
            return False
        taken = (_TAKEN.search(line) for line in lines if line.startswith(commit.encode()))
        return any(
            found is not None and (found[2] is None or int(found[1]) <= committed + _AT_ONCE)
            for found in taken
        )

    def log(self, name: str, old: str | None, new: str, who: bytes, message: str) -> None:
        """Add a commit's line to a ref's reflog, as git does."""
        subject = message.strip("\n").partition("\n")[0]
        self.note(name, old, new, who, f"commit{'' if old else ' (initial)'}: {subject}")

    def note(self, name: str, old: str | None, new: str, who: bytes, text: str) -> None:
        """Add a line to a ref's reflog. It is not fsynced: no rule rests on it. Raises OSError."""
        folder = self._layout.own if name == "HEAD" else self._layout.git_dir
        path = _log_file(folder, name)
        if not path.parent.is_dir():
            disk.make_folder(path.parent)
        text = re.sub(r"[\t\r\n]", " ", text)
        line = b"%s %s %s\t%s\n" % (
            (old or NO_OID).encode(),
            new.encode(),
            who,
            text.encode("utf-8", "replace"),
        )
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = links.open_below(folder, path, flags | os.O_NONBLOCK)
        try:
            disk.write_all(fd, line)
        finally:
            os.close(fd)
