"""What nobody foresaw: told in words, nothing ends, what is being written is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import TextArea

from perdure.tui.app import ChatApp
from perdure.tui.chat.conversation import Conversation
from perdure.tui.chat.screen import ChatScreen
from perdure.tui.dialogs.edit import Editing
from perdure.tui.draft import Draft
from tests.speaking import Scripted
from tests.tui.conftest import Running, say, shown, until
from tests.tui.stand_in import ScriptedSession
from tests.tui.test_real_session import chatting
from tests.tui.test_steering import browse, flash, talk

HALF = "a\ud83e half"


async def test_a_worker_that_fails_is_told_and_the_program_goes_on(
    companion: Path, monkeypatch: pytest.MonkeyPatch, unforeseen: list[BaseException | None]
) -> None:
    """Also where its own code does not listen for errors; the trace is logged, the draft kept."""

    def breaks(*_given: object) -> None:
        raise IndexError("bytearray index out of range")

    async with chatting(companion) as (app, pilot):
        await talk(app, pilot, "one")
        app.chat.composer.put("half a thought")
        monkeypatch.setattr(Conversation, "read_again", breaks)
        assert app.session is not None

        async def moved() -> list[object]:
            return []

        monkeypatch.setattr(app.session, "look_again", moved)
        app.chat.history.look()
        await until(pilot, lambda: "Internal error: IndexError" in flash(app))
        assert "everything said is kept" in flash(app).lower()
        assert app.chat.conversation.draft._text == "half a thought"
        assert isinstance(unforeseen[0], IndexError)
        monkeypatch.undo()
        await talk(app, pilot, "two")


@pytest.mark.usefixtures("unforeseen")
async def test_a_key_whose_work_fails_is_told(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_screen: ChatScreen) -> None:
        raise KeyError("nobody")

    monkeypatch.setattr(ChatScreen, "action_folder", breaks)
    async with running() as (app, pilot):
        app.chat.conversation.run_soon("screen.folder")
        await until(pilot, lambda: "Internal error: KeyError" in flash(app))
        assert app.is_running


async def test_halves_of_characters_are_shown_copied_and_written(
    companion: Path, tmp_path: Path
) -> None:
    """A lone surrogate in a reply, a draft and a message: each is drawn, none ends the program."""
    backend = Scripted(reply=lambda _prompt: f"reply {HALF}")
    (companion / ".git" / "perdure" / "state").mkdir(parents=True, exist_ok=True)
    draft = Draft(companion / ".git" / "perdure" / "state" / "draft.txt")
    draft.save(f"draft {HALF}\x1b[31m")
    async with chatting(companion, backend) as (app, pilot):
        assert app.chat.composer.text == "draft a\ufffd half[31m"
        await say(pilot, f"message {HALF}")
        await until(pilot, lambda: "reply a\ufffd half" in shown(app))
        await until(pilot, lambda: not app.chat.conversation.is_talking)
        await browse(app, pilot, "y")
        await until(pilot, lambda: "Copied" in flash(app))
        app.chat._copy(f"x{HALF}")
        assert app.clipboard == "xa\ufffd half"
        app.chat.flash.show(HALF)
        app.push_screen(Editing("Words", f"{HALF}\x07\r\nmore", app.chat.conversation.glyphs))
        await until(pilot, lambda: bool(app.screen.query("#editing-text")))
        assert app.screen.query_one(TextArea).text == "a\ufffd half\nmore"
        await pilot.press("escape")
    assert isinstance(app, ChatApp)


async def test_a_broken_draft_is_shown_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "draft.txt"
    path.write_bytes(b"half a thought \xff\xfe of mine")
    assert Draft(path).load() == "half a thought \ufffd\ufffd of mine"


async def test_what_was_typed_before_the_key_that_leaves_is_kept(running: Running) -> None:
    """On a busy machine the message box has keys to take yet."""
    session = ScriptedSession()
    async with running(session) as (app, pilot):
        app.chat.composer.focus()
        await pilot.press(*"words", "ctrl+q")
        await until(pilot, lambda: app.return_value is not None)
        assert app.chat.composer.text == "words"
