"""How the program ends when something goes wrong: one line, exit code 1, no traceback."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from tests.pseudo_terminal import on_a_terminal
from tests.tui.conftest import Running, until

_PROGRAM = """
import asyncio
from tests.tui.stand_in import ScriptedSession, ScriptedTranscript, life, opener
from perdure.terminal.glyphs import UNICODE
from perdure.tui.app import ChatApp
from perdure.tui.widgets.rail import Rail
from perdure.tui.run import show

def fall(rail):
    raise RuntimeError("nobody saw this coming")

Rail.on_mount = fall
app = ChatApp(opener(ScriptedSession(), life(3)), UNICODE)
raise SystemExit(asyncio.run(show(app)))
"""


def test_an_error_before_the_chat_is_there_ends_with_one_line() -> None:
    """On a terminal of its own: exit code 1, one clear line after the screen is gone."""
    with on_a_terminal([sys.executable, "-c", _PROGRAM]) as terminal:
        assert terminal.ended() == 1
    drawn = terminal.shown
    assert b"Traceback" not in drawn
    last = drawn.decode().rpartition("\x1b[?1049l")[2].splitlines()[-1]
    assert "perdure: the chat screen ended" in last
    assert "RuntimeError: nobody saw this coming" in last
    assert drawn.count(b"nobody saw this coming") == 1


@pytest.mark.usefixtures("unforeseen")
async def test_an_error_while_showing_the_companion_is_told(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen stays and can be left."""
    from perdure.tui.chat.pages import History
    from tests.tui.conftest import chat_app, shown

    def fall(self: History, _width: int) -> list[int]:
        raise RuntimeError("a damaged index")

    monkeypatch.setattr(History, "estimates", fall)
    app = chat_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "a damaged index" in shown(app))
        await until(pilot, lambda: app.chat.status.status.state == "offline")
        await pilot.press("ctrl+q")
    assert app.return_value == 0


@pytest.mark.usefixtures("unforeseen")
async def test_an_error_of_a_task_in_the_background_is_told(running: Running) -> None:
    """The chat goes on; asyncio would print a traceback over it."""
    from perdure.tui.run import background_error

    async with running() as (app, _):
        background_error(app, asyncio.get_running_loop(), {"exception": OSError("a cut line")})
        assert "a cut line" in str(app.chat.flash.render())
        assert app.crash is None


_TALK = """
import asyncio
from tests.tui.stand_in import ScriptedSession, ScriptedTranscript, life, opener
from perdure.terminal.glyphs import UNICODE
from perdure.tui.app import ChatApp
from perdure.tui.run import show

raise SystemExit(asyncio.run(show(ChatApp(opener(ScriptedSession(), life(3)), UNICODE))))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_gives_the_terminal_back(number: signal.Signals) -> None:
    with on_a_terminal([sys.executable, "-c", _TALK]) as terminal:
        terminal.until("Write to")
        terminal.process.send_signal(number)
        assert terminal.ended() == 0
    drawn = terminal.shown
    assert b"\x1b[?1049l" in drawn
    assert b"\x1b[?1000l" in drawn.rpartition(b"\x1b[?1000h")[2]
