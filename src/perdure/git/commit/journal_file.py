"""A journal file: the turn in progress, and what a commit is about to do, on disk beforehand.

One file a session, preallocated and used again for every turn, locked by its owner for as long as
it lives. Records are lines ``generation crc json``; a new turn begins at the top with another
generation, so that what is left of the one before ends the reading. See docs/durability.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perdure.git import disk
from perdure.git.host import boot
from perdure.git.state import fields

_GENERATION = re.compile(rb"[0-9a-f]{8}")
_ROOM = 64 * 1024
_RECENT = 120.0
"""Seconds for which a work file may not be on the disk yet: Linux writes back within 30."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a commit is about to do, written down first.

    Attributes:
        branch: name of the branch.
        commit: id of the commit that the branch was to be moved to.
        paths: per path the blob before and after.
        locks: git lock files that it was about to take, and their inodes.
    """

    branch: str
    commit: str
    paths: Mapping[str, tuple[str | None, str | None]]
    locks: Sequence[tuple[str, int]]


@dataclass(slots=True)
class Record:
    """The content of a journal file."""

    header: dict[str, Any]
    boot: str
    text: str = ""
    end: dict[str, Any] | None = None
    """What the caller noted when the reply had come to its end; None where it had not."""
    intents: list[Intent] = field(default_factory=list)
    recent: list[tuple[str, str, list[str | None]]] = field(default_factory=list)
    """Branch, path and former blobs of work files that were written shortly before."""
    is_done: bool = False
    """The turn was committed or dropped; only what was written with it is still of interest."""

    @property
    def paths(self) -> set[str]:
        """Work files that may not have reached the disk."""
        return {path for _, path, _ in self.recent} | {p for i in self.intents for p in i.paths}


class JournalFile:
    """One journal file, locked by its owner."""

    def __init__(self, lock: disk.KernelLock) -> None:
        self._lock = lock
        self._generation = b""
        self._at = 0
        self._is_done = False
        self._recent: dict[tuple[str, str], tuple[float, list[str | None]]] = {}

    @classmethod
    def create(cls, folder: Path) -> JournalFile:
        """Create a file, preallocated so that later syncs need not write metadata."""
        lock = disk.KernelLock(folder / f"{os.getpid()}-{secrets.token_hex(4)}.journal")
        lock.take(wait=1.0)
        try:
            disk.write_all(lock.fd, bytes(_ROOM))
            disk.sync(lock.fd)
            disk.sync_folder(folder)
        except BaseException:
            lock.path.unlink(missing_ok=True)
            lock.release()
            raise
        return cls(lock)

    @property
    def identity(self) -> str:
        """Identifies this file in its present state; a copy has the same identity."""
        return f"{self._lock.path.name} {os.fstat(self._lock.fd).st_mtime_ns}"

    def begin(self, header: Mapping[str, object]) -> None:
        """Start a new turn: the header is on disk when this returns."""
        now = time.monotonic()
        self._recent = {
            key: (at, oids) for key, (at, oids) in self._recent.items() if now - at < _RECENT
        }
        self._generation = secrets.token_hex(4).encode()
        self._at, self._is_done = 0, False
        recent = [
            [branch, path, oids[-8:]]
            for (branch, path), (_, oids) in list(self._recent.items())[-32:]
        ]
        self._add({"begin": dict(header), "boot": boot(), "recent": recent})
        self.sync()

    def _add(self, record: Mapping[str, object]) -> None:
        body = json.dumps(record, separators=(",", ":")).encode("ascii")
        line = b"%s %08x %s\n" % (self._generation, zlib.crc32(body), body)
        view = memoryview(line)
        at = self._at
        while view:
            written = os.pwrite(self._lock.fd, view, at)
            view, at = view[written:], at + written
        self._at = at

    def text(self, piece: str) -> None:
        """Append a streamed piece. It survives a crash of the process, but not yet a power cut."""
        self._add({"text": piece})

    def end(self, facts: Mapping[str, object]) -> None:
        """Record that the reply is complete and how it ended; synced with the intent."""
        self._add({"end": dict(facts)})

    def sync(self) -> None:
        """Flush everything appended so far to disk."""
        disk.sync_data(self._lock.fd)

    def intend(self, intent: Intent) -> None:
        """Record what the commit is about to do; on disk when this returns."""
        self._add(
            {
                "commit": intent.commit,
                "branch": intent.branch,
                "paths": {path: list(pair) for path, pair in intent.paths.items()},
                "locks": [list(lock) for lock in intent.locks],
            }
        )
        self.sync()
        now = time.monotonic()
        for path, (old, _) in intent.paths.items():
            _, oids = self._recent.get((intent.branch, path), (now, []))
            self._recent[intent.branch, path] = (now, [*oids, old])

    def recent_paths(self) -> list[str]:
        """Work files written so recently that they may not be on disk yet."""
        return [path for _, path in self._recent]

    def finish(self) -> None:
        """Mark the turn as finished. Not synced: the intent shows whether it was committed.

        What was written with it stands there until the next turn begins, or the file is removed.
        """
        self._is_done = True
        with contextlib.suppress(OSError):
            self._add({"done": True})

    def remove(self) -> None:
        """Delete the file and release its lock.

        Where it cannot be deleted, it stays for the next open: what it holds is committed.
        """
        with contextlib.suppress(OSError):
            self._lock.path.unlink(missing_ok=True)
        self._lock.release()

    def abandon(self) -> None:
        """Release the lock and leave the file for the next process that opens the repository."""
        self._lock.release()

    def is_used(self) -> bool:
        """Whether it holds an unfinished turn."""
        return self._generation != b"" and not self._is_done

    def parse(self) -> Record | None:
        """Read it back as far as its records are valid; None if it is empty."""
        data = os.pread(self._lock.fd, os.fstat(self._lock.fd).st_size, 0)
        found, size = read_journal(data)
        if found is not None:
            self._generation, self._at = data[:8], size
        return found


def read_journal(data: bytes) -> tuple[Record | None, int]:
    """The content of a journal as far as its records are valid, and their bytes; None for none."""
    found: Record | None = None
    generation = data[:8]
    if not _GENERATION.fullmatch(generation):
        return None, 0
    pieces: list[str] = []
    at = 0
    for line in data.split(b"\n"):
        value = _parse_line(line, generation)
        if value is None:
            break
        at += len(line) + 1
        if found is None:
            if not isinstance(value.get("begin"), dict):
                return None, 0
            found = Record(value["begin"], str(value.get("boot", "")), recent=_recent(value))
        elif "text" in value:
            pieces.append(value["text"] if isinstance(value["text"], str) else "")
        elif isinstance(value.get("end"), dict):
            found.end = value["end"]
        elif "commit" in value:
            found.intents.extend(_intents(value))
        elif "done" in value:
            found.is_done = True
    if found is not None:
        found.text = "".join(pieces)
    return found, at


def _parse_line(line: bytes, generation: bytes) -> dict[str, Any] | None:
    parts = line.split(b" ", 2)
    if len(parts) != 3 or parts[0] != generation or parts[1] != b"%08x" % zlib.crc32(parts[2]):
        return None
    try:
        value = json.loads(parts[2])
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _recent(value: Mapping[str, Any]) -> list[tuple[str, str, list[str | None]]]:
    """The branch, path and blobs of each work file that a record names."""
    rows = value.get("recent")
    return [
        (row[0], row[1], list(row[2]))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, list)
        and len(row) == 3
        and fields.is_branch(row[0])
        and fields.blobs({row[1]: row[2]} if isinstance(row[1], str) else None)
    ]


def _intents(value: Mapping[str, Any]) -> list[Intent]:
    """The intent in a record; empty if it names something that no commit of ours would touch."""
    branch, commit, paths = value.get("branch"), value.get("commit"), value.get("paths")
    pairs = fields.blobs(paths)
    is_whole = isinstance(paths, dict) and all(len(pair) == 2 for pair in pairs.values())
    if not (fields.is_branch(branch) and fields.is_oid(commit) and is_whole):
        return []
    both = {path: (old, new) for path, (old, new) in pairs.items()}
    return [Intent(str(branch), str(commit), both, fields.lock_files(value.get("locks")))]


def dead_files(folder: Path, *, largest: int | None = None) -> Iterator[tuple[JournalFile, Record]]:
    """The journals of dead processes, each locked for the caller; empty ones are removed.

    Args:
        folder: where they are.
        largest: bytes of a file above which it is left alone.
    """
    for path in sorted(folder.glob("*.journal")):
        lock = disk.KernelLock(path)
        try:
            if not lock.try_take():
                continue
        except OSError:
            # A folder, or nothing that may be opened: no journal.
            continue
        file = JournalFile(lock)
        if largest is not None and os.fstat(lock.fd).st_size > largest:
            file.abandon()
            continue
        try:
            record = file.parse()
        except BaseException:
            file.abandon()
            raise
        if record is None:
            file.remove()
            continue
        yield file, record
