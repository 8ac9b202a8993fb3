"""A clone from a folder copies objects as they are stored, and only what refs need stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from perdure.git.errors import DamagedRepository
from perdure.git.packs import outgoing as module
from tests.conftest import git
from tests.rescue.devices import add_backup, clone, refs, say, sync


@pytest.fixture
def place(companion: Path, tmp_path: Path) -> Path:
    """A place that was pushed to three times, so with packs that overlap."""
    found = tmp_path / "place.git"
    say(companion, "the first thing")
    add_backup(companion, found)
    for text in ("the second thing", "the third thing"):
        sync(companion)
        say(companion, text)
    git(companion, "tag", "-a", "-m", "a note", "one", "HEAD~1")
    sync(companion)
    return found


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("objects were searched for")


def stored(path: Path) -> list[str]:
    return git(path, "cat-file", "--batch-all-objects", "--batch-check").splitlines()


def test_nothing_is_searched_for(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(place, "gc", "-q")
    monkeypatch.setattr(module, "outgoing", refuse)
    path = clone(place, tmp_path / "second")
    assert refs(path).items() >= refs(place).items()
    assert set(stored(path)) >= set(stored(place))
    git(path, "fsck", "--full", "--strict")


def test_what_no_ref_needs_does_not_come_along(place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("what was forgotten")
    forgotten = git(place, "hash-object", "-w", str(secret)).strip()
    path = clone(place, tmp_path / "second")
    assert forgotten in "\n".join(stored(place))
    assert forgotten not in "\n".join(stored(path))
    assert refs(path).items() >= refs(place).items()


def test_what_only_another_ref_needs_does_not_come_along(
    companion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(companion, "the first thing")
    secret = tmp_path / "secret"
    secret.write_text("what was taken back")
    blob = git(companion, "hash-object", "-w", str(secret)).strip()
    git(companion, "update-ref", "refs/perdure/other", blob)
    monkeypatch.setattr(module, "whole_store", refuse)
    path = clone(companion, tmp_path / "second")
    assert blob not in "\n".join(stored(path))


def test_damage_to_what_no_ref_needs_harms_nobody(place: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("a note")
    oid = git(place, "hash-object", "-w", str(note)).strip()
    file = place / "objects" / oid[:2] / oid[2:]
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-3])
    path = clone(place, tmp_path / "second")
    git(path, "fsck", "--full", "--strict")


def test_a_stray_that_needs_something_missing_harms_nobody(place: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("a note")
    oid = git(place, "hash-object", "-w", str(note)).strip()
    rows = tmp_path / "rows"
    rows.write_bytes(b"100644 note\0" + bytes.fromhex(oid))
    git(place, "hash-object", "-w", "-t", "tree", str(rows))
    (place / "objects" / oid[:2] / oid[2:]).unlink()
    path = clone(place, tmp_path / "second")
    git(path, "fsck", "--full", "--strict")


def test_what_is_needed_and_missing_is_named(place: Path, tmp_path: Path) -> None:
    git(place, "gc", "-q")
    tree = git(place, "rev-parse", "HEAD^{tree}").strip()
    with pytest.raises(DamagedRepository, match=_without(place, tree)):
        clone(place, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def _without(place: Path, oid: str) -> str:
    """Take one object away."""
    pack = next((place / "objects" / "pack").glob("*.pack"))
    moved = place / "moved.pack"
    pack.rename(moved)
    pack.with_suffix(".idx").unlink()
    for left in (place / "objects" / "pack").iterdir():
        left.unlink()
    with moved.open("rb") as packed:
        subprocess.run(["git", "-C", place, "unpack-objects", "-q"], stdin=packed, check=True)
    (place / "objects" / oid[:2] / oid[2:]).unlink()
    return oid
