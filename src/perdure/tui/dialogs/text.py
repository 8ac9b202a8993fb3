"""A text to read in full, such as what a commit changed."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row


class Reading(ModalScreen[None]):
    """Shows a text in full. Escape, enter and ``d`` close it."""

    AUTO_FOCUS = "#reading-box"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,d,q", "dismiss", "Close", id="reading.close"),
        Binding("j,down", "scroll(1)", "Down", id="reading.down"),
        Binding("k,up", "scroll(-1)", "Up", id="reading.up"),
        Binding("pagedown,space", "page(1)", "A page down", id="reading.page.down"),
        Binding("pageup", "page(-1)", "A page up", id="reading.page.up"),
        Binding("g,home", "end(-1)", "The beginning", id="reading.first"),
        Binding("G,end", "end(1)", "The end", id="reading.last"),
    ]

    def __init__(self, title: str, text: Text, glyphs: Glyphs) -> None:
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="reading-box", classes="box") as box:
            box.border_title = one_row(self._title)[:60]
            box.border_subtitle = "esc closes"
            yield Static(self._text, markup=False)

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one("#reading-box", VerticalScroll)

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self._box.scroll_relative(y=rows, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by what is in view."""
        self._box.scroll_relative(y=pages * max(1, self._box.size.height - 2), animate=False)

    def action_end(self, where: int) -> None:
        """To the beginning or to the end."""
        if where < 0:
            self._box.scroll_home(animate=False)
        else:
            self._box.scroll_end(animate=False)
