"""The timeline: the history, the branches, and what was done and can be undone."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from perdure.actions.history.undo import OperationRow
from perdure.git.operations.branches import Branch
from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row
from perdure.tui.host import ChatHost
from perdure.tui.panel import PanelScreen
from perdure.tui.timeline.about import About, about_entry
from perdure.tui.timeline.lists import TABS, Tab, TimelineLists
from perdure.tui.workers import work
from perdure.views.reader import BackgroundReader
from perdure.views.timeline import FOLDERS, TimelineRow

_LANES, _NARROW_LANES = 10, 5
"""Columns of the graph that there is room for; more of them are cut off."""
_NEAR_END = 25
_WORTH_TELLING = 1000
"""With more commits than this, the screen says that an index is being made."""


class TimelineScreen(PanelScreen):
    """Three lists, and what keys do to the row under the cursor."""

    NAME = "timeline"
    FIND = "Words in the message; enter finds, esc closes"
    HINTS = (
        ("[ ]", "lists", "screen.tab(1)"),
        ("enter", "show", "screen.open"),
        ("R", "take back", "screen.revert"),
        ("z", "undo", "screen.undo"),
        ("esc", "back", "screen.leave"),
        ("?", "keys", "screen.keys"),
    )
    BINDING_GROUP_TITLE = "The timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,1", "leave", "Back to the conversation", id="timeline.leave"),
        Binding("f6,5", "memory", "Memory", id="timeline.memory"),
        Binding("j", "move(1)", "Down", id="timeline.down"),
        Binding("k", "move(-1)", "Up", id="timeline.up"),
        Binding("g", "end(-1)", "The newest", id="timeline.first"),
        Binding("G", "end(1)", "The oldest so far", id="timeline.last"),
        Binding("left_square_bracket", "tab(-1)", "Previous list", id="timeline.tab.up"),
        Binding("right_square_bracket", "tab(1)", "Next list", id="timeline.tab.down"),
        Binding("f", "narrow(1)", "Narrow to persona, chat, …", id="timeline.kind"),
        Binding("F", "narrow(-1)", "The same, backwards", id="timeline.kind.back"),
        Binding("slash", "find", "Find words in the messages", id="find"),
        Binding("enter,d", "open", "Show the change in full; go to a branch", id="diff"),
        Binding("space", "unfold", "Show turns one by one", id="mark"),
        Binding("s", "switch", "Switch to this branch", id="branch.switch"),
        Binding("m", "merge", "Merge this branch into the current one", id="branch.merge"),
        Binding("b", "branch", "Branch from here", id="timeline.branch"),
        Binding("c", "tag", "Tag this", id="timeline.tag"),
        Binding("w", "rewind", "Continue from here", id="timeline.rewind"),
        Binding("R", "revert", "Take this change back", id="revert"),
        Binding("z", "undo", "Undo your last act", id="timeline.undo"),
        Binding("Z", "redo", "Redo what was undone", id="timeline.redo"),
        Binding("f1,question_mark", "keys", "Keys that work here", id="timeline.help"),
    ]

    def __init__(
        self,
        chat: ChatHost,
        readers: tuple[BackgroundReader, BackgroundReader],
        glyphs: Glyphs,
        tab: Tab = "History",
    ) -> None:
        super().__init__(chat, glyphs)
        self._reader, self._beside = readers
        self._lists = TimelineLists(self._reader, self._progress, tab)
        self._wanted_entry = ""

    def on_mount(self) -> None:
        self.read()

    # -- reading and showing -------------------------------------------------------------------

    def refresh_list(self) -> None:
        """Read the list anew."""
        self.read()

    @work(group="read", exclusive=True)
    async def read(self) -> None:
        """Read all anew: something was done, or something else is wanted."""
        self._head()
        await self._lists.read()
        self._show()

    @work(group="more")
    async def _read_on(self) -> None:
        if await self._lists.read_on():
            self._show()

    def _progress(self, done: int, total: int) -> None:
        """Called on the reader's thread while the index of a long history is made."""
        self._reader.goes_on()
        if max(done, total) >= _WORTH_TELLING:
            share = f"{done:,} of {total:,}" if total else f"{done:,}"
            self.app.call_from_thread(self.flash.show, f"Reading the history: {share} commits")

    def _show(self) -> None:
        lanes = _NARROW_LANES if self.has_class("-narrow") else _LANES
        year = self._chat.conversation.now().year
        texts, keys = self._lists.arrange(self._glyphs, year=year, lanes=lanes)
        is_first = not self._keys
        self.show_rows(texts, keys, Text("Nothing here.", "dim"))
        if not texts:
            self.show_preview("")
            return
        if is_first or self._wanted_entry:
            at = self._lists.operation_at(self._wanted_entry)
            if at is not None:
                self.rows.highlighted = at
                self._wanted_entry = ""
        self._fill()

    def _fill(self) -> None:
        """Read on while collapsed rows do not fill the list."""
        near = (self.rows.highlighted or 0) + _NEAR_END
        if self._lists.is_short_of(max(near, self.size.height)):
            self._read_on()

    def _head(self) -> None:
        head: list[str | tuple[str, str]] = [" "]
        for tab in TABS:
            chosen = tab == self._lists.tab
            head += [(f"[{tab}]", "bold $accent") if chosen else (f" {tab} ", "dim"), " "]
        if self._lists.tab == "History":
            head.append("  ")
            for kind in FOLDERS:
                chosen = kind == self._lists.kind
                head.append((f"<{kind}>", "bold") if chosen else (f" {kind} ", "dim"))
            if self._words:
                head.append((f"  /{one_row(self._words)}", "italic"))
        self.show_head(Content.assemble(*head))

    # -- the row under the cursor --------------------------------------------------------------

    @property
    def tab(self) -> Tab:
        """The list that is shown."""
        return self._lists.tab

    @property
    def row(self) -> TimelineRow | Branch | OperationRow | None:
        """What the cursor is on."""
        return self._lists.row(self.rows.highlighted)

    @property
    def commit(self) -> str:
        """The commit that the row is about; "" without one."""
        row = self.row
        if isinstance(row, TimelineRow):
            return row.commit.id
        if isinstance(row, Branch):
            return row.commit
        if row is None:
            return ""
        return row.entry.id if row.entry.is_commit else row.entry.after.commit or ""

    def _branch_here(self) -> str:
        """The branch of the row; "" without one, and the screen says so."""
        row = self.row
        if isinstance(row, Branch):
            return row.name
        if isinstance(row, TimelineRow) and row.branches:
            return row.branches[0]
        self.flash.show("There is no branch on this row.")
        return ""

    @on(OptionList.OptionHighlighted, "#rows")
    def _highlighted(self) -> None:
        self._fill()
        self.preview_row()

    async def read_about(self) -> About | None:
        row = self.row
        return await self._beside.ask(lambda repo: about_entry(repo, row)) if row else None

    # -- keys: moving about --------------------------------------------------------------------

    def action_memory(self) -> None:
        """What she knows, in the place of this."""
        self.open_instead("memory")

    def action_tab(self, step: int) -> None:
        """Another list."""
        self.go_to(TABS[(TABS.index(self.tab) + step) % len(TABS)])

    def go_to(self, tab: Tab) -> None:
        """Show a list."""
        self._lists.tab = tab
        self._wanted_entry = ""
        self.forget_rows()
        self.read()

    def action_narrow(self, step: int) -> None:
        """Narrow the history to a kind of change."""
        kinds = list(FOLDERS)
        self._lists.kind = kinds[(kinds.index(self._lists.kind) + step) % len(kinds)]
        self._read_history()

    def narrow(self, words: str) -> None:
        """Show only the commits whose messages have these words."""
        self._words = self._lists.words = words
        self._read_history()

    def widen(self) -> None:
        """Show all again, in whichever list is shown."""
        self._words = self._lists.words = ""
        self.read()

    def _read_history(self) -> None:
        """Read the history, as narrow as it is wanted."""
        if self.tab != "History":
            self._lists.tab = "History"
            self.forget_rows()
        self.read()

    def will_walk(self, entry: str) -> None:
        """Put the cursor on what undo or redo is about to take."""
        self._wanted_entry = entry
        at = self._lists.operation_at(entry)
        if at is not None:
            self.rows.highlighted = at

    # -- keys: the row -------------------------------------------------------------------------

    def action_unfold(self) -> None:
        """List the turns of a row one by one, or as one again."""
        row = self.row
        if isinstance(row, TimelineRow) and row.turns:
            self._lists.toggle(row)
            self._show()

    @on(OptionList.OptionSelected, "#rows")
    def action_open(self) -> None:
        """The change in full; on a branch: go there."""
        if self.tab == "Branches":
            self.action_switch()
        else:
            self.read_row()

    def action_switch(self) -> None:
        """Go to the branch under the cursor."""
        if branch := self._branch_here():
            self._chat.history.switch_to(branch)

    def action_merge(self) -> None:
        """Merge the branch under the cursor; with a merge open, show what it waits for."""
        if self._chat.merge.open_join is not None:
            self._chat.merge.show()
        elif branch := self._branch_here():
            self._chat.merge.begin(branch)

    def action_branch(self) -> None:
        """Begin a branch here."""
        if self.commit:
            self._chat.history.begin_branch(self.commit)

    def action_tag(self) -> None:
        """Give this a name that stays."""
        if self.commit:
            self._chat.history.begin_tag(self.commit)

    def action_rewind(self) -> None:
        """Continue from here, on a new branch."""
        if self.commit:
            self._chat.history.continue_from(self.commit)

    def action_revert(self) -> None:
        """Take back the change under the cursor."""
        row = self.row
        if isinstance(row, TimelineRow):
            self._chat.history.revert(row.commit.id)
        else:
            self.flash.show("Take changes back in the list History; z undoes the last operation.")
