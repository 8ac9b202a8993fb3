"""The timeline over real repositories: what it lists, what is beside it, what its keys do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from perdure.tui.app import ChatApp
from perdure.tui.dialogs.name import NameDialog
from perdure.tui.dialogs.question import Question
from perdure.tui.dialogs.text import Reading
from perdure.tui.timeline.lists import Tab
from perdure.tui.timeline.screen import TimelineScreen
from tests.conftest import assert_sound, git
from tests.lives import make_life
from tests.tui.conftest import until
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import asked, talk


def edit(path: Path, file: str, text: str, message: str) -> None:
    """A change made by hand and committed with git."""
    place = path / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    git(path, "add", "-A")
    git(path, "commit", "-qm", message)


def rows(app: ChatApp) -> list[str]:
    """The list as text."""
    timeline = app.chat.panels.timeline
    assert timeline is not None
    options = timeline.query_one("#rows", OptionList)
    return [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]


async def opened(app: ChatApp, pilot: Pilot[int], tab: Tab = "History") -> TimelineScreen:
    """The timeline with its first rows."""
    app.chat.action_browse()
    await pilot.press("f4")
    await until(
        pilot, lambda: app.chat.panels.timeline is not None and app.chat.panels.timeline.is_mounted
    )
    timeline = app.chat.panels.timeline
    assert timeline is not None
    if tab != "History":
        timeline.go_to(tab)
    await until(pilot, lambda: timeline.rows.option_count > 0)
    await pilot.pause()
    return timeline


async def test_turns_are_one_row_a_conversation_and_open_one_by_one(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one", "two", "three")
        timeline = await opened(app, pilot)
        assert len(rows(app)) == 3
        assert "3 turns" in rows(app)[0]
        assert "companion Mira begins" in rows(app)[2]
        await until(pilot, lambda: "I heard: one" in timeline.preview)
        assert "I heard: three" in timeline.preview
        await pilot.press("space")
        assert [row.partition("chat")[2].strip() for row in rows(app)[:3]] == [
            "⎇ main  YOU ARE HERE  three",
            "two",
            "one",
        ]
        await pilot.press("down", "down")
        await until(pilot, lambda: "I heard: one" in timeline.preview)
        assert "I heard: three" not in timeline.preview
        await pilot.press("space")
        assert len(rows(app)) == 3
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)


async def test_a_persona_change_is_shown_by_words_and_taken_back(companion: Path) -> None:
    """`R` says what was answered under it and offers what to do with that; the talk stays."""
    voice = companion / "persona" / "20-voice.md"
    before = voice.read_text()
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "before")
        changed = before.rstrip("\n") + " And be harsh.\n"
        edit(companion, "persona/20-voice.md", changed, "persona: harsh")
        await talk(app, pilot, "under it")
        timeline = await opened(app, pilot)
        await pilot.press("f")
        await until(pilot, lambda: len(rows(app)) == 2)
        assert "words" in rows(app)[0]
        await until(pilot, lambda: "harsh" in timeline.preview)
        assert "{+" in timeline.preview or "+ " in timeline.preview
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Reading))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is timeline)
        await pilot.press("R")
        question = await asked(app, pilot)
        assert "Answered under it: “under it”" in question
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is timeline)
        assert voice.read_text() == changed
        await pilot.press("R")
        await asked(app, pilot)
        await pilot.press("down", "down", "down", "enter")
        await until(pilot, lambda: voice.read_text() == before)
        await until(pilot, lambda: "set aside" in str(timeline.flash.render()))
        await until(pilot, lambda: "revert" in " ".join(rows(app)) or len(rows(app)) == 3)
    assert "turn: under it" in git(companion, "log", "--format=%s")
    assert len(list(companion.glob("memory/aside/*.md"))) == 1
    assert_sound(companion)


async def test_what_cannot_be_taken_back_says_what_to_do_instead(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        timeline = await opened(app, pilot)
        await pilot.press("R")
        await until(pilot, lambda: "perdure rewind" in str(timeline.flash.render()))


async def test_operations_show_what_undo_takes_next(companion: Path) -> None:
    """The row is marked, `z` takes it, and the mark moves on."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        git(companion, "branch", "other")
        app.chat.history.switch_to("other")
        await until(pilot, lambda: app.chat.status.status.branch == "other")
        timeline = await opened(app, pilot, "Operations")
        first = next(row for row in rows(app) if "z takes this back" in row)
        assert "switch" in first
        await until(pilot, lambda: "refs/" in timeline.preview or "on main" in timeline.preview)
        await pilot.press("z")
        await until(pilot, lambda: app.chat.status.status.branch == "main")
        await until(pilot, lambda: any("undone" in row for row in rows(app)))
        assert any("Z redoes this" in row for row in rows(app))
        assert "Undone" in str(timeline.flash.render())
    assert_sound(companion)


async def test_branches_are_listed_and_entered(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        timeline = await opened(app, pilot)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, NameDialog))
        app.screen.query_one(Input).value = "softer"
        await pilot.press("enter")
        await until(pilot, lambda: "starts at" in str(timeline.flash.render()))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: len(rows(app)) == 2)
        assert sum("YOU ARE HERE" in row for row in rows(app)) == 1
        at = next(at for at, row in enumerate(rows(app)) if "softer" in row)
        timeline.rows.highlighted = at
        await until(pilot, lambda: "softer" in timeline.preview)
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.status.status.branch == "softer")
        await until(pilot, lambda: any("softer  YOU ARE HERE" in row for row in rows(app)))
    assert git(companion, "branch", "--show-current").strip() == "softer"
    assert_sound(companion)


async def test_words_are_found_and_escape_shows_all_again(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "the weir", "the bread")
        await opened(app, pilot)
        await pilot.press("slash")
        await pilot.press(*"weir")
        await pilot.press("enter")
        await until(pilot, lambda: len(rows(app)) == 1 and "weir" in rows(app)[0])
        await pilot.press("escape")
        await until(pilot, lambda: len(rows(app)) == 3)


async def test_a_long_history_is_read_a_page_at_a_time(tmp_path: Path) -> None:
    """The first rows need no more than a page; moving down reads on, to the very beginning."""
    path = tmp_path / "long"
    make_life(path, 400)
    async with chatting(path) as (app, pilot):
        timeline = await opened(app, pilot)
        await pilot.press("space")
        for _ in range(12):
            await pilot.press("G")
            await pilot.pause()
        await until(pilot, lambda: "Mira begins" in rows(app)[-1])
        assert timeline.rows.option_count == len(set(rows(app)))


@pytest.mark.parametrize("size", [(70, 20), (160, 40)], ids=["70x20", "160x40"])
async def test_it_works_in_a_narrow_terminal(companion: Path, size: tuple[int, int]) -> None:
    """Without room for the preview, enter shows the change over the list."""
    async with chatting(companion) as (app, pilot):
        await pilot.resize_terminal(*size)
        await talk(app, pilot, "one")
        timeline = await opened(app, pilot)
        assert timeline.query_one("#preview").display is (size[0] >= 90)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Reading))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is timeline)
        assert not isinstance(app.screen, Question)


async def test_branches_are_drawn_as_lanes(companion: Path) -> None:
    """Two lines and a merge; what is on another branch alone is hollow; narrowed it is a list."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one", "two")
    git(companion, "switch", "-qc", "side")
    edit(companion, "lore/side.md", "Side.\n", "lore: on the side")
    git(companion, "switch", "-q", "main")
    edit(companion, "lore/main.md", "Main.\n", "lore: on main")
    git(companion, "merge", "-q", "-m", "merge: side", "side")
    git(companion, "switch", "-qc", "other", "side")
    edit(companion, "lore/more.md", "More.\n", "lore: more")
    git(companion, "switch", "-q", "main")
    async with chatting(companion) as (app, pilot):
        await opened(app, pilot)
        await until(pilot, lambda: len(rows(app)) == 7)
        lanes = {
            row.rpartition("  ")[2].strip(): re.split(r"\d", row)[0].rstrip() for row in rows(app)
        }
        assert "○" in lanes["more"]
        assert "○" not in "".join(line for words, line in lanes.items() if words != "more")
        assert lanes["side"].startswith("●─")
        assert "╯" in lanes["two"] or "╯" in lanes["on the side"]
        assert sum("YOU ARE HERE" in row for row in rows(app)) == 1
        assert "⎇ main  YOU ARE HERE" in next(row for row in rows(app) if "merge" in row)
        await pilot.press("f", "f")
        await until(pilot, lambda: len(rows(app)) == 1)
        assert "●" not in rows(app)[0]
