"""Asking for the name of a branch or a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row


class NameDialog(ModalScreen[str | None]):
    """Asks for a name. Enter takes it, escape leaves all as it is."""

    AUTO_FOCUS = "#name"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close; nothing is created", id="name.close"),
    ]

    def __init__(
        self, title: str, lines: Sequence[str], glyphs: Glyphs, *, suggested: str = ""
    ) -> None:
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._title = title
        self._lines = lines
        self._glyphs = glyphs
        self._suggested = suggested

    def compose(self) -> ComposeResult:
        with Vertical(id="name-box", classes="box") as box:
            box.border_title = one_row(self._title)
            box.border_subtitle = f"enter confirms {self._glyphs.separator} esc closes"
            yield Static("\n".join(map(one_row, self._lines)), id="name-lines", markup=False)
            yield Input(self._suggested, id="name", max_length=100, select_on_focus=True)

    @on(Input.Submitted)
    def _taken(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        if name:
            self.dismiss(name)
