"""Two companions with no commit in common at one place: either can count, and both are in sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import run_command
from tests.conftest import assert_sound, git
from tests.rescue.devices import add_backup, clone, refs, say, sync, words


@pytest.fixture
def place(companion: Path, tmp_path: Path) -> Path:
    """Where another companion is, that says other things."""
    git(tmp_path, "clone", "-q", str(companion), "other")
    other = tmp_path / "other"
    git(other, "checkout", "-q", "--orphan", "begun-anew")
    git(other, "commit", "-q", "-m", "genesis: begun anew")
    git(other, "branch", "-q", "-M", "main")
    say(other, "what the other one was told")
    git(tmp_path, "clone", "-q", "--bare", str(other), "place.git")
    return tmp_path / "place.git"


@pytest.mark.parametrize("had_agreed", [False, True])
def test_what_is_here_counts_by_a_step_forward(
    companion: Path, place: Path, tmp_path: Path, *, had_agreed: bool
) -> None:
    say(companion, "what she was told here")
    if had_agreed:
        empty = tmp_path / "backup.git"
        add_backup(companion, empty)
        sync(companion)
        git(tmp_path, "-C", str(empty), "fetch", "-q", "-f", "-u", str(place), "main:main")
        place = empty
    else:
        add_backup(companion, place)
    there, tree = refs(place)["refs/heads/main"], git(companion, "rev-parse", "HEAD^{tree}")
    asked = run_command("sync", "origin", cwd=companion)
    assert asked.returncode == 1
    assert "--keep here" in asked.stderr
    assert refs(place)["refs/heads/main"] == there

    done = run_command("sync", "origin", "--keep", "here", cwd=companion)
    assert done.returncode == 0, done.stderr
    assert git(companion, "rev-parse", "HEAD^{tree}") == tree
    assert refs(place) == refs(companion)
    git(place, "merge-base", "--is-ancestor", there, "main")
    assert refs(companion)["refs/heads/main-origin"] == there
    assert "what the other one was told" in words(place, "main-origin")
    assert "what she was told here" in words(place, "main")
    assert_sound(companion)

    assert run_command("sync", cwd=companion).returncode == 0
    say(companion, "and on it goes")
    assert sync(companion).is_level
    again = clone(place, tmp_path / "again")
    assert "and on it goes" in words(again)


def test_what_is_there_counts(companion: Path, place: Path) -> None:
    say(companion, "what she was told here")
    add_backup(companion, place)
    there, here = (refs(path)["refs/heads/main"] for path in (place, companion))
    done = run_command("sync", "origin", "--keep", "there", cwd=companion)
    assert done.returncode == 0, done.stderr
    assert refs(place) == refs(companion)
    assert refs(companion)["refs/heads/main"] == there
    assert here in refs(place).values()
    assert_sound(companion)
