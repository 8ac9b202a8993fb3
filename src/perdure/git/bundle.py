"""Git bundles: all branches and tags with everything they reach, in one file that git can clone.

Format: gitformat-bundle(5), version 2: a line of signature, one line a ref, an empty line, a pack.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk
from perdure.git.errors import DamagedRepository, HistoryError, storage_errors
from perdure.git.packs.outgoing import OutgoingPack, outgoing
from perdure.git.packs.write import PackStream
from perdure.git.refs.refs import HEADS, TAGS

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

_SIGNATURE = b"# v2 git bundle\n"
_MOST_HEAD = 16 * 1024 * 1024


def shared_refs(repo: Repository) -> dict[str, str]:
    """Every branch and tag with the id that it names: what a full copy must hold."""
    refs = repo.parts().refs
    return {**refs.names(HEADS), **refs.names(TAGS)}


def write_bundle(repo: Repository, path: Path) -> str:
    """Write every branch and tag and all that they reach into a new file.

    The pack is read back and every object hashed again before the file gets its name.

    Args:
        repo: the repository.
        path: the file; must not exist.

    Returns:
        The SHA-256 of the file, in hex.

    Raises:
        HistoryError: the repository is a shallow clone, or the file exists.
        DamagedRepository: an object is missing or broken.
        StorageFull, ReadOnly, WriteFailed: there is no file then.
    """
    parts = repo.parts()
    if parts.boundary:
        raise HistoryError(
            "this is a shallow clone, without its older history",
            "nothing was changed",
            "git fetch --unshallow",
        )
    if path.exists():
        raise HistoryError(f"{path} exists", "it stays as it is", "choose another place")
    refs = shared_refs(repo)
    head = repo.head()
    tips = [*refs.values(), *([head.commit] if head.commit else [])]
    lines = [f"{oid} {name}" for name, oid in sorted(refs.items())]
    if head.commit is not None:
        lines.append(f"{head.commit} HEAD")
    top = _SIGNATURE + "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n\n"
    with storage_errors("writing the bundle"):
        return _write(path, top, outgoing(parts, tips, ()))


def _write(path: Path, top: bytes, objects: OutgoingPack) -> str:
    folder = path.parent / f"{path.name}.part"
    folder.mkdir(mode=0o700)
    try:
        with PackStream(folder, objects.count) as stream:
            for oid, entry in objects.entries:
                stream.add(oid, entry)
            name = stream.finish()
            stream.put_in_place()
        unfinished = folder / "bundle"
        with unfinished.open("xb") as out, (folder / f"{name}.pack").open("rb") as pack:
            out.write(top)
            shutil.copyfileobj(pack, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        digest = sha256_of(unfinished)
        unfinished.replace(path)
        disk.sync_folder(path.parent)
        return digest
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bundle_refs(path: Path) -> dict[str, str]:
    """The refs that a bundle has, by name.

    Raises:
        DamagedRepository: it cannot be read, or is no bundle of version 2 that stands alone.
    """
    try:
        with path.open("rb") as file:
            top = file.read(_MOST_HEAD).partition(b"\n\n")[0]
    except OSError as error:
        raise DamagedRepository(f"{path} cannot be read: {error.strerror}") from error
    if not top.startswith(_SIGNATURE):
        raise DamagedRepository(f"{path} is not a git bundle")
    refs: dict[str, str] = {}
    for line in top.removeprefix(_SIGNATURE).split(b"\n"):
        oid, _, name = line.partition(b" ")
        if oid.startswith(b"-"):
            raise DamagedRepository(f"{path} needs another bundle before it")
        refs[name.decode("utf-8", "surrogateescape")] = oid.decode("ascii", "replace")
    return refs


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
