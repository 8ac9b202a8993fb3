"""The screen over the real session and a real repository."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from perdure.backends.protocol import Backend
from perdure.companion.clock import now
from perdure.terminal.glyphs import UNICODE
from perdure.tui.app import ChatApp
from perdure.tui.draft import Draft
from perdure.tui.run import opener_of
from tests.conftest import assert_sound, git, no_room
from tests.rescue.devices import add_backup, sync
from tests.speaking import Scripted
from tests.tui.conftest import listed, say, shown, until


@asynccontextmanager
async def chatting(
    path: Path, backend: Backend | None = None, *, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[ChatApp, Pilot[int]]]:
    """The program as `perdure chat` runs it, closed as it is closed there."""
    state: list[Path] = []
    app = ChatApp(
        opener_of(path, state, backend or Scripted()),
        UNICODE,
        draft=lambda _opened: Draft(state[0] / "draft.txt"),
    )
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.session is not None)
        await until(pilot, lambda: app.chat.status.status.state == "ready")
        yield app, pilot
    if app.session is not None:
        await app.session.close()


async def test_a_turn_becomes_a_commit_and_is_there_next_time(companion: Path) -> None:
    """What the screen calls saved is in git, and the next opening shows it."""
    async with chatting(companion) as (app, pilot):
        await say(pilot, "the weir was loud")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        assert "I heard: the weir was loud" in shown(app)
    assert "turn: the weir was loud" in git(companion, "log", "--format=%s")
    assert_sound(companion)
    async with chatting(companion) as (app, pilot):
        await pilot.pause()
        assert "I heard: the weir was loud" in shown(app)
        assert listed(app) == 1


async def test_the_status_line_says_whether_a_restore_is_proven(
    companion: Path, tmp_path: Path
) -> None:
    add_backup(companion, tmp_path / "place.git")
    async with chatting(companion, size=(160, 40)) as (app, pilot):
        await until(pilot, lambda: "no restore is proven" in app.chat.status.status.proof)
        assert "no restore is proven" in app.chat.status.render_line(0).text


async def test_quitting_in_mid_reply_commits_what_came(companion: Path) -> None:
    """ctrl+q while the model speaks: the part that came is in git, marked interrupted."""
    backend = Scripted(reply=lambda _prompt: "one two three four five six", hold_after=2)
    async with chatting(companion, backend) as (app, pilot):
        await say(pilot, "count")
        await until(pilot, lambda: "one" in app.chat.view.feed.live_text)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value is not None)
    text = "".join(one.read_text() for one in companion.glob("conversations/*/*/*.md"))
    assert "one two" in text
    assert "interrupted" in text
    assert_sound(companion)


async def test_a_draft_is_there_next_time(companion: Path) -> None:
    """What was typed and not sent survives closing the program, and git does not see it."""
    async with chatting(companion) as (app, pilot):
        app.chat.composer.put("not yet said\nnot at all")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value is not None)
    assert_sound(companion)
    async with chatting(companion) as (app, pilot):
        assert app.chat.composer.text == "not yet said\nnot at all"


async def test_a_new_conversation_is_one_in_git_too(companion: Path) -> None:
    """/new, and the next message stands in a chunk of its own."""
    async with chatting(companion) as (app, pilot):
        for text in ("first", "/new", "second"):
            await say(pilot, text)
            await until(pilot, lambda: not app.chat.view.feed.is_streaming)
            await until(pilot, lambda: app.chat.status.status.state == "ready")
        await until(pilot, lambda: "I heard: second" in shown(app))
        await until(pilot, lambda: listed(app) == 2)
        assert shown(app).count("I heard: first") == shown(app).count("I heard: second") == 1
    assert len(list(companion.glob("conversations/*/*/*.md"))) == 2


async def test_a_failing_backend_keeps_the_message(companion: Path) -> None:
    """The message is in git, unanswered, and /answer asks again."""
    from perdure.backends.errors import BackendError

    backend = Scripted(failure=BackendError("nobody answers", next_step="Wait."))
    async with chatting(companion, backend) as (app, pilot):
        await say(pilot, "are you there")
        await until(pilot, lambda: "nobody answers" in shown(app))
        assert "are you there" in git(companion, "log", "--format=%s")
        backend.failure = None
        await say(pilot, "/answer")
        await until(pilot, lambda: "I heard: are you there" in shown(app))
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
    assert_sound(companion)


async def test_the_greeting_on_the_screen_is_the_one_in_git(companion: Path) -> None:
    """Shown before the first message, committed with it, shown once."""
    async with chatting(companion) as (app, pilot):
        greeting = app.session.opening() if app.session is not None else None
        assert greeting is not None
        words = " ".join(greeting.text.split()[:4])
        assert shown(app).count(words) == 1
        await say(pilot, "good evening")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        await pilot.pause()
        assert shown(app).count(words) == 1
    text = "".join(one.read_text() for one in companion.glob("conversations/*/*/*.md"))
    assert text.count(words) == 1


async def test_a_message_that_cannot_be_journaled_is_not_lost(companion: Path) -> None:
    """Nothing can be written: the words are in the box, and go later."""
    async with chatting(companion) as (app, pilot):
        with no_room():
            await say(pilot, "do not lose this")
            await until(pilot, lambda: app.chat.composer.text == "do not lose this")
        await pilot.pause()
        assert "back in the message box" in shown(app)
        assert "do not lose this" not in git(companion, "log", "--format=%B")
        app.chat.composer.focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        assert app.chat.composer.text == ""
    assert "do not lose this" in git(companion, "log", "--format=%s")
    assert_sound(companion)


@pytest.mark.model
async def test_the_embedded_model_answers_on_the_screen(companion: Path) -> None:
    """End to end with real tokens: a short persona, a real reply, a commit."""
    for one in companion.glob("persona/**/*.md"):
        one.unlink()
    (companion / "persona" / "10-who.md").write_text("# Who\n\nYou are Mira, brief and kind.\n")
    git(companion, "add", "-A", "persona")
    git(companion, "commit", "-q", "-m", "persona: shorter")
    state: list[Path] = []
    app = ChatApp(opener_of(companion, state), UNICODE)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.session is not None)
        await until(pilot, lambda: app.chat.status.status.state in {"ready", "offline"})
        if app.chat.status.status.state == "offline":
            pytest.skip("the embedded model is not installed")
        await say(pilot, "Say hello.")
        saved = app.chat.status
        await until(pilot, lambda: saved.status.saved_at is not None)
        assert app.chat.view.feed.last_reply()
        assert saved.status.rehearsal
    if app.session is not None:
        await app.session.close()
    assert_sound(companion)


async def test_what_is_written_down_between_turns_is_told(companion: Path) -> None:
    """After /new the talk is summarised, and the next message breaks nothing."""
    backend = Scripted(reply=lambda _prompt: "Ana told Mira that the weir was loud.")
    async with chatting(companion, backend) as (app, pilot):

        async def committed(text: str) -> None:
            await until(pilot, lambda: f"turn: {text}" in git(companion, "log"))

        for text in ("the weir was loud", "and still is"):
            await say(pilot, text)
            await committed(text)
            await until(pilot, lambda: app.chat.status.status.state == "ready")
        await say(pilot, "/new")
        await until(pilot, lambda: "was summarised." in str(app.chat.flash.render()))
    (summary,) = companion.glob("memory/summaries/*/*.md")
    assert summary.read_text().endswith("\n\nAna told Mira that the weir was loud.\n")
    assert_sound(companion)


async def test_turns_that_should_be_on_a_remote_stand_on_the_status_line(
    companion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_backup(companion, tmp_path / "place.git")
    async with chatting(companion) as (app, pilot):
        await say(pilot, "the weir was loud")
        await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        assert app.chat.status.status.backup == ""
        later = now() + timedelta(days=2)
        monkeypatch.setattr("perdure.views.remotes.now", lambda: later)
        app.chat.history.look_at_backups()
        await until(pilot, lambda: "1 turn on no remote" in app.chat.status.status.backup)
        assert "1 turn on no remote, oldest 2 d" in app.chat.status.render_line(0).text
        sync(companion)
        app.chat.history.look_at_backups()
        await until(pilot, lambda: not app.chat.status.status.backup)
