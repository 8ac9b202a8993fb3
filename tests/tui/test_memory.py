"""The memory browser over real repositories: what it shows, and what its keys commit."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, TextArea

from perdure.terminal.sanitise import sanitise
from perdure.tui.app import ChatApp
from perdure.tui.chat.history import HistoryController
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import Question
from perdure.tui.dialogs.text import Reading
from perdure.tui.memory.screen import MemoryScreen
from tests.conftest import assert_sound, git
from tests.tui.conftest import until
from tests.tui.remembered import ORDER, remembering
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import flash


async def opened(app: ChatApp, pilot: Pilot[int]) -> MemoryScreen:
    """The browser with its lists."""
    app.chat.action_browse()
    await pilot.press("5")
    await until(
        pilot,
        lambda: app.chat.panels.memory is not None and app.chat.panels.memory.topic is not None,
    )
    memory = app.chat.panels.memory
    assert memory is not None
    await pilot.pause()
    return memory


def rows(memory: MemoryScreen) -> list[str]:
    """The list as text."""
    options = memory.query_one("#rows", OptionList)
    return [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]


def counts(memory: MemoryScreen) -> dict[str, int]:
    """The lists, and how much is in each."""
    return {each.label: len(each.rows) for each in memory._lists.topics}


def subjects(path: Path) -> list[str]:
    """Subjects of the commits, newest first."""
    return git(path, "log", "--format=%s").splitlines()


async def test_what_waits_is_accepted_edited_and_rejected_and_undo_brings_it_back(
    companion: Path,
) -> None:
    """Each answer is one commit; beside a proposal stands what contradicts it."""
    turns = await remembering(companion)
    async with chatting(companion) as (app, pilot):
        await until(pilot, lambda: "3 facts and summaries to review" in flash(app))
        memory = await opened(app, pilot)
        assert counts(memory) == {
            "Review": 3,
            "people": 2,
            "places": 2,
            "Set aside": 0,
            "Summaries": 1,
        }
        await until(pilot, lambda: "Ana: I work at the mill" in memory.preview)
        await pilot.press("a")
        await until(pilot, lambda: counts(memory).get("work") == 1)
        assert (
            f"Ana works at the mill. ([{turns[2]}]"
            in (companion / "memory/facts/work.md").read_text()
        )
        assert "z takes it back" in str(memory.flash.render())
        await until(pilot, lambda: "contradicts" in memory.preview)
        assert "people:2" in memory.preview

        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Editing))
        app.screen.query_one(TextArea).text = "Marta's birthday was a Saturday."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: counts(memory)["people"] == 3)
        people = (companion / "memory/facts/people.md").read_text()
        assert "Marta's birthday was a Saturday." in people
        assert "15 May" not in people

        assert rows(memory) == [f"          held     ▲ places: {ORDER}"]
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is memory)
        assert counts(memory)["Review"] == 1
        await until(pilot, lambda: not app.chat.conversation.is_acting)
        await pilot.press("r")
        await until(pilot, lambda: counts(memory)["Review"] == 0)
        assert ORDER not in (companion / "memory/facts/places.md").read_text()
        await until(pilot, lambda: not app.chat.conversation.is_acting)
        await pilot.press("z")
        await until(pilot, lambda: counts(memory)["Review"] == 1)
        assert ORDER in (companion / "memory/facts/places.md").read_text()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
    assert_sound(companion)
    assert len([each for each in subjects(companion) if each.startswith("memory: ")]) == 3


async def test_facts_are_pinned_set_aside_added_and_lead_to_their_turn(companion: Path) -> None:
    """`*`, `x`, `n`, `d`, `o`, and words that narrow."""
    turns = await remembering(companion)
    async with chatting(companion) as (app, pilot):
        memory = await opened(app, pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "last changed" in memory.preview)
        assert "Marta is Ana's sister." in memory.preview
        await pilot.press("asterisk")
        await until(pilot, lambda: "*" in rows(memory)[0])
        assert "sister. " in (companion / "memory/facts/people.md").read_text()
        await until(pilot, lambda: not app.chat.conversation.is_acting)
        await pilot.press("x")
        await until(pilot, lambda: counts(memory)["Set aside"] == 1)
        assert len(list((companion / "memory/aside").iterdir())) == 1
        await until(pilot, lambda: not app.chat.conversation.is_acting)

        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NameDialog))
        app.screen.query_one(Input).value = "pets"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Editing))
        app.screen.query_one(TextArea).text = "The cat is called Ida."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: counts(memory).get("pets") == 1)
        assert memory.topic is not None
        assert memory.topic.label == "pets"
        await until(pilot, lambda: not app.chat.conversation.is_acting)
        await pilot.press("n", "enter")
        await until(pilot, lambda: isinstance(app.screen, Editing))
        app.screen.query_one(TextArea).text = "The cat is called Ida."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "already has that fact" in str(memory.flash.render()))
        assert "What you wrote is in the message box" in str(memory.flash.render())
        assert app.chat.composer.text == "The cat is called Ida."
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Reading))
        shown = str(app.screen.query("#reading-box Static").first().render())
        assert "+ - The cat is called Ida." in shown
        await pilot.press("escape")

        await pilot.press("slash")
        memory.query_one("#find", Input).value = "loud"
        await pilot.press("enter")
        await until(pilot, lambda: memory.topic is not None and memory.topic.label == "places")
        await until(pilot, lambda: "I heard: the weir was loud" in memory.preview)
        assert sanitise(memory.preview) == memory.preview
        await pilot.press("o")
        await until(pilot, lambda: app.screen is app.chat)
        assert str(app.chat.conversation.picked_turn) == turns[0]
    assert_sound(companion)


async def test_another_program_writes_and_the_lists_follow(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser looks by itself: the session's own commits move nothing that the chat follows."""
    monkeypatch.setattr(HistoryController, "look", lambda _self: None)
    await remembering(companion)
    async with chatting(companion) as (app, pilot):
        memory = await opened(app, pilot)
        (companion / "memory/facts/pets.md").write_text("# Pets\n\n- The cat is called Ida.\n")
        git(companion, "add", "-A")
        git(companion, "commit", "-qm", "memory: pets")
        memory._look_again()
        await until(pilot, lambda: counts(memory).get("pets") == 1)
        await pilot.press("f4")
        await until(pilot, lambda: app.chat.panels.timeline is not None)
        await pilot.press("f6")
        await until(pilot, lambda: app.chat.panels.memory is not None)
