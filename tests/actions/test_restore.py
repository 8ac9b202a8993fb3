"""A reset: persona and memory as they were at a tag, while conversations stay."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from perdure.actions.errors import CannotRestore, NothingToRestore
from perdure.actions.history.restore import RestorePlan, plan_restore, restore
from perdure.actions.history.undo import next_undo, perform_step
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

VOICE, PEOPLE = "persona/20-voice.md", "memory/facts/people.md"
SUMMARY = "memory/summaries/2026-11/2026-11-30-2026-71213955.md"
ASIDE, REVIEW = "memory/aside/here.md", "memory/review/2026-11-30-2026-71213955.md"


def talk(path: Path, text: str) -> str:
    """Say something; all words of the prompt that was sent."""
    backend = Scripted(reply=lambda prompt: f"I heard: {prompt[-1].content}")

    async def said() -> None:
        session = await Session.open(path, backends=[backend])
        try:
            async for _ in session.send(text):
                pass
        finally:
            await session.close()

    asyncio.run(said())
    return "\n".join(message.content for message in backend.asked[-1].messages)


def write(path: Path, file: str, text: str) -> None:
    (path / file).parent.mkdir(parents=True, exist_ok=True)
    (path / file).write_text(text)
    git(path, "add", "-A")
    git(path, "commit", "-qm", f"memory: {file}")


def planned(workspace: Workspace, *paths: str) -> RestorePlan:
    return plan_restore(workspace, paths, workspace.repo.resolve("good"), "good")


@pytest.fixture
def drifted(companion: Path) -> Path:
    """A companion whose persona and facts were changed after the tag, while the talk went on."""
    write(companion, PEOPLE, "- Ana has a cat called Pim.\n")
    talk(companion, "The first words.")
    git(companion, "tag", "good")
    write(companion, PEOPLE, "- Ana has a cat called Pim.\n- Ana hates cats.\n")
    write(companion, "memory/facts/new.md", "- Nobody knew this.\n")
    write(companion, VOICE, "Speak rudely.\n")
    talk(companion, "The second words.")
    return companion


def test_the_next_prompt_is_as_of_the_tag_and_the_talk_goes_on(drifted: Path) -> None:
    with Workspace.open(drifted) as workspace:
        made = restore(workspace, planned(workspace, "persona", "memory"))
    subjects = git(drifted, "log", "-2", "--format=%s").splitlines()
    assert [subject.partition(":")[0] for subject in subjects] == ["persona", "memory"]
    assert len(made) == 2
    prompt = talk(drifted, "The third words.")
    assert "Ana has a cat called Pim." in prompt
    assert "Ana hates cats" not in prompt
    assert "Nobody knew this" not in prompt
    assert "Speak rudely" not in prompt
    assert "The first words." in prompt
    assert "The second words." in prompt
    assert_sound(drifted)


def test_each_commit_of_a_reset_is_one_undo(drifted: Path) -> None:
    before = git(drifted, "rev-parse", "HEAD^{tree}")
    with Workspace.open(drifted) as workspace:
        for _ in restore(workspace, planned(workspace, "persona", "memory")):
            perform_step(workspace, next_undo(workspace))
    assert git(drifted, "rev-parse", "HEAD^{tree}") == before


def test_what_belongs_to_conversations_stays_unless_it_is_named(drifted: Path) -> None:
    for file in (SUMMARY, ASIDE, REVIEW):
        write(drifted, file, "words\n")
    with Workspace.open(drifted) as workspace:
        plan = planned(workspace, "memory")
        assert plan.kept == ("memory/summaries", "memory/aside", "memory/review")
        said = "\n".join(plan.describe())
        assert "Stay as they are, since you did not name their folders: summaries" in said
        assert "Conversations stay as they are" in said
        restore(workspace, plan)
        assert all((drifted / file).is_file() for file in (SUMMARY, ASIDE, REVIEW))
        assert not (drifted / "memory/facts/new.md").exists()
        with pytest.raises(NothingToRestore, match="but for memory/summaries"):
            planned(workspace, "memory")
        named = planned(workspace, "memory/summaries")
        assert (named.removed, named.kept) == ((SUMMARY,), ())
        restore(workspace, planned(workspace, "memory", "memory/review"))
    assert (drifted / SUMMARY).is_file()
    assert not (drifted / REVIEW).exists()


def test_the_whole_companion_is_restored_without_what_belongs_to_conversations(
    drifted: Path,
) -> None:
    write(drifted, SUMMARY, "words\n")
    with Workspace.open(drifted) as workspace:
        plan = planned(workspace, "")
        assert plan.kept == ("memory/summaries",)
        restore(workspace, plan)
    assert (drifted / SUMMARY).is_file()
    assert git(drifted, "diff", "--name-only", "good", "--", "persona", "memory/facts") == ""


def test_a_folder_that_a_companion_need_not_have_is_as_it_was_without_it(drifted: Path) -> None:
    git(drifted, "rm", "-rq", "--ignore-unmatch", "lore")
    git(drifted, "commit", "-qm", "lore: none", "--allow-empty")
    git(drifted, "tag", "-f", "good")
    with Workspace.open(drifted) as workspace:
        with pytest.raises(NothingToRestore):
            planned(workspace, "lore")
        with pytest.raises(CannotRestore, match="neither now nor"):
            planned(workspace, "lore/none.md")
