"""Undo beside a sync: it takes back what was done on this device, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.history.undo import (
    UndoStep,
    list_operations,
    next_redo,
    next_undo,
    perform_step,
)
from perdure.actions.workspace import Workspace
from perdure.git.errors import NothingToUndo
from perdure.git.operations.branches import start_branch, switch, tag
from tests.conftest import assert_sound, git
from tests.rescue.devices import add_backup, clone, edit, refs, say, sync, words


@pytest.fixture
def first(companion: Path, place: Path) -> Path:
    for number in range(4):
        say(companion, f"long ago {number}")
    add_backup(companion, place)
    sync(companion)
    return companion


def undo(path: Path) -> UndoStep:
    with Workspace.open(path) as workspace:
        step = next_undo(workspace)
        perform_step(workspace, step)
    assert_sound(path)
    return step


def redo(path: Path) -> UndoStep:
    with Workspace.open(path) as workspace:
        step = next_redo(workspace)
        perform_step(workspace, step)
    assert_sound(path)
    return step


def both(first: Path, second: Path) -> None:
    """Sync until both have the same."""
    for path in (first, second, first, second):
        assert sync(path).is_level
    assert refs(first) == refs(second)


def test_what_was_pushed_is_undone_by_a_commit_that_travels(first: Path, second: Path) -> None:
    say(first, "said too much")
    both(first, second)
    assert "so a new commit does it" in undo(first).said()
    assert "said too much" not in words(first)
    both(first, second)
    for path in (first, second):
        assert "said too much" not in words(path)
        assert git(path, "log", "-1", "--format=%s").startswith("revert: undo turn: said too much")
    assert redo(first).what == "your message “said too much” and her reply"
    both(first, second)
    assert "said too much" in words(second)


def test_what_the_other_device_said_stays(first: Path, second: Path) -> None:
    say(first, "my words")
    say(second, "your words")
    both(first, second)
    step = undo(first)
    assert step.what == "your message “my words” and her reply"
    assert "What came from elsewhere since stays" in step.said()
    assert "my words" not in words(first)
    assert "your words" in words(first)
    both(first, second)
    assert "my words" not in words(second)
    assert undo(second).what == "your message “your words” and her reply"
    assert "your words" not in words(second)
    redo(first)
    redo(second)
    both(first, second)
    for path in (first, second):
        assert "my words" in words(path)
        assert "your words" in words(path)


def test_undo_before_a_sync_is_redone_after_it(first: Path, second: Path) -> None:
    say(first, "my words")
    undo(first)
    say(second, "your words")
    both(second, first)
    assert "my words" not in words(first)
    assert redo(first).what == "your message “my words” and her reply"
    assert "my words" in words(first)
    assert "your words" in words(first)
    both(first, second)
    assert undo(first).what == "your message “my words” and her reply"
    assert "my words" not in words(first)


def test_a_second_device_has_nothing_to_undo_until_it_does_something(
    first: Path, second: Path
) -> None:
    with pytest.raises(NothingToUndo, match="on this device"):
        undo(second)
    say(second, "here at last")
    say(first, "and there")
    both(first, second)
    undo(second)
    with pytest.raises(NothingToUndo, match="on this device"):
        undo(second)
    assert "and there" in words(second)
    assert "long ago 0" in words(second)


def test_a_plain_clone_and_pull_bring_nothing_that_is_undone(
    first: Path, place: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", str(place), "plain")
    path = tmp_path / "plain"
    with pytest.raises(NothingToUndo, match="on this device"):
        undo(path)
    say(path, "mine")
    say(first, "yours")
    sync(first)
    git(path, "pull", "-q", "--no-rebase", "--no-edit")
    assert undo(path).what == "your message “mine” and her reply"
    assert "yours" in words(path)
    assert "mine" not in words(path)


def test_lines_that_both_changed_stay_as_the_other_device_has_them(
    first: Path, second: Path
) -> None:
    edit(first, "persona/20-voice.md", "Short.\nDry.\nWarm.\n")
    both(first, second)
    edit(second, "persona/20-voice.md", "Short.\nDry.\nWarm.\nSlow.\n")
    both(second, first)
    undo(first)
    assert not git(first, "show", "HEAD:persona/20-voice.md").startswith("-")
    assert "Slow." in git(first, "show", "HEAD:persona/20-voice.md")


def test_a_rewind_a_branch_and_a_tag_that_were_pushed_go_on_both(
    first: Path, second: Path, place: Path
) -> None:
    with Workspace.open(first) as workspace:
        rewind(workspace, plan_rewind(workspace, "@-2", "again"))
    say(first, "another way")
    with Workspace.open(first) as workspace:
        tag(workspace.repo, "here", author=workspace.author)
        start_branch(workspace.repo, "side", author=workspace.author)
        switch(workspace.repo, "again", author=workspace.author)
    both(first, second)
    tip = git(first, "rev-parse", "again").strip()
    undone = [undo(first).what for _ in range(5)]
    assert undone == [
        "the switch to again",
        "the new branch side",
        "the tag here",
        "your message “another way” and her reply",
        "going back to “long ago 1”",
    ]
    both(first, second)
    shared = [ref for ref in refs(second) if not ref.startswith("refs/perdure")]
    assert shared == ["refs/heads/main"]
    kept = [oid for ref, oid in refs(place).items() if ref.startswith("refs/perdure/kept/")]
    # The message was taken back by a commit, so its words are in the line's past.
    assert any(tip in git(place, "rev-list", oid).split() for oid in kept)
    assert "another way" in words(place, tip)


def test_a_branch_on_which_the_other_device_went_on_stays(first: Path, second: Path) -> None:
    with Workspace.open(first) as workspace:
        start_branch(workspace.repo, "side", author=workspace.author)
        switch(workspace.repo, "main", author=workspace.author)
    both(first, second)
    git(second, "switch", "-q", "side")
    say(second, "gone on")
    both(second, first)
    undo(first)
    assert any("another device" in line for line in undo(first).notes())
    assert "gone on" in words(first, "side")


def test_a_sync_is_listed_and_no_step(first: Path, second: Path) -> None:
    say(first, "my words")
    say(second, "your words")
    both(first, second)
    with Workspace.open(first) as workspace:
        rows = list_operations(workspace)
    assert [row.entry.kind for row in rows[:2]] == ["sync", "turn"]
    assert [row.mark for row in rows[:2]] == ["", "undo"]
    assert not any("your words" in row.words for row in rows)


def test_what_somebody_undid_is_no_loss_that_a_sync_stops_at(
    companion: Path, place: Path, tmp_path: Path
) -> None:
    say(companion, "the only thing")
    add_backup(companion, place)
    sync(companion)
    second = clone(place, tmp_path / "second")
    undo(companion)
    both(companion, second)
    assert "the only thing" not in (second / "README.md").read_text()
    assert not list((second / "conversations").glob("*/*/*.md"))
