"""Opening a companion on the screen: its history, its state, its greeting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from textual.screen import Screen

from perdure.errors import one_line
from perdure.terminal.sanitise import sanitise
from perdure.tui.chat.draft import Draft, is_there
from perdure.tui.chat.pages import History
from perdure.tui.chat.presenter import Talk
from perdure.tui.error_text import told
from perdure.tui.transcript.view import TranscriptView
from perdure.tui.widgets.composer import Composer
from perdure.tui.widgets.flash import Flash
from perdure.tui.widgets.status_line import StatusLine
from perdure.tui.widgets.welcome import Welcome
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.companion.ids import ConversationId
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.ports import ChatSession, Opened, Opener

_DRAFT_SECONDS = 1.0
_REFRESHES_TO_SETTLE = 3
"""The rail opens, the talk gets its new width, the talk is drawn."""


class OpeningScreen(Screen[None]):
    """Opens a companion. First the screen is drawn, then the companion is opened, then the model.

    What is said is `TalkingScreen`'s, where things stand on the screen is `ChatScreen`'s.
    """

    def __init__(
        self,
        opener: Opener,
        glyphs: Glyphs,
        clock: Callable[[], datetime],
        draft: Callable[[Opened], Draft],
    ) -> None:
        super().__init__()
        self._opener = opener
        self._glyphs = glyphs
        self._clock = clock
        self._draft_of = draft
        self._draft = Draft(None)
        self._opened: Opened | None = None
        self._history: History | None = None
        self._branch: str | None = None
        self._ready = False
        self._talking = False
        self._was_there = False
        """The companion's folder was found where the session says."""

    def on_mount(self) -> None:
        self._talk = Talk(self.view, self._clock)
        self.set_class(self._glyphs.rule.isascii(), "-ascii")
        self.composer.border_title = "message"
        self._tell_composer()
        self.composer.focus()
        self.set_interval(_DRAFT_SECONDS, self._keep_draft)
        self.call_after_refresh(self._open_companion)

    def now(self) -> datetime:
        """The present moment, as this screen was told it."""
        return self._clock()

    @property
    def view(self) -> TranscriptView:
        """The transcript."""
        return self.query_one("#transcript", TranscriptView)

    @property
    def composer(self) -> Composer:
        """The message box."""
        return self.query_one("#composer", Composer)

    @property
    def status(self) -> StatusLine:
        """The status line."""
        return self.query_one("#status", StatusLine)

    @property
    def flash(self) -> Flash:
        """The notice row."""
        return self.query_one("#flash", Flash)

    @property
    def session(self) -> ChatSession | None:
        """The open session; None until the companion is open."""
        return self._opened.session if self._opened is not None else None

    # -- opening -------------------------------------------------------------------------------

    @work(group="open")
    async def _open_companion(self) -> None:
        try:
            opened = await self._opener()
            self._show_companion(opened)
            await self._drawn()
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            self._ready = False
            self.status.tell(state="offline")
            what, *rest = told(error)
            self._talk.panel(what, rest)
            return
        try:
            await opened.session.prepare()
        except Exception as error:  # noqa: BLE001 - the talk can be read without a model
            self.status.tell(state="offline")
            self.tell_error(error)
        else:
            self.status.tell(state="ready")
        self._ready = True
        self._tell_info()
        opened.session.remember(lambda notice: self.flash.tell(notice.text))
        self.opened()

    def tell_error(self, error: BaseException) -> None:
        """Say what went wrong above the message box."""
        self.flash.tell(one_line(*told(error)), "error")

    def tell_unforeseen(self, error: BaseException) -> None:
        """Say that something failed which nobody foresaw; what is being written is kept."""
        self._keep_draft()
        self.tell_error(error)

    def opened(self) -> None:
        """The companion is there, and its model as far as it could be loaded."""

    async def _drawn(self) -> None:
        """Until what was changed is on the screen: loading a model holds the processor."""
        for _ in range(_REFRESHES_TO_SETTLE):
            drawn = asyncio.Event()
            self.call_after_refresh(drawn.set)
            await drawn.wait()

    def _show_companion(self, opened: Opened) -> None:
        self._opened = opened
        info = opened.session.info
        self._was_there = is_there(info.path)
        rehearsals = frozenset({info.next_backend}) if info.rehearsal else frozenset()
        self._talk.user, self._talk.companion = info.user or "You", info.companion
        self._talk.rehearsals = rehearsals
        self._history = History(opened.transcript, rehearsals)
        self._talk.stands_at(*self._history.last())
        estimates = self._history.estimates(self.view.text_width)
        self._branch = info.branch
        self.view.open_history(self._history.page, estimates, self._history.page_of)
        self.history_opened()
        self._tell_info()
        first = self.view.empty
        greeted = self._greet()
        welcome = self.query_one("#welcome", Welcome)
        welcome.tell(info if first else None, greeted=greeted)
        self.status.tell(state="loading")
        self._draft = self._draft_of(opened)
        written = [each for each in (self._draft.load(), self.composer.text) if each.strip()]
        if written and written != [self.composer.text]:
            self.composer.put("\n\n".join(written))
        for notice in opened.session.notices:
            self.flash.tell(notice.text, notice.level, stays=True)
        self._tell_composer()

    def _greet(self) -> bool:
        """Show the greeting that the next message will be sent under; True where there is one."""
        greeting = self._opened.session.opening() if self._opened is not None else None
        self._talk.greet(greeting)
        return greeting is not None

    def history_opened(self) -> None:
        """The history was read, or read again; a screen shows what it makes of that."""

    def _tell_info(self) -> None:
        session = self.session
        if session is None:
            return
        info = session.info
        self.status.tell(
            companion=info.companion,
            branch=info.branch,
            backend=info.next_backend,
            model=info.next_model,
            once=info.once,
            away=info.away,
            rehearsal=info.rehearsal,
            saved_at=info.saved_at,
            used=info.used,
            window=info.window,
        )

    def _keep_draft(self) -> None:
        self._draft.save(self.composer.text)

    @property
    def unsaved(self) -> str:
        """What is being written, where no draft of it could be kept."""
        return self._draft.unsaved

    def action_folder(self) -> None:
        """Tell where the companion lives."""
        session = self.session
        if session is not None:
            self.flash.tell(f"{session.info.path} is an ordinary git repository.", stays=True)

    def action_reload(self) -> None:
        """Read the list of chunks again: another program may have added some."""
        if self._opened is None or self._talking:
            self.flash.tell("Not while a reply is running.", "warning")
            return
        self._read_again()

    def _read_again(self, expected: ConversationId | None = None) -> None:
        """Take the history from the repository anew; this session's talk is part of it by now.

        The view and its cursor stay where they are; on another branch they go to the end.
        Nothing changes where the history does not hold the ``expected`` conversation.
        """
        if self._opened is None:
            return
        branch = self._opened.session.info.branch
        self._opened.transcript.refresh(branch)
        history = History(self._opened.transcript, self._talk.rehearsals)
        if expected is not None and history.first_page(expected) is None:
            return
        waiting = self._talk.forget_places()
        self.query_one("#welcome", Welcome).display = False
        self._history = history
        self._talk.stands_at(*self._history.last())
        estimates = self._history.estimates(self.view.text_width)
        stays, self._branch = branch == self._branch, branch
        self.view.replace_history(self._history.page, estimates, self._history.page_of, stays=stays)
        self.history_opened()
        self._greet()
        for text in waiting:
            self._talk.enqueue(text)
        if self.focused is self.view:
            self.view.pick_any()

    def _tell_composer(self) -> None:
        composer, dot = self.composer, self._glyphs.separator
        if self._talking:
            composer.border_subtitle = f"esc stop {dot} enter queues"
        else:
            composer.border_subtitle = f"enter send {dot} ctrl+j newline"
        name = sanitise(self._talk.companion).replace("\n", " ")
        composer.placeholder = f"Write to {name}" if name else "Write"
