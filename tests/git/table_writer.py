"""A writer of reftables for tests: any size of blocks, aligned or not, versions 1 and 2.

Format: ``Documentation/technical/reftable.adoc`` in git.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import git

Value = bytes | None
"""A hex id, two of them for an annotated tag, ``ref: `` and a name, or None: deleted."""


@dataclass(frozen=True)
class Form:
    """How a table is written."""

    version: int = 1
    block_size: int = 4096
    is_aligned: bool = True
    restart_every: int = 16
    hash_name: bytes = b"sha1"

    @property
    def header(self) -> bytes:
        size = (self.block_size if self.is_aligned else 0).to_bytes(3)
        indexes = (1).to_bytes(8) + (2).to_bytes(8)
        name = self.hash_name if self.version == 2 else b""
        return b"REFT" + bytes([self.version]) + size + indexes + name


def varint(number: int) -> bytes:
    """A number as git writes it: seven bits a byte, one less for each that follows."""
    out = [number & 0x7F]
    while number := number >> 7:
        number -= 1
        out.append(0x80 | number & 0x7F)
    return bytes(reversed(out))


def _text(text: bytes) -> bytes:
    return varint(len(text)) + text


def _ref(value: Value) -> tuple[int, bytes]:
    if value is None:
        return 0, varint(0)
    if value.startswith(b"ref: "):
        return 3, varint(0) + _text(value[5:])
    ids = bytes.fromhex(value.decode())
    return len(ids) // 20, varint(0) + ids


class _Block:
    def __init__(self, form: Form, before: int) -> None:
        self.form, self.before = form, before
        self.records = b""
        self.restarts: list[int] = []
        self.last = b""
        self.count = 0

    def add(self, key: bytes, kind: int, value: bytes, *, most: int | None) -> bool:
        """Add a record; False where it has no room any more."""
        is_restart = self.count % self.form.restart_every == 0
        shared = 0
        while not is_restart and shared < min(len(key), len(self.last)):
            if key[shared] != self.last[shared]:
                break
            shared += 1
        rest = key[shared:]
        record = varint(shared) + varint(len(rest) << 3 | kind) + rest + value
        length = (
            self.before + 4 + len(self.records) + len(record) + 3 * (len(self.restarts) + 1) + 2
        )
        if most is not None and self.count and length > most:
            return False
        if is_restart:
            self.restarts.append(self.before + 4 + len(self.records))
        self.records += record
        self.last = key
        self.count += 1
        return True

    def body(self) -> bytes:
        starts = b"".join(place.to_bytes(3) for place in self.restarts)
        return self.records + starts + len(self.restarts).to_bytes(2)


def table(
    refs: Mapping[bytes, Value], logs: Sequence[tuple[bytes, int, bytes]] = (), form: Form = Form()
) -> bytes:
    """A table.

    Args:
        refs: values by full name.
        logs: name of the ref, number of the change, and the record's own bytes, empty for one that
            takes an entry away.
        form: how.
    """
    out = form.header
    rows = [(name, *_ref(value)) for name, value in sorted(refs.items())]
    out, blocks = _written(out, rows, b"r", form)
    ref_index = 0
    if len(blocks) > 3 or (blocks[1:] and not form.is_aligned):
        ref_index = len(out)
        out, _ = _written(
            out, [(name, 0, varint(at)) for name, at in blocks], b"i", form, most=None
        )
    log_at = 0
    if logs:
        log_at = len(out)
        keys = {
            name + b"\0" + (2**64 - 1 - index).to_bytes(8): value for name, index, value in logs
        }
        found = [(key, 1 if value else 0, value) for key, value in sorted(keys.items())]
        out, _ = _written(out, found, b"g", form)
        log_at = log_at if refs else 0
    places = [ref_index, 0, 0, log_at, 0]
    foot = form.header + b"".join(place.to_bytes(8) for place in places)
    return out + foot + zlib.crc32(foot).to_bytes(4)


def entry(
    old: str, new: str, seconds: int, zone: int, text: bytes, who: bytes = b"Ana <ana@example.org>"
) -> bytes:
    """The bytes of a reflog's record."""
    ids = bytes.fromhex(old + new)
    name, _, email = who.partition(b" <")
    who = _text(name) + _text(email[:-1])
    return ids + who + varint(seconds) + zone.to_bytes(2, signed=True) + _text(text)


def into_tables(path: Path, form: Form = Form()) -> None:
    """Put the refs and reflogs of a repository into a table, as `git refs migrate` does."""
    git_dir = path / ".git"
    rows = git(path, "for-each-ref", "--format=%(refname) %(objectname) %(symref)").splitlines()
    refs: dict[bytes, Value] = {}
    for ref, oid, target in (row.split(" ") for row in rows):
        refs[ref.encode()] = f"ref: {target}".encode() if target else oid.encode()
    refs[b"HEAD"] = (git_dir / "HEAD").read_bytes().strip()
    logs: list[tuple[bytes, int, bytes]] = []
    for file in sorted((git_dir / "logs").rglob("*")) if (git_dir / "logs").is_dir() else ():
        lines = file.read_bytes().splitlines() if file.is_file() else []
        name = file.relative_to(git_dir / "logs").as_posix().encode()
        for index, line in enumerate(lines, 1):
            ids, _, text = line.partition(b"\t")
            old, new, *names, seconds, zone = ids.decode().split(" ")
            who = " ".join(names).encode()
            row = entry(old, new, int(seconds), int(zone), text + b"\n", who)
            logs.append((name, index, row))
    data = table(refs, logs, form)
    for folder in ("refs", "logs"):
        shutil.rmtree(git_dir / folder, ignore_errors=True)
    (git_dir / "packed-refs").unlink(missing_ok=True)
    (git_dir / "HEAD").write_text("ref: refs/heads/.invalid\n")
    (git_dir / "refs").mkdir()
    (git_dir / "refs/heads").write_text("this repository uses the reftable format\n")
    (git_dir / "reftable").mkdir()
    (git_dir / "reftable/1.ref").write_bytes(data)
    (git_dir / "reftable/tables.list").write_text("1.ref\n")
    config = (git_dir / "config").read_text().replace("formatversion = 0", "formatversion = 1")
    (git_dir / "config").write_text(f"[extensions]\n\trefstorage = reftable\n{config}")


def _written(
    out: bytes,
    rows: Sequence[tuple[bytes, int, bytes]],
    mark: bytes,
    form: Form,
    *,
    most: int | None = 0,
) -> tuple[bytes, list[tuple[bytes, int]]]:
    """The file with one section more, and each block's last name and its place."""
    largest = form.block_size if most == 0 else most
    blocks: list[tuple[bytes, int]] = []
    waiting = list(rows)
    while waiting:
        is_first = out == form.header
        at = 0 if is_first else len(out)
        block = _Block(form, len(out) - at)
        while waiting and block.add(*waiting[0], most=largest):
            waiting.pop(0)
        body = block.body()
        length = len(out) - at + 4 + len(body)
        out += mark + length.to_bytes(3) + (zlib.compress(body) if mark == b"g" else body)
        blocks.append((block.last, at))
        if mark == b"r" and form.is_aligned and waiting:
            out += bytes(form.block_size - length)
    return out, blocks
