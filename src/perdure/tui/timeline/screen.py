"""The timeline: what happened, which branches there are, what was done and can be undone."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList

from perdure.chat.looking_back import FOLDERS, BranchName, Row
from perdure.tui.dialogs.help import HelpScreen
from perdure.tui.dialogs.text import Reading
from perdure.tui.timeline.lists import TABS, Tab, TimelineLists
from perdure.tui.workers import work


class TimelineScreen(TimelineLists):
    """Three lists, and what keys do to the row under the cursor."""

    BINDING_GROUP_TITLE = "The timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,1", "leave", "Back to the talk", id="timeline.leave"),
        Binding("f6,5", "memory", "What she knows", show=False, id="timeline.memory"),
        Binding("j", "move(1)", "Down", show=False, id="timeline.down"),
        Binding("k", "move(-1)", "Up", show=False, id="timeline.up"),
        Binding("g", "end(-1)", "The newest", show=False, id="timeline.first"),
        Binding("G", "end(1)", "The oldest that was read", show=False, id="timeline.last"),
        Binding("left_square_bracket", "tab(-1)", "List before", show=False, id="timeline.tab.up"),
        Binding("right_square_bracket", "tab(1)", "List after", show=False, id="timeline.tab.down"),
        Binding("f", "narrow(1)", "Narrow to persona, chat, …", show=False, id="timeline.kind"),
        Binding("F", "narrow(-1)", "The other way round", show=False, id="timeline.kind.back"),
        Binding("slash", "find", "Find words in the messages", show=False, id="find"),
        Binding("enter,d", "open", "Show the change in full; go to a branch", id="diff"),
        Binding("space", "unfold", "Show turns one by one", show=False, id="mark"),
        Binding("s", "switch", "Switch to this branch", show=False, id="branch.switch"),
        Binding("m", "merge", "Merge this branch into the one you are on", id="branch.merge"),
        Binding("b", "branch", "Branch from here", show=False, id="timeline.branch"),
        Binding("c", "tag", "Tag this", show=False, id="timeline.tag"),
        Binding("w", "rewind", "Talk on from here", show=False, id="timeline.rewind"),
        Binding("R", "revert", "Take this change back", show=False, id="revert"),
        Binding("z", "undo", "Undo the last thing done", show=False, id="timeline.undo"),
        Binding("Z", "redo", "Redo what was undone", show=False, id="timeline.redo"),
        Binding("f1,question_mark", "keys", "Keys that work here", id="timeline.help"),
    ]

    @on(OptionList.OptionSelected, "#rows")
    def _selected(self) -> None:
        self.action_open()

    # -- keys ----------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Back to the talk; first out of the box for words."""
        if self.focused is self.query_one("#find"):
            self._close_find()
        elif self._grep:
            self._grep = ""
            self.read()
        else:
            self.dismiss()

    def action_memory(self) -> None:
        """What she knows, in the place of this."""
        self.dismiss()
        self._chat.conversation.run_soon("screen.memory")

    def action_tab(self, step: int) -> None:
        """Another list."""
        self.go_to(TABS[(TABS.index(self._tab) + step) % len(TABS)])

    def go_to(self, tab: Tab) -> None:
        """Show a list."""
        self._tab = tab
        self._wanted_entry = ""
        self.forget_rows()
        self.read()

    def action_narrow(self, step: int) -> None:
        """Narrow the history to a kind of change."""
        kinds = list(FOLDERS)
        self._kind = kinds[(kinds.index(self._kind) + step) % len(kinds)]
        self._read_history()

    def action_find(self) -> None:
        """Open the box for words."""
        box = self.query_one("#find", Input)
        box.display = True
        box.value = self._grep
        box.focus()

    def _close_find(self) -> None:
        self.query_one("#find").display = False
        self.rows.focus()

    @on(Input.Submitted, "#find")
    def _words(self, event: Input.Submitted) -> None:
        self._grep = event.value.strip()
        self._close_find()
        self._read_history()

    def _read_history(self) -> None:
        """Read the history, as narrow as it is wanted."""
        if self._tab != "History":
            self._tab = "History"
            self.forget_rows()
        self.read()

    def action_unfold(self) -> None:
        """List the turns of a row one by one, or as one again."""
        row = self.row
        if not isinstance(row, Row) or not row.turns:
            return
        if row.is_folded:
            self._opened.add(row.commit.id)
        else:
            self._opened.difference_update(row.run)
        self._show()

    def action_open(self) -> None:
        """The change in full; on a branch: go there."""
        if self._tab == "Branches":
            self.action_switch()
        else:
            self._read_full()

    @work(group="full", exclusive=True)
    async def _read_full(self) -> None:
        async def full() -> None:
            found = await self._find()
            if found is not None and self.app.screen is self:
                self.app.push_screen(Reading(found.title, found.text(), self._glyphs))

        await self._guarded(full)

    def action_switch(self) -> None:
        """Go to the branch under the cursor."""
        row = self.row
        if isinstance(row, BranchName):
            self._chat.history.switch_to(row.name)
        elif isinstance(row, Row) and row.branches:
            self._chat.history.switch_to(row.branches[0])
        else:
            self.flash.tell("There is no branch on this row.")

    def action_merge(self) -> None:
        """Merge the branch under the cursor; with a merge open, show what it waits for."""
        row = self.row
        if self._chat.merge.open_join is not None:
            self._chat.merge.show()
        elif isinstance(row, BranchName):
            self._chat.merge.begin(row.name)
        elif isinstance(row, Row) and row.branches:
            self._chat.merge.begin(row.branches[0])
        else:
            self.flash.tell("There is no branch on this row.")

    def action_branch(self) -> None:
        """Begin a branch here."""
        if self.commit:
            self._chat.history.begin_branch(self.commit)

    def action_tag(self) -> None:
        """Give this a name that stays."""
        if self.commit:
            self._chat.history.begin_tag(self.commit)

    def action_rewind(self) -> None:
        """Talk on from here."""
        if self.commit:
            self._chat.history.continue_from(self.commit)

    def action_revert(self) -> None:
        """Take back the change under the cursor."""
        row = self.row
        if isinstance(row, Row):
            self._chat.history.revert(row.commit.id)
        else:
            self.flash.tell("Changes are taken back in the list History; z undoes what was done.")

    def action_undo(self) -> None:
        """Undo."""
        self._chat.history.undo()

    def action_redo(self) -> None:
        """Redo."""
        self._chat.history.redo()

    def will_walk(self, entry: str) -> None:
        """Put the cursor on what undo or redo is about to take."""
        self._wanted_entry = entry
        if self._tab == "Operations" and self._operations:
            self.rows.highlighted = self._operation_at(entry)

    def action_keys(self) -> None:
        """Show the keys that work here."""
        from perdure.tui.keys import timeline_groups

        groups = timeline_groups(TimelineScreen.BINDINGS)
        self.app.push_screen(HelpScreen(groups, plain=self._glyphs.rule.isascii()))
