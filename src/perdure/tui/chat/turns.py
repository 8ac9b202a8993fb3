"""Each turn, from the message box to the saved reply, and the way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on
from textual.message import Message
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
from perdure.notice import Notice
from perdure.tui.chat.draft import Draft, is_there
from perdure.tui.chat.startup import OpeningScreen
from perdure.tui.error_text import told
from perdure.tui.widgets.composer import Composer
from perdure.tui.workers import work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from perdure.companion.ids import ConversationId
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.ports import Opened, Opener

_FLUSH_SECONDS = 1 / 15
_NAMING = frozenset({"/backend", "/next", "/merge"})
"""Commands that take a name. With more words behind it, it is something to be said."""


class TalkingScreen(OpeningScreen):
    """Talks to the companion that was opened; where things stand is `ChatScreen`'s."""

    @dataclass
    class Heard(Message):
        """An event of the running turn."""

        event: Event

    @dataclass
    class TurnOver(Message):
        """The running turn has come to its end. ``trouble`` is what nobody foresaw."""

        trouble: Exception | None = None

    def __init__(
        self,
        opener: Opener,
        glyphs: Glyphs,
        clock: Callable[[], datetime],
        draft: Callable[[Opened], Draft],
    ) -> None:
        super().__init__(opener, glyphs, clock, draft)
        self._stopping = False
        self._leaving = False
        self._began: ConversationId | None = None
        self._notices: list[Notice] = []
        self._flusher: Timer | None = None
        self._asked_at: datetime | None = None
        self._left_out_told = False
        """Said once for a conversation: from then on it is so with every turn."""

    def on_mount(self) -> None:
        self._flusher = self.set_interval(_FLUSH_SECONDS, self._flush, pause=True)

    def opened(self) -> None:
        """Send what was written meanwhile."""
        self._go_on()

    # -- sending -------------------------------------------------------------------------------

    @on(Composer.Sent)
    def _send(self, event: Composer.Sent) -> None:
        text = event.text
        if self._slash(text):
            return
        self._talk.enqueue(text)
        self.composer.remember(text)
        self.composer.put("")
        self._draft.save("")
        self.query_one("#welcome").display = False
        self.view.follow()
        self.view.cursor = None
        self._go_on()
        self._count_queue()

    def slash_commands(self) -> dict[str, Callable[[str], object]]:
        """What each command does with the words behind it."""
        return {
            "/new": lambda _: self.action_new_conversation(),
            "/help": lambda _: self.run_action_soon("screen.keys"),
            "/quit": lambda _: self.run_action_soon("app.quit"),
            "/answer": lambda _: self.action_answer(),
        }

    def _slash(self, text: str) -> bool:
        """Run a slash command; True where the text was one, or was none that is known."""
        word, _, rest = text.strip().partition(" ")
        commands = self.slash_commands()
        named = word in _NAMING and " " not in rest.strip()
        if not word.startswith("/") or "\n" in text or not word[1:].isalpha():
            return False
        if rest and not named:
            return False
        command = commands.get(word)
        if command is None:
            known = ", ".join(commands)
            self.flash.tell(f"{word} is no command here. There are {known}.", "warning")
            return True
        self.composer.put("")
        command(rest.strip())
        return True

    def run_action_soon(self, action: str) -> None:
        """Run an action once the present message is handled."""
        self.call_later(self.run_action, action)

    def _go_on(self) -> None:
        """Send what waits, if nothing runs."""
        session = self.session
        if session is None or not self._ready or self._talking or self._leaving:
            return
        if not self.may_send():
            return
        text = self._talk.next()
        if text is None:
            return
        try:
            self._begin(session.send(text))
        except Exception:
            if not self._talking:
                self._give_back()
            raise

    def hears(self, event: Event) -> None:
        """An event of the turn is about to be shown."""

    def turn_ended(self) -> None:
        """The turn is over, and nothing runs."""

    def may_send(self) -> bool:
        """Whether a turn may begin now."""
        return True

    def _begin(self, events_of_turn: AsyncIterator[Event]) -> None:
        self._talking, self._stopping = True, False
        self._read_turn(events_of_turn)
        if any(each.level == "warning" for each in self._notices):
            self.flash.clear_notice()
        self.flash.clear_read()
        self._notices.clear()
        self.status.tell(state="thinking", speed=0.0, waited=0)
        self._asked_at = self._clock()
        self._count_queue()
        self._tell_composer()
        if self._flusher is not None:
            self._flusher.resume()

    @work(group="turn")
    async def _read_turn(self, events_of_turn: AsyncIterator[Event]) -> None:
        trouble: Exception | None = None
        try:
            async for event in events_of_turn:
                self.post_message(self.Heard(event))
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            trouble = error
        self.post_message(self.TurnOver(trouble))

    @on(Heard)
    def _hear(self, message: Heard) -> None:
        event = message.event
        if isinstance(event, Failed):
            event = self._or_gone(event)
        try:
            self.hears(event)
        finally:
            notice = self._talk.hear(event)
        match event:
            case MessageKept():
                self.status.tell(unsaved=True, unkept=False)
            case ReplyStarted():
                self.status.tell(
                    used=event.prompt_tokens,
                    window=event.window,
                    backend=event.backend,
                    model=event.model,
                    rehearsal=event.rehearsal,
                    once=False,
                )
                if event.left_out and not self._left_out_told:
                    self._left_out_told = True
                    turns = "turn" if event.left_out == 1 else "turns"
                    self.flash.tell(
                        f"{event.left_out} earlier {turns} did not fit into the model's window."
                    )
            case ReplyPiece():
                if self.status.status.state == "thinking":
                    self.status.tell(state="speaking")
            case Saved():
                if event.turn.number == 1:
                    self._began = event.turn_id.conversation
                self.status.tell(unsaved=False)
                self._tell_info()
            case Failed():
                self._began = None
                self.status.tell(unsaved=False)
                if self._talk.unkept is None:
                    self.status.tell(state="offline")
        if notice is not None:
            self._tell_notice(notice)

    def _tell_notice(self, notice: Notice) -> None:
        """Show a notice beside those of this turn; a warning stays until the next turn."""
        self._notices.append(notice)
        warned = any(each.level == "warning" for each in self._notices)
        words = " ".join(each.text for each in self._notices)
        self.flash.tell(words, "warning" if warned else "info", stays=warned)

    @on(TurnOver)
    def _turn_over(self, message: TurnOver) -> None:
        self._talking = False
        try:
            self._show_end(message.trouble)
        finally:
            # Whatever cannot be drawn: what was typed comes back, and the next turn may begin.
            self._give_back()
        if self.status.status.state in {"thinking", "speaking"}:
            self.status.tell(state="ready")
        self.status.tell(speed=0.0)
        self._tell_info()
        self._tell_composer()
        if self._leaving:
            self.run_action_soon("app.leave")
            return
        self.turn_ended()
        self._list_conversation()
        self._go_on()
        self._count_queue()

    def _show_end(self, trouble: Exception | None) -> None:
        if self._flusher is not None:
            self._flusher.pause()
        self.view.flush()
        if isinstance(trouble, NothingToAnswer):
            self.flash.tell(str(trouble))
        elif trouble is not None:
            what, kept, next_step = told(trouble)
            self._talk.hear(self._or_gone(Failed(what, kept, next_step)))
            self.status.tell(unsaved=False)
        elif self.view.streaming:
            self.view.end_reply(())

    def _or_gone(self, event: Failed) -> Failed:
        """Why it failed, in other words where the companion's folder is not there any more."""
        path = self.session.info.path if self.session is not None else None
        if path is None or not self._was_there or is_there(path):
            return event
        return Failed(
            f"The companion's folder is not there any more: {path}",
            event.kept,
            "move it back, then send again; or quit, and open it where it is now",
        )

    def _list_conversation(self) -> None:
        """A conversation that has begun is listed; not while one reads further up."""
        began = self._began
        if began is not None and self.view.following and self.focused is self.composer:
            self._began = None
            self._read_again(began)

    def _give_back(self) -> None:
        """A message that could not be kept goes back into the message box.

        With it go those that wait behind it: they would fail in the same way, and out of order.
        """
        unkept = self._talk.unkept
        if unkept is None:
            return
        waiting = [text for text, _ in self._talk.queue]
        self._put_back([unkept, *waiting])
        self.status.tell(unkept=True)
        self._talk.drop_unkept()
        self._talk.take_back()

    def _put_back(self, messages: list[str]) -> None:
        """Put messages before what stands in the message box, and into the draft."""
        self.composer.put("\n\n".join([*messages, self.composer.text]).strip())
        self._keep_draft()

    def _flush(self) -> None:
        self.view.flush()
        state = self.status.status.state
        if state == "speaking":
            self.status.tell(speed=round(self._talk.speed))
        elif state == "thinking" and self._asked_at is not None:
            self.status.tell(waited=int((self._clock() - self._asked_at).total_seconds()))

    def _count_queue(self) -> None:
        self.status.tell(queued=len(self._talk.queue))

    # -- leaving -------------------------------------------------------------------------------

    def begin_leaving(self) -> bool:
        """Get ready to go; True where nothing has to be waited for.

        A running reply is stopped and kept. What still waits to be sent goes back into the message
        box, and with it into the draft.
        """
        again, self._leaving = self._leaving, True
        waiting = self._talk.take_back()
        self._put_back(waiting)
        if not self._talking or again:
            return True
        self._stop()
        self.flash.tell("Keeping the reply as far as it came, then leaving.", stays=True)
        return False

    # -- actions -------------------------------------------------------------------------------

    @property
    def can_stop(self) -> bool:
        """Whether a reply is being written that was not stopped yet."""
        return self.session is not None and self._talking and not self._stopping

    def _stop(self) -> None:
        session = self.session
        if session is not None and self.can_stop:
            self._stopping = True
            session.stop()
            if self.view.live_text:
                self.flash.tell("Stopped. What came is kept, marked interrupted.")
            else:
                self.flash.tell("Stopped before a word came. /answer asks again.")

    def action_new_conversation(self) -> None:
        """The next message opens a conversation of its own."""
        session = self.session
        if session is None:
            self.flash.tell("The companion is not open yet.", "warning")
        elif self._talking:
            self.flash.tell("Wait for the reply, or stop it with esc first.", "warning")
        else:
            session.new_conversation()
            self._left_out_told = False
            self._greet()
            self.view.follow()
            self.flash.tell("The next message begins a new conversation.", "success")

    def action_answer(self) -> None:
        """Ask for the reply that the last message did not get."""
        session = self.session
        if session is None or not self._ready or self._talking or not self.may_send():
            self.flash.tell("Not now: the model is not ready, or a reply is running.", "warning")
            return
        self._talk.answering()
        self._begin(session.resume())

    def action_stop(self) -> None:
        """Stop the reply."""
        if self._talking:
            self._stop()
        else:
            self.flash.tell("No reply is running.")
