"""Clones without their older history, or without its files: what works, and what refuses when."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from perdure.actions.history.revert import plan_revert, revert
from perdure.actions.workspace import Workspace
from perdure.git.errors import MissingObject, NothingToUndo
from perdure.git.operations.operation import operations
from perdure.git.repository.repository import Repository
from perdure.git.undo import perform as undo
from perdure.git.undo import plan as undo_plan
from tests.chat.test_session import talk
from tests.conftest import assert_sound, git

VOICE = "persona/20-voice.md"


async def cloned(companion: Path, *how: str) -> Path:
    await talk(companion, "One.", "Two.")
    for number in range(3):
        (companion / VOICE).write_text(f"{(companion / VOICE).read_text()}\nLine {number}.\n")
        git(companion, "commit", "-qam", f"persona: {number}")
    git(companion, "config", "uploadpack.allowFilter", "true")
    place = companion.parent / "clone"
    subprocess.run(["git", "clone", "-q", *how, f"file://{companion}", place], check=True)
    git(place, "config", "user.name", "Ana")
    git(place, "config", "user.email", "ana@example.invalid")
    return place


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_a_shallow_clone_is_talked_in_and_steered(companion: Path, depth: int) -> None:
    place = await cloned(companion, f"--depth={depth}")
    said = await talk(place, *(f"Hello {number}." for number in range(depth)))
    assert {saved.branch for saved in said} == {"main"}
    before = git(place, "rev-parse", "HEAD").strip()
    with Repository.open(place) as repo:
        assert len(operations(repo)) >= depth
    steps = 0
    for _ in range(depth + 3):
        with Workspace.open(place) as workspace:
            try:
                plan = undo_plan.plan_undo(workspace.repo)
            except NothingToUndo:
                break
            undo.undo(workspace.repo, plan, author=workspace.author)
            steps += 1
    assert steps == depth, "what came with the clone is no step"
    for _ in range(steps):
        with Workspace.open(place) as workspace:
            undo.redo(workspace.repo, author=workspace.author)
    assert git(place, "rev-parse", "HEAD^{tree}") == git(place, "rev-parse", f"{before}^{{tree}}")
    assert_sound(place)


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_a_change_is_reverted_or_refused_before_its_plan(companion: Path, depth: int) -> None:
    place = await cloned(companion, f"--depth={depth}")
    with Workspace.open(place) as workspace:
        commit = workspace.tip
        if depth == 1:
            with pytest.raises(Exception, match="is where this history begins"):
                plan_revert(workspace, commit)
        else:
            revert(workspace, plan_revert(workspace, commit))
            assert "Line 2." not in (place / VOICE).read_text()
    assert_sound(place)


async def test_a_clone_without_old_files_decides_nothing_that_it_cannot_do(companion: Path) -> None:
    place = await cloned(companion, "--filter=blob:none")
    before = git(place, "for-each-ref")
    with Workspace.open(place) as workspace:
        with pytest.raises(NothingToUndo):
            undo_plan.plan_undo(workspace.repo)
        with pytest.raises(MissingObject, match="--refetch"):
            plan_revert(workspace, workspace.tip)
    assert git(place, "for-each-ref") == before
    git(place, "fetch", "-q", "--refetch", "--no-filter")
    with Workspace.open(place) as workspace:
        revert(workspace, plan_revert(workspace, workspace.tip))
    assert "Line 2." not in (place / VOICE).read_text()
