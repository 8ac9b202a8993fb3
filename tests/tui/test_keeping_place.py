"""Lists keep their cursor on what it was on, whatever comes, goes, or is left out."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from perdure.tui.app import ChatApp
from perdure.tui.panel import open_panel, row_again
from tests.conftest import git
from tests.speaking import Scripted
from tests.tui.conftest import shown, until
from tests.tui.remembered import remembering
from tests.tui.test_acting import said_elsewhere, settled
from tests.tui.test_memory import opened as memory_opened
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import browse, flash, talk
from tests.tui.test_timeline import edit, opened, rows


def under_cursor(app: ChatApp) -> str:
    """The row of the list that stands over the talk."""
    over = open_panel(app)
    assert over is not None
    at = over.rows.highlighted
    assert at is not None
    return str(over.rows.get_option_at_index(at).prompt)


def test_the_cursor_goes_to_what_is_left() -> None:
    before = [("a",), ("b", "c"), ("d",), ("e",)]
    assert row_again(before, 2, [("new",), ("a",), ("d", "x")]) == 2
    assert row_again(before, 1, [("new",), ("c",), ("d",)]) == 1
    assert row_again(before, 2, [("a",), ("b", "c"), ("e",)]) == 2
    assert row_again(before, 3, [("a",)]) == 0
    assert row_again(before, 0, [("b",), ("d",)]) == 0
    assert row_again(before, None, [("b",), ("d",)]) == 0
    assert row_again((), 3, [("b",), ("d",)]) == 0
    assert row_again(before, 1, []) == 0


async def _more(path: Path, app: ChatApp, pilot: Pilot[int], text: str) -> None:
    """Something is said elsewhere, and the list over the talk shows it."""
    await said_elsewhere(path, text)
    app.chat.history.look()
    await until(pilot, lambda: any(text in row for row in rows(app)))
    await settled(app, pilot)


async def test_the_timeline_stays_on_its_change(companion: Path) -> None:
    """Turns are said elsewhere, the list is narrowed and widened, turns are listed one by one."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one", "two")
        edit(companion, "persona/20-voice.md", "Plain.\n", "persona: plain")
        await talk(app, pilot, "three")
        edit(companion, "persona/20-voice.md", "Plainer.\n", "persona: plainer")
        await opened(app, pilot)
        at = next(at for at, row in enumerate(rows(app)) if "plain" in row and "plainer" not in row)
        await pilot.press(*["j"] * at)
        assert under_cursor(app).endswith("plain")
        await _more(companion, app, pilot, "from elsewhere")
        assert under_cursor(app).endswith("plain")
        await pilot.press("f")
        await until(pilot, lambda: not any("chat" in row for row in rows(app)))
        assert under_cursor(app).endswith("plain")
        await pilot.press("F")
        await until(pilot, lambda: any("chat" in row for row in rows(app)))
        assert under_cursor(app).endswith("plain")
        await pilot.press("j", "space", "j")
        assert under_cursor(app).endswith("one")
        await _more(companion, app, pilot, "and once more")
        assert under_cursor(app).endswith("one")
        assert sum("two" in row for row in rows(app)) == 1
        await pilot.press("space")
        assert "2 turns" in under_cursor(app)


async def test_another_answer_says_what_it_is(companion: Path) -> None:
    backend = Scripted()
    async with chatting(companion, backend) as (app, pilot):
        await talk(app, pilot, "one", "two")
        backend.reply = lambda _prompt: "other words"
        await browse(app, pilot, "r")
        await until(pilot, lambda: "other words" in shown(app))
        await settled(app, pilot)
        await opened(app, pilot)
        assert rows(app)[0].endswith("another answer to two")
        assert "2 turns  two" in rows(app)[1]


async def test_operations_stay_on_what_was_done(companion: Path) -> None:
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one", "two", "three")
        timeline = await opened(app, pilot, "Operations")
        assert "three" in under_cursor(app)
        await pilot.press("j")
        assert "two" in under_cursor(app)
        await _more(companion, app, pilot, "from elsewhere")
        assert "two" in under_cursor(app)
        await pilot.press("z")
        await until(pilot, lambda: "Undone" in str(timeline.flash.render()))
        await until(pilot, lambda: "three" in under_cursor(app))


async def test_what_she_knows_stays_on_its_fact(companion: Path) -> None:
    """Another fact comes before it; a new one of the user's is where the cursor goes."""
    await remembering(companion)
    async with chatting(companion) as (app, pilot):
        memory = await memory_opened(app, pilot)
        memory.go_to_list(1)
        await pilot.press("j")
        here = under_cursor(app)
        facts = companion / "memory" / "facts" / "people.md"
        facts.write_text(facts.read_text().replace("# People\n\n", "# People\n\n- Jo is tall.\n"))
        git(companion, "commit", "-qam", "memory: Jo")
        memory.refresh_list()
        await until(pilot, lambda: memory.rows.option_count == 3)
        assert under_cursor(app) == here
        await pilot.press("n", "enter")
        await until(pilot, lambda: bool(app.screen.query("#editing-text")))
        await pilot.press(*"Max sings", "ctrl+s")
        await until(pilot, lambda: memory.rows.option_count == 4)
        await until(pilot, lambda: "Max sings" in under_cursor(app))


async def test_the_rail_stays_on_its_conversation(companion: Path) -> None:
    """What was opened stays open; a conversation that begins elsewhere moves nothing."""
    async with chatting(companion, size=(100, 30)) as (app, pilot):
        for text in ("one", "two", "three"):
            await talk(app, pilot, text)
            app.chat.action_new_conversation()
        app.chat.action_reload()
        await settled(app, pilot)
        rail = app.chat.rail
        month = rail.root.children[0]
        assert len(month.children) == 3
        rail.focus()
        await pilot.press("j", "j", "j")
        node = rail.cursor_node
        assert node is not None
        here = node.data
        assert here == month.children[1].data
        await said_elsewhere(companion, "a fourth", new=True)
        app.chat.history.look()
        await until(pilot, lambda: len(rail.root.children[0].children) == 4)
        await settled(app, pilot)
        assert rail.cursor_node is not None
        assert rail.cursor_node.data == here


async def test_escape_in_the_talk_does_not_begin_to_write(companion: Path) -> None:
    """Pressed once too often, it leaves keys what they are; from the conversations it goes back."""
    async with chatting(companion, size=(100, 30)) as (app, pilot):
        await talk(app, pilot, "one")
        await pilot.press("escape", "escape", "escape")
        assert app.chat.focused is app.chat.view
        assert "i goes to the message box" in flash(app)
        await pilot.press("x")
        await until(pilot, lambda: "x again" in flash(app))
        await settled(app, pilot)
        assert app.chat.composer.text == ""
        app.chat.rail.focus()
        await pilot.press("escape")
        assert app.chat.focused is app.chat.view
        app.chat.composer.focus()
        await pilot.pause()
        app.chat.rail.focus()
        await pilot.press("escape")
        assert app.chat.composer.has_focus
