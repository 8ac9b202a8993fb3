"""Screens that look the same every time: no animation, no blinking, a clock that stands."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from textual import constants
from textual.pilot import Pilot

from perdure.terminal.glyphs import UNICODE, Glyphs
from perdure.tui.app import ChatApp
from perdure.tui.error_text import log
from perdure.tui.widgets.rail import Stretch
from tests.tui.stand_in import NOW, ScriptedSession, ScriptedTranscript, life, opener

Running = Callable[..., AbstractAsyncContextManager[tuple[ChatApp, Pilot[int]]]]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing moves by itself."""
    monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")


class Listener(logging.Handler):
    """What was logged as unforeseen."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[BaseException | None] = []
        self.is_expected = False

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.exc_info[1] if record.exc_info else None)


@pytest.fixture(autouse=True)
def listener() -> Iterator[Listener]:
    """Fails a test in which something happened that nobody foresaw: it only is told."""
    heard = Listener()
    log.addHandler(heard)
    yield heard
    log.removeHandler(heard)
    assert heard.is_expected or heard.found == [], heard.found


@pytest.fixture
def unforeseen(listener: Listener) -> list[BaseException | None]:
    """Errors that nobody foresaw, in a test that brings them about."""
    listener.is_expected = True
    return listener.found


def chat_app(
    session: ScriptedSession | None = None,
    transcript: ScriptedTranscript | None = None,
    *,
    theme: str = "perdure-dark",
    glyphs: Glyphs = UNICODE,
) -> ChatApp:
    """The program over a scripted companion."""
    app = ChatApp(
        opener(session or ScriptedSession(), life(6) if transcript is None else transcript),
        glyphs,
        theme=theme,
        clock=lambda: NOW,
    )
    app.animation_level = "none"
    return app


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    """Let the program work until something holds."""
    while not condition():
        await pilot.pause()


async def until_shown(app: ChatApp, pilot: Pilot[int], words: str) -> None:
    """Let the program work until words stand in the transcript."""
    await until(pilot, lambda: words in shown(app))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual gives up after 30 seconds without an idle moment; a busy machine has those."""
    monkeypatch.setattr(Pilot._wait_for_screen, "__defaults__", (None,))


@pytest.fixture
def running() -> Running:
    """Runs the program without a terminal, opened and with its model ready."""

    @asynccontextmanager
    async def run(
        session: ScriptedSession | None = None,
        transcript: ScriptedTranscript | None = None,
        *,
        size: tuple[int, int] = (120, 40),
        ready: bool = True,
        glyphs: Glyphs = UNICODE,
    ) -> AsyncIterator[tuple[ChatApp, Pilot[int]]]:
        app = chat_app(session, transcript, glyphs=glyphs)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.session is not None)
            if ready:
                await until(pilot, lambda: app.chat.status.status.state in {"ready", "offline"})
            await pilot.pause()
            yield app, pilot

    return run


def shown(app: ChatApp) -> str:
    """The transcript's rows as text."""
    view = app.chat.view
    return "\n".join(view.render_line(y).text.rstrip() for y in range(view.size.height))


def listed(app: ChatApp) -> int:
    """Conversations in the rail, closed months included."""
    groups = (node.data for node in app.chat.rail.root.children)
    return sum(len(each.conversations) for each in groups if isinstance(each, Stretch))


async def say(pilot: Pilot[int], text: str) -> None:
    """Type and send."""
    app = pilot.app
    assert isinstance(app, ChatApp)
    app.chat.composer.put(text)
    app.chat.composer.focus()
    await pilot.press("enter")
