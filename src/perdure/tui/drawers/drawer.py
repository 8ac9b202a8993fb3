"""A list over the conversation, with the text of its row beside it, or below where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from perdure.companion.ids import TurnId
from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise
from perdure.tui.themes import WIDTHS


class Drawer(ModalScreen[TurnId | None]):
    """A list to fill. Gives back the turn to go to; None: stay."""

    HORIZONTAL_BREAKPOINTS = WIDTHS
    AUTO_FOCUS = "#drawer-list"
    TITLE = ""
    FOOT: tuple[str, ...] = ()
    """What keys do, at the lower edge."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="drawer.close"),
        Binding("j,down", "move(1)", "Down; the text is shown beside the list", id="drawer.down"),
        Binding("k,up", "move(-1)", "Up", id="drawer.up"),
        Binding("g,home", "end(-1)", "The first", id="drawer.first"),
        Binding("G,end", "end(1)", "The last", id="drawer.last"),
        Binding("pagedown", "page(1)", "Scroll the text down", id="drawer.page.down"),
        Binding("pageup", "page(-1)", "Scroll the text up", id="drawer.page.up"),
        Binding("space", "read", "Read the text in full", id="drawer.read"),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="drawer-box", classes="box") as box:
            box.border_title = self.TITLE
            box.border_subtitle = f" {self._glyphs.separator} ".join(self.FOOT)
            yield from self.compose_head()
            with Container(id="drawer-panes"):
                yield OptionList(id="drawer-list", markup=False)
                with VerticalScroll(id="drawer-beside", can_focus=False):
                    yield Static(id="drawer-text", markup=False)

    def compose_head(self) -> ComposeResult:
        """What is above the list."""
        yield Static(id="drawer-head", markup=False)

    @property
    def list(self) -> OptionList:
        """The list."""
        return self.query_one("#drawer-list", OptionList)

    @property
    def at(self) -> int | None:
        """Number of the row under the cursor."""
        return self.list.highlighted

    def beside(self, at: int) -> tuple[str, Text]:
        """Title and text of a row."""
        raise NotImplementedError

    def fill(self, rows: Sequence[Text], *, empty: str = "Nothing here.") -> None:
        """Show other rows, the cursor on the first."""
        options = self.list
        options.clear_options()
        options.add_options([Option(row) for row in rows])
        self._show_text(Text())
        if rows:
            options.highlighted = 0
        else:
            options.add_option(Option(Text(empty, "dim"), disabled=True))

    def show_head(self, text: Text) -> None:
        """Say something above the list."""
        self.query_one("#drawer-head", Static).update(text)

    def _show_text(self, text: Text) -> None:
        self.query_one("#drawer-text", Static).update(text)
        self.query_one("#drawer-beside").scroll_home(animate=False)

    @on(OptionList.OptionHighlighted, "#drawer-list")
    def _highlighted(self) -> None:
        # Not the row that the message names: it may be of rows that are gone by now.
        if self.at is not None:
            self._show_text(self.beside(self.at)[1])

    @on(OptionList.OptionSelected, "#drawer-list")
    def _selected(self) -> None:
        self.go_in()

    def go_in(self) -> None:
        """Enter on a row."""
        self.action_read()

    def action_close(self) -> None:
        """Close, and stay where one was."""
        self.dismiss(None)

    def action_move(self, rows: int) -> None:
        """One row up or down."""
        if rows > 0:
            self.list.action_cursor_down()
        else:
            self.list.action_cursor_up()

    def action_end(self, where: int) -> None:
        """The first row or the last."""
        if where < 0:
            self.list.action_first()
        else:
            self.list.action_last()

    def action_page(self, pages: int) -> None:
        """Scroll the text."""
        beside = self.query_one("#drawer-beside", VerticalScroll)
        beside.scroll_relative(y=pages * max(1, beside.size.height - 1), animate=False)

    def action_read(self) -> None:
        """Read the text under the cursor in full."""
        from perdure.tui.dialogs.text import Reading

        if self.at is not None:
            self.app.push_screen(Reading(*self.beside(self.at), self._glyphs))


def clean(text: str) -> str:
    """Text of any lines without what a terminal would obey."""
    return sanitise(text.replace("\r\n", "\n"))


def short(turn: TurnId) -> str:
    """A turn by its place in its conversation, which something beside it names."""
    return f"turn {turn.number}"
