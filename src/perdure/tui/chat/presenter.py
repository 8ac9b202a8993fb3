"""Shows a turn's events in the transcript, as blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import assert_never

from perdure.chat.events import (
    Event,
    Failed,
    Greeted,
    MessageKept,
    ReplyPiece,
    ReplyStarted,
    Saved,
    ThinkingPiece,
)
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import Reply
from perdure.notice import Notice
from perdure.tui.error_text import sentence
from perdure.tui.transcript.blocks import (
    Divider,
    Live,
    Mark,
    Panel,
    Speech,
    day_label,
    message_block,
    reply_block,
    with_mark,
    without_mark,
)
from perdure.tui.transcript.feed import Feed
from perdure.tui.transcript.scrollback import Location

Clock = Callable[[], datetime]


class Presenter:
    """Keeps the queue of messages and what each event changes in the transcript.

    The transcript shows a message at once, first as queued, then as kept, and puts the committed
    turn in its place when that is saved: what is read on the screen is what the commit holds.
    """

    def __init__(self, feed: Feed, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        self.user = "You"
        self.companion = ""
        self.rehearsals: frozenset[str] = frozenset()
        self.queue: deque[tuple[str, Location | None]] = deque()
        self._day: date | None = None
        self._conversation: ConversationId | None = None
        self._message: Location | None = None
        self._sending: str | None = None
        self._unanswered = False
        self._greeting: list[Location] = []
        self._pieces = 0
        self._began: datetime | None = None

    def stands_at(self, conversation: ConversationId | None, day: date | None) -> None:
        """Take what the history ends with, for dividers."""
        self._conversation, self._day = conversation, day

    def greet(self, reply: Reply | None) -> None:
        """Show the greeting that the next message will be sent under; None: take it away.

        It is only announced: `Greeted` puts the one that is recorded in its place.
        """
        with self._above_queue():
            self._withdraw_greeting()
            if reply is not None:
                day = self._clock().date()
                self._greeting = [
                    self._feed.add(Divider(day_label(day), "new conversation", opening=True)),
                    self._feed.add(reply_block(reply, None, self.rehearsals)),
                ]

    def forget_locations(self) -> list[str]:
        """The session's blocks were dropped; gives back the messages that wait."""
        waiting = [text for text, _ in self.queue]
        self.queue.clear()
        self._greeting.clear()
        self._message = None
        return waiting

    # -- the queue -----------------------------------------------------------------------------

    def enqueue(self, text: str) -> None:
        """Queue a message and show it; it is queued even where it cannot be shown."""
        location: Location | None = None
        try:
            location = self._feed.add(Speech(self.user, text, own=True, marks=("queued",)))
        finally:
            self.queue.append((text, location))

    def next(self) -> str | None:
        """Take the next message to be sent; it stays shown as queued until it is kept."""
        if not self.queue:
            return None
        text, location = self.queue.popleft()
        self._sending, self._message = text, location
        return text

    def take_back(self) -> list[str]:
        """Empty the queue; gives back what was not sent."""
        waiting = [text for text, _ in self.queue]
        located = [location for _, location in self.queue if location is not None]
        self.queue.clear()
        try:
            for location in reversed(located):
                self._feed.take_away(location)
        except Exception:
            self.queue.extend((text, None) for text in waiting)
            raise
        return waiting

    def answering(self) -> None:
        """The last message of the history is about to be answered."""
        self._unanswered = True

    @property
    def unkept(self) -> str | None:
        """A message that was sent, until it is kept."""
        return self._sending

    def drop_unkept(self) -> None:
        """Take a message that was never saved out of the transcript."""
        self._sending = None
        with self._above_queue():
            self._drop_message()

    # -- events --------------------------------------------------------------------------------

    def hear(self, event: Event) -> Notice | None:
        """Show what an event says; a notice is handed back for the flash row."""
        match event:
            case ReplyPiece():
                if not self._pieces:
                    self._began = self._clock()
                self._pieces += 1
                self._feed.add_piece(event.text)
            case ThinkingPiece():
                self._feed.add_piece(event.text, thought=True)
            case Notice():
                return event
            case _:
                with self._above_queue():
                    self._change(event)
        return None

    def _change(self, event: MessageKept | Greeted | ReplyStarted | Saved | Failed) -> None:
        match event:
            case MessageKept():
                self._kept(event)
            case Greeted():
                self._greeted(event)
            case ReplyStarted():
                self._started(event)
            case Saved():
                self._saved(event)
            case Failed():
                self._failed(event)
            case _:
                assert_never(event)

    @property
    def speed(self) -> float:
        """Pieces a second of the reply that streams; a piece is about a token."""
        if self._began is None or not self._pieces:
            return 0.0
        seconds = (self._clock() - self._began).total_seconds()
        return self._pieces / seconds if seconds >= 0.5 else 0.0

    def panel(self, title: str, lines: Sequence[str] = ()) -> None:
        """Something went wrong; said in the transcript, where it happened."""
        with self._above_queue():
            self._feed.add(Panel(title, tuple(line for line in lines if line)))

    @contextmanager
    def _above_queue(self) -> Iterator[None]:
        """Put what is added meanwhile above the messages that wait."""
        waiting = deque(self.take_back())
        try:
            yield
            while waiting:
                self.enqueue(waiting.popleft())
        finally:
            self.queue.extend((text, None) for text in waiting)

    def _break_off(self) -> bool:
        """End the streaming reply without a commit; what came of it stays, marked so.

        True where words had come.
        """
        text = self._feed.live_text
        words = Speech(self.companion, text, own=False, marks=("uncommitted",))
        self._feed.end_reply((words,) if text else ())
        return bool(text)

    def _kept(self, event: MessageKept) -> None:
        self._drop_message()
        self._withdraw_greeting()
        self._sending, self._unanswered = None, True
        self._open(event.turn, event.message.at)
        self._message = self._feed.add(message_block(event.message, event.turn))

    def _greeted(self, event: Greeted) -> None:
        self._drop_message()
        self._withdraw_greeting()
        self._open(event.turn, event.reply.at)
        self._feed.add(reply_block(event.reply, event.turn, self.rehearsals))

    def _started(self, event: ReplyStarted) -> None:
        self._pieces, self._began = 0, None
        if self._feed.is_streaming:
            # One that was asked before broke off without a word.
            self._feed.end_reply(())
        if event.rehearsal:
            self.rehearsals |= {event.backend}
        marks: list[Mark] = ["stand-in"] if event.stand_in else []
        if event.backend in self.rehearsals:
            marks.append("rehearsal")
        self._feed.begin_reply(Live(event.speaker, tuple(marks)))

    def _saved(self, event: Saved) -> None:
        self._unanswered = event.turn.unanswered
        replies = [reply_block(one, event.turn_id, self.rehearsals) for one in event.turn.replies]
        if self._message is not None and event.turn.message is not None:
            message = message_block(
                event.turn.message, event.turn_id, unanswered=event.turn.unanswered
            )
            self._feed.change(self._message, message)
        if self._feed.is_streaming:
            self._feed.end_reply(replies)
        else:
            for block in replies:
                self._feed.add(block)
        self._message = self._began = None

    def _failed(self, event: Failed) -> None:
        lines: tuple[str, ...] = (event.kept, sentence(event.next_step))
        if self._sending is not None:
            lines = (
                event.kept,
                "Your message is back in the message box.",
                sentence(event.next_step),
            )
        elif not self._break_off() and self._unanswered:
            self._mark_unanswered()
            lines = (*lines, "Here, /answer asks again.")
        self._began = None
        if self._sending is None:
            self._message = None
        self._feed.add(Panel(event.what, tuple(line for line in lines if line)))

    def _mark_unanswered(self) -> None:
        if self._message is None:
            return
        block = self._feed.back.block(self._message)
        if isinstance(block, Speech):
            shown = with_mark(without_mark(block, "queued"), "unanswered")
            self._feed.change(self._message, shown)

    def _withdraw_greeting(self) -> None:
        for location in reversed(self._greeting):
            self._feed.take_away(location)
        self._greeting.clear()

    def _drop_message(self) -> None:
        if self._message is not None:
            self._feed.take_away(self._message)
            self._message = None

    def _open(self, turn: TurnId, at: datetime | None) -> None:
        """Draw the line before a new conversation or a new day."""
        day = at.date() if at is not None else turn.conversation.day
        divider: Divider | None = None
        if turn.conversation != self._conversation:
            divider = Divider(day_label(day), "new conversation", opening=True)
        elif self._day is not None and day > self._day:
            divider = Divider(day_label(day))
        self._conversation, self._day = turn.conversation, day
        if divider is not None:
            self._feed.add(divider)
