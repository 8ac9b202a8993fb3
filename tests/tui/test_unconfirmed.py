"""On the screen, a backend from outside is named, and is sent nothing unless agreed to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import OptionList

from perdure.companion.config.manifest import Manifest, render_manifest
from perdure.companion.config.settings import edit_settings
from perdure.terminal.glyphs import UNICODE
from perdure.tui.app import ChatApp
from perdure.tui.dialogs.question import Question
from perdure.tui.draft import Draft
from perdure.tui.run import opener_of
from tests.api_server import ApiServer
from tests.conftest import assert_sound, git
from tests.tui.conftest import say, shown, until


@asynccontextmanager
async def with_a_stranger(
    companion: Path, server: ApiServer, *, draft: str = ""
) -> AsyncIterator[tuple[ChatApp, Pilot[int]]]:
    """The program on a companion whose only backend came inside a commit."""
    manifest = Manifest("far", "openai", "tiny", address=server.address)
    (companion / "backends" / "far.yaml").write_bytes(render_manifest(manifest))
    settings = companion / "companion.yaml"
    settings.write_bytes(edit_settings(settings.read_bytes(), {"backends": ["far"]}))
    git(companion, "add", "-A")
    git(companion, "commit", "-qm", "backend: far")
    state: list[Path] = []
    app = ChatApp(
        opener_of(companion, state, None),
        UNICODE,
        draft=lambda _opened: Draft(state[0] / "draft.txt"),
    )
    async with app.run_test(size=(160, 40)) as pilot:
        app.chat.composer.put(draft)
        await until(pilot, lambda: app.chat.status.status.state == "offline")
        yield app, pilot
    if app.session is not None:
        await app.session.close()


async def asked(app: ChatApp, pilot: Pilot[int]) -> str:
    """What the question says, once it is there."""
    await until(pilot, lambda: isinstance(app.screen, Question))
    await pilot.pause()
    return str(app.screen.query("#question-lines Static").first().render())


async def test_the_question_says_where_it_leads_and_enter_agrees_to_nothing(
    companion: Path,
) -> None:
    """Host, key and who brought it are shown; typing on and enter leave it as it is."""
    with ApiServer() as server:
        async with with_a_stranger(companion, server) as (app, pilot):
            told = await asked(app, pilot)
            assert server.address.removeprefix("http://").removesuffix("/v1") in told
            assert "of Ana" in told
            assert "no key" in told
            await pilot.press("y", "c", "enter")
            await until(pilot, lambda: app.screen is app.chat)
            assert "perdure backend confirm" not in str(app.chat.flash.render())
            assert "is not used" in str(app.chat.flash.render())
            await say(pilot, "are you there")
            await until(pilot, lambda: app.chat.status.status.saved_at is not None)
        assert server.asked == []
    assert "are you there" in git(companion, "log", "-1", "--format=%s")
    assert_sound(companion)


async def test_confirmed_it_answers_the_next_message(companion: Path) -> None:
    """Nothing is sent before the user agrees; the next turn goes there."""
    with ApiServer() as server:
        async with with_a_stranger(companion, server) as (app, pilot):
            await asked(app, pilot)
            assert server.asked == []
            await pilot.press("down", "enter")
            await until(pilot, lambda: "is confirmed" in str(app.chat.flash.render()))
            assert server.asked == []
            await say(pilot, "are you there")
            await until(pilot, lambda: app.chat.status.status.saved_at is not None)
            await until(pilot, lambda: app.chat.status.status.state == "ready")
        assert len(server.asked) >= 1
    assert_sound(companion)


async def test_who_is_writing_is_not_interrupted(companion: Path) -> None:
    """With words in the message box the notice is enough; /confirm asks."""
    with ApiServer() as server:
        async with with_a_stranger(companion, server, draft="half a thou") as (app, pilot):
            await pilot.pause()
            assert app.screen is app.chat
            assert "far" in str(app.chat.flash.render())
            await say(pilot, "/confirm")
            assert "far" in await asked(app, pilot)
            assert app.screen.query_one(OptionList).highlighted == 0
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.chat)
            assert "half a thou" not in shown(app)
