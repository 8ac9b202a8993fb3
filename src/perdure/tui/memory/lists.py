"""The panes of the memory browser: topics, what is in one, and what its row is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from perdure.chat.memory_looks import MemoryLook, look
from perdure.companion.ids import TurnId
from perdure.tui.dialogs.question import one_row
from perdure.tui.memory.about import about
from perdure.tui.memory.rows import (
    REVIEW,
    Row,
    Topic,
    head,
    key_of,
    rows_text,
    topic_row,
    topics_of,
)
from perdure.tui.panel import PanelScreen
from perdure.tui.widgets.flash import Flash
from perdure.tui.widgets.status_line import StatusLine
from perdure.tui.workers import work

if TYPE_CHECKING:
    from perdure.chat.reader import Reader
    from perdure.history.repository import Repository
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.host import ChatHost

_LOOK_SECONDS = 2.0
"""How often it is looked whether something else wrote to the branch."""


class MemoryLists(PanelScreen):
    """Reads and shows them; what keys do is `MemoryScreen`'s."""

    HINTS = (
        ("[ ]", "lists", "screen.list(1)"),
        ("a", "accept", "screen.accept"),
        ("e", "edit", "screen.edit"),
        ("x", "aside", "screen.aside"),
        ("n", "new fact", "screen.add"),
        ("z", "undo", "screen.undo"),
        ("?", "keys", "screen.keys"),
    )

    def __init__(self, chat: ChatHost, readers: tuple[Reader, Reader], glyphs: Glyphs) -> None:
        super().__init__(chat, glyphs)
        self._reader, self._beside = readers
        self._look: MemoryLook | None = None
        self._topics: list[Topic] = []
        self._at = 0
        self._words = ""
        self._wanted: str | None = None
        self._wanted_row: tuple[str, ...] = ()
        self._told_troubles = False

    def compose(self) -> ComposeResult:
        yield Static(id="memory-head", markup=False)
        with Horizontal(id="memory-panes"):
            yield OptionList(id="topics", markup=False)
            yield OptionList(id="rows", markup=False)
            with VerticalScroll(id="preview", can_focus=False):
                yield Static(id="preview-text", markup=False)
        with Vertical(id="memory-foot"):
            yield Flash(self._glyphs, widget_id="memory-flash")
            yield Input(id="find", placeholder="Words of a fact; enter narrows, esc closes")
        yield StatusLine(self._glyphs, widget_id="status")

    def on_mount(self) -> None:
        self.query_one("#find").display = False
        self._tell_status()
        self.set_interval(0.5, self._tell_status)
        self.set_interval(_LOOK_SECONDS, self._look_again)
        self.read()

    @property
    def topics(self) -> OptionList:
        """The list of lists."""
        return self.query_one("#topics", OptionList)

    @property
    def topic(self) -> Topic | None:
        """The list that is shown."""
        return self._topics[self._at] if self._at < len(self._topics) else None

    @property
    def row(self) -> Row | None:
        """What the cursor is on."""
        topic, at = self.topic, self.rows.highlighted
        if topic is None or at is None or at >= len(topic.rows):
            return None
        return topic.rows[at]

    # -- reading -------------------------------------------------------------------------------

    def refresh_list(self) -> None:
        """Read the lists anew."""
        self.read()

    @work(group="read", exclusive=True)
    async def read(self) -> None:
        """Read all anew."""

        async def read() -> None:
            self._look = await self._reader.ask(look)
            self._arrange()
            if self._look.troubles and not self._told_troubles:
                self._told_troubles = True
                more = len(self._look.troubles) - 1
                words = self._look.troubles[0] + (f", and {more} more" if more else "")
                self.flash.tell(f"Not everything could be read: {words}", "warning", stays=True)

        await self._guarded(read)

    @work(group="again", exclusive=True)
    async def _look_again(self) -> None:
        async def ask() -> None:
            tip = await self._reader.ask(lambda repo: repo.head().commit)
            if self._look is not None and tip != self._look.tip:
                self.read()

        await self._guarded(ask)

    # -- showing -------------------------------------------------------------------------------

    def _arrange(self) -> None:
        """Show what was read, on the list and the row where one was."""
        if self._look is None:
            return
        first, topic = not self._topics, self.topic
        before = topic.key if topic is not None else REVIEW
        key, self._wanted = self._wanted or before, None
        self._topics = topics_of(self._look, self._words)
        keys = [each.key for each in self._topics]
        self._at = keys.index(key) if key in keys else min(self._at, len(keys) - 1)
        if first and not self._topics[self._at].rows:
            filled = (at for at, each in enumerate(self._topics) if each.rows)
            self._at = next(filled, 0)
        if self._topics[self._at].key != before:
            self.forget_rows()
        with self.prevent(OptionList.OptionHighlighted):
            self.topics.clear_options()
            self.topics.add_options([Option(topic_row(each)) for each in self._topics])
            self.topics.highlighted = self._at
        self._show()

    def _show(self) -> None:
        topic = self.topic
        if topic is None:
            return
        self._tell_head()
        texts = rows_text(topic, self._glyphs, year=self._chat.conversation.now().year)
        if not texts:
            self.query_one("#preview-text", Static).update("")
        keys = [(key_of(each),) for each in topic.rows]
        self.show_rows(texts, keys, Text(self._nothing(topic), "dim"))
        if (self._wanted_row,) in keys:
            self.rows.highlighted = keys.index((self._wanted_row,))
            self._wanted_row = ()

    def _nothing(self, topic: Topic) -> str:
        if self._words:
            return "Nothing here has these words."
        if topic.label == REVIEW:
            return "Nothing to review. n writes down a fact."
        return "Nothing here."

    def _tell_head(self) -> None:
        if self.has_class("-wide"):
            line = Content.styled(" What she knows", "bold $accent")
        else:
            text = head(self._topics, self._at, self.size.width - 2)
            line = Content.from_rich_text(text)
            begin, end = text.plain.find("["), text.plain.find("]")
            line = line.stylize("$accent", begin, end + 1)
        if self._words:
            line = line.append(Content.styled(f"  /{one_row(self._words)}", "italic"))
        self.query_one("#memory-head", Static).update(line)

    def on_resize(self) -> None:
        """Another width shows the lists in another place."""
        self.call_after_refresh(self._tell_head)

    def go_to_list(self, at: int) -> None:
        """Show another list."""
        if at != self._at and 0 <= at < len(self._topics):
            self._at = at
            with self.prevent(OptionList.OptionHighlighted):
                self.topics.highlighted = at
            self.forget_rows()
            self._show()

    @on(OptionList.OptionHighlighted, "#topics")
    def _topic_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.go_to_list(event.option_index)

    @on(OptionList.OptionHighlighted, "#rows")
    def _highlighted(self) -> None:
        self._preview()

    @work(group="preview", exclusive=True)
    async def _preview(self) -> None:
        if self.has_class("-narrow"):
            return

        async def show() -> None:
            found = await self.find_text()
            if found is not None:
                self.query_one("#preview-text", Static).update(found)
                self.query_one("#preview").scroll_home(animate=False)

        await self._guarded(show)

    async def find_text(self) -> Text | None:
        """What the row under the cursor is about; None without one."""
        row, seen = self.row, self._look
        if row is None or seen is None:
            return None

        def ask(repo: Repository) -> Text:
            return about(repo, seen, row, lambda _done, _total: self._beside.goes_on())

        return await self._beside.ask(ask)

    def leave_for(self, turn: TurnId) -> None:
        """Close, and go to a turn in the talk."""
        self.dismiss()
        self._chat.conversation.go_to_turn(turn)
