"""The screen as reviewed pictures, at the three sizes that matter, dark and light."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from perdure.chat.events import Failed
from perdure.terminal.glyphs import ASCII, UNICODE, Glyphs
from perdure.tui.app import ChatApp
from perdure.tui.widgets.composer import Composer
from tests.tui.conftest import chat_app, say, until
from tests.tui.stand_in import LIST, Info, ScriptedSession, ScriptedTranscript, life

Compare = Callable[..., bool]
GREETING = "Good evening. I kept the lamp on."
SIZES = [(80, 24), (120, 40), (160, 50)]


def talker(theme: str, *, glyphs: Glyphs = UNICODE) -> ChatApp:
    """A companion with a history and a greeting."""
    session = ScriptedSession(info=Info(rehearsal=True), replies=[[LIST]], greeting=GREETING)
    return chat_app(session, life(40), theme=theme, glyphs=glyphs)


async def opened(pilot: Pilot[int]) -> ChatApp:
    """Wait for the companion; the caret stands still."""
    app = pilot.app
    assert isinstance(app, ChatApp)
    await until(pilot, lambda: app.session is not None)
    app.chat.query_one("#composer", Composer).cursor_blink = False
    await until(pilot, lambda: app.chat.status.status.state in {"ready", "offline"})
    return app


async def talked(pilot: Pilot[int]) -> None:
    """One turn is said, answered and saved."""
    app = await opened(pilot)
    await say(pilot, "Tell me about the list we made.")
    await until(pilot, lambda: app.chat.status.status.saved_at is not None)
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["perdure-dark", "perdure-light"])
def test_the_talk(snap_compare: Compare, theme: str, size: tuple[int, int]) -> None:
    """A history, a new conversation, Markdown, the status line."""
    assert snap_compare(talker(theme), run_before=talked, terminal_size=size)


def test_the_talk_in_ascii(snap_compare: Compare) -> None:
    """The plain set of signs."""
    app = talker("perdure-dark", glyphs=ASCII)
    assert snap_compare(app, run_before=talked, terminal_size=(80, 24))


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_first_use(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The card that says how to begin, the greeting below it."""
    session = ScriptedSession(info=Info(rehearsal=True), greeting=GREETING)
    app = chat_app(session, ScriptedTranscript((), lambda _index: ()))

    async def before(pilot: Pilot[int]) -> None:
        await opened(pilot)
        await pilot.pause()

    assert snap_compare(app, run_before=before, terminal_size=size)


def test_browsing(snap_compare: Compare) -> None:
    """The cursor on a message, the keys that help there."""

    async def before(pilot: Pilot[int]) -> None:
        app = await opened(pilot)
        app.chat.action_browse()
        await pilot.press("k", "k")
        await pilot.pause()

    assert snap_compare(talker("perdure-dark"), run_before=before, terminal_size=(120, 40))


def test_the_rail_over_a_narrow_talk(snap_compare: Compare) -> None:
    """Below 90 columns the rail lies over the talk."""

    async def before(pilot: Pilot[int]) -> None:
        await opened(pilot)
        await pilot.press("ctrl+b", "down", "down")
        await pilot.pause()

    assert snap_compare(talker("perdure-light"), run_before=before, terminal_size=(80, 24))


def test_a_failure(snap_compare: Compare) -> None:
    """What happened, what is kept, what to do."""
    failure = Failed(
        "the backend “ollama” at localhost:11434 does not answer.",
        "Your message is kept, unanswered.",
        "Start Ollama.",
    )
    app = chat_app(ScriptedSession(failure=failure), life(6))

    async def before(pilot: Pilot[int]) -> None:
        app = await opened(pilot)
        await say(pilot, "Are you there?")
        await until(pilot, lambda: app.chat.status.status.state == "offline")
        await pilot.pause()

    assert snap_compare(app, run_before=before, terminal_size=(120, 40))


def test_help(snap_compare: Compare) -> None:
    """The keys that work."""

    async def before(pilot: Pilot[int]) -> None:
        await opened(pilot)
        await pilot.press("f1")
        await pilot.pause()

    assert snap_compare(talker("perdure-dark"), run_before=before, terminal_size=(120, 40))
