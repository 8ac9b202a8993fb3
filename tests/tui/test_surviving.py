"""An error in a handler, a callback, or the drawing of any widget: told, and the chat goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import OptionList

from perdure.tui.app import ChatApp
from perdure.tui.chat.presenter import Presenter
from perdure.tui.chat.screen import ChatScreen
from perdure.tui.dialogs.edit import Editing
from perdure.tui.draft import Draft
from perdure.tui.timeline.screen import TimelineScreen
from perdure.tui.transcript.view import TranscriptView
from perdure.tui.widgets.composer import Composer
from perdure.tui.widgets.flash import Flash
from perdure.tui.widgets.rail import Rail
from perdure.tui.widgets.status_line import StatusLine
from tests.conftest import assert_sound
from tests.tui.conftest import Running, say, shown, until
from tests.tui.stand_in import ScriptedSession
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import browse, flash, talk

Unforeseen = list[BaseException | None]


def breaks(*_given: object, **_named: object) -> None:
    raise IndexError("nobody saw this coming")


async def goes_on(app: ChatApp, pilot: Pilot[int], session: ScriptedSession) -> None:
    """The error was told, and one can talk on."""
    await until(pilot, lambda: "nobody saw this coming" in flash(app))
    assert app.is_running
    count = len(session.kept)
    await say(pilot, "and on we go")
    await until(pilot, lambda: len(session.kept) == count + 1)
    await until(pilot, lambda: not app.chat.conversation.is_talking)
    assert app.crash is None


@pytest.mark.parametrize(
    ("name", "widget"),
    [
        ("_unseen", "transcript"),
        ("_typed", "transcript"),
        ("_preview", "rail"),
        ("_choose_branch", "rail"),
        ("_send", "composer"),
    ],
)
async def test_a_message_handler_of_the_screen(
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    unforeseen: Unforeseen,
    name: str,
    widget: str,
) -> None:
    """What the message box holds stays in it."""
    message = {
        "_unseen": TranscriptView.Unseen(3),
        "_typed": TranscriptView.Typed("h"),
        "_preview": Rail.Previewed(ScriptedSession()._open),
        "_choose_branch": Rail.BranchChosen("side"),
        "_send": Composer.Sent("words"),
    }[name]
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        app.chat.composer.put("words")
        with monkeypatch.context() as patch:
            handlers = dict(_handlers_of(ChatScreen, name))
            for cls, found in handlers.items():
                patch.setattr(cls, "_decorated_handlers", found)
            app.chat.query_one(f"#{widget}").post_message(message)
            await until(pilot, lambda: bool(unforeseen))
        assert app.chat.composer.text == "words"
        assert app.chat.conversation.draft.unsaved == "words"
        await goes_on(app, pilot, session)


def _handlers_of(screen: type, name: str) -> list[tuple[type, object]]:
    """The handlers that classes of a screen declare with `on`, one of them broken."""
    made: list[tuple[type, object]] = []
    for cls in screen.__mro__:
        known = cls.__dict__.get("_decorated_handlers")
        if known:
            swapped = {
                message: [
                    (_Broken() if method.__name__ == name else method, selectors)
                    for method, selectors in found
                ]
                for message, found in known.items()
            }
            made.append((cls, swapped))
    return made


class _Broken:
    """A handler that fails."""

    def __get__(self, *_given: object) -> Callable[..., None]:
        return breaks


@pytest.mark.parametrize(
    ("owner", "name", "event"),
    [
        (TranscriptView, "on_resize", events.Resize),
        (Rail, "on_tree_node_highlighted", None),
        (Composer, "_on_key", None),
        (ChatScreen, "on_descendant_focus", None),
        (Widget, "_on_click", events.Click),
    ],
)
async def test_an_event_handler_of_a_widget(
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    unforeseen: Unforeseen,
    owner: type,
    name: str,
    event: type | None,
) -> None:
    """Each widget heeds the next message again."""
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, breaks)
            if event is events.Resize:
                await pilot.resize_terminal(100, 30)
            elif event is events.Click:
                await pilot.click("#transcript")
            else:
                app.chat.rail.focus()
                await pilot.press("down", "down")
                app.chat.composer.focus()
                await pilot.press("h", "j")
            await until(pilot, lambda: bool(unforeseen))
        await goes_on(app, pilot, session)
        await pilot.resize_terminal(90, 28)
        await pilot.pause()
        assert "and on we go" in shown(app)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (StatusLine, "render_line"),
        (TranscriptView, "render_line"),
        (Rail, "render_line"),
        (Composer, "render_line"),
        (OptionList, "get_content_height"),
    ],
)
async def test_a_widget_that_cannot_be_drawn(
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    unforeseen: Unforeseen,
    owner: type,
    name: str,
) -> None:
    """The others are; it is again once it can be."""
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, breaks)
            app.chat.action_folder()
            if owner is OptionList:
                await pilot.press("ctrl+t")
            for widget in app.chat.query("*"):
                widget.refresh(layout=True)
            await until(pilot, lambda: bool(unforeseen))
            await pilot.pause()
            assert app.is_running
        if owner is OptionList:
            await pilot.press("escape")
        for widget in app.chat.query("*"):
            widget.refresh(layout=True)
        await goes_on(app, pilot, session)
        assert len(unforeseen) < 200


async def test_the_notice_row_itself(
    running: Running, monkeypatch: pytest.MonkeyPatch, unforeseen: Unforeseen
) -> None:
    """Where an error cannot be shown, it does not go round in circles."""
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        with monkeypatch.context() as patch:
            patch.setattr(Flash, "render", breaks)
            app.chat.flash.show("words")
            await until(pilot, lambda: bool(unforeseen))
            for _ in range(20):
                await pilot.pause()
            assert len(unforeseen) < 60
        await goes_on(app, pilot, session)


@pytest.mark.parametrize("how", ["compose", "on_mount", "on_key", "check_action"])
async def test_a_screen_over_the_talk_that_does_not_work_is_closed(
    companion: Path, monkeypatch: pytest.MonkeyPatch, unforeseen: Unforeseen, how: str
) -> None:
    """One is back in the conversation, told why."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        with monkeypatch.context() as patch:
            patch.setattr(TimelineScreen, how, breaks, raising=False)
            await browse(app, pilot, "f4")
            await until(pilot, lambda: app.screen is not app.chat or bool(unforeseen))
            for _ in range(6):
                await pilot.press("h", "j")
            await until(pilot, lambda: app.screen is app.chat)
        assert "nobody saw this coming" in flash(app)
        await talk(app, pilot, "two")
    assert_sound(companion)


async def test_words_in_a_box_that_fails_go_to_the_message_box(
    companion: Path, monkeypatch: pytest.MonkeyPatch, unforeseen: Unforeseen
) -> None:
    """And the plan that waited for them ends: other keys work again."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        await browse(app, pilot, "e")
        await until(pilot, lambda: isinstance(app.screen, Editing))
        await pilot.press("end", *" or so")
        with monkeypatch.context() as patch:
            patch.setattr(Editing, "action_keep", breaks)
            await pilot.press("ctrl+s", "ctrl+s")
            assert isinstance(app.screen, Editing)
            await pilot.press("ctrl+s")
            await until(pilot, lambda: app.screen is app.chat)
        assert unforeseen
        assert app.chat.composer.text.endswith(" or so")
        await until(pilot, app.chat.conversation.may_send)
        app.chat.composer.put("")
        await talk(app, pilot, "two")
    assert_sound(companion)


@pytest.mark.parametrize("where", ["timer", "call_later", "after_refresh", "call_next", "worker"])
async def test_callbacks(running: Running, unforeseen: Unforeseen, where: str) -> None:
    """And those that come after the one that fails."""
    session = ScriptedSession()
    done: list[str] = []
    async with running(session) as (app, pilot):
        chat = app.chat
        match where:
            case "timer":
                chat.set_timer(0.001, breaks)
                chat.set_timer(0.002, lambda: done.append("x"))
            case "call_later":
                chat.call_later(breaks)
                chat.call_later(done.append, "x")
            case "after_refresh":
                chat.call_after_refresh(breaks)
                chat.call_after_refresh(done.append, "x")
            case "call_next":
                chat.call_next(breaks)
                chat.call_later(done.append, "x")
            case _:

                async def fall() -> None:
                    breaks()

                chat.run_worker(fall())
                chat.call_later(done.append, "x")
        await until(pilot, lambda: bool(done) and bool(unforeseen))
        assert isinstance(unforeseen[0], IndexError)
        await goes_on(app, pilot, session)


@pytest.mark.parametrize("name", ["hear", "enqueue", "next", "_kept", "_saved", "_failed"])
async def test_the_talk_that_cannot_be_shown(
    companion: Path, monkeypatch: pytest.MonkeyPatch, unforeseen: Unforeseen, name: str
) -> None:
    """What was said is kept, or stands in the message box; the next turn can be said."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        with monkeypatch.context() as patch:
            patch.setattr(Presenter, name, breaks)
            await say(pilot, "two")
            await until(pilot, lambda: bool(unforeseen) or "two" in _committed(companion))
            await until(pilot, lambda: not app.chat.conversation.is_talking)
        waits = [text for text, _ in app.chat.conversation.presenter.queue]
        words = [app.chat.composer.text, *waits, _committed(companion)]
        assert any("two" in each for each in words)
        app.chat.conversation.presenter.take_back()
        app.chat.composer.put("")
        await say(pilot, "three")
        await until(pilot, lambda: "three" in _committed(companion))
        await until(pilot, lambda: not app.chat.conversation.is_talking)
    assert_sound(companion)


def _committed(path: Path) -> str:
    return "".join(each.read_text() for each in path.glob("conversations/**/*.md"))


async def test_a_draft_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    """Also the same words; a folder that is gone is not made again."""
    state = tmp_path / "companion" / ".git" / "perdure" / "state"
    draft = Draft(state / "draft.txt")
    draft.save("half a thought")
    assert draft.unsaved == "half a thought"
    assert not (tmp_path / "companion").exists()
    state.parent.mkdir(parents=True)
    draft.save("half a thought")
    assert (state / "draft.txt").read_text() == "half a thought"
    assert draft.unsaved == ""


async def test_words_that_no_draft_keeps_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The companion is gone, or the disk is full: the terminal is the only place left."""
    from perdure.tui.run import show
    from tests.tui.conftest import chat_app

    app = chat_app(ScriptedSession())
    app.chat.startup.draft_of = lambda _opened: Draft(Path(os.devnull) / "state" / "draft.txt")

    opened = asyncio.Event()
    app.chat.startup._opened = opened.set

    async def leave() -> None:
        await opened.wait()
        app.chat.composer.put("half a \x1b[31mthought")
        await app.action_quit()

    monkeypatch.setattr(app, "run_async", partial(app.run_async, headless=True))
    task = asyncio.create_task(leave())
    assert await show(app) == 0
    await task
    said = capsys.readouterr().err
    assert "could not be saved" in said
    assert "half a [31mthought" in said


async def test_a_companion_whose_folder_went(companion: Path, tmp_path: Path) -> None:
    """It is said so; the message is in the message box, and in no draft where nobody looks."""
    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        state = companion / ".git" / "perdure" / "state"
        app.chat.conversation.draft = Draft(state / "draft.txt", companion)
        companion.rename(tmp_path / "elsewhere")
        await say(pilot, "two")
        await until(pilot, lambda: "folder is gone" in shown(app))
        await until(pilot, lambda: not app.chat.conversation.is_talking)
        assert app.chat.composer.text == "two"
        assert app.chat.conversation.draft.unsaved == "two"
        assert not (state / "draft.txt").exists()
        if companion.exists():
            shutil.rmtree(companion)
        (tmp_path / "elsewhere").rename(companion)
        await pilot.press("enter")
        await until(pilot, lambda: "two" in _committed(companion))
        await until(pilot, lambda: not app.chat.conversation.is_talking)
        assert app.chat.conversation.draft.unsaved == ""
    assert_sound(companion)
