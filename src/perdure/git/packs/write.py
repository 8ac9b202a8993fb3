"""Writes a pack entry by entry, and moves it into place once all of it is on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from perdure.git import disk
from perdure.git.objects.pack import PackFile
from perdure.git.packs.scan import verify

PACK_MODE = 0o400
"""Of packs and their indexes: nobody changes one."""
BACKGROUND_PREFIX = "tmp_perdure_"
"""Start of the names of unfinished packs; `git prune` removes what begins with ``tmp_`` too."""
_SYNC_EVERY = 512 * 1024
"""Bytes after which what was written goes to the disk: a turn's own fsync, which may have to wait
for the file system's journal, then never waits for much of ours."""

rest = 0.0
"""Seconds to wait after each piece; whoever has time sets it."""


def index_of(rows: Sequence[tuple[bytes, int, int]], checksum: bytes) -> bytes:
    """An index of version 2 for a pack below 2 GiB.

    Args:
        rows: id, CRC-32 and offset of every entry, in any order.
        checksum: the pack's own.
    """
    rows = sorted(rows)
    fanout = [0] * 256
    for oid, _, _ in rows:
        fanout[oid[0]] += 1
    total = 0
    for first in range(256):
        total += fanout[first]
        fanout[first] = total
    index = b"".join(
        [
            b"\xfftOc\x00\x00\x00\x02",
            struct.pack(">256L", *fanout),
            b"".join(oid for oid, _, _ in rows),
            struct.pack(f">{len(rows)}L", *(crc for _, crc, _ in rows)),
            struct.pack(f">{len(rows)}L", *(at for _, _, at in rows)),
            checksum,
        ]
    )
    return index + hashlib.sha1(index, usedforsecurity=False).digest()


class PackStream(contextlib.AbstractContextManager["PackStream"]):
    """A pack being written. If it is abandoned, nothing of it stays."""

    def __init__(
        self, folder: Path, count: int, *, name: str = "", prefix: str = BACKGROUND_PREFIX
    ) -> None:
        """Begin a pack.

        Args:
            folder: where it will stay.
            count: how many entries it will have.
            name: its name, ``pack-…``; without one it is named by its checksum, as git does.
            prefix: start of the names of the unfinished files.
        """
        self._folder = folder
        mark = secrets.token_hex(8)
        self._pack = folder / f"{prefix}{mark}_pack"
        self._index = folder / f"{prefix}{mark}_idx"
        self._sum = hashlib.sha1(usedforsecurity=False)
        self._rows: list[tuple[bytes, int, int]] = []
        self._fd = os.open(
            self._pack, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PACK_MODE
        )
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self.size = 0
        self._name = name
        self._is_placed = False
        self._put(b"PACK" + struct.pack(">LL", 2, count))

    def _put(self, data: bytes) -> None:
        self.size += len(data)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= _SYNC_EVERY:
            disk.write_all(self._fd, self._waiting_data())
            disk.sync_data(self._fd)
            time.sleep(rest)

    def _waiting_data(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        self._sum.update(data)
        return data

    def add(self, oid: bytes, entry: bytes) -> int:
        """Append one entry. Returns its offset."""
        at = self.size
        self._rows.append((oid, zlib.crc32(entry), at))
        self._put(entry)
        return at

    def finish(self, *, read_back: bool = True) -> str:
        """Finish pack and index; on disk when this returns. Returns their name.

        Args:
            read_back: read all of it back, from the disk where the system allows that.

        Raises:
            DamagedRepository: what was read back is not what was written; nothing is in place.
            OSError: no space, or somebody removed the unfinished files.
        """
        data = self._waiting_data()
        checksum = self._sum.digest()
        disk.write_all(self._fd, data + checksum)
        disk.sync(self._fd)
        if read_back and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
        self._close()
        disk.write_file(self._index, index_of(self._rows, checksum), mode=PACK_MODE)
        if read_back:
            verify(PackFile(self._index, self._pack))
        self._name = self._name or f"pack-{checksum.hex()}"
        return self._name

    def put_in_place(self) -> None:
        """Move a finished pack into place; on disk when this returns, and visible to git."""
        self._pack.replace(self._folder / f"{self._name}.pack")
        self._index.replace(self._folder / f"{self._name}.idx")
        self._is_placed = True
        disk.sync_folder(self._folder)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def abandon(self) -> None:
        """Remove the unfinished files."""
        self._close()
        for path in () if self._is_placed else (self._pack, self._index):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def __exit__(self, *_: object) -> None:
        self.abandon()


def remove_unfinished(folder: Path, *prefixes: str) -> None:
    """Remove unfinished packs of a dead process. The caller holds the lock of whoever writes them.

    Args:
        folder: the folder of packs.
        prefixes: how the names of their files begin.
    """
    for prefix in prefixes:
        for path in folder.glob(f"{prefix}*"):
            path.unlink(missing_ok=True)
