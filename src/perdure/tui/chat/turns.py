"""Turns, from the message box to the saved reply, and leaving the program."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from textual.timer import Timer

from perdure.chat.errors import NothingToAnswer
from perdure.chat.events import (
    Event,
    Failed,
    MessageKept,
    ReplyPiece,
    ReplyStarted,
    Saved,
)
from perdure.companion.ids import ConversationId
from perdure.notice import Notice
from perdure.plural import plural
from perdure.tui.chat.conversation import Conversation
from perdure.tui.error_text import error_parts
from perdure.tui.workers import work

_FLUSH_SECONDS = 1 / 15


class Watcher(Protocol):
    """Follows one turn, beside what is shown of every turn."""

    def hear(self, event: Event) -> None:
        """An event of the turn is about to be shown."""
        ...

    def end(self) -> None:
        """The turn is over, and nothing runs."""
        ...


class TurnController:
    """Runs one turn after another, and shows what comes of it."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.screen = conversation.screen
        self._is_stopping = False
        self._is_leaving = False
        self._began: ConversationId | None = None
        self._notices: list[Notice] = []
        self._flusher: Timer | None = None
        self._asked_at: datetime | None = None
        self._watcher: Watcher | None = None
        self._left_out_told = False
        """Said once for a conversation: from then on it is so with every turn."""

    def mount(self) -> None:
        """Start drawing replies as they come."""
        self._flusher = self.screen.set_interval(_FLUSH_SECONDS, self._flush, pause=True)

    # -- sending -------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Send a message, or queue it while a turn runs."""
        here = self._conversation
        here.presenter.enqueue(text)
        here.composer.remember(text)
        here.composer.put("")
        here.draft.save("")
        here.welcome.display = False
        here.view.follow()
        here.view.cursor = None
        self.go_on()
        self._count_queue()

    def go_on(self) -> None:
        """Send what waits, if nothing runs."""
        here = self._conversation
        session = here.session
        if session is None or not here.is_ready or here.is_talking or self._is_leaving:
            return
        if not here.may_send():
            return
        text = here.presenter.next()
        if text is None:
            return
        try:
            self.begin(session.send(text))
        except Exception:
            if not here.is_talking:
                self._give_back()
            raise

    def begin(self, events: AsyncIterator[Event], watcher: Watcher | None = None) -> None:
        """Run a turn."""
        here = self._conversation
        here.is_talking, self._is_stopping = True, False
        self._watcher = watcher
        self._read(events)
        if any(each.level == "warning" for each in self._notices):
            here.flash.clear_notice()
        here.flash.clear_read()
        self._notices.clear()
        here.status.change(state="thinking", speed=0.0, waited=0)
        self._asked_at = here.now()
        self._count_queue()
        here.show_composer()
        if self._flusher is not None:
            self._flusher.resume()

    @work(group="turn")
    async def _read(self, events: AsyncIterator[Event]) -> None:
        trouble: Exception | None = None
        try:
            async for event in events:
                self.screen.call_later(self.hear, event)
        except Exception as error:  # noqa: BLE001 - shown on the screen, whatever it was
            trouble = error
        self.screen.call_later(self.end, trouble)

    # -- what comes of it ----------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """Show an event of the running turn."""
        if isinstance(event, Failed):
            event = self._or_gone(event)
        try:
            if self._watcher is not None:
                self._watcher.hear(event)
        finally:
            notice = self._conversation.presenter.hear(event)
        status = self._conversation.status
        match event:
            case MessageKept():
                status.change(unsaved=True, unkept=False)
            case ReplyStarted():
                self._show_started(event)
            case ReplyPiece():
                if status.status.state == "thinking":
                    status.change(state="speaking")
            case Saved():
                if event.turn.number == 1:
                    self._began = event.turn_id.conversation
                status.change(unsaved=False)
                self._conversation.show_info()
            case Failed():
                self._began = None
                status.change(unsaved=False)
                if self._conversation.presenter.unkept is None:
                    status.change(state="offline")
        if notice is not None:
            self._show_notice(notice)

    def _show_started(self, event: ReplyStarted) -> None:
        here = self._conversation
        here.status.change(
            used=event.prompt_tokens,
            window=event.window,
            backend=event.backend,
            model=event.model,
            rehearsal=event.rehearsal,
            once=False,
        )
        if event.left_out and not self._left_out_told:
            self._left_out_told = True
            turns = plural(event.left_out, "earlier turn")
            here.flash.show(f"{turns} did not fit into the model's window.")

    def _show_notice(self, notice: Notice) -> None:
        """Show a notice beside those of this turn; a warning stays until the next turn."""
        self._notices.append(notice)
        warned = any(each.level == "warning" for each in self._notices)
        words = " ".join(each.text for each in self._notices)
        self._conversation.flash.show(words, "warning" if warned else "info", stays=warned)

    def end(self, trouble: Exception | None) -> None:
        """The running turn is over: show how it ended, and send what waits."""
        here = self._conversation
        here.is_talking = False
        try:
            self._show_end(trouble)
        finally:
            # Whatever cannot be drawn: what was typed comes back, and the next turn may begin.
            self._give_back()
        if here.status.status.state in {"thinking", "speaking"}:
            here.status.change(state="ready")
        here.status.change(speed=0.0)
        here.show_info()
        here.show_composer()
        if self._is_leaving:
            here.run_soon("app.leave")
            return
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.end()
        self._list_conversation()
        self.go_on()
        self._count_queue()

    def _show_end(self, trouble: Exception | None) -> None:
        here = self._conversation
        if self._flusher is not None:
            self._flusher.pause()
        here.view.feed.flush()
        if isinstance(trouble, NothingToAnswer):
            here.flash.show(str(trouble))
        elif trouble is not None:
            what, kept, next_step = error_parts(trouble)
            here.presenter.hear(self._or_gone(Failed(what, kept, next_step)))
            here.status.change(unsaved=False)
        elif here.view.feed.is_streaming:
            here.view.feed.end_reply(())

    def _or_gone(self, event: Failed) -> Failed:
        """A failure, put another way where the companion's folder has disappeared."""
        session = self._conversation.session
        if session is None or not self._conversation.is_gone:
            return event
        return Failed(
            f"The companion's folder is gone: {session.info.path}",
            event.kept,
            "move it back, then send again; or quit, and open it where it is now",
        )

    def _list_conversation(self) -> None:
        """List a conversation that has begun, unless one reads further up."""
        here, began = self._conversation, self._began
        if began is not None and here.view.following and self.screen.focused is here.composer:
            self._began = None
            here.read_again(began)

    def _give_back(self) -> None:
        """Put a message that could not be saved back into the message box.

        With it go those that wait behind it: they would fail in the same way, and out of order.
        """
        here = self._conversation
        unkept = here.presenter.unkept
        if unkept is None:
            return
        waiting = [text for text, _ in here.presenter.queue]
        here.put_back([unkept, *waiting])
        here.status.change(unkept=True)
        here.presenter.drop_unkept()
        here.presenter.take_back()

    def _flush(self) -> None:
        here = self._conversation
        here.view.feed.flush()
        state = here.status.status.state
        if state == "speaking":
            here.status.change(speed=round(here.presenter.speed))
        elif state == "thinking" and self._asked_at is not None:
            here.status.change(waited=int((here.now() - self._asked_at).total_seconds()))

    def _count_queue(self) -> None:
        self._conversation.status.change(queued=len(self._conversation.presenter.queue))

    # -- leaving -------------------------------------------------------------------------------

    def begin_leaving(self) -> bool:
        """Get ready to leave; False where the reply has to be saved first.

        A running reply is stopped and kept. What still waits to be sent goes back into the message
        box, and with it into the draft.
        """
        here = self._conversation
        again, self._is_leaving = self._is_leaving, True
        here.put_back(here.presenter.take_back())
        if not here.is_talking or again:
            return True
        self._stop()
        here.flash.show("Keeping what came of the reply, then quitting.", stays=True)
        return False

    # -- actions -------------------------------------------------------------------------------

    @property
    def can_stop(self) -> bool:
        """Whether a reply is being written that was not stopped yet."""
        here = self._conversation
        return here.session is not None and here.is_talking and not self._is_stopping

    def _stop(self) -> None:
        here = self._conversation
        if here.session is not None and self.can_stop:
            self._is_stopping = True
            here.session.stop()
            if here.view.feed.live_text:
                here.flash.show("Stopped. What came is kept, marked interrupted.")
            else:
                here.flash.show("Stopped before a word came. /answer asks again.")

    def stop(self) -> None:
        """Stop the reply."""
        if self._conversation.is_talking:
            self._stop()
        else:
            self._conversation.flash.show("No reply is running.")

    def new_conversation(self) -> None:
        """The next message opens a conversation of its own."""
        here = self._conversation
        session = here.free_session()
        if session is not None:
            session.new_conversation()
            self._left_out_told = False
            here.greet()
            here.view.follow()
            here.flash.show("The next message begins a new conversation.", "success")

    def answer(self) -> None:
        """Ask for the reply that the last message did not get."""
        here = self._conversation
        session = here.session
        if session is None or not here.is_ready or here.is_talking or not here.may_send():
            here.flash.show("Not now: the model is not ready, or a reply is running.", "warning")
            return
        here.presenter.answering()
        self.begin(session.resume())
