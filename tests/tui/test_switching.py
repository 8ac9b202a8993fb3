"""Who answers, chosen on the screen; and what is seen when servers die and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from perdure.actions.backends.manage import BackendActions
from perdure.companion.config.manifest import Manifest
from perdure.terminal.glyphs import ASCII, UNICODE
from perdure.tui.app import ChatApp
from perdure.tui.dialogs.backend_picker import BackendPicker
from perdure.tui.run import opener_of
from tests.backends.fake_api import OPENAI_END, FakeApi, chunk
from tests.backends.fake_ollama import Exchange
from tests.conftest import assert_sound, git
from tests.tui.conftest import Running, chat_app, say, shown, until
from tests.tui.stand_in import ScriptedSession, life


def flash(app: ChatApp) -> str:
    """The notice that is shown; empty without one."""
    return str(app.chat.flash.render()) if app.chat.flash.display else ""


async def picking(app: ChatApp, pilot: Pilot[int]) -> BackendPicker:
    await pilot.press("ctrl+t")
    await until(pilot, lambda: isinstance(app.screen, BackendPicker))
    await pilot.pause()
    picker = app.screen
    assert isinstance(picker, BackendPicker)
    return picker


async def test_the_picker_says_where_each_one_runs_and_what_choosing_means(
    running: Running,
) -> None:
    async with running() as (app, pilot):
        picker = await picking(app, pilot)
        note = picker.query_one("#backend-note", Static)
        assert "stays on this machine" in str(note.render())
        await pilot.press("j", "j")
        assert "goes to api.anthropic.com" in str(note.render())
        await pilot.press("down")
        assert "backends/odd.yaml, line 3" in str(note.render())
        await pilot.press("k", "k", "k")
        assert picker.query_one(OptionList).highlighted == 0
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.chat


@pytest.mark.parametrize(("key", "once"), [("enter", False), ("t", True)])
async def test_enter_goes_on_with_one_and_t_takes_it_once(
    running: Running,
    key: str,
    once: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        await picking(app, pilot)
        await pilot.press("down", key)
        await until(pilot, lambda: bool(session.switched))
        await until(pilot, lambda: app.chat.status.status.model == "qwen3-8b")
        assert session.switched == [("study", once)]
        assert app.chat.status.status.once is once
        assert ("next reply only" if once else "From now on") in flash(app)


async def test_the_slash_commands_do_the_same(running: Running) -> None:
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        await say(pilot, "/next cloud")
        await until(pilot, lambda: session.switched == [("cloud", True)])
        await until(pilot, lambda: "goes to api.anthropic.com" in flash(app))
        await say(pilot, "/backend study")
        await until(pilot, lambda: session.switched[1:] == [("study", False)])
        await say(pilot, "/backend nobody")
        await until(pilot, lambda: "no backend 'nobody'" in flash(app))
        await say(pilot, "/next week we go to the sea")
        await until(pilot, lambda: bool(session.said))
        assert session.said == ["/next week we go to the sea"]
        await say(pilot, "/backend")
        await until(pilot, lambda: isinstance(app.screen, BackendPicker))


async def test_the_palette_offers_it(running: Running) -> None:
    async with running() as (app, _pilot):
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert any(title.startswith("Switch backend") for title in titles)


async def test_a_switch_during_a_reply_is_told_and_holds_afterwards(running: Running) -> None:
    session = ScriptedSession(replies=[["half ", "and half"]], gate=asyncio.Event())
    async with running(session) as (app, pilot):
        await say(pilot, "go on")
        await until(pilot, lambda: app.chat.view.feed.is_streaming)
        await picking(app, pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: bool(session.switched))
        await until(pilot, lambda: "From now on" in flash(app))
        assert app.chat.status.status.model == "smollm2-135m"
        assert session.gate is not None
        session.gate.set()
        await until(pilot, lambda: app.chat.status.status.model == "qwen3-8b")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_picker_as_a_picture(snap_compare: Callable[..., bool], glyphs: object) -> None:
    plain = glyphs is ASCII

    async def before(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, ChatApp)
        await until(pilot, lambda: app.session is not None)
        app.chat.composer.cursor_blink = False
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        await picking(app, pilot)
        await pilot.press("down", "down")
        await pilot.pause()

    app = chat_app(ScriptedSession(), life(6), glyphs=ASCII if plain else UNICODE)
    size = (80, 24) if plain else (120, 40)
    assert snap_compare(app, run_before=before, terminal_size=size)


class Server:
    """A server on loopback that can die and come back at the same port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.api = FakeApi(chat=self._answer, listed={"data": [{"id": name}]})
        self.cut = False
        self.port = 0
        self._server: asyncio.Server | None = None

    async def _answer(self, exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked", Content_Type="text/event-stream")
        await exchange.chunk(chunk(f"Here speaks {self.name}."))
        if self.cut:
            exchange.writer.transport.abort()
            return
        for data in OPENAI_END:
            await exchange.chunk(data)
        exchange.writer.write(b"0\r\n\r\n")

    async def start(self) -> None:
        self._server = await asyncio.start_server(self.api.serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None


@asynccontextmanager
async def two_servers(path: Path) -> AsyncIterator[tuple[ChatApp, Pilot[int], Server, Server]]:
    """The program over two real drivers, and the servers behind them."""
    first, second = Server("first"), Server("second")
    with BackendActions(path) as backends:
        for server in (first, second):
            await server.start()
            address = f"http://127.0.0.1:{server.port}/v1"
            backends.add(Manifest(server.name, "openai", server.name, address))
        backends.use(["first", "second"])
    app = ChatApp(opener_of(path, []), UNICODE)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.session is not None)
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        yield app, pilot, first, second
    if app.session is not None:
        await app.session.close()
    for server in (first, second):
        await server.stop()


async def turn(app: ChatApp, pilot: Pilot[int], text: str) -> str:
    """Say something and wait for the end of the turn; what the screen shows from there on."""
    await say(pilot, text)
    await until(pilot, lambda: text in shown(app))
    await until(pilot, lambda: app.chat.status.status.state not in {"thinking", "speaking"})
    await pilot.pause()
    return shown(app).rpartition(text)[2]


def last_trailers(path: Path) -> str:
    return git(path, "log", "-1", "--format=%(trailers:only,unfold)")


async def test_a_server_dies_another_answers_and_the_first_is_used_again(companion: Path) -> None:
    """What the user sees and what git has, from one turn to the next."""
    async with two_servers(companion) as (app, pilot, first, second):
        seen = await turn(app, pilot, "are you there")
        assert "Here speaks first." in seen
        assert "stand-in" not in seen
        await first.stop()
        seen = await turn(app, pilot, "and now")
        assert "Here speaks second." in seen
        assert "stand-in: second tiny-1" in seen
        assert "first did not answer" in flash(app)
        status = app.chat.status.status
        assert status.away
        assert "Backend: second" in last_trailers(companion)
        assert "Instead-Of: first: " in last_trailers(companion)
        await first.start()
        seen = await turn(app, pilot, "back again")
        assert "Here speaks first." in seen
        assert "first answers again." in flash(app)
        assert not app.chat.status.status.away
        assert "Instead-Of" not in last_trailers(companion)
        assert second.api.asked()
    assert_sound(companion)


async def test_a_server_dies_in_mid_reply_and_the_part_that_came_is_kept(companion: Path) -> None:
    """Marked interrupted; nobody else is asked; the next step can be taken."""
    async with two_servers(companion) as (app, pilot, first, second):
        first.cut = True
        seen = await turn(app, pilot, "tell me all")
        assert "Here speaks first." in seen
        assert "interrupted" in seen
        assert "ask for it in your next message" in " ".join(seen.split())
        assert not second.api.asked()
        first.cut = False
        assert "Here speaks first." in await turn(app, pilot, "go on please")
    assert_sound(companion)


async def test_all_are_down_and_the_message_is_answered_later(companion: Path) -> None:
    """Kept and committed as unanswered; /answer asks again."""
    async with two_servers(companion) as (app, pilot, first, second):
        await first.stop()
        await second.stop()
        seen = await turn(app, pilot, "nobody home")
        assert "unanswered" in seen
        assert "no backend answered" in seen
        assert "/answer asks again" in seen
        assert last_trailers(companion).count("Instead-Of: ") == 2
        await second.start()
        await say(pilot, "/answer")
        await until(pilot, lambda: "Here speaks second." in shown(app))
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        assert "stand-in: second tiny-1" in shown(app)
    assert_sound(companion)
