"""A model's hash is computed once for each state of its file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from perdure.backends.store import digests

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really read, in order."""
    read: list[Path] = []
    plain = digests.hash_file

    def noting(path: Path) -> str:
        read.append(path)
        return plain(path)

    monkeypatch.setattr(digests, "hash_file", noting)
    return read


def test_an_unchanged_file_is_hashed_once(tmp_path: Path, hashed: list[Path]) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF and more")
    wanted = hashlib.sha256(b"GGUF and more").hexdigest()
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    assert [digests.file_digest(path) for path in (model, model, link)] == [wanted] * 3
    assert hashed == [model]


@pytest.mark.parametrize("changed", [b"GGUF and less", b"GGUF"])
def test_another_size_or_another_time_is_another_file(
    tmp_path: Path, hashed: list[Path], changed: bytes
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF and more")
    state = model.stat()
    digests.file_digest(model)
    model.write_bytes(changed)
    # Of the same size, only the time tells.
    later = state.st_mtime_ns + (len(changed) == state.st_size)
    os.utime(model, ns=(state.st_atime_ns, later))
    assert digests.file_digest(model) == hashlib.sha256(changed).hexdigest()
    assert len(hashed) == 2


@pytest.mark.parametrize("memory", [b"", b"[]", b"\xff", b'{"/m": 7}', None])
def test_a_lost_or_damaged_memory_costs_one_hash(
    tmp_path: Path, hashed: list[Path], memory: bytes | None
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF and more")
    wanted = digests.file_digest(model)
    kept = digests._memory()
    if memory is None:
        kept.unlink()
    else:
        kept.write_bytes(memory.replace(b"/m", str(model).encode()))
    assert digests.file_digest(model) == wanted
    assert digests.file_digest(model) == wanted
    assert len(hashed) == 2


def test_without_a_place_to_remember_it_hashes_each_time(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(digests, "_memory", lambda: tmp_path / "file" / "digests.json")
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    assert digests.file_digest(model) == digests.file_digest(model)
    assert len(hashed) == 2
