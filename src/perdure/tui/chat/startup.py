"""Opening a companion: its history, its greeting, its model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure.tui.draft import Draft
from perdure.tui.error_text import error_parts
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.chat.session import Session
    from perdure.snapshot.conversation.transcript import Transcript
    from perdure.tui.chat.conversation import Conversation

_REFRESHES_TO_SETTLE = 3
"""The rail opens, the transcript gets its new width, the transcript is drawn."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A companion as it was opened for the screen."""

    session: Session
    transcript: Transcript


Opener = Callable[[], Coroutine[Any, Any, Opened]]


class StartupController:
    """Opens a companion: first the screen is drawn, then the history is read, then the model."""

    def __init__(
        self,
        conversation: Conversation,
        opener: Opener,
        draft_of: Callable[[Opened], Draft],
        opened: Callable[[], None],
    ) -> None:
        """``opened``: called once the companion is open and its model is there, or failed."""
        self._conversation = conversation
        self.screen = conversation.screen
        self._opener = opener
        self._opened = opened
        self.draft_of = draft_of

    @work(group="open")
    async def open(self) -> None:
        """Open the companion, then its model; errors are shown."""
        here = self._conversation
        try:
            opened = await self._opener()
            self._show(opened)
            await self._drawn()
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            here.is_ready = False
            here.status.change(state="offline")
            what, *rest = error_parts(error)
            here.presenter.panel(what, rest)
            return
        try:
            await opened.session.prepare()
        except Exception as error:  # noqa: BLE001 - the history can be read without a model
            here.status.change(state="offline")
            here.show_error(error)
        else:
            here.status.change(state="ready")
        here.is_ready = True
        here.show_info()
        opened.session.remember(lambda notice: here.flash.show(notice.text))
        self._opened()

    async def _drawn(self) -> None:
        """Wait until the screen is drawn: loading a model keeps the processor busy."""
        for _ in range(_REFRESHES_TO_SETTLE):
            drawn = asyncio.Event()
            self.screen.call_after_refresh(drawn.set)
            await drawn.wait()

    def _show(self, opened: Opened) -> None:
        here, session = self._conversation, opened.session
        here.open(session, opened.transcript)
        first = here.view.empty
        greeted = here.greet()
        here.welcome.show(session.info if first else None, greeted=greeted)
        here.status.change(state="loading")
        here.draft = self.draft_of(opened)
        written = [each for each in (here.draft.load(), here.composer.text) if each.strip()]
        if written and written != [here.composer.text]:
            here.composer.put("\n\n".join(written))
        for notice in session.notices:
            here.flash.show(notice.text, notice.level, stays=True)
        here.show_composer()
