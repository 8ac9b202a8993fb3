"""A panel over the conversation: its list, its notice row, its status line, its errors."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.help import FIXED, HelpScreen, described
from perdure.tui.dialogs.text import Reading
from perdure.tui.host import ChatHost
from perdure.tui.themes import WIDTHS
from perdure.tui.widgets.flash import Flash
from perdure.tui.widgets.status_line import Hint, StatusLine
from perdure.tui.workers import work

Keys = Sequence[Collection[Hashable]]
"""What each row of a list is known by when the list was read again; one of a row's is enough."""


class PanelScreen(Screen[None]):
    """A list and what is beside it; its own errors, and the status of the conversation below."""

    HORIZONTAL_BREAKPOINTS = WIDTHS
    AUTO_FOCUS = "#rows"
    HINTS: tuple[Hint, ...] = ()
    NAME = ""
    """What the ids of its widgets begin with."""
    FIND = ""
    """What the box for words says while it is empty; "" for a panel without one."""

    def __init__(self, chat: ChatHost, glyphs: Glyphs) -> None:
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._chat = chat
        self._glyphs = glyphs
        self._keys: Keys = ()
        self._words = ""
        """What the lists are narrowed to."""

    def compose(self) -> ComposeResult:
        yield Static(id=f"{self.NAME}-head", markup=False)
        with Horizontal(id=f"{self.NAME}-panes"):
            yield from self.compose_lists()
            with VerticalScroll(id="preview", can_focus=False):
                yield Static(id="preview-text", markup=False)
        with Vertical(id=f"{self.NAME}-foot"):
            yield Flash(self._glyphs, widget_id=f"{self.NAME}-flash")
            if self.FIND:
                yield Input(id="find", placeholder=self.FIND)
        yield StatusLine(self._glyphs, widget_id="status")

    def compose_lists(self) -> ComposeResult:
        """The list, and what is on the left of it."""
        yield OptionList(id="rows", markup=False)

    def on_mount(self) -> None:
        if self.FIND:
            self.query_one("#find").display = False
        self._show_status()
        self.set_interval(0.5, self._show_status)

    @property
    def flash(self) -> Flash:
        """The notice row."""
        return self.query_one(Flash)

    @property
    def rows(self) -> OptionList:
        """The list."""
        return self.query_one("#rows", OptionList)

    @property
    def preview(self) -> str:
        """What is shown beside the list."""
        return str(self.query_one("#preview-text", Static).render())

    @property
    def moved(self) -> OptionList:
        """The list that the keys move in."""
        return self.rows

    def action_move(self, rows: int) -> None:
        """One row up or down."""
        if rows > 0:
            self.moved.action_cursor_down()
        else:
            self.moved.action_cursor_up()

    def action_end(self, where: int) -> None:
        """The first row, or the last that was read."""
        if where < 0:
            self.moved.action_first()
        else:
            self.moved.action_last()

    def show_rows(self, texts: Sequence[Text], keys: Keys, nothing: Text) -> None:
        """Show other rows; the cursor stays on what it was on, or goes to what is left of it.

        ``nothing`` is said where there are none.
        """
        rows = self.rows
        at = row_again(self._keys, rows.highlighted, keys)
        self._keys = keys
        rows.clear_options()
        rows.add_options([Option(text) for text in texts])
        if texts:
            rows.highlighted = at
        else:
            rows.add_option(Option(nothing, disabled=True))

    def forget_rows(self) -> None:
        """Another list follows: its cursor begins at the first row."""
        self._keys = ()
        self.rows.clear_options()

    def show_head(self, line: Content) -> None:
        """Say something above the list."""
        self.query_one(f"#{self.NAME}-head", Static).update(line)

    def show_preview(self, text: Text | str) -> None:
        """Show something beside the list."""
        self.query_one("#preview-text", Static).update(text)
        self.query_one("#preview").scroll_home(animate=False)

    async def read_about(self) -> tuple[str, Text] | None:
        """Title and text of what the cursor is on; None for nothing."""
        return None

    @work(group="preview", exclusive=True)
    async def preview_row(self) -> None:
        """Show beside the list what the cursor is on, if there is room."""
        if not self.has_class("-narrow") and (found := await self.read_about()) is not None:
            self.show_preview(found[1])

    @work(group="full", exclusive=True)
    async def read_row(self) -> None:
        """Show in full what the cursor is on."""
        if (found := await self.read_about()) is not None:
            self.read_in_full(*found)

    # -- the box for words ---------------------------------------------------------------------

    def narrow(self, words: str) -> None:
        """Show only what has these words; "" shows all."""

    def widen(self) -> None:
        """Show all again."""
        self.narrow("")

    def action_find(self) -> None:
        """Open the box for words."""
        box = self.query_one("#find", Input)
        box.display = True
        box.value = self._words
        box.focus()

    def _close_find(self) -> None:
        self.query_one("#find").display = False
        self.rows.focus()

    @on(Input.Submitted, "#find")
    def _narrow(self, event: Input.Submitted) -> None:
        self._close_find()
        self.narrow(event.value.strip())

    def action_leave(self) -> None:
        """Close; first the box for words, then what it narrowed."""
        if self.FIND and self.focused is self.query_one("#find"):
            self._close_find()
        elif self._words:
            self.widen()
        else:
            self.dismiss()

    # -- the chat below ------------------------------------------------------------------------

    def open_instead(self, action: str) -> None:
        """Open another panel in the place of this one."""
        self.dismiss()
        self._chat.conversation.run_soon(f"screen.{action}")

    def action_undo(self) -> None:
        """Undo."""
        self._chat.history.undo()

    def action_redo(self) -> None:
        """Redo."""
        self._chat.history.redo()

    def action_nothing(self) -> None:
        """A hint that only tells."""

    def action_keys(self) -> None:
        """Show the keys that work here."""
        title = self.BINDING_GROUP_TITLE or ""
        keys = [*FIXED[title], *described(self.BINDINGS)]
        self.app.push_screen(HelpScreen([(title, keys)], plain=self._glyphs.rule.isascii()))

    def read_in_full(self, title: str, text: Text) -> None:
        """Show a text over all of the panel, if nothing else was opened meanwhile."""
        if self.app.screen is self:
            self.app.push_screen(Reading(title, text, self._glyphs))

    # -- what the chat says --------------------------------------------------------------------

    def refresh_list(self) -> None:
        """Read all anew: something was done to the history."""

    def will_walk(self, entry: str) -> None:
        """An entry of the log of operations is about to be taken back, or brought back."""

    def _show_status(self, hints: Sequence[Hint] | None = None) -> None:
        status = self._chat.conversation.status.status
        shared = {name: getattr(status, name) for name in type(status).__slots__}
        shared["hints"] = self.HINTS if hints is None else tuple(hints)
        self.query_one("#status", StatusLine).change(**shared)


def open_panel(app: App[Any]) -> PanelScreen | None:
    """The panel that is open, whatever dialogs stand over it."""
    return next((each for each in app.screen_stack if isinstance(each, PanelScreen)), None)


def row_again(before: Keys, at: int | None, after: Keys) -> int:
    """The row that the cursor belongs on once a list was read again.

    The one that has a key of the row it was on. Where that is gone: the one behind the nearest that
    stood before it, which is the same place; where all before it are gone too, the first.
    """
    if at is None or not 0 <= at < len(before) or not after:
        return 0
    places = {key: place for place, keys in reversed(list(enumerate(after))) for key in keys}
    for row in range(at, -1, -1):
        found = [places[key] for key in before[row] if key in places]
        if found:
            return min(found[0] + (row != at), len(after) - 1)
    return 0
