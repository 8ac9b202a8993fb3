"""The conflicts of an open merge: what each side says, and settling them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from perdure.actions.history import merge as merge_action
from perdure.actions.history.merge import UnfinishedMerge
from perdure.chat.session import Session
from perdure.git.merge.plan import FileConflict
from perdure.terminal import editor
from perdure.terminal.glyphs import Glyphs
from perdure.tui.conflicts.rows import conflict_row, conflict_text
from perdure.tui.dialogs.question import Choice, one_row
from perdure.tui.host import ChatHost
from perdure.tui.panel import PanelScreen
from perdure.tui.widgets.status_line import Hint, StatusLine

_LEAVE = Choice("", "Leave it open")


class ConflictsScreen(PanelScreen):
    """One row for each file in conflict. Closes by itself once the merge is no longer open."""

    NAME = "merge"
    HINTS = (
        ("E", "editor", "screen.edit"),
        ("m", "conclude", "screen.conclude"),
        ("o t", "take a side", "screen.nothing"),
        ("esc", "back", "screen.leave"),
        ("?", "keys", "screen.keys"),
    )
    BINDING_GROUP_TITLE = "An open merge"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,f2,1",
            "leave",
            "Back to the conversation; the merge stays open",
            id="merge.leave",
        ),
        Binding("f4,3", "timeline", "The timeline", id="merge.timeline"),
        Binding("f6,5", "memory", "Memory", id="merge.memory"),
        Binding("j", "move(1)", "Down", id="merge.down"),
        Binding("k", "move(-1)", "Up", id="merge.up"),
        Binding("g", "end(-1)", "The first", id="merge.first"),
        Binding("G", "end(1)", "The last", id="merge.last"),
        Binding("enter,d", "open", "Read it in full", id="merge.open"),
        Binding("o", "take('ours')", "Ours: the file as it is on this branch", id="merge.ours"),
        Binding("t", "take('theirs')", "Theirs: the file as it is on the other", id="merge.theirs"),
        Binding("E", "edit", "Open the file in your editor", id="merge.edit"),
        Binding("m", "conclude", "Complete the merge", id="merge.conclude"),
        Binding("A", "give_up", "Abort the merge", id="merge.abort"),
        Binding("f1,question_mark", "keys", "Keys that work here", id="merge.help"),
    ]

    def __init__(self, chat: ChatHost, join: UnfinishedMerge, glyphs: Glyphs) -> None:
        super().__init__(chat, glyphs)
        self._join = join

    def on_mount(self) -> None:
        self._show()

    def _show_status(self, hints: Sequence[Hint] | None = None) -> None:
        super()._show_status(hints)
        self.query_one("#status", StatusLine).change(merge="")  # the head says more

    def refresh_list(self) -> None:
        """Show the merge as it is now; without one, close."""
        found = self._chat.merge.open_join
        if found is None:
            self.dismiss()
        elif found != self._join:
            self._join = found
            self._show()

    # -- showing -------------------------------------------------------------------------------

    def _show(self) -> None:
        join = self._join
        what = f"{join.waits} to resolve" if join.waits else "all resolved; m completes it"
        head = Content.assemble(
            (f" Merge of {one_row(join.name)}", "bold $accent"),
            f" into {one_row(join.branch)}  {self._glyphs.separator} ",
            (what, "" if join.waits else "bold $success"),
        )
        self.show_head(head)
        conflicts = join.merge.conflicts
        texts = [conflict_row(each, self._glyphs) for each in conflicts]
        nothing = Text("Every file is resolved.", "dim")
        self.show_rows(texts, [(each.path,) for each in conflicts], nothing)
        self._look()

    @property
    def row(self) -> FileConflict | None:
        """The file under the cursor."""
        at, conflicts = self.rows.highlighted, self._join.merge.conflicts
        return conflicts[at] if at is not None and at < len(conflicts) else None

    @on(OptionList.OptionHighlighted, "#rows")
    def _look(self) -> None:
        self.show_preview(self._text())

    def _text(self) -> Text:
        row = self.row
        if row is None:
            return Text(
                f"m completes the merge: one commit, which z takes back.\n\nUntil then she "
                f"answers as she is on {one_row(self._join.branch)}."
            )
        return conflict_text(row, self._join, self._glyphs)

    # -- keys ----------------------------------------------------------------------------------

    def action_timeline(self) -> None:
        """The timeline, in the place of this."""
        self.open_instead("timeline")

    def action_memory(self) -> None:
        """What she knows, in the place of this."""
        self.open_instead("memory")

    @on(OptionList.OptionSelected, "#rows")
    def action_open(self) -> None:
        """Both sides in full."""
        if self.row is not None:
            self.read_in_full(self.row.path, self._text())

    # -- settling ------------------------------------------------------------------------------

    def action_take(self, side: str) -> None:
        """One side's version, whole."""
        row = self.row
        if row is None:
            self.flash.show("There is no file on this row.")
            return
        path, name = row.path, self._join.branch if side == "ours" else self._join.name

        async def plan(session: Session) -> None:
            if row.settled:
                keep = Choice("go", f"Take it from {name}", "The lines that you resolved are lost.")
                says = (f"No conflict markers are left in {path}.",)
                if not await self._chat.conversation.ask("Take one side", says, _KEPT, keep):
                    return
            await session.act(lambda workspace: merge_action.take_side(workspace, path, side))
            await self._chat.merge.read(session)
            self.flash.show(f"{path} is as on {name}.", "success")

        self._chat.history.act(plan)

    def action_edit(self) -> None:
        """Leave the terminal to the editor; what it wrote is looked at afterwards."""
        row = self.row
        if row is None:
            self.flash.show("There is no file on this row.")
            return
        path = row.path

        async def plan(session: Session) -> None:
            file = session.info.path / path
            before = file.read_bytes() if file.is_file() else None
            try:
                with self.app.suspend():
                    editor.edit_file(file)
            except SuspendNotSupported:
                self.flash.show(
                    f"No editor can open in this terminal. Open the file yourself: {file}"
                )
                return
            after = file.read_bytes() if file.is_file() else None
            if after == before:
                self.flash.show("Nothing was changed.")
                return
            if not merge_action.marks_in(after):
                await session.act(lambda workspace: merge_action.take_file(workspace, path))
                self.flash.show(f"{path} is resolved.", "success")
            await self._chat.merge.read(session)

        self._chat.history.act(plan)

    def action_conclude(self) -> None:
        """One commit with both sides in it; only once every file is resolved."""

        async def plan(session: Session) -> None:
            join = self._join
            await session.act(merge_action.conclude)
            await self._chat.merge.read(session)
            self._chat.history.moved(f"{join.name} is merged into {join.branch}. z takes it back.")

        self._chat.history.act(plan)

    def action_give_up(self) -> None:
        """All as it was before; what was settled so far goes, so it is asked about."""

        async def plan(session: Session) -> None:
            join = self._join
            says = (
                f"Files are as {join.branch} has them again; {join.name} stays as it is.",
                "What you have resolved so far, in your editor too, will be lost.",
            )
            go = Choice("go", "Abort the merge", f"To start it again: m on {join.name}.")
            if not await self._chat.conversation.ask("Abort the merge", says, _LEAVE, go):
                return
            await session.act(merge_action.abort)
            await self._chat.merge.read(session)
            self._chat.history.moved("The merge is aborted; everything is as it was.")

        self._chat.history.act(plan)


_KEPT = Choice("", "Keep it as it is in the folder")
