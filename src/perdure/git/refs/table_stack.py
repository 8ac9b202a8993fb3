"""The refs of a repository that keeps them in git's tables: read, never written.

git's tables lie in ``reftable``, in the order that ``tables.list`` names them; a later one speaks
for an earlier one. A linked work tree has a stack of its own for its HEAD. What is found is put as
``packed-refs`` and loose files would have it: ids by name, and the few refs that name another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from perdure.git import disk
from perdure.git.config import repository as config
from perdure.git.errors import DamagedRepository
from perdure.git.layout import Layout
from perdure.git.refs.reftable import DamagedTable, LogEntry, Table

_T = TypeVar("_T")

TABLES = "reftable"
LIST = "tables.list"
_OWN = ("refs/bisect/", "refs/worktree/", "refs/rewritten/")
"""Refs that each work tree has for itself, beside HEAD and others without a slash."""
_TABLE = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._-]{0,250}")
_LARGEST_LIST = 1024 * 1024
_MOST_BYTES = 64 * 1024 * 1024
"""Bytes of all tables of a stack, and of all their names once they are written out."""
_MOST_RECORDS = 500_000
_MOST_LOG = 128 * 1024 * 1024
"""Bytes of all reflogs, unpacked."""
_RECORD = 400
"""Bytes that an entry of a reflog takes in memory beside its texts."""
_TRIES = 100
"""Times that a list is read again because git has joined its tables meanwhile."""


@dataclass(frozen=True, slots=True)
class TableRefs:
    """Refs as they were found: hex ids by full name, and names by name for symbolic ones."""

    ids: dict[str, str] = field(default_factory=dict)
    symbolic: dict[str, str] = field(default_factory=dict)


def is_in_tables(git_dir: Path) -> bool:
    """Whether the repository keeps its refs in tables: the folder is there, and config says so."""
    if not (git_dir / TABLES).is_dir():
        return False
    return config.ref_storage(config.read_config(git_dir)) == "reftable"


def belongs_to_work_tree(name: str) -> bool:
    """Whether a work tree has a ref of this name for itself."""
    return "/" not in name or name.startswith(_OWN)


class TableStack:
    """One stack of tables: the ``reftable`` of a git folder or of a linked work tree's."""

    def __init__(self, git_dir: Path) -> None:
        self.folder = git_dir / TABLES
        self._list: bytes | None = None
        self._values: dict[bytes, bytes] = {}

    def values(self) -> dict[bytes, bytes]:
        """Every ref by name: its hex id, or ``ref: `` and the name that it stands for.

        Raises:
            DamagedRepository: a table is missing or makes no sense.
        """
        named = self.names()
        if named != self._list:
            self._list, self._values = self._opened(_merged)
        return self._values

    def logs(self) -> dict[bytes, list[LogEntry]]:
        """The reflogs by ref, the oldest entry first. Raises DamagedRepository."""
        return self._opened(_merged_logs)[1]

    def names(self) -> bytes:
        """What ``tables.list`` says.

        Raises:
            DamagedRepository: it is missing, or cannot be one.
        """
        path = self.folder / LIST
        try:
            return disk.read_file(path, most=_LARGEST_LIST)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise DamagedRepository(
                f"{path} is missing, which names the tables of branches and tags",
                "the commits are not touched",
                "fetch the repository anew from a backup",
            ) from error
        except (disk.NotPlain, disk.TooLong) as error:
            raise DamagedRepository(
                f"{path} is no list of tables", "the commits are not touched"
            ) from error

    def _opened(self, merge: Callable[[list[Table]], _T]) -> tuple[bytes, _T]:
        """What all tables come to, and the list that named them.

        git joins tables and removes the old ones at any time; the list names the new one by then.
        """
        named = self.names()
        for _ in range(_TRIES):
            try:
                tables = list(self._tables(named))
            except FileNotFoundError as error:
                again = self.names()
                if again == named:
                    raise DamagedRepository(
                        f"a table of branches and tags is missing: {error.filename}",
                        "the commits are not touched",
                        "fetch the repository anew from a backup",
                    ) from error
                named = again
                continue
            return named, merge(tables)
        raise DamagedRepository(
            f"the tables in {self.folder} are replaced quicker than they can be read",
            "nothing was changed",
            "wait until git is done, then try again",
        )

    def _tables(self, named: bytes) -> Iterator[Table]:
        left = _MOST_BYTES
        for row in named.split():
            if not _TABLE.fullmatch(row):
                raise DamagedRepository(
                    f"{self.folder / LIST} names {row[:80]!r}, which is no table",
                    "the commits are not touched",
                )
            name = row.decode("ascii")
            try:
                data = disk.read_file(self.folder / name, most=left)
            except (disk.NotPlain, disk.TooLong, IsADirectoryError) as error:
                raise DamagedTable(
                    f"the table of refs {name} is no file, or larger than perdure reads",
                    "the commits are not touched",
                ) from error
            # A list may name one table many times.
            left -= len(data)
            yield Table(name, data)


def _merged(tables: list[Table]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    size = count = 0
    for table in tables:
        for name, value in table.refs():
            size, count = size + len(name), count + 1
            if size > _MOST_BYTES or count > _MOST_RECORDS:
                raise _too_many(table)
            if value is None:
                found.pop(name, None)
            else:
                found[name] = value
    return found


def _merged_logs(tables: list[Table]) -> dict[bytes, list[LogEntry]]:
    found: dict[tuple[bytes, int], LogEntry] = {}
    left = _MOST_LOG
    for table in tables:
        for entry in table.log(left):
            left -= len(entry.ref) + len(entry.text) + len(entry.name) + len(entry.email) + _RECORD
            if left < 0:
                raise _too_many(table)
            key = entry.ref, entry.index
            if entry.is_gone:
                found.pop(key, None)
            else:
                found[key] = entry
    logs: dict[bytes, list[LogEntry]] = {}
    for key in sorted(found):
        logs.setdefault(key[0], []).append(found[key])
    return logs


def _too_many(table: Table) -> DamagedTable:
    return DamagedTable(
        f"{table.name} names more branches, tags or former places than perdure reads",
        "nothing was changed",
        "see git for-each-ref; git branch -D and git tag -d remove what does not belong there",
    )


class RefTables:
    """The refs of one work tree of a repository that keeps them in tables."""

    def __init__(self, layout: Layout) -> None:
        self._git_dir = layout.git_dir
        self._shared = TableStack(layout.git_dir)
        self._own = TableStack(layout.own) if layout.own != layout.git_dir else None
        self._config = self._config_mark()
        self._read: tuple[dict[bytes, bytes], ...] = ()
        self._refs = TableRefs()

    def _config_mark(self) -> tuple[int, int, int] | None:
        try:
            found = (self._git_dir / "config").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def holds(self) -> bool:
        """Whether the repository still keeps its refs here; another process may convert them."""
        mark = self._config_mark()
        if mark != self._config:
            if not is_in_tables(self._git_dir):
                return False
            self._config = mark
        return True

    def head_of(self, own: Path) -> str:
        """What the HEAD of another work tree's git folder says. Raises DamagedRepository."""
        return TableStack(own).values().get(b"HEAD", b"").decode("utf-8", "replace")

    def refs(self) -> TableRefs:
        """All refs that this work tree sees. Raises DamagedRepository."""
        read = tuple(stack.values() for stack in (self._shared, self._own) if stack is not None)
        if len(read) != len(self._read) or any(
            new is not old for new, old in zip(read, self._read, strict=True)
        ):
            self._read, self._refs = read, _seen(*read)
        return self._refs


def _seen(shared: dict[bytes, bytes], own: dict[bytes, bytes] | None = None) -> TableRefs:
    """What a work tree sees: all refs of the repository but those that another has for itself."""
    found = TableRefs()
    for rows, wants_own in ((shared, None if own is None else False), (own or {}, True)):
        for raw, value in rows.items():
            name = raw.decode("utf-8", "replace")
            if wants_own is not None and belongs_to_work_tree(name) != wants_own:
                continue
            if value.startswith(b"ref: "):
                found.symbolic[name] = value.decode("utf-8", "replace")
            else:
                found.ids[name] = value.decode("ascii")
    return found
