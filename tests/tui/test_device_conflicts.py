"""What two devices changed differently, on the screen: listed, chosen, taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from perdure.tui.app import ChatApp
from perdure.tui.conflicts.device_screen import DeviceConflictsScreen
from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.text import Reading
from tests.cli.test_conflicts import BASE, edit, other, voice
from tests.cli.test_history import VOICE
from tests.conftest import assert_sound, git
from tests.tui.conftest import say, shown, until
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import flash, talk

__all__ = ["other"]
LORE = "lore/x.md"


async def conflicts(app: ChatApp, pilot: Pilot[int]) -> DeviceConflictsScreen:
    """The list, opened by its command and read."""
    await say(pilot, "/conflicts")
    await until(pilot, lambda: isinstance(app.screen, DeviceConflictsScreen))
    screen = app.screen
    assert isinstance(screen, DeviceConflictsScreen)
    await until(pilot, lambda: screen.is_mounted and bool(screen.rows.option_count))
    await pilot.pause()
    return screen


def listed(screen: DeviceConflictsScreen) -> list[str]:
    options = screen.rows
    return [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]


async def settled(app: ChatApp, pilot: Pilot[int], words: str) -> None:
    """Until a place is settled, and the next thing may be done."""
    await until(pilot, lambda: words in flash(app))
    await until(pilot, app.chat.conversation.may_send)
    await app.workers.wait_for_complete()
    await pilot.pause()


@pytest.mark.usefixtures("other")
async def test_each_place_is_shown_with_both_versions_and_settled_by_itself(
    companion: Path,
) -> None:
    async with chatting(companion) as (app, pilot):
        screen = await conflicts(app, pilot)
        assert [row.split("  ")[:1] for row in listed(screen)] == [
            [f"▲ {LORE}"], [f"▲ {VOICE}"], [f"▲ {VOICE}"]
        ]  # fmt: skip
        screen.rows.highlighted = 1
        await pilot.pause()
        for words in ("in use, Ana, 2026-11-22 10:00", "other, Bo, 2026-11-22 09:00", "Warmer."):
            assert words in screen.preview
        await pilot.press("t")
        await settled(app, pilot, "as on the other device. z takes it back")
        assert voice(companion) == BASE.replace("Warm.", "Warmer.").replace("Kind.", "Strict.")
        assert [row.partition("  ")[2] for row in listed(screen)][1:] == ["line 7"]
        screen.rows.highlighted = 1
        await pilot.press("b")
        await settled(app, pilot, "both. z takes it back")
        assert "Strict.\nKinder.\n" in voice(companion)
        await pilot.press("z")
        await until(pilot, lambda: len(listed(screen)) == 2)
        assert "Kinder." not in voice(companion)
    assert_sound(companion)


@pytest.mark.usefixtures("other")
async def test_the_conversation_goes_on_while_places_wait(companion: Path) -> None:
    """She speaks with what is in use; a file that was removed can only be taken whole."""
    async with chatting(companion) as (app, pilot):
        screen = await conflicts(app, pilot)
        await pilot.press("b")
        await until(pilot, lambda: "only be taken as a whole: o or t" in flash(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Reading))
        await pilot.press("escape")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
        await talk(app, pilot, "in between")
        screen = await conflicts(app, pilot)
        assert len(listed(screen)) == 3
        await pilot.press("t")
        await settled(app, pilot, f"{LORE} is settled")
        assert not (companion / LORE).exists()
        screen.rows.highlighted = 0
        await pilot.press("o")
        await settled(app, pilot, "as it is")
        await pilot.press("o")
        await until(pilot, lambda: "or it is settled" in listed(screen)[0])
        await pilot.press("o")
        await until(pilot, lambda: "nothing to settle" in flash(app))
        assert "I heard: in between" in shown(app)
    assert voice(companion) == BASE.replace("Warm.", "Cool.").replace("Kind.", "Strict.")


@pytest.mark.usefixtures("other")
async def test_a_place_is_settled_with_words_of_ones_own(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        screen = await conflicts(app, pilot)
        screen.rows.highlighted = 1
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Editing) and app.screen.is_mounted)
        box = app.screen
        assert isinstance(box, Editing)
        assert box.text == "Cool.\nWarmer.\n"
        box.query_one("#editing-text").text = "Cool and warm.\n"  # type: ignore[attr-defined]
        await pilot.press("ctrl+s")
        await settled(app, pilot, "with your words")
        assert "Cool and warm.\n" in voice(companion)
        assert len(listed(screen)) == 2


@pytest.mark.usefixtures("other")
async def test_own_words_for_lines_that_were_edited_meanwhile_are_not_lost(
    companion: Path,
) -> None:
    async with chatting(companion) as (app, pilot):
        screen = await conflicts(app, pilot)
        screen.rows.highlighted = 1
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Editing) and app.screen.is_mounted)
        text = voice(companion).replace("Cool.", "Cooler.")
        edit(companion, {VOICE: text}, "Ana", "11:00")
        app.screen.query_one("#editing-text").text = "Mine.\n"  # type: ignore[attr-defined]
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "settled already" in flash(app))
        assert "Mine." in app.chat.composer.text
    assert "Mine." not in git(companion, "show", f"HEAD:{VOICE}")


async def test_without_a_conflict_it_says_so(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        screen = await conflicts(app, pilot)
        assert "Nothing was changed differently" in listed(screen)[0]
