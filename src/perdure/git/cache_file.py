"""Index files that can be made anew from the commits at any time: SQLite, one version a file.

A file has a name of its own, ``<kind>-<version>-<time>.sqlite``, and a rebuilt one another:
SQLite finds journals by name, and a reader that still holds the old file must not take the new
one's.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from perdure.git import disk

BUSY = 2.0
"""Seconds to wait for another process that is writing."""


def newest(folder: Path, start: str) -> Path | None:
    """The newest file whose name begins with ``start``: kind and version."""
    return max(folder.glob(f"{start}-*.sqlite"), default=None)


def connect(path: Path, check: str) -> sqlite3.Connection:
    """Open a file to read, and to write where the disk allows; any thread may use it.

    Args:
        path: the file.
        check: a query that only a file which was finished can answer.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    db = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        db.execute("PRAGMA cell_size_check = ON")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(check).fetchone()
    except BaseException:
        db.close()
        raise
    return db


def create(folder: Path, start: str, script: str) -> Path:
    """Make a file of its tables; those of its kind that were there go.

    Raises:
        sqlite3.Error, OSError: it cannot be written.
    """
    disk.make_folder(folder)
    path = folder / f"{start}-{time.time_ns():020d}.sqlite"
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    disk.write_file(new, b"", synced=False)
    db = sqlite3.connect(new, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = DELETE")
        db.executescript(script)
        db.execute("PRAGMA journal_mode = WAL")
    finally:
        db.close()
    new.replace(path)
    drop(folder, start, but=path)
    return path


def drop(folder: Path, start: str, *, but: Path | None = None) -> None:
    """Remove the files of a kind, those of other versions too."""
    for path in folder.glob(f"{start.partition('-')[0]}-*"):
        if path.suffix != ".lock" and not (but and path.name.startswith(but.name)):
            with suppress(OSError):
                path.unlink()


class CacheFile:
    """One open file. What it raises is sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of an answer; None without one."""
        found: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return found

    def column(self, query: str, *values: object) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self._db.execute(query, values).fetchall()]

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._db.close()


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """Write all of the block or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
