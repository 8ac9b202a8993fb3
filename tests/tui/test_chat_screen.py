"""Talking on the screen, from typing to saved."""

from __future__ import annotations

import asyncio

import pytest

from perdure.chat.events import Failed
from perdure.companion.errors import Trouble
from perdure.git.errors import ReadOnly
from perdure.notice import Notice
from perdure.terminal.glyphs import ASCII
from perdure.tui.dialogs.help import HelpScreen
from perdure.tui.transcript.blocks import Speech
from tests.tui.conftest import Running, listed, say, shown, until
from tests.tui.stand_in import LIST, Info, ScriptedSession, ScriptedTranscript, life


async def test_a_message_is_said_and_answered(running: Running) -> None:
    """What was typed and what was answered stand in the talk, and it is told as saved."""
    session = ScriptedSession(replies=[["It is ", "only **loud**", " when it rains."]])
    async with running(session) as (app, pilot):
        await say(pilot, "the weir again")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        assert session.said == ["the weir again"]
        assert "the weir again" in shown(app)
        assert "It is only loud when it rains." in shown(app)
        assert app.chat.composer.text == ""


async def test_several_lines_and_a_paste_are_one_message(running: Running) -> None:
    """ctrl+j makes a line; the whole is sent at once."""
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        await pilot.press("a", "ctrl+j", "b")
        app.chat.composer.insert("\n" + "\n".join(str(number) for number in range(200)))
        await pilot.pause()
        assert app.chat.composer.size.height <= 40 // 3
        await pilot.press("enter")
        await until(pilot, lambda: bool(session.said))
        assert session.said[0].splitlines()[:3] == ["a", "b", "0"]
        assert len(session.said[0].splitlines()) == 202


async def test_typing_works_before_the_model_is_there(running: Running) -> None:
    """A message sent while the model loads is shown as queued and goes when it is ready."""
    session = ScriptedSession(loaded=asyncio.Event())
    async with running(session, ready=False) as (app, pilot):
        await say(pilot, "are you there")
        assert "queued" in shown(app)
        assert session.said == []
        assert app.chat.status.status.queued == 1
        assert session.loaded is not None
        session.loaded.set()
        await until(pilot, lambda: bool(session.kept))
        await until(pilot, lambda: "queued" not in shown(app))
        assert app.chat.status.status.queued == 0


async def test_a_second_message_waits_for_the_reply(running: Running) -> None:
    """Both are answered, in order, and the waiting one stands below the reply meanwhile."""
    session = ScriptedSession(replies=[["yes indeed"], ["not at all"]], gate=asyncio.Event())
    async with running(session) as (app, pilot):
        await say(pilot, "first")
        await until(pilot, lambda: app.chat.view.feed.is_streaming)
        await say(pilot, "second")
        assert shown(app).index("first") < shown(app).index("second")
        assert session.gate is not None
        session.gate.set()
        await until(pilot, lambda: len(session.kept) == 2)
        await pilot.pause()
        text = shown(app)
        places = [text.index(word) for word in ("first", "yes indeed", "second", "not at all")]
        assert places == sorted(places)
        assert session.said == ["first", "second"]


async def test_escape_stops_and_keeps(running: Running) -> None:
    """What came before Esc is kept and marked by word."""
    session = ScriptedSession(replies=[["half a ", "thought"]], gate=asyncio.Event())
    async with running(session) as (app, pilot):
        await say(pilot, "go on")
        await until(pilot, lambda: app.chat.view.feed.is_streaming)
        await pilot.press("escape")
        await until(pilot, lambda: not app.chat.view.feed.is_streaming)
        assert session.kept[0].replies[0].interrupted
        assert "interrupted" in shown(app)


async def test_quitting_while_streaming_waits_for_the_commit(running: Running) -> None:
    """ctrl+q stops the reply and leaves once it is saved; the draft is not lost either."""
    session = ScriptedSession(replies=[["half", " more"]], gate=asyncio.Event())
    async with running(session) as (app, pilot):
        await say(pilot, "go on")
        await until(pilot, lambda: app.chat.view.feed.is_streaming)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value is not None)
        assert len(session.kept) == 1
        assert app.return_value == 0


async def test_a_failure_says_what_is_kept_and_what_to_do(running: Running) -> None:
    """A failed reply is a panel in the talk, the message marked unanswered; no traceback."""
    failure = Failed("the backend does not answer.", "Your message is kept.", "Start it.")
    async with running(ScriptedSession(failure=failure)) as (app, pilot):
        await say(pilot, "hello")
        await until(pilot, lambda: "does not answer" in shown(app))
        for words in ("Your message is kept.", "Start it.", "unanswered"):
            assert words in shown(app)


@pytest.mark.usefixtures("unforeseen")
async def test_an_unforeseen_error_in_a_turn_is_told(running: Running) -> None:
    """An exception from below becomes a line in the talk, and the talk goes on."""
    session = ScriptedSession(explosion=RuntimeError("the floor gave way"))
    async with running(session) as (app, pilot):
        await say(pilot, "hello")
        await until(pilot, lambda: "the floor gave way" in shown(app))
        assert not app.chat.view.feed.is_streaming
        session.explosion = None
        await say(pilot, "again")
        await until(pilot, lambda: len(session.kept) == 1)
        assert app.crash is None


async def test_a_companion_that_cannot_be_opened_is_told(running: Running) -> None:
    """The screen stays, says why, and can be left."""
    from perdure.snapshot.errors import NotACompanion
    from perdure.terminal.glyphs import UNICODE
    from perdure.tui.app import ChatApp
    from perdure.tui.chat.startup import Opened

    async def refuse() -> Opened:
        raise NotACompanion("there is no companion here.", next_step="Make one: perdure new")

    app = ChatApp(refuse, UNICODE)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "no companion here" in shown(app))
        assert "perdure new" in shown(app)
        await pilot.press("ctrl+q")
    assert app.return_value == 0


@pytest.mark.usefixtures("unforeseen")
async def test_a_model_that_does_not_load_leaves_the_talk_readable(running: Running) -> None:
    """The status says offline, the notice why."""
    session = ScriptedSession(prepare_error=RuntimeError("the model file is missing"))
    async with running(session) as (app, _):
        assert app.chat.status.status.state == "offline"
        assert app.chat.flash.display
        assert "weir" in shown(app)


async def test_notices_of_the_opening_are_shown(running: Running) -> None:
    """What was recovered is told above the message box."""
    session = ScriptedSession(notices=[Notice("One reply was recovered.")])
    async with running(session) as (app, _):
        assert "One reply was recovered." in str(app.chat.flash.render())


async def test_the_rail_without_conversations_takes_no_keys(running: Running) -> None:
    """ctrl+b says that there is nothing yet; what is typed next is not lost."""
    async with running(transcript=ScriptedTranscript((), lambda _index: ())) as (app, pilot):
        await pilot.press("ctrl+b", "H", "i")
        assert app.chat.composer.text == "Hi"
        assert "no conversations yet" in str(app.chat.flash.render())


async def test_first_use_shows_what_to_do(running: Running) -> None:
    """Without any talk yet a card says how to begin; it goes with the first message."""
    async with running(transcript=ScriptedTranscript((), lambda _index: ())) as (app, pilot):
        card = app.chat.query_one("#welcome")
        assert card.display
        await say(pilot, "hello")
        assert not card.display


async def test_the_greeting_is_there_before_the_first_message(running: Running) -> None:
    """It stands under the line of a new conversation, and sending does not repeat it."""
    session = ScriptedSession(greeting="The lamp is on.")
    async with running(session) as (app, pilot):
        text = shown(app)
        assert 0 < text.index("new conversation") < text.index("The lamp is on.")
        await say(pilot, "good evening")
        await until(pilot, lambda: bool(session.kept))
        await pilot.pause()
        text = shown(app)
        assert text.count("The lamp is on.") == text.count("new conversation") == 1
        assert text.index("The lamp is on.") < text.index("good evening")


async def test_a_greeting_that_changed_meanwhile_is_replaced(running: Running) -> None:
    """What is recorded is what stands there, also where a persona edit came between."""
    session = ScriptedSession(greeting="The old one.")
    async with running(session) as (app, pilot):
        assert "The old one." in shown(app)
        session.greeting = "The new one."
        await say(pilot, "good evening")
        await until(pilot, lambda: bool(session.kept))
        await pilot.pause()
        assert "The old one." not in shown(app)
        assert shown(app).index("The new one.") < shown(app).index("good evening")


async def test_new_conversation_shows_its_greeting_once(running: Running) -> None:
    """/new twice is one new conversation; loading the history anew keeps it, and what waits."""
    session = ScriptedSession(greeting="The lamp is on.")
    async with running(session) as (app, pilot):
        await say(pilot, "good evening")
        await until(pilot, lambda: bool(session.kept))
        for _ in range(2):
            await say(pilot, "/new")
        await pilot.pause()
        assert shown(app).count("The lamp is on.") == 2
        app.chat.action_reload()
        await pilot.pause()
        assert shown(app).count("The lamp is on.") == 1
        await say(pilot, "again")
        await until(pilot, lambda: len(session.kept) == 2)
        await pilot.pause()
        assert shown(app).count("The lamp is on.") == 1


async def test_what_waits_stays_below_the_greeting(running: Running) -> None:
    """Written before the model was there: the greeting still comes first."""
    session = ScriptedSession(greeting="The lamp is on.", loaded=asyncio.Event())
    async with running(session, ready=False) as (app, pilot):
        await say(pilot, "are you there")
        assert shown(app).index("The lamp is on.") < shown(app).index("are you there")
        app.chat.action_reload()
        assert shown(app).index("The lamp is on.") < shown(app).index("are you there")
        assert session.loaded is not None
        session.loaded.set()
        await until(pilot, lambda: bool(session.kept))
        await pilot.pause()
        assert shown(app).index("The lamp is on.") < shown(app).index("are you there")


@pytest.mark.parametrize(
    "unkept",
    [
        Failed("the disk is full.", "", "Make room."),
        ReadOnly("the disk is full", next_step="Make room."),
        RuntimeError("the disk is full"),
    ],
    ids=["told", "raised", "unforeseen"],
)
@pytest.mark.usefixtures("unforeseen")
async def test_a_message_that_was_not_kept_comes_back(
    running: Running, unkept: Failed | Exception
) -> None:
    """It stands in the message box again, before what was typed since; nothing says it is kept."""
    session = ScriptedSession(unkept=unkept, greeting="The lamp is on.", gate=asyncio.Event())
    async with running(session) as (app, pilot):
        app.chat.composer.put("first")
        await pilot.press("enter")
        app.chat.composer.put("second")
        await pilot.press("enter")
        app.chat.composer.insert("half a third")
        assert session.gate is not None
        session.gate.set()
        await until(pilot, lambda: "the disk is full" in shown(app))
        await pilot.pause()
        assert app.chat.composer.text == "first\n\nsecond\n\nhalf a third"
        assert "back in the message box" in shown(app)
        assert "/answer" not in shown(app)
        assert "first" not in shown(app)
        status = app.chat.status.status
        assert status.unkept
        assert status.queued == 0
        session.unkept = None
        app.chat.composer.focus()
        await pilot.press("enter")
        await until(pilot, lambda: bool(session.kept))
        await pilot.pause()
        assert session.said == ["first\n\nsecond\n\nhalf a third"]
        assert not app.chat.status.status.unkept
        assert shown(app).count("The lamp is on.") == 1


async def test_a_reply_that_could_not_be_committed_stays_to_be_read(running: Running) -> None:
    """Its words are in the journal; the screen does not take them away."""
    session = ScriptedSession(replies=[["only loud"]], uncommitted=Failed("disk full.", "K.", ""))
    async with running(session) as (app, pilot):
        await say(pilot, "the weir")
        await until(pilot, lambda: "disk full" in shown(app))
        text = shown(app)
        assert "only loud" in text
        assert "not committed yet" in text
        assert "unanswered" not in text
        assert app.chat.composer.text == ""


async def test_slash_commands(running: Running) -> None:
    """/new opens a conversation, an unknown one is told and stays in the box."""
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        await say(pilot, "/new")
        assert app.chat.composer.text == ""
        await say(pilot, "/nonsense")
        assert app.chat.composer.text == "/nonsense"
        await say(pilot, "/quit is what I nearly typed")
        await until(pilot, lambda: bool(session.said))
        assert session.said == ["/quit is what I nearly typed"]
        await say(pilot, "/quit")
        await until(pilot, lambda: app.return_value is not None)


async def test_the_up_key_brings_back_what_was_said(running: Running) -> None:
    """Only in an empty box; a draft is never overwritten."""
    async with running() as (app, pilot):
        await say(pilot, "first words")
        await pilot.press("up")
        assert app.chat.composer.text == "first words"
        app.chat.composer.put("a draft")
        await pilot.press("up")
        assert app.chat.composer.text == "a draft"


async def test_scrolling_up_pauses_and_says_what_is_new(running: Running) -> None:
    """While one reads above, the view stands still; G goes back to the end."""
    session = ScriptedSession(replies=[[LIST]], gate=asyncio.Event())
    async with running(session, life(30)) as (app, pilot):
        await say(pilot, "tell me")
        await until(pilot, lambda: app.chat.view.feed.is_streaming)
        await pilot.press("pageup")
        await until(pilot, lambda: not app.chat.view.following)
        before = shown(app)
        assert session.gate is not None
        session.gate.set()
        await until(pilot, lambda: len(session.kept) == 1)
        await pilot.pause()
        assert shown(app) == before
        assert app.chat.query_one("#unseen").display
        app.chat.action_browse()
        await pilot.press("G")
        await pilot.pause()
        assert not app.chat.query_one("#unseen").display
        assert "You never finished the last one." in shown(app)


async def test_resizing_keeps_what_is_read(running: Running) -> None:
    """The message at the top stays at the top when the terminal changes its width."""
    async with running(transcript=life(60)) as (app, pilot):
        view = app.chat.view
        view.move(-137)
        await pilot.pause()
        top = view.top
        for width in (80, 160, 100):
            await pilot.resize_terminal(width, 35)
            await pilot.pause()
            assert (view.top.page, view.top.block) == (top.page, top.block)


async def test_a_letter_while_browsing_begins_a_message(running: Running) -> None:
    """Who looks at the talk and types is writing."""
    async with running() as (app, pilot):
        app.chat.action_browse()
        await pilot.press("H", "e", "y")
        assert app.chat.composer.text == "Hey"
        assert app.focused is app.chat.composer


async def test_copying_gives_the_source(running: Running) -> None:
    """Y copies Markdown as it was said, not as it looks."""
    async with running(ScriptedSession(replies=[["a **bold** word"]])) as (app, pilot):
        await say(pilot, "hello")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        app.chat.action_browse()
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard == "a **bold** word"


async def test_the_mouse_selects_source_text(running: Running) -> None:
    """Dragging over a reply and copying gives its source."""
    async with running(ScriptedSession(replies=[["a **bold** word"]])) as (app, pilot):
        await say(pilot, "hello")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        view = app.chat.view
        row = next(y for y in range(view.size.height) if "a bold word" in view.render_line(y).text)
        left = view.render_line(row).text.index("a bold word")
        await pilot.mouse_down(view, offset=(left, row))
        await pilot.hover(view, offset=(left + 11, row))
        await pilot.mouse_up(view, offset=(left + 11, row))
        assert app.chat.get_selected_text() == "a **bold** word"


async def test_the_rail_previews_stays_and_goes_back(running: Running) -> None:
    """Moving in the rail scrolls the talk; enter stays there, escape returns."""
    async with running(transcript=life(40)) as (app, pilot):
        top = app.chat.view.top
        app.chat.rail.focus()
        await pilot.press("down", "down", "down", "down")
        await pilot.pause()
        previewed = app.chat.view.top
        assert previewed != top
        await pilot.press("escape")
        await until(pilot, lambda: app.focused is app.chat.composer)
        assert app.chat.view.top == top
        app.chat.rail.focus()
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.chat.view.top.page < previewed.page
        assert app.focused is app.chat.view


async def test_a_long_life_reads_only_what_is_shown(running: Running) -> None:
    """Opening 2,000 conversations reads a handful of chunks, whatever their number."""
    transcript = life(2000)
    async with running(transcript=transcript) as (app, pilot):
        assert len(set(transcript.reads)) < 5
        await pilot.press("pageup")
        assert len(set(transcript.reads)) < 8
        assert listed(app) == 2000


async def test_damage_is_told_with_file_and_line(running: Running) -> None:
    """A chunk that could not be read whole shows its turns and where it breaks."""
    transcript = life(2)
    transcript._troubles = {1: (Trouble(14, "a conflict mark"),)}
    async with running(transcript=transcript) as (app, _):
        path = transcript.chunks[1].path
        text = "".join(shown(app).split())
        assert f"{path}:14:aconflictmark".replace(" ", "") in text.replace("▎", "")


async def test_a_chunk_that_cannot_be_read_is_told(running: Running) -> None:
    """An unreadable object is a line in the talk, not the end of the program."""

    def broken(_index: int) -> tuple[()]:
        raise OSError("object 1f2e is missing")

    transcript = ScriptedTranscript(life(3).chunks, broken)
    async with running(transcript=transcript) as (app, _):
        assert "object 1f2e is missing" in shown(app)


async def test_no_escape_sequence_reaches_a_row(running: Running) -> None:
    """A reply full of orders to the terminal, cut anywhere, shows its words only."""
    evil = "safe \x1b]52;c;ZXZpbA==\x07words\x1b[2J \x9b31m &#x202e;here \u202egnp"
    session = ScriptedSession(replies=[list(evil)], info=Info(companion="Mi\x1b[31mra"))
    async with running(session) as (app, pilot):
        await say(pilot, "hello")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        await pilot.pause()
        text = shown(app)
        assert "safe words" in text
        assert not any(ord(sign) < 32 and sign != "\n" for sign in text)
        assert not any(sign in text for sign in "\x9b\u202e")
        assert not any(
            "\x1b" in segment.text
            for y in range(app.size.height)
            for segment in app.chat._compositor.render_strips()[y]
        )


async def test_help_lists_the_keys_and_closes(running: Running) -> None:
    """F1 tells what works; escape closes it and changes nothing."""
    async with running() as (app, pilot):
        await pilot.press("f1")
        assert type(app.screen).__name__ == "HelpScreen"
        await pilot.press("escape")
        assert app.screen is app.chat


async def test_help_begins_with_the_keys_of_the_place(running: Running) -> None:
    """Where one is comes first, the rest below it."""
    async with running() as (app, pilot):
        for widget, first in (
            (app.chat.view, "Browsing the conversation"),
            (app.chat.rail, "Conversations"),
        ):
            widget.focus()
            await pilot.press("f1")
            help_ = app.screen
            assert isinstance(help_, HelpScreen)
            assert [title for title, _ in help_._groups][:2] == [first, "Writing"]
            assert len(help_._groups) == 6
            await pilot.press("escape")


async def test_ascii_draws_nothing_beyond_ascii(running: Running) -> None:
    """With the plain set, no row of the screen holds a sign that such a terminal lacks."""
    async with running(glyphs=ASCII) as (app, pilot):
        await say(pilot, "hello")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        await pilot.pause()
        strips = app.chat._compositor.render_strips()
        text = "".join(segment.text for strip in strips for segment in strip)
        assert [sign for sign in text if not sign.isascii()] == []


async def test_every_theme_draws_the_talk(running: Running) -> None:
    """Our two and the built-in ones, ANSI ones included."""
    async with running() as (app, pilot):
        for theme in app.available_themes:
            app.theme = theme
            await pilot.pause()
            assert "weir" in shown(app)


async def test_new_speech_in_a_narrow_terminal(running: Running) -> None:
    """At 40 columns the name stands above the words and nothing is cut off."""
    async with running(ScriptedSession(replies=[["wide " * 20]]), size=(40, 20)) as (app, pilot):
        await say(pilot, "hello")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        await pilot.pause()
        assert shown(app).count("wide") == 20
        assert any(isinstance(app.chat.view.back.block(p), Speech) for p in app.chat.view.window)


async def test_a_slow_look_at_the_branch_is_not_lost(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another program did is found once: a second look must not end the first."""
    session, found = ScriptedSession(), asyncio.Event()
    answers = [[Notice("The branch was moved.")]]

    async def look_again() -> list[Notice] | None:
        answer = answers.pop() if answers else None
        await found.wait()
        return answer

    async with running(session) as (app, pilot):
        monkeypatch.setattr(session, "look_again", look_again)
        app.chat.history.look()
        await pilot.pause()
        app.chat.history.look()
        await pilot.pause()
        found.set()
        await until(pilot, app.chat.conversation.may_send)
        assert "The branch was moved." in str(app.chat.flash.render())
