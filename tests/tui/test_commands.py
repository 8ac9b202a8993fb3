"""The palette: all that keys do on a screen can be found there too, and runs from there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.binding import Binding
from textual.fuzzy import Matcher
from textual.screen import Screen

from perdure.tui.app import ChatApp
from perdure.tui.chat.screen import ChatScreen
from perdure.tui.conflicts.screen import ConflictsScreen
from perdure.tui.memory.screen import MemoryScreen
from perdure.tui.palette import offers, plain
from perdure.tui.timeline.screen import TimelineScreen
from perdure.tui.transcript.view import TranscriptView
from tests.tui.conftest import Running, say, until
from tests.tui.stand_in import ScriptedSession
from tests.tui.test_merging import conflicts, split
from tests.tui.test_real_session import chatting
from tests.tui.test_timeline import opened

MOVES = {
    *("nav.up", "nav.down", "nav.page.up", "nav.page.down", "back"),
    *("timeline.up", "timeline.down", "timeline.first", "timeline.last", "timeline.leave"),
    *("memory.up", "memory.down", "memory.first", "memory.last", "memory.leave"),
    *("merge.up", "merge.down", "merge.first", "merge.last", "merge.leave"),
}
"""Keys that move a cursor by a row or a page, or lead back."""


def offered(app: ChatApp) -> set[str]:
    """The actions that the palette offers now."""
    screen: Screen[object] = app.screen
    return {plain(each.action) for each in offers(screen, app.chat)}


def missing(app: ChatApp, *places: type) -> list[str | None]:
    """Bindings whose action is not offered."""
    found = offered(app)
    return [
        binding.id
        for place in places
        for binding in place.__dict__["BINDINGS"]
        if isinstance(binding, Binding)
        and binding.id not in MOVES
        and plain(binding.action) not in found
    ]


async def test_every_key_of_the_talk_is_in_the_palette(running: Running) -> None:
    async with running() as (app, _):
        assert missing(app, TranscriptView, ChatScreen) == []


async def test_the_words_that_people_use_are_found(running: Running) -> None:
    """With Textual's own matcher; and a row that has a key says it."""
    async with running() as (app, _):
        found = list(offers(app.screen, app.chat))
        for word, action in (
            *(("regenerate", "regenerate"), ("swipe", "regenerate"), ("retry", "answer")),
            *(("delete", "aside"), ("revert", "undo"), ("rollback", "rewind"), ("edit", "edit")),
            *(("restore", "timeline"), ("model", "backend"), ("provider", "backend")),
            *(("rewind", "rewind"), ("memory", "memory"), ("remember", "memory")),
            *(("facts", "memory"), ("log", "timeline"), ("settings", "folder")),
        ):
            hits = [each for each in found if Matcher(word).match(each.title) > 0]
            assert action in {plain(each.action) for each in hits}, word
        (again,) = [each for each in found if each.action == "regenerate"]
        assert again.help == "To the selected message. Key: r"


async def test_every_key_over_the_talk_is_in_the_palette(companion: Path) -> None:
    """The timeline, what she knows, an open merge; and one of the commands is run."""
    split(companion)
    async with chatting(companion) as (app, pilot):
        timeline = await opened(app, pilot)
        assert missing(app, TimelineScreen) == []
        offer = next(each for each in offers(app.screen, app.chat) if each.action == "tab(1)")
        offer.run()
        await until(pilot, lambda: timeline.tab == "Branches")
        await pilot.press("5")
        await until(pilot, lambda: isinstance(app.screen, MemoryScreen))
        assert missing(app, MemoryScreen) == []
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
        app.chat.merge.begin("side")
        await until(pilot, lambda: app.screen is not app.chat)
        await pilot.press("down", "enter")
        await conflicts(app, pilot)
        assert missing(app, ConflictsScreen) == []


async def test_escape_stops_a_reply_before_it_closes_anything(running: Running) -> None:
    """Once for the reply, once for the help over it."""
    session = ScriptedSession(replies=[["half ", "and half"]], gate=asyncio.Event())
    async with running(session) as (app, pilot):
        await say(pilot, "go on")
        await until(pilot, lambda: app.chat.view.feed.is_streaming)
        await pilot.press("f1")
        over = app.screen
        assert over is not app.chat
        await pilot.press("escape")
        assert app.screen is over
        await until(pilot, lambda: not app.chat.view.feed.is_streaming)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
