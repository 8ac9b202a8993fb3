"""Acting on turns of the running session: the view and the cursor stay with their turn."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import TextArea

from perdure.chat.session import Session
from perdure.tui.app import ChatApp
from perdure.tui.dialogs.edit import Editing
from tests.conftest import assert_sound, git
from tests.speaking import Scripted
from tests.tui.conftest import shown, until
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import asked, browse, flash, talk

SMALL = (90, 16)
"""Two turns fill it: its first row is in this session's talk soon."""


def picked(app: ChatApp) -> str:
    """The words of the message under the cursor, if it is in view."""
    assert app.chat.view.cursor is None or app.chat.view.cursor_in_view
    return app.chat.view.picked_text


def numbers(app: ChatApp) -> int:
    """The number of the picked turn."""
    turn = app.chat.conversation.picked_turn
    assert turn is not None
    return turn.number


async def settled(app: ChatApp, pilot: Pilot[int]) -> None:
    """Until nothing runs, and the screen shows it."""
    await until(
        pilot, lambda: app.chat.conversation.may_send() and not app.chat.conversation.is_talking
    )
    await pilot.pause()


async def said_elsewhere(path: Path, text: str, *, new: bool = False) -> None:
    """Say something with another program, as `perdure say` does; ``new``: as `say --new`."""
    session = await Session.open(path, backends=[Scripted()])
    try:
        if new:
            session.new_conversation()
        async for _ in session.send(text):
            pass
    finally:
        await session.close()


async def test_x_and_e_on_turns_said_just_now(companion: Path) -> None:
    """The words of success are seen, the cursor and the view stay where they were."""
    async with chatting(companion, size=SMALL) as (app, pilot):
        await talk(app, pilot, "one", "two", "three", "four", "five")
        await browse(app, pilot, "x")
        await until(pilot, lambda: "x again" in flash(app))
        await settled(app, pilot)
        assert picked(app) == "I heard: five"
        assert "set aside" in shown(app)
        await pilot.press("x")
        await until(pilot, lambda: "set aside" not in shown(app))
        await settled(app, pilot)
        await pilot.press("k", "k", "k", "e")
        await until(pilot, lambda: isinstance(app.screen, Editing))
        assert app.screen.query_one(TextArea).text == "four"
        app.screen.query_one(TextArea).text = "four, or so"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Corrected" in flash(app))
        await settled(app, pilot)
        assert picked(app) == "four, or so"
        assert not app.chat.view.following
    assert git(companion, "log", "-1", "--format=%s").startswith("edit:")
    assert_sound(companion)


async def test_the_newest_is_picked_after_something_was_said(companion: Path) -> None:
    """`esc` picks the newest, also where the cursor was on an older one before."""
    async with chatting(companion, size=SMALL) as (app, pilot):
        await talk(app, pilot, "one", "two", "three")
        await pilot.press("escape")
        assert picked(app) == "I heard: three"
        await pilot.press("k", "k", "k", "i")
        await talk(app, pilot, "four", "five")
        await pilot.press("escape")
        assert picked(app) == "I heard: five"
        await pilot.press("x")
        await until(pilot, lambda: "x again" in flash(app))
    (aside,) = companion.glob("memory/aside/*.md")
    assert aside.read_text().count("/5") == 1
    assert_sound(companion)


async def test_nothing_is_done_to_a_message_out_of_view(companion: Path) -> None:
    """The first press brings it into view and says so; the second does it."""
    async with chatting(companion, size=SMALL) as (app, pilot):
        await talk(app, pilot, "one", "two", "three", "four", "five", "six")
        await browse(app, pilot)
        app.chat.view.move(-60)
        assert not app.chat.view.cursor_in_view
        before = git(companion, "rev-parse", "HEAD")
        for key in ("x", "r", "e", "w", "b", "c", "d", "p", "y", "left", "right"):
            app.chat.view.move(-60)
            await pilot.press(key)
            await until(pilot, lambda: app.chat.view.cursor_in_view)
            await settled(app, pilot)
            assert "is selected now" in flash(app), key
            assert app.screen is app.chat, key
            assert picked(app) == "I heard: six"
        assert git(companion, "rev-parse", "HEAD") == before
        await pilot.press("x")
        await until(pilot, lambda: "x again" in flash(app))
    assert_sound(companion)


async def test_r_again_and_the_arrows_after_another_answer(companion: Path) -> None:
    """No key in between: the cursor is on the new answer."""
    backend = Scripted()

    def answer(number: int) -> None:
        backend.reply = lambda _prompt: f"answer {number}\n\n" + "and more of it\n\n" * 3

    async with chatting(companion, backend, size=SMALL) as (app, pilot):
        await talk(app, pilot, "one", "two", "three")
        answer(2)
        await browse(app, pilot, "r")
        await until(pilot, lambda: "answer 2" in picked(app))
        await settled(app, pilot)
        answer(3)
        await pilot.press("r")
        await until(pilot, lambda: "answer 3" in picked(app))
        await settled(app, pilot)

        async def turns_to(key: str, words: str) -> None:
            await pilot.press(key)
            await until(pilot, lambda: words in picked(app))
            await settled(app, pilot)

        await turns_to("left", "answer 2")
        await turns_to("left", "I heard: three")
        await turns_to("right", "answer 2")
        assert numbers(app) == 3
    assert_sound(companion)


async def test_what_is_read_stays_when_another_program_says_something(companion: Path) -> None:
    """The view and the cursor stay with their turn, and the notice is seen."""
    async with chatting(companion, size=SMALL) as (app, pilot):
        await talk(app, pilot, "one", "two", "three", "four", "five", "six")
        await browse(app, pilot, "k", "k", "k", "k", "k", "k")
        here, rows = picked(app), shown(app)
        assert here == "I heard: three"
        await said_elsewhere(companion, "and from there")
        await until(pilot, lambda: app.chat.view.back.history == 2)
        await settled(app, pilot)
        assert picked(app) == here
        assert shown(app) == rows
        await pilot.press("G")
        await until(pilot, lambda: "I heard: and from there" in shown(app))
    assert_sound(companion)


async def test_the_rail_gives_back_what_was_read_before(companion: Path) -> None:
    """Also where the talk was read anew meanwhile."""
    async with chatting(companion, size=(100, 16)) as (app, pilot):
        await talk(app, pilot, "one", "two", "three", "four", "five", "six")
        await browse(app, pilot, "k", "k", "k", "k", "k", "k")
        rows = shown(app)
        app.chat.rail.focus()
        await pilot.pause()
        app.chat.conversation.read_again()
        app.chat.view.follow()
        app.chat.action_back()
        await pilot.pause()
        assert shown(app) == rows
    assert_sound(companion)


async def test_the_cursor_goes_to_what_is_left(companion: Path) -> None:
    """Its turn was taken away by git: it is on the one before, and keys act on that."""
    async with chatting(companion, size=SMALL) as (app, pilot):
        await talk(app, pilot, "one", "two", "three", "four")
        await browse(app, pilot)
        assert numbers(app) == 4
        git(companion, "reset", "-q", "--hard", "HEAD~1")
        await until(pilot, lambda: app.chat.view.picked_text == "I heard: three")
        await settled(app, pilot)
        await pilot.press("x")
        await until(pilot, lambda: "x again" in flash(app))
    (aside,) = companion.glob("memory/aside/*.md")
    assert "/3" in aside.read_text()
    assert_sound(companion)


async def test_a_branch_further_up_has_the_new_answer_picked(companion: Path) -> None:
    backend = Scripted()
    async with chatting(companion, backend, size=SMALL) as (app, pilot):
        await talk(app, pilot, "one", "two", "three", "four")
        backend.reply = lambda _prompt: "another one altogether"
        await browse(app, pilot, "k", "k", "k", "k", "r")
        await asked(app, pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "← and →" in flash(app))
        await settled(app, pilot)
        assert picked(app) == "another one altogether"
        await pilot.press("left")
        await until(pilot, lambda: picked(app) == "I heard: two")
    assert_sound(companion)
