"""Random keys after random sayings: never an internal error, the history sound at the end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from textual.pilot import Pilot

from perdure.tui.app import ChatApp
from perdure.tui.dialogs.question import Question
from perdure.tui.widgets.composer import Composer
from tests.conftest import assert_sound
from tests.speaking import Scripted
from tests.tui.conftest import Listener, until
from tests.tui.test_acting import SMALL, said_elsewhere
from tests.tui.test_answers import words
from tests.tui.test_real_session import chatting

_KEYS = (
    *("k", "j", "up", "pageup", "pagedown", "g", "G", "[", "]", "t", "n", "N", "y"),
    *("x", "x", "r", "left", "right", "z", "z", "Z", "w", "d", "i", "escape", "escape"),
    *("tab", "ctrl+b", "down", "enter"),
)
_STEPS = 60


async def _said(app: ChatApp, pilot: Pilot[int], path: Path, text: str) -> None:
    """Say something; a question that a key asked for late is closed, and holds it up no longer."""
    app.chat.composer.post_message(Composer.Sent(text))
    while f"I heard: {text}" not in words(path) or app.chat.conversation.is_talking:
        if app.screen is not app.chat:
            await pilot.press("escape")
        await pilot.pause()


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_key_ends_in_an_internal_error(
    companion: Path, seed: int, listener: Listener
) -> None:
    """Talk, browse, set aside, ask again, swap, undo, redo, rewind; somebody else talks too."""
    chance = random.Random(seed)
    async with chatting(companion, Scripted(), size=SMALL) as (app, pilot):
        for step in range(_STEPS):
            if isinstance(app.screen, Question):
                await pilot.press(chance.choice(("enter", "escape", "y", "n", "down")))
            elif app.screen is not app.chat:
                await pilot.press("escape")
            elif step % 12 == 0:
                await _said(app, pilot, companion, f"words {seed} {step}")
            elif step % 25 == 7:
                await said_elsewhere(companion, f"from elsewhere {step}")
            else:
                await pilot.press(chance.choice(_KEYS))
            if app.screen is app.chat:
                app.chat.composer.put("")
                await until(pilot, lambda: not app.chat.conversation.is_talking)
                await pilot.pause()
            assert listener.found == [], f"step {step}"
            assert "Internal error" not in str(app.chat.flash.render())
        await _said(app, pilot, companion, "and good night")
    assert_sound(companion)
