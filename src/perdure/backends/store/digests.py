"""SHA-256 of large files, remembered by path, size and modification time.

The memory lies in the user's cache folder; losing it costs one hash of each file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path


def _memory() -> Path:
    import platformdirs  # paid for only by who opens a model

    return Path(platformdirs.user_cache_dir("perdure", appauthor=False)) / "digests.json"


def _load(path: Path) -> dict[str, list[int | str]]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _store(path: Path, known: dict[str, list[int | str]]) -> None:
    # A cache: a read-only or full disk costs the next start a hash, nothing else.
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(known, indent=1, sort_keys=True))
        os.replace(fresh, path)  # noqa: PTH105 - the atomic one, by its well-known name
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, hashed again only if its size or time changed. Raises OSError."""
    real = path.resolve()
    state = real.stat()
    memory = _memory()
    known = _load(memory).get(str(real))
    if (
        isinstance(known, list)
        and len(known) == 3
        and known[:2] == [state.st_size, state.st_mtime_ns]
        and isinstance(known[2], str)
    ):
        return known[2]
    digest = hash_file(real)
    # Read again just before writing: another process may have learned a file meanwhile.
    entries = {name: kept for name, kept in _load(memory).items() if Path(name).exists()}
    entries[str(real)] = [state.st_size, state.st_mtime_ns, digest]
    _store(memory, entries)
    return digest
