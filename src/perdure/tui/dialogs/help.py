"""The keys that work here, from the bindings themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

KeyGroup = tuple[str, Sequence[tuple[str, str]]]


class HelpScreen(ModalScreen[None]):
    """Keys in groups. Escape, ``?`` and F1 close it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,q", "dismiss", "Close", id="help.close"),
        Binding("j,down", "scroll(1)", "Down", id="help.down"),
        Binding("k,up", "scroll(-1)", "Up", id="help.up"),
    ]

    def __init__(self, groups: Sequence[KeyGroup], *, plain: bool) -> None:
        super().__init__(classes="-ascii" if plain else None)
        self._groups = groups

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help-box") as box:
            box.border_title = "Keys that work here"
            box.border_subtitle = "esc closes"
            yield Static(self._table(), id="help-keys")

    def action_scroll(self, rows: int) -> None:
        """Scroll the list."""
        self.query_one("#help-box", VerticalScroll).scroll_relative(y=rows, animate=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", no_wrap=True)
        table.add_column()
        for number, (title, keys) in enumerate(self._groups):
            if number:
                table.add_row("", "")
            table.add_row("", Text(title, style="bold"))
            for key, words in keys:
                table.add_row(Text(key, style="bold"), Text(words))
        return table
