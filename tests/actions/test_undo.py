"""Undo takes back what the user did; what the program wrote by itself goes, comes or stays."""

from __future__ import annotations

import json
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
from perdure.companion.ids import TurnId
from perdure.git.operations.branches import drop_branch, start_branch, switch
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.revisions.ahead import ahead
from tests.actions.test_history import talk
from tests.conftest import assert_sound, git

MIRA = Author("Mira", "mira@companion.invalid")


def written(path: Path, name: str, text: str, message: str) -> None:
    """A commit in the companion's name."""
    with Repository.open(path) as repo:
        branch = repo.head().branch
        assert branch is not None
        repo.commit([Change(name, text.encode())], message=message, author=MIRA, branch=branch)


def noted(path: Path, turn: TurnId, words: str = "summary of “talk”") -> None:
    """What the program writes down about a turn, as `memory_landing` commits it."""
    text = f"what was said up to {turn.number}\n"
    written(path, summary(turn), text, f"memory: {words}\n\nCaused-By: {turn}\n")


def summary(turn: TurnId) -> str:
    """The path of a conversation's summary."""
    return f"memory/summaries/2026-11/{turn.conversation}.md"


def lock(path: Path, what: str) -> None:
    """A lock file, as a new model brings one before its first reply."""
    text = f"scripted: {what}\n"
    written(path, "backends.lock/here.yaml", text, f"backend: scripted now runs {what}\n")


def subjects(path: Path) -> list[str]:
    return git(path, "log", "--format=%s", "--first-parent").splitlines()


def refs(path: Path) -> str:
    return git(path, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")


def undo(path: Path) -> UndoStep:
    with Workspace.open(path) as workspace:
        step = next_undo(workspace)
        assert step.is_safe
        perform_step(workspace, step)
    assert_sound(path)
    return step


def redo(path: Path) -> UndoStep:
    with Workspace.open(path) as workspace:
        step = next_redo(workspace)
        perform_step(workspace, step)
    assert_sound(path)
    return step


async def test_what_is_about_the_turn_goes_and_comes_with_it(companion: Path) -> None:
    """One operation each way, though three commits go: the turn, its summary, proposals from it."""
    (one, two), _ = await talk(companion, "The weir is loud.", "And the mill?")
    noted(companion, one)
    noted(companion, two, "2 proposals from “talk”")
    before = refs(companion)
    step = undo(companion)
    assert step.what == "your message “And the mill?” and her reply"
    assert step.said() == "Undone: your message “And the mill?” and her reply."
    # The summary of the first turn is about other talk: it was made again on what is left.
    assert subjects(companion)[:2] == ["memory: summary of “talk”", "turn: The weir is loud."]
    assert "said up to 1" in git(companion, "show", f"HEAD:{summary(one)}")
    assert redo(companion).said() == "Redone: your message “And the mill?” and her reply."
    assert refs(companion) == before
    undo(companion)
    assert undo(companion).what == "your message “The weir is loud.” and her reply"
    assert not any(each.startswith("memory: ") for each in subjects(companion))
    redo(companion)
    redo(companion)
    assert refs(companion) == before


async def test_what_is_about_other_talk_stays_also_where_it_came_later(companion: Path) -> None:
    (one,), _ = await talk(companion, "The weir is loud.")
    await talk(companion, "And the mill?")
    noted(companion, one)
    before = refs(companion)
    undo(companion)
    assert subjects(companion)[:2] == ["memory: summary of “talk”", "turn: The weir is loud."]
    trailers = git(companion, "log", "-1", "--format=%(trailers:key=Caused-By,valueonly)").strip()
    assert trailers == str(one)
    assert git(companion, "log", "-1", "--format=%ae").strip() == MIRA.email
    redo(companion)
    assert refs(companion) == before


async def test_the_months_page_and_the_lock_go_with_the_turn_that_brought_them(
    companion: Path,
) -> None:
    begin_branch = subjects(companion)
    await talk(companion, "The weir is loud.")
    brought = subjects(companion)
    assert len(brought) > len(begin_branch) + 1, "there is something to go along"
    before = refs(companion)
    undo(companion)
    assert subjects(companion) == begin_branch
    redo(companion)
    assert refs(companion) == before
    lock(companion, "another")
    await talk(companion, "And the mill?")
    undo(companion)
    assert subjects(companion) == brought


async def test_what_the_program_wrote_is_no_step_and_not_listed(companion: Path) -> None:
    (one,), _ = await talk(companion, "The weir is loud.")
    noted(companion, one)
    lock(companion, "another")
    with Workspace.open(companion) as workspace:
        listed = list_operations(workspace)
    assert [row.entry.kind for row in listed] == ["turn", "companion"]
    assert [row.mark for row in listed] == ["undo", ""]


async def test_what_the_user_accepts_is_a_step(companion: Path) -> None:
    """It has the companion's name too; its words are those of the fact."""
    (one,), _ = await talk(companion, "The weir is loud.")
    message = f"memory: places: The weir is loud.\n\nCaused-By: {one}\n"
    written(companion, "memory/facts/places.md", "- The weir is loud.\n", message)
    assert undo(companion).what == "the change of what she knows “places: The weir is loud.”"
    assert undo(companion).what.startswith("your message")


async def test_redo_goes_on_though_something_was_written_down_meanwhile(companion: Path) -> None:
    (one, _), _ = await talk(companion, "The weir is loud.", "And the mill?")
    undo(companion)
    noted(companion, one)
    redo(companion)
    assert subjects(companion)[:2] == ["memory: summary of “talk”", "turn: And the mill?"]


async def test_pushed_ones_come_back_by_new_commits(companion: Path, tmp_path: Path) -> None:
    """What stays is on top of the commit that takes the turn back; the remote's tip is kept."""
    (one,), _ = await talk(companion, "The weir is loud.")
    await talk(companion, "And the mill?")
    noted(companion, one)
    git(companion, "init", "-q", "--bare", str(tmp_path / "hub"))
    git(companion, "push", "-q", str(tmp_path / "hub"), "HEAD:refs/heads/main")
    git(companion, "update-ref", "refs/remotes/hub/main", "HEAD")
    tip = git(companion, "rev-parse", "HEAD").strip()
    step = undo(companion)
    assert "so a new commit does it" in step.said()
    assert git(companion, "merge-base", "--is-ancestor", tip, "HEAD") == ""
    assert subjects(companion)[0] == "memory: summary of “talk”"
    assert subjects(companion)[1].startswith("revert: undo turn: And the mill?")
    talked = "".join(each.read_text() for each in companion.glob("conversations/*/*/*.md"))
    assert "And the mill?" not in talked
    assert (companion / summary(one)).exists()
    redo(companion)
    talked = "".join(each.read_text() for each in companion.glob("conversations/*/*/*.md"))
    assert "And the mill?" in talked
    assert git(companion, "merge-base", "--is-ancestor", tip, "HEAD") == ""


async def test_an_operation_under_what_was_written_down_is_still_undone(companion: Path) -> None:
    """A rewind, and a summary on the new branch: one step back to where one was."""
    (one, _), _ = await talk(companion, "The weir is loud.", "And the mill?")
    with Workspace.open(companion) as workspace:
        rewind(workspace, plan_rewind(workspace, str(one), "again"))
    noted(companion, one)
    step = undo(companion)
    assert step.said() == "Undone: going back to “The weir is loud.”. You are back on main."
    assert git(companion, "branch", "--show-current").strip() == "main"


async def test_it_asks_for_what_hides_more_than_one_act(companion: Path) -> None:
    """A branch that undo takes away, with two turns that are only there."""
    await talk(companion, "One.")
    with Workspace.open(companion) as workspace:
        start_branch(workspace.repo, "side", author=workspace.author)
    await talk(companion, "Two.", "Three.")
    git(companion, "switch", "-q", "main")
    git(companion, "merge", "-q", "--no-ff", "-m", "Merge branch 'side'", "side")
    with Workspace.open(companion) as workspace:
        drop_branch(workspace.repo, "side", author=workspace.author)
        step = next_undo(workspace)
        assert step.is_safe, "it brings a branch back"
        assert step.what == "the removal of the branch side"
    git(companion, "update-ref", "-d", "refs/perdure/ops")
    with Workspace.open(companion) as workspace:
        step = next_undo(workspace)
        assert step.hidden.turns == 2
        assert not step.is_safe
        assert "on no branch afterwards: 2 turns" in " ".join(step.describe())


@pytest.mark.parametrize("by_index", [False, True])
async def test_turns_are_counted_and_not_their_commits(
    companion: Path, monkeypatch: pytest.MonkeyPatch, *, by_index: bool
) -> None:
    """Two turns, with another answer, a swap, a correction and a summary, are two turns."""
    from perdure.actions.turns.answers import choose, plan_choice
    from perdure.actions.turns.correct import correct, find_words
    from perdure.chat.session import Session
    from tests.speaking import Scripted

    (one, two, three), _ = await talk(companion, "One.", "Two.", "Three.")
    session = await Session.open(companion, backends=[Scripted()])
    try:
        async for _ in session.regenerate(str(three)):
            pass
    finally:
        await session.close()
    with Workspace.open(companion) as workspace:
        choose(workspace, plan_choice(workspace, str(three), 1))
        correct(workspace, find_words(workspace, str(two), reply=False), "Two, or so.")
    noted(companion, three)
    if by_index:
        with Repository.open(companion) as repo:
            assert repo.timeline().update(repo.resolve("HEAD"))
        monkeypatch.setattr("perdure.snapshot.revisions.ahead._FEW", 0)
    with Workspace.open(companion) as workspace:
        plan = plan_rewind(workspace, str(one))
        assert "keeps what came after: 2 turns." in plan.describe()[1]
        correct(workspace, find_words(workspace, str(one), reply=False), "One, or so.")
        assert (
            str(ahead(workspace.repo, workspace.tip, [plan.target.commit]))
            == "2 turns, 1 other change"
        )


async def test_words_have_no_hashes_and_no_ids(companion: Path) -> None:
    """Of every kind of act."""
    from perdure.actions.history.branch import begin_branch
    from perdure.actions.history.tag import tag
    from perdure.actions.memory import exclude
    from perdure.actions.turns.correct import correct, find_words

    (one, two), _ = await talk(companion, "The weir is loud.", "And the mill?")
    words = []
    with Workspace.open(companion) as workspace:
        correct(workspace, find_words(workspace, str(two), reply=False), "And the mill, then?")
        words.append(next_undo(workspace).what)
        exclude.exclude_turns(workspace, exclude.plan_exclude(workspace, str(one)))
        words.append(next_undo(workspace).what)
        exclude.exclude_turns(workspace, exclude.plan_exclude(workspace, str(one), back=True))
        words.append(next_undo(workspace).what)
        tag(workspace, "before", workspace.tip)
        words.append(next_undo(workspace).what)
        begin_branch(workspace, "side", "HEAD")
        words.append(next_undo(workspace).what)
        switch(workspace.repo, "side", author=workspace.author)
        words.append(next_undo(workspace).what)
        rewind(workspace, plan_rewind(workspace, str(one), "again"))
        words.append(next_undo(workspace).what)
        record = next_undo(workspace).to_dict()
    assert words == [
        "the correction to “And the mill, then?”",
        "the setting aside of “The weir is loud.”",
        "the bringing back of “The weir is loud.”",
        "the tag before",
        "the new branch side",
        "the switch to side",
        "going back to “The weir is loud.”",
    ]
    assert json.loads(json.dumps(record)).keys() >= {
        "undoes", "redoes", "kind", "what", "says", "hidden", "asks", "words",
    }  # fmt: skip
