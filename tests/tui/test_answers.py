"""What the cursor of the talk does to a turn, over real repositories."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import TextArea

from perdure.tui.dialogs.edit import Editing
from perdure.tui.dialogs.text import Reading
from tests.conftest import assert_sound, git
from tests.speaking import Scripted
from tests.tui.conftest import say, shown, until, until_shown
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import asked, browse, flash, talk


def numbered(backend: Scripted, number: int) -> Scripted:
    """The backend, from now on with this answer."""
    backend.reply = lambda _prompt: f"answer number {number} of many"
    return backend


def words(path: Path) -> str:
    """All talk in the work tree."""
    return "".join(one.read_text() for one in sorted(path.glob("conversations/*/*/*.md")))


async def test_another_answer_streams_and_the_arrows_swap_them(companion: Path) -> None:
    """Both are kept; which one stands is told, and the commit says so."""
    backend = Scripted()
    async with chatting(companion, numbered(backend, 1)) as (app, pilot):
        await say(pilot, "tell me")
        await until(pilot, lambda: "answer number 1" in shown(app))
        await until(
            pilot, lambda: app.chat.conversation.may_send() and not app.chat.conversation.is_talking
        )
        numbered(backend, 2)
        await browse(app, pilot, "r")
        await until(pilot, lambda: "2 / 2" in shown(app))
        assert "answer number 2" in shown(app)
        assert "answer number 1" not in shown(app)
        assert "answer number 2" in words(companion)
        await browse(app, pilot, "left")
        await until(pilot, lambda: "1 / 2" in shown(app))
        assert "answer number 1" in shown(app)
        assert "answer number 1" in words(companion)
        await pilot.press("left")
        await until(pilot, lambda: "oldest answer" in flash(app))
        await pilot.press("right")
        await until(pilot, lambda: "2 / 2" in shown(app))
    assert_sound(companion)


async def test_another_answer_further_up_begins_a_branch_and_asks_first(companion: Path) -> None:
    backend = Scripted()
    async with chatting(companion, backend) as (app, pilot):
        for number, text in enumerate(("first", "second"), 1):
            numbered(backend, number)
            await say(pilot, text)
            await until_shown(app, pilot, f"answer number {number}")
            await until(pilot, lambda: not app.chat.conversation.is_talking)
        numbered(backend, 3)
        await browse(app, pilot, "k", "k", "r")
        assert "main keeps what came after" in await asked(app, pilot)
        await pilot.press("down", "enter")
        await until(
            pilot, lambda: "answer number 3" in shown(app) and not app.chat.conversation.is_talking
        )
        await until(pilot, lambda: "2 / 2" in shown(app))
        assert "second" not in shown(app)
        assert app.chat.status.status.branch != "main"
    assert "turn: second" in git(companion, "log", "--format=%s", "main")
    assert_sound(companion)


async def test_words_are_corrected_where_they_stand(companion: Path) -> None:
    """`e`, ctrl+s: an edit commit; escape drops nothing unasked."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "teh weir")
        await browse(app, pilot, "k", "e")
        await until(pilot, lambda: isinstance(app.screen, Editing))
        box = app.screen.query_one(TextArea)
        assert box.text == "teh weir"
        box.text = "the weir"
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, Editing)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Corrected" in flash(app))
        assert "the weir" in shown(app)
    assert git(companion, "log", "-1", "--format=%s").startswith("edit:")
    assert "> the weir" in words(companion)
    assert_sound(companion)


async def test_a_turn_is_set_aside_and_brought_back(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "forget this", "and this stays")
        await browse(app, pilot, "k", "k", "x")
        await until(pilot, lambda: shown(app).count("set aside: kept") == 2)
        assert len(list(companion.glob("memory/aside/*.md"))) == 1
        await until(pilot, app.chat.conversation.may_send)
        await pilot.press("x")
        await until(pilot, lambda: "set aside: kept" not in shown(app))
        assert not list(companion.glob("memory/aside/*.md"))
    assert_sound(companion)


async def test_d_shows_how_her_persona_changed_last(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        voice = companion / "persona" / "20-voice.md"
        voice.write_text(voice.read_text() + "\nSpeak plainly.\n")
        await talk(app, pilot, "hello")
        await browse(app, pilot, "d")
        await until(pilot, lambda: isinstance(app.screen, Reading))
        told = str(app.screen.query("#reading-box Static").first().render())
        assert "Speak plainly." in told
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
