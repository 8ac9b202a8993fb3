"""A companion's folder copied as files, and both syncing with one place: every word of both."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import run_command
from tests.conftest import git
from tests.rescue.devices import clone, level, refs, say, sync, words


def copied(path: Path, to: Path) -> Path:
    shutil.copytree(path, to, symlinks=True)
    return to


def test_a_copy_and_its_original_say_things_at_the_same_time(
    first: Path, place: Path, tmp_path: Path
) -> None:
    second = copied(first, tmp_path / "copy")
    for count in range(3):
        say(first, f"here {count}", f"here again {count}")
        say(second, f"on the copy {count}")
        level(place, first, second)
    for count in range(3):
        for text in (f"here {count}", f"here again {count}", f"on the copy {count}"):
            for device in (first, second):
                assert text in words(device), text


def test_undo_on_a_copy_takes_back_its_own_last_word(
    first: Path, place: Path, tmp_path: Path
) -> None:
    say(first, "before the copy")
    second = copied(first, tmp_path / "copy")
    say(first, "said here")
    sync(first)
    say(second, "said on the copy")
    sync(second)
    done = run_command("undo", cwd=second)
    level(place, first, second)
    assert "said here" in words(second), done.stdout
    assert "said on the copy" not in words(second), done.stdout


def test_an_older_copy_brought_back_is_only_behind(
    first: Path, place: Path, tmp_path: Path
) -> None:
    old = copied(first, tmp_path / "old")
    say(first, "one", "two", "three")
    git(first, "branch", "side")
    sync(first)
    git(first, "branch", "-D", "-q", "side")
    sync(first)
    done = run_command("sync", cwd=old)
    assert done.returncode == 0, done.stderr
    assert refs(old) == refs(place)
    say(old, "and from the old one")
    level(place, first, old)
    assert "and from the old one" in words(first)


@pytest.mark.parametrize(
    "line",
    [
        "reset --hard HEAD~1",
        "checkout -f --detach HEAD~1",
        "gc -q --prune=now",
        "rm-state",
        "stash",
    ],
)
def test_plain_git_on_one_side_loses_nothing(
    first: Path, place: Path, tmp_path: Path, line: str
) -> None:
    second = clone(place, tmp_path / "second")
    say(first, "one", "two")
    sync(first)
    say(second, "from the second")
    if line == "rm-state":
        shutil.rmtree(first / ".git" / "perdure")
    else:
        if line == "stash":
            note = first / "persona" / "50-note.md"
            note.write_text("Edited.\n")
            git(first, "add", "persona")
        git(first, *line.split())
        if line.startswith("checkout"):
            git(first, "checkout", "-q", "main")
    level(place, second, first)
    for text in ("one", "two", "from the second"):
        assert text in words(first), line
        assert text in words(second), line


@pytest.mark.parametrize("how", ["amend", "rebase"])
def test_history_rewritten_after_it_was_pushed(
    first: Path, place: Path, tmp_path: Path, how: str
) -> None:
    second = clone(place, tmp_path / "second")
    say(first, "one", "two", "three")
    sync(first)
    sync(second)
    say(second, "from the second")
    sync(second)
    if how == "amend":
        git(first, "commit", "-q", "--amend", "-m", "in other words")
    else:
        git(first, "rebase", "-q", "--force-rebase", "HEAD~3")
    say(first, "after that")
    level(place, first, second)
    for text in ("one", "two", "three", "from the second", "after that"):
        for device in (first, second):
            assert text in words(device)


@pytest.mark.parametrize("keep", ["here", "there"])
def test_somebody_forces_the_place(first: Path, place: Path, tmp_path: Path, keep: str) -> None:
    say(first, "one", "two")
    sync(first)
    second = clone(place, tmp_path / "second")
    say(first, "three", "four")
    sync(first)
    third = tmp_path / "third"
    git(tmp_path, "clone", "-q", str(place), "third")
    git(third, "reset", "-q", "--hard", "HEAD~2")
    git(third, "commit", "-q", "--allow-empty", "-m", "else")
    git(third, "push", "-q", "--force", "origin", "main")
    say(second, "from the second")
    paused = run_command("sync", cwd=first)
    assert paused.returncode == 1
    done = run_command("sync", "origin", "--keep", keep, cwd=first)
    assert done.returncode == 0, done.stderr
    level(place, first, second)
    rows = "".join(words(place, ref) for ref in refs(place) if "/heads/" in ref)
    for text in ("three", "four", "from the second"):
        assert text in rows
