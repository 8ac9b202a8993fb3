"""The transcript widget: the rows of the talk with a cursor, keys and the mouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.message import Message

from perdure.tui.transcript.blocks import Speech
from perdure.tui.transcript.feed import GrowingView
from perdure.tui.transcript.scrollback import Place
from perdure.tui.transcript.selection import selected_source

if TYPE_CHECKING:
    from textual import events
    from textual.selection import Selection


Request = Literal[
    "conversation-before",
    "conversation-after",
    "compose",
    "keys",
    "undo",
    "redo",
    "rewind",
    "branch",
    "tag",
    "timeline",
    "regenerate",
    "answer_before",
    "answer_after",
    "edit",
    "aside",
    "voice",
    "copy_message",
    "merge",
    "prompt",
    "prompt_next",
    "search",
    "found_after",
    "found_before",
    "memory",
]
"""What browsing keys ask the screen for."""


class TranscriptView(GrowingView, can_focus=True):
    """The talk to be browsed. What is the screen's business is posted to it."""

    BINDING_GROUP_TITLE = "Browsing the talk"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "message(-1)", "Message before", show=False, id="nav.up"),
        Binding("j,down", "message(1)", "Message after", show=False, id="nav.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="nav.page.up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="nav.page.down"),
        Binding(
            "left_square_bracket",
            "conversation(-1)",
            "Conversation before",
            show=False,
            id="nav.conversation.up",
        ),
        Binding(
            "right_square_bracket",
            "conversation(1)",
            "Conversation after",
            show=False,
            id="nav.conversation.down",
        ),
        Binding("g,home", "first", "The very first message", show=False, id="nav.first"),
        Binding("G,end", "last", "The end; follow the talk", show=False, id="nav.last"),
        Binding("y", "ask('copy_message')", "Copy the message's source", show=False, id="copy"),
        Binding("t", "times", "Show or hide times", show=False, id="times"),
        Binding("z", "ask('undo')", "Undo the last thing done", show=False, id="op.undo"),
        Binding("Z", "ask('redo')", "Redo what was undone", show=False, id="op.redo"),
        Binding("w", "ask('rewind')", "Talk on from this message", show=False, id="rewind"),
        Binding("b", "ask('branch')", "Branch from this message", show=False, id="branch.new"),
        Binding("c", "ask('tag')", "Tag this message", show=False, id="tag.new"),
        Binding("r", "ask('regenerate')", "Another answer", show=False, id="regenerate"),
        Binding("left", "ask('answer_before')", "Answer before", show=False, id="answer.before"),
        Binding("right", "ask('answer_after')", "Answer after", show=False, id="answer.after"),
        Binding("e", "ask('edit')", "Correct these words", show=False, id="edit"),
        Binding("x", "ask('aside')", "Set aside, or bring back", show=False, id="exclude"),
        Binding("m", "ask('merge')", "What an open merge waits for", show=False, id="merge"),
        Binding("d", "ask('voice')", "How her persona changed last", show=False, id="voice"),
        Binding(
            "p", "ask('prompt')", "The prompt that it was answered to", show=False, id="prompt"
        ),
        Binding(
            "P",
            "ask('prompt_next')",
            "The prompt for what is in the message box",
            show=False,
            id="prompt.next",
        ),
        Binding("slash", "ask('search')", "Search the whole life", show=False, id="search"),
        Binding("n", "ask('found_after')", "Next moment found", show=False, id="search.next"),
        Binding("N", "ask('found_before')", "Moment found before", show=False, id="search.back"),
        Binding("5", "ask('memory')", "What she knows", show=False, id="memory.browsing"),
        Binding("3", "ask('timeline')", "The timeline", show=False, id="timeline.browsing"),
        Binding("i,enter", "compose", "Write", show=False, id="compose"),
        Binding("question_mark", "keys", "Keys that work here", show=False, id="help.browsing"),
    ]

    @dataclass
    class Asked(Message):
        """A browsing key whose work is the screen's."""

        what: Request

    @dataclass
    class Typed(Message):
        """A character that is no command here."""

        character: str

    def action_message(self, direction: int) -> None:
        """Move the cursor by a message; a long one is read to its end before it is left."""
        here = self.cursor
        if here is None:
            self.pick_last()
            return
        edge = self._back.step(Place(here.page, here.block, 0), 0)
        if direction > 0:
            last = self._back.height(here.page, here.block) - 1
            edge = Place(here.page, here.block, max(0, last))
        hidden = self._window and not self._window[0] <= edge <= self._window[-1]
        if hidden and any(self.same_block(place, here) for place in self._window):
            self.move(direction * max(1, self._height // 2))
            return
        walk = self._back.after if direction > 0 else self._back.before
        found = walk(here.page, here.block)
        while found is not None and not isinstance(self._back.blocks(found[0])[found[1]], Speech):
            found = walk(*found)
        if found is None:
            self.move(direction * self._height)
            return
        self._cursor = Place(*found, 0)
        self.jump_into_view(self._cursor)

    def pick_last(self) -> None:
        """Put the cursor on the last message in view; where none is, on the nearest above."""
        for place in reversed(self._window):
            if isinstance(self._back.block(place), Speech):
                self.cursor = Place(place.page, place.block, 0)
                return
        first = self._window[0] if self._window else None
        here = self._back.before(first.page, first.block) if first is not None else None
        while here is not None and not isinstance(self._back.blocks(here[0])[here[1]], Speech):
            here = self._back.before(*here)
        if here is not None:
            self.cursor = Place(*here, 0)
            self.jump_into_view(self.cursor or Place(*here, 0))

    def pick_seen(self) -> None:
        """Let the cursor be where one looks: on what is picked, if that is seen, else the last."""
        if not self.cursor_in_view:
            self.pick_last()

    def pick_any(self) -> None:
        """Put the cursor on the last message in view where it is on none."""
        if self.cursor is None:
            self.pick_last()

    def on_focus(self) -> None:
        """Keys act on a message that is seen."""
        self.pick_seen()

    def action_page(self, direction: int) -> None:
        """Scroll by a view; the cursor comes along."""
        self.move(direction * self.page_height())
        self.pick_last()

    def action_first(self) -> None:
        """The very first row of all."""
        self._settle(Place(0, 0, 0))
        found = self._back.after(0, 0) if self._back.pages else None
        if found is not None:
            self.cursor = Place(*found, 0)

    def action_last(self) -> None:
        """The end, to be followed."""
        self.follow()
        self.pick_last()

    def action_conversation(self, direction: int) -> None:
        """The conversation before or after."""
        self.post_message(
            self.Asked("conversation-after" if direction > 0 else "conversation-before")
        )

    @property
    def picked(self) -> Speech | None:
        """The message under the cursor."""
        here = self.cursor
        block = self._back.block(here) if here is not None else None
        return block if isinstance(block, Speech) else None

    @property
    def picked_text(self) -> str:
        """The picked message's source text, not its picture; empty without one."""
        return self.picked.text if self.picked is not None else ""

    def action_times(self) -> None:
        """Show or hide times."""
        self.toggle_times()

    def action_ask(self, what: Request) -> None:
        """Hand a key on to the screen."""
        self.post_message(self.Asked(what))

    def action_compose(self) -> None:
        """Go and write."""
        self.post_message(self.Asked("compose"))

    def action_keys(self) -> None:
        """Tell the keys."""
        self.post_message(self.Asked("keys"))

    def on_key(self, event: events.Key) -> None:
        """Letters that are no commands are the beginning of a message."""
        bound = event.key in self._bindings.key_to_bindings
        if event.is_printable and event.character and not bound:
            event.stop()
            self.post_message(self.Typed(event.character))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        if self._painter is None or not self._window:
            return None
        columns = self._painter.columns
        text = selected_source(selection, self._back, self._window, self._row_at, columns)
        return (text, "\n") if text else None

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002 - Textual's
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click picks the speech under it."""
        offset = event.get_content_offset(self) or Offset(0, 0)
        if 0 <= offset.y < len(self._window) and not self.screen.selections:
            place = self._window[offset.y]
            if isinstance(self._back.block(place), Speech):
                self.cursor = Place(place.page, place.block, 0)
