"""What the state machine found, each as small as it could be made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from perdure.actions.history import branch as branching
from perdure.actions.history import merge as merge_action
from perdure.actions.history import restore, revert
from perdure.actions.turns import answers
from perdure.actions.turns import correct as correcting
from perdure.actions.workspace import Workspace
from perdure.chat.events import Saved
from perdure.chat.session import Session
from perdure.errors import Problem
from perdure.git.errors import TipMoved
from perdure.git.worktree.edits import OutsideEdits, WorkTreeEdits
from perdure.notice import Notice
from tests.conftest import assert_sound, git
from tests.speaking import Scripted
from tests.system.book import Reader


async def test_the_branch_that_is_talked_on_can_be_dropped_where_none_is_checked_out(
    companion: Path,
) -> None:
    """The talk went on on its branch, so each later message failed: there was no such branch."""
    session = await Session.open(companion, backends=[Scripted()])
    try:
        async for _ in session.send("One."):
            pass
        git(companion, "switch", "-q", "--detach")
        await session.act(lambda h: branching.remove_branch(h, branching.plan_drop(h, "main")))
        events = [event async for event in session.send("Two.")]
    finally:
        await session.close()
    (saved,) = [event for event in events if isinstance(event, Saved)]
    assert saved.branch.startswith("chat-")
    assert git(companion, "merge-base", "HEAD", saved.branch) == git(companion, "rev-parse", "HEAD")
    assert "Two." in git(companion, "grep", "-h", "Two", saved.branch)
    assert_sound(companion)


async def test_the_same_with_git(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    try:
        async for _ in session.send("One."):
            pass
        git(companion, "switch", "-q", "--detach")
        git(companion, "branch", "-q", "-D", "main")
        events = [event async for event in session.send("Two.")]
    finally:
        await session.close()
    assert [event.branch[:5] for event in events if isinstance(event, Saved)] == ["chat-"]
    assert [event for event in events if isinstance(event, Notice)]


async def test_an_edit_committed_with_git_meanwhile_is_not_taken_back(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that had read the file before waited for a lock, and wrote the older text on top.

    Both commits were in the history, and a line of the newer one was neither at the tip nor in the
    file.
    """
    file = companion / "persona" / "30-you.md"
    find = WorkTreeEdits.find

    def finding(edits: WorkTreeEdits, prefixes: Sequence[str]) -> OutsideEdits:
        found = find(edits, prefixes)
        if found.ready:
            monkeypatch.setattr(WorkTreeEdits, "find", find)
            file.write_text(f"{file.read_text()}- two\n")
            git(companion, "commit", "-qam", "persona: with git")
        return found

    session = await Session.open(companion, backends=[Scripted()])
    try:
        file.write_text(f"{file.read_text()}- one\n")
        monkeypatch.setattr(WorkTreeEdits, "find", finding)
        async for _ in session.send("Hello."):
            pass
    finally:
        await session.close()
    assert file.read_text().endswith("- one\n- two\n")
    assert git(companion, "show", "HEAD:persona/30-you.md") == file.read_text()
    assert_sound(companion)


@pytest.mark.parametrize("what", ["revert", "restore"])
def test_what_was_committed_while_somebody_was_asked_is_not_taken_back(
    companion: Path, what: str
) -> None:
    """The files of the plan were written over whatever the tip had by then."""
    file = companion / "persona" / "20-voice.md"
    file.write_text(f"{file.read_text()}\n- last\n")
    git(companion, "commit", "-qam", "persona: last")
    with Workspace.open(companion) as workspace:
        reverts = revert.plan_revert(workspace, workspace.tip)
        restores = restore.plan_restore(
            workspace, ["persona"], workspace.repo.resolve("HEAD~1"), "then"
        )
        file.write_text(f"- first\n{file.read_text()}")
        git(companion, "commit", "-qam", "persona: first")
        with pytest.raises(TipMoved):
            _ = (
                revert.revert(workspace, reverts)
                if what == "revert"
                else restore.restore(workspace, restores)
            )
        assert "- first" in file.read_text()
        revert.revert(workspace, revert.plan_revert(workspace, workspace.repo.resolve("HEAD~1")))
    assert file.read_text().startswith("- first\n")
    assert "- last" not in file.read_text()
    assert_sound(companion)


async def test_turns_corrected_on_two_branches_that_were_merged_across_stand_once(
    companion: Path,
) -> None:
    """Such branches have two common pasts. One of them lacked a talk, as if both had begun it."""
    session = await Session.open(companion, backends=[Scripted()])

    turns: dict[str, str] = {}

    def correct(workspace: Workspace, old: str, new: str) -> None:
        correcting.correct(workspace, correcting.find_words(workspace, turns[old]), new)

    async def check_out(branch: str) -> None:
        await session.act(lambda h: branching.check_out_branch(h, branch))

    try:
        await _say(session, "Where it all began.")
        await session.act(lambda h: branching.begin_branch(h, "hills", ""))
        for branch, texts in (("hills", ("One hill.", "Two.")), ("main", ("A river.", "A sea."))):
            await check_out(branch)
            session.new_conversation()
            for text in texts:
                turns[text] = await _say(session, text)
        ours, theirs = git(companion, "rev-parse", "main", "hills").split()
        await session.act(lambda h: merge_action.merge_branch(h, theirs))
        await session.act(lambda h: correct(h, "One hill.", "One high hill."))
        await session.act(lambda h: correct(h, "A river.", "A wide river."))
        await session.act(lambda h: branching.check_out_branch(h, "hills"))
        await session.act(lambda h: merge_action.merge_branch(h, ours))
        await session.act(lambda h: correct(h, "Two.", "Two hills."))
        await session.act(lambda h: correct(h, "A sea.", "A blue sea."))
        assert len(git(companion, "merge-base", "--all", "main", "hills").split()) == 2
        await session.act(lambda h: merge_action.merge_branch(h, "main"))
    finally:
        await session.close()
    said = [s.message for s in Reader(companion).read("HEAD").values() if s.message]
    assert sorted(said) == [
        "A blue sea.", "A wide river.", "One high hill.", "Two hills.", "Where it all began.",
    ]  # fmt: skip
    assert_sound(companion)


async def test_a_branch_taken_from_under_the_talk_is_said_once(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    try:
        await _say(session, "One.")
        git(companion, "switch", "-q", "--detach")
        told = [e.text async for e in session.send("Two.") if isinstance(e, Notice)]
        again = [e.text async for e in session.send("Three.") if isinstance(e, Notice)]
    finally:
        await session.close()
    assert [text for text in told if "No branch is checked out now" in text]
    assert not [text for text in again if "checked out" in text]
    assert "Three." in git(companion, "grep", "-h", "Three", "main")


async def test_what_was_steered_stands_also_where_it_cannot_be_read(companion: Path) -> None:
    """The switch had been done, and yet an error was all that was seen of it."""
    session = await Session.open(companion, backends=[Scripted()])
    try:
        await _say(session, "One.")
        git(companion, "switch", "-q", "-c", "broken")
        (companion / "companion.yaml").write_text("name: [\n")
        git(companion, "commit", "-qam", "companion: broken")
        git(companion, "switch", "-q", "main")
        done = await session.act(lambda h: branching.check_out_branch(h, "broken"))
        assert done is not None
        assert done.kind == "switch"
        with pytest.raises(Problem, match=r"companion\.yaml"):
            await _say(session, "Two.")
        await session.act(lambda h: branching.check_out_branch(h, "main"))
        await _say(session, "Three.")
    finally:
        await session.close()
    assert_sound(companion)


async def _say(session: Session, text: str) -> str:
    (saved,) = [event async for event in session.send(text) if isinstance(event, Saved)]
    return str(saved.turn_id)


async def test_an_answer_corrected_later_stands_in_its_corrected_words_further_up(
    companion: Path,
) -> None:
    """A branch began where the answer was given, and had it as it was then."""
    session = await Session.open(companion, backends=[Scripted()])
    try:
        async for _ in session.send("One."):
            pass
        async for _ in session.regenerate():
            pass
        turn = str((await session.act(lambda h: answers.list_answers(h, "@"))).turn)
        async for _ in session.send("Two."):
            pass

        def correct(workspace: Workspace) -> None:
            words = correcting.find_words(workspace, turn, reply=True, answer=1)
            correcting.correct(workspace, words, "In better words.")

        await session.act(correct)
        await session.act(
            lambda h: answers.choose(h, answers.plan_choice(h, turn, 1, "further-up"))
        )
        there = await session.act(lambda h: answers.list_answers(h, turn))
    finally:
        await session.close()
    rows = [(row.number, row.shown, row.replies[0].text) for row in there.rows]
    assert rows[0] == (1, True, "In better words.")
    assert [row[:2] for row in rows] == [(1, True), (2, False)]
    assert git(companion, "branch", "--show-current").strip() == "further-up"
    assert_sound(companion)
