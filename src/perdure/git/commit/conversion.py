"""Refs that git keeps in tables become files, in one step that a crash leaves done or undone.

The rename of ``config.lock`` decides; what is written before it is read by nobody, what is done
after it only tidies up (docs/durability.md). All the while the lock of git's tables is held, so
that no git moves a ref in between, and it goes away with their folder: a git that began before
cannot write to a table that nobody reads any more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from perdure.git import disk
from perdure.git.config import repository as config
from perdure.git.errors import Busy, DamagedRepository, UnsupportedRepository
from perdure.git.host import boot
from perdure.git.layout import Layout
from perdure.git.locks import GitLock, remove_dead_locks
from perdure.git.refs.refs import LOCK_WAIT, Refs, is_safe_name, packed_file
from perdure.git.refs.reftable import LogEntry
from perdure.git.refs.table_stack import LIST, TABLES, TableStack, is_in_tables
from perdure.git.state import fields

_ROOT_REF = re.compile(
    rb"HEAD|[A-Z_-]+_HEAD|AUTO_MERGE|BISECT_EXPECTED_REV|NOTES_MERGE_(?:PARTIAL|REF)|MERGE_AUTOSTASH"
)
"""Names outside of ``refs/`` that git's `is_root_ref` takes for a ref's."""
_ALWAYS_FILES = {b"FETCH_HEAD", b"MERGE_HEAD"}
_NO_FILE = {errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
"""A reflog's name is the folder of another, or no file can have it."""
_EACH = 64
"""Files up to which each is synced by itself; one call is cheaper than many more."""
_LARGEST_MARK = 1024 * 1024
_STUB = b"this repository uses the reftable format\n"
_STUB_HEAD = b"ref: refs/heads/.invalid\n"


class _Mark(msgspec.Struct):
    """What a crash needs to know.

    Attributes:
        tables: what ``tables.list`` said, byte by byte.
        boot: the start of the machine in which it was written.
        locks: lock files and their inodes.
    """

    tables: str
    boot: str
    locks: list[tuple[str, int]] = []


def check_convertible(layout: Layout) -> None:
    """Refuse where more than one work tree has tables of its own, as git's own migration does.

    Raises:
        UnsupportedRepository: names the others.
    """
    others = sorted((layout.git_dir / "worktrees").glob("*"))
    if others:
        raise UnsupportedRepository(
            "this clone keeps its branches in a table, in Git 3's way. Before anything can be "
            "saved it has to keep them in files, and perdure does not convert it while it has "
            f"more work trees ({', '.join(each.name for each in others[:5])})",
            "nothing was changed, and everything can be read",
            "remove those (git worktree list; git worktree remove PATH; git worktree prune), or "
            "go on in a new clone",
        )


def put_refs_in_files(layout: Layout, refs: Refs) -> bool:
    """Remove what dead processes left, and make files of refs that are in tables.

    The caller holds the commit lock.

    Returns:
        Whether they were in tables.

    Raises:
        UnsupportedRepository, DamagedRepository, Busy: as `convert_refs`.
    """
    finish_conversion(layout)
    remove_dead_locks(layout.git_dir, layout.held)
    if not refs.look_for_tables():
        return False
    convert_refs(layout)
    refs.look_for_tables()
    return True


def convert_refs(layout: Layout) -> None:
    """Make files of all refs and reflogs. The caller holds the commit lock.

    Raises:
        UnsupportedRepository: there are linked work trees, or unusual settings.
        DamagedRepository: the tables cannot be read, or hold what no file can.
        Busy: git is writing refs or settings.
    """
    check_convertible(layout)
    git_dir = layout.git_dir
    stack = TableStack(git_dir)
    with contextlib.ExitStack() as held:
        paths = (
            stack.folder / LIST,
            *(git_dir / name for name in ("packed-refs", "HEAD", "config")),
        )
        locks = [layout.lock(path) for path in paths]
        for lock in locks:
            held.callback(lock.release)
        tables, packed, head, settings = locks
        tables.take(wait=LOCK_WAIT)
        named = stack.names()
        values, logs = stack.values(), stack.logs()
        _check_names(values)
        _write_mark(layout, named, locks)
        try:
            _clear(git_dir)
            _write_files(git_dir, values, logs)
            _publish(packed, packed_file(_packed(values)))
            _publish(head, values[b"HEAD"] + b"\n")
            disk.sync_folder(git_dir)
            settings.take(wait=LOCK_WAIT)
            _edit_config(git_dir / "config", settings)
            _check_same(stack, named)
        except BaseException:
            with contextlib.suppress(OSError):
                _take_back(layout)
            raise
        settings.publish()
        disk.sync_folder(git_dir)
        _tidy(layout, named)


def finish_conversion(layout: Layout) -> None:
    """Put in order what a crash has left of a conversion. The caller holds the commit lock."""
    try:
        data = disk.read_file(layout.conversion, most=_LARGEST_MARK)
    except FileNotFoundError:
        return
    try:
        mark = msgspec.json.decode(data, type=_Mark)
    except msgspec.DecodeError:
        mark = _Mark(tables="", boot="")
    fields.break_locks(mark.boot, mark.locks, layout.git_dir)
    if is_in_tables(layout.git_dir):
        _take_back(layout)
    else:
        _tidy(layout, mark.tables.encode("latin-1"))


def _write_mark(layout: Layout, named: bytes, locks: Sequence[GitLock]) -> None:
    mark = _Mark(named.decode("latin-1"), boot(), [lock.identity for lock in locks])
    disk.make_folder(layout.state, synced=True)
    fresh = layout.conversion.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    disk.write_file(fresh, msgspec.json.encode(mark))
    fresh.replace(layout.conversion)
    disk.sync_folder(layout.state)


def _publish(lock: GitLock, content: bytes) -> None:
    lock.write(content)
    lock.take(wait=LOCK_WAIT)
    lock.publish()


def _check_same(stack: TableStack, named: bytes) -> None:
    """Whether the tables are those that were read: somebody may heed no lock."""
    if stack.names() != named:
        raise Busy(
            "another program has written branches while they were converted",
            "nothing was changed",
            "try again in a moment",
        )


def _check_names(values: Mapping[bytes, bytes]) -> None:
    for name, value in values.items():
        if not _is_root_ref(name) and not is_safe_name(name.decode("utf-8", "replace")):
            raise _cannot_be(f"the name {name[:80]!r}")
        if value.startswith(b"ref: ") and re.search(rb"[\x00-\x20\x7f]", value[5:]):
            raise _cannot_be(f"{name[:80]!r}, which names {value[5:85]!r}")
    if b"HEAD" not in values:
        raise _cannot_be("no HEAD")


def _is_root_ref(name: bytes) -> bool:
    return name not in _ALWAYS_FILES and _ROOT_REF.fullmatch(name) is not None


def _cannot_be(what: str) -> DamagedRepository:
    return DamagedRepository(
        f"the table of branches has {what}, of which no file can be made",
        "nothing was changed",
        "see git for-each-ref; git update-ref -d takes away what does not belong there",
    )


def _edit_config(path: Path, lock: GitLock) -> None:
    """Write the settings as they will be into their lock."""
    text = disk.read_file(path).decode("utf-8", "surrogateescape")
    edited = config.with_refs_in_files(text)
    os.fchmod(lock.fd, stat.S_IMODE(path.stat().st_mode))
    lock.write(edited.encode("utf-8", "surrogateescape"))


def _packed(values: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The refs that ``packed-refs`` can hold: those below ``refs/`` that name no other."""
    return {
        name: value
        for name, value in values.items()
        if name.startswith(b"refs/") and not value.startswith(b"ref: ")
    }


def _write_files(
    git_dir: Path, values: Mapping[bytes, bytes], logs: Mapping[bytes, list[LogEntry]]
) -> None:
    """Write loose refs and reflogs; on the disk when this returns."""
    packed = _packed(values)
    loose = [name for name in values if name not in packed and name != b"HEAD"]
    each = len(loose) + len(logs) <= _EACH or sys.platform != "linux"
    for folder in ("refs/heads", "refs/tags"):
        disk.make_folder(git_dir / folder)
    for name in loose:
        _write(git_dir, name, values[name] + b"\n", synced=each)
    # The reflog of what is there before one of what was there and is a folder today.
    for name in sorted(logs, key=lambda name: name not in values):
        _write_log(git_dir, name, logs[name], synced=each)
    if not each:
        os.sync()
        return
    for top in (git_dir / "refs", git_dir / "logs"):
        for inner, _, _ in os.walk(top):
            disk.sync_folder(inner)


def _write(git_dir: Path, name: bytes, content: bytes, *, synced: bool) -> None:
    path = git_dir / os.fsdecode(name)
    path.unlink(missing_ok=True)
    disk.make_folder(path.parent)
    disk.write_file(path, content, synced=synced)


def _write_log(git_dir: Path, name: bytes, entries: list[LogEntry], *, synced: bool) -> None:
    """Write a reflog; one that no file can be made of is left out: nothing rests on it."""
    if not _is_root_ref(name) and not is_safe_name(name.decode("utf-8", "replace")):
        return
    content = b"".join(entry.line() for entry in entries if not entry.is_mark)
    try:
        _write(git_dir, b"logs/" + name, content, synced=synced)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise


def _clear(git_dir: Path) -> None:
    """Take away refs and reflogs in files, which no git reads while config names the tables."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(git_dir / "logs")
    (git_dir / "packed-refs").unlink(missing_ok=True)
    for path in git_dir.iterdir():
        if path.name != "HEAD" and _is_root_ref(os.fsencode(path.name)):
            path.unlink()
    for path in (git_dir / "refs").iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _take_back(layout: Layout) -> None:
    """Leave the folder as git makes one with tables, as if nothing had begun."""
    git_dir = layout.git_dir
    _clear(git_dir)
    disk.write_file(git_dir / "refs/heads", _STUB)
    disk.replace_file(git_dir / "HEAD", _STUB_HEAD, synced=True)
    disk.sync_folder(git_dir / "refs")
    disk.sync_folder(git_dir)
    _drop_mark(layout)


def _tidy(layout: Layout, named: bytes) -> None:
    """Take the tables away, first out of the sight of every git that still knows them.

    Args:
        layout: the folders.
        named: what their list said; of others, which somebody has made since, nothing is touched.
    """
    gone = layout.git_dir / "perdure" / TABLES
    shutil.rmtree(gone, ignore_errors=True)
    with contextlib.suppress(DamagedRepository):
        stack = TableStack(layout.git_dir)
        if stack.names() == named:
            stack.folder.rename(gone)
            disk.sync_folder(gone.parent)
            disk.sync_folder(layout.git_dir)
    shutil.rmtree(gone, ignore_errors=True)
    _drop_mark(layout)


def _drop_mark(layout: Layout) -> None:
    layout.conversion.unlink(missing_ok=True)
    disk.sync_folder(layout.state)
