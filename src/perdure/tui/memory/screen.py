"""The memory browser: facts, summaries, proposals to review, and what keys do to them."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from perdure.actions.memory.facts import MemoryPlan
from perdure.actions.memory.review import ReviewItem
from perdure.companion.memory.summaries import Summary
from perdure.git.repository.repository import Repository
from perdure.snapshot.facts import FactRow
from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row
from perdure.tui.host import ChatHost
from perdure.tui.memory.about import about_row, change_of
from perdure.tui.memory.edits import MemoryEdits
from perdure.tui.memory.lists import MemoryLists
from perdure.tui.memory.rows import (
    REVIEW,
    MemoryRow,
    Topic,
    fact_key,
    key_of,
    rows_text,
    source_of,
    text_of,
    topic_row,
    topics_head,
)
from perdure.tui.panel import PanelScreen
from perdure.tui.workers import work
from perdure.views.memory import MemoryView, read_memory_view
from perdure.views.reader import BackgroundReader

_LOOK_SECONDS = 2.0
"""How often it is looked whether something else wrote to the branch."""
_PICK = "There is nothing on this row."


class MemoryScreen(PanelScreen):
    """Lists of facts, summaries and proposals, and what keys do to the row under the cursor."""

    NAME = "memory"
    FIND = "Words of a fact; enter narrows, esc closes"
    HINTS = (
        ("[ ]", "lists", "screen.list(1)"),
        ("a", "accept", "screen.accept"),
        ("e", "edit", "screen.edit"),
        ("x", "aside", "screen.aside"),
        ("n", "new fact", "screen.add"),
        ("z", "undo", "screen.undo"),
        ("?", "keys", "screen.keys"),
    )
    BINDING_GROUP_TITLE = "Memory"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,1", "leave", "Back to the conversation", id="memory.leave"),
        Binding("f4,3", "timeline", "The timeline", id="memory.timeline"),
        Binding("j", "move(1)", "Down", id="memory.down"),
        Binding("k", "move(-1)", "Up", id="memory.up"),
        Binding("g", "end(-1)", "The first", id="memory.first"),
        Binding("G", "end(1)", "The last", id="memory.last"),
        Binding("left_square_bracket", "list(-1)", "Previous list", id="memory.list.up"),
        Binding("right_square_bracket", "list(1)", "Next list", id="memory.list.down"),
        Binding("slash", "find", "Narrow to words", id="memory.find"),
        Binding("enter", "open", "Show it in full", id="memory.open"),
        Binding("a", "accept", "Accept a proposal, or a fact that is held", id="memory.accept"),
        Binding("r", "reject", "Reject it: off the list, in no prompt", id="memory.reject"),
        Binding("e", "edit", "Edit; a proposal is accepted as you edit it", id="memory.edit"),
        Binding("x", "aside", "Set a fact aside, or bring it back", id="memory.aside"),
        Binding("asterisk", "pin", "Pin a fact before all others, or unpin it", id="memory.pin"),
        Binding("o", "source", "The turn that it came from", id="memory.source"),
        Binding("d", "change", "Its last change; what accepting would change", id="memory.diff"),
        Binding("n", "add", "Write a new fact", id="memory.add"),
        Binding("z", "undo", "Undo your last act", id="memory.undo"),
        Binding("Z", "redo", "Redo what was undone", id="memory.redo"),
        Binding("f1,question_mark", "keys", "Keys that work here", id="memory.help"),
    ]

    def __init__(
        self, chat: ChatHost, readers: tuple[BackgroundReader, BackgroundReader], glyphs: Glyphs
    ) -> None:
        super().__init__(chat, glyphs)
        self._reader, self._beside = readers
        self._lists = MemoryLists()
        self._edits = MemoryEdits(self, chat, glyphs, self._changed)
        self._wanted_row: tuple[str, ...] = ()
        self._are_troubles_told = False

    def compose_lists(self) -> ComposeResult:
        yield OptionList(id="topics", markup=False)
        yield from super().compose_lists()

    def on_mount(self) -> None:
        self.set_interval(_LOOK_SECONDS, self._look_again)
        self.read()

    @property
    def topics(self) -> OptionList:
        """The list of lists."""
        return self.query_one("#topics", OptionList)

    @property
    def topic(self) -> Topic | None:
        """The list that is shown."""
        return self._lists.topic

    @property
    def row(self) -> MemoryRow | None:
        """What the cursor is on."""
        return self._lists.row(self.rows.highlighted)

    # -- reading -------------------------------------------------------------------------------

    def refresh_list(self) -> None:
        """Read the lists anew."""
        self.read()

    @work(group="read", exclusive=True)
    async def read(self) -> None:
        """Read all anew."""
        found = await self._reader.ask(read_memory_view)
        self._arrange(found)
        if found.troubles and not self._are_troubles_told:
            self._are_troubles_told = True
            more = len(found.troubles) - 1
            words = found.troubles[0] + (f", and {more} more" if more else "")
            self.flash.show(f"Not everything could be read: {words}", "warning", stays=True)

    @work(group="again", exclusive=True)
    async def _look_again(self) -> None:
        tip = await self._reader.ask(lambda repo: repo.head().commit)
        if self._lists.look is not None and tip != self._lists.look.tip:
            self.read()

    def _changed(self, plan: MemoryPlan | None) -> None:
        """Something was changed from here: read it, with the cursor on the fact."""
        if plan is not None and plan.fact is not None:
            self._wanted_row = fact_key(plan.fact)
            if plan.what == "add":
                self._lists.want(f"topic:{plan.fact.topic}")
        self.read()

    # -- showing -------------------------------------------------------------------------------

    def _arrange(self, found: MemoryView) -> None:
        """Show what was read, on the list and the row where one was."""
        if not self._lists.arrange(found, self._words):
            self.forget_rows()
        with self.prevent(OptionList.OptionHighlighted):
            self.topics.clear_options()
            self.topics.add_options([Option(topic_row(each)) for each in self._lists.topics])
            self.topics.highlighted = self._lists.at
        self._show()

    def _show(self) -> None:
        topic = self.topic
        if topic is None:
            return
        self._head()
        year = self._chat.conversation.now().year
        texts = rows_text(topic, self._glyphs, year=year)
        if not texts:
            self.show_preview("")
        keys = [(key_of(each),) for each in topic.rows]
        self.show_rows(texts, keys, Text(self._nothing(topic), "dim"))
        if (self._wanted_row,) in keys:
            self.rows.highlighted = keys.index((self._wanted_row,))
            self._wanted_row = ()

    def _nothing(self, topic: Topic) -> str:
        if self._words:
            return "Nothing here contains these words."
        if topic.label == REVIEW:
            return "Nothing to review. n writes a fact."
        return "Nothing here."

    def _head(self) -> None:
        if self.has_class("-wide"):
            line = Content.styled(" Memory", "bold $accent")
        else:
            text = topics_head(self._lists.topics, self._lists.at, self.size.width - 2)
            line = Content.from_rich_text(text)
            begin, end = text.plain.find("["), text.plain.find("]")
            line = line.stylize("$accent", begin, end + 1)
        if self._words:
            line = line.append(Content.styled(f"  /{one_row(self._words)}", "italic"))
        self.show_head(line)

    def on_resize(self) -> None:
        """Another width shows the lists in another place."""
        self.call_after_refresh(self._head)

    # -- moving --------------------------------------------------------------------------------

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list is self.rows:
            self.action_open()
        else:
            self.rows.focus()

    @on(OptionList.OptionHighlighted, "#topics")
    def _topic_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.go_to_list(event.option_index)

    @on(OptionList.OptionHighlighted, "#rows")
    def _highlighted(self) -> None:
        self.preview_row()

    def go_to_list(self, at: int) -> None:
        """Show another list."""
        if at != self._lists.at and 0 <= at < len(self._lists.topics):
            self._lists.at = at
            with self.prevent(OptionList.OptionHighlighted):
                self.topics.highlighted = at
            self.forget_rows()
            self._show()

    @property
    def moved(self) -> OptionList:
        return self.topics if self.focused is self.topics else self.rows

    def action_list(self, step: int) -> None:
        """Another list."""
        self.go_to_list(self._lists.turned(step))

    def action_timeline(self) -> None:
        """The timeline, in the place of this."""
        self.open_instead("timeline")

    def narrow(self, words: str) -> None:
        """Show only the rows that have these words."""
        self._words = words
        if self._lists.look is not None:
            self._arrange(self._lists.look)
        if words and self.topic is not None and not self.topic.rows:
            self.go_to_list(self._lists.first_filled(self._lists.at))

    # -- looking -------------------------------------------------------------------------------

    async def read_about(self) -> tuple[str, Text] | None:
        row, seen = self.row, self._lists.look
        if row is None or seen is None:
            return None

        def ask(repo: Repository) -> Text:
            return about_row(repo, seen, row, lambda _done, _total: self._beside.goes_on())

        return text_of(row), await self._beside.ask(ask)

    def action_open(self) -> None:
        """Show what is beside the row in full."""
        self.read_row()

    @work(group="full", exclusive=True)
    async def action_change(self) -> None:
        """Show the change that brought the row, or that accepting it would make."""
        row, seen = self.row, self._lists.look
        if row is not None and seen is not None:
            self.read_in_full(*await self._beside.ask(lambda repo: change_of(repo, seen, row)))

    def action_source(self) -> None:
        """Go to the turn that the row came from."""
        row = self.row
        turn = source_of(row) if row is not None else None
        if turn is None:
            self.flash.show("It did not come from a turn." if row is not None else _PICK)
        else:
            self.dismiss()
            self._chat.conversation.go_to_turn(turn)

    # -- changing ------------------------------------------------------------------------------

    def _waiting(self) -> ReviewItem | None:
        """What waits under the cursor; an imported fact that is held waits in its topic too."""
        row, seen = self.row, self._lists.look
        if isinstance(row, ReviewItem):
            return row
        if isinstance(row, FactRow) and row.held and seen is not None:
            return next((each for each in seen.review.rows if each.held == row), None)
        return None

    def _fact(self) -> FactRow | None:
        row = self.row
        if isinstance(row, FactRow):
            return row
        if isinstance(row, ReviewItem):
            self.flash.show("It is not a fact yet: a accepts it, r rejects it.")
        else:
            self.flash.show("That works only on facts." if row is not None else _PICK)
        return None

    def action_accept(self) -> None:
        """Let in what waits."""
        row = self._waiting()
        if row is None:
            self.flash.show("There is nothing to accept on this row; see the list Review.")
        else:
            self._edits.accept(row)

    def action_reject(self) -> None:
        """Take what waits off the list."""
        row = self._waiting()
        if row is None:
            self.flash.show("Only proposals can be rejected; x sets a fact aside.")
        else:
            self._edits.reject(row)

    def action_edit(self) -> None:
        """Put it in other words."""
        row = self.row
        if row is None:
            self.flash.show(_PICK)
        elif isinstance(row, Summary):
            self.flash.show(f"Edit {row.path}; the next message commits it.", stays=True)
        elif isinstance(row, ReviewItem) and row.proposal.kind == "remove":
            self.flash.show("It removes a fact; there is nothing to edit.")
        else:
            self._edits.reword(row)

    def action_pin(self) -> None:
        """Pin a fact, or not any more."""
        if (row := self._fact()) is not None:
            self._edits.pin(row)

    def action_aside(self) -> None:
        """Set a fact aside, or bring it back."""
        if (row := self._fact()) is not None:
            self._edits.set_aside(row)

    def action_add(self) -> None:
        """Write a new fact."""
        self._edits.add(self.topic.fact_topic if self.topic is not None else "")
