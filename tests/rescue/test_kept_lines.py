"""Lines that no branch leads to: in every backup, and found again in a clone of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perdure.actions.history.branch import begin_branch, list_kept
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.history.tag import remove_tag
from perdure.actions.workspace import Workspace
from perdure.git.objects.commit import CommitInfo
from perdure.git.operations import log as oplog
from perdure.git.operations.branches import drop_branch, start_branch, switch
from perdure.git.remotes.kept import keep_lines, lines_to_keep
from perdure.git.repository.repository import Repository
from perdure.rescue.sync import SyncResult, not_level
from tests.cli.command import run_command
from tests.conftest import git
from tests.rescue.devices import add_backup, clone, edit, refs, say, sync, words
from tests.rescue.test_undo_after_sync import redo, undo

KEPT = "refs/perdure/kept/"


def _acts(path: Path) -> None:
    """A line each of what was undone, of a deleted branch, of a tag, and of a rewind."""
    say(path, "said first", "said second", "undone and gone")
    undo(path)
    with Workspace.open(path) as workspace:
        start_branch(workspace.repo, "side", author=workspace.author)
        switch(workspace.repo, "side", author=workspace.author)
    say(path, "on a deleted branch")
    with Workspace.open(path) as workspace:
        switch(workspace.repo, "main", author=workspace.author)
        drop_branch(workspace.repo, "side", author=workspace.author)
        rewind(workspace, plan_rewind(workspace, "@-1", "back"))
    say(path, "after a rewind")
    git(path, "tag", "-a", "-m", "with words of its own", "noted", "HEAD")
    with Workspace.open(path) as workspace:
        switch(workspace.repo, "main", author=workspace.author)
        drop_branch(workspace.repo, "back", author=workspace.author)
        remove_tag(workspace, "noted")


def test_a_clone_has_every_line(companion: Path, place: Path, tmp_path: Path) -> None:
    _acts(companion)
    add_backup(companion, place)
    assert sync(companion, takes=False).is_level
    companion.rename(tmp_path / "lost")
    path = clone(place, tmp_path / "again")
    kept = [oid for ref, oid in refs(path).items() if ref.startswith(KEPT)]
    said = "".join(git(path, "log", "--format=%s", oid) for oid in kept)
    for text in ("undone and gone", "on a deleted branch", "after a rewind"):
        assert text in said
        assert text not in words(path)
    assert any(git(path, "cat-file", "-t", oid).strip() == "tag" for oid in kept)
    with Workspace.open(path) as workspace:
        rows = list_kept(workspace)
        by_words = {row.last.subject: row for row in rows}
        assert by_words.keys() == {
            "turn: undone and gone", "turn: on a deleted branch", "turn: after a rewind",
        }  # fmt: skip
        begin_branch(workspace, "found", by_words["turn: after a rewind"].commit[:10])
    assert "after a rewind" in words(path, "found")


def test_a_line_within_another_has_no_ref_of_its_own(companion: Path) -> None:
    say(companion, "one", "two", "three")
    undo(companion)
    undo(companion)
    with Repository.open(companion) as repo:
        keep_lines(repo)
    kept = [oid for ref, oid in refs(companion).items() if ref.startswith(KEPT)]
    assert [git(companion, "log", "-1", "--format=%s", oid).strip() for oid in kept] == [
        "turn: three"
    ]


def test_only_what_the_log_gained_is_looked_at(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(companion, "one", "two")
    undo(companion)
    redo(companion)
    for _ in range(3):
        undo(companion)
        redo(companion)
    with Repository.open(companion) as repo:
        keep_lines(repo)
    undo(companion)
    looked: list[str] = []
    walk = oplog.walk_log

    def counted(tip: str | None, read: Callable[[str], CommitInfo]) -> Iterator[oplog.Operation]:
        for entry in walk(tip, read):
            looked.append(entry.id)
            yield entry

    monkeypatch.setattr(oplog, "walk_log", counted)
    with Repository.open(companion) as repo:
        keep_lines(repo)
        assert len(looked) <= 4
        looked.clear()
        keep_lines(repo)
        assert looked == []
        (repo.state_dir / "kept.json").unlink()
        assert lines_to_keep(repo) == []
        assert len(looked) > 4
    tips = [oid for ref, oid in refs(companion).items() if ref.startswith(KEPT)]
    assert [git(companion, "log", "-1", "--format=%s", oid).strip() for oid in tips] == [
        "turn: two"
    ]


def test_what_git_took_off_a_branch_since_is_still_kept(companion: Path) -> None:
    """It was on a branch when the log was looked through, so it needed no ref then."""
    say(companion, "one", "two")
    tip = git(companion, "rev-parse", "HEAD").strip()
    git(companion, "branch", "side")
    undo(companion)
    with Repository.open(companion) as repo:
        keep_lines(repo)
    assert KEPT + tip not in refs(companion)
    git(companion, "branch", "-q", "-D", "side")
    edit(companion, "persona/20-voice.md", "She hums.\n")
    with Repository.open(companion) as repo:
        keep_lines(repo)
    assert KEPT + tip in refs(companion)


def test_the_command_lists_them(companion: Path) -> None:
    def listed(*words: str) -> str:
        return run_command("branch", "--kept", *words, cwd=companion, env={}).stdout

    say(companion, "one", "two")
    assert "on a branch" in listed()
    undo(companion)
    assert "two  (1 turn" in listed()
    assert [row["last_words"] for row in json.loads(listed("--json"))] == ["two"]


def test_a_kept_line_that_waits_is_named_in_words() -> None:
    problem = not_level(SyncResult("origin", waits={f"refs/perdure/kept/{'a' * 40}": "too new"}))
    assert problem is not None
    assert problem.what == "a kept line of origin waits: too new"


def test_a_tag_with_words_goes_on_the_other_device_and_is_kept_there(
    first: Path, second: Path
) -> None:
    git(first, "tag", "-a", "-m", "with words of its own", "noted")
    git(first, "tag", "again", git(first, "rev-parse", "noted").strip())
    tag = git(first, "rev-parse", "noted").strip()
    sync(first)
    sync(second)
    git(first, "tag", "-d", "noted", "again")
    sync(first)
    assert sync(second).is_level
    assert git(second, "tag") == ""
    assert git(second, "rev-parse", KEPT + tag).strip() == tag
