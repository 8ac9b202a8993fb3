"""A box in which to correct a text."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import TextArea

from perdure.terminal.glyphs import Glyphs
from perdure.tui.dialogs.question import one_row
from perdure.tui.widgets.input_text import writable


class Editing(ModalScreen[str | None]):
    """Shows words to be corrected. ctrl+s keeps them; escape leaves them as they were.

    Escape asks once more where something was changed: a correction is work that is in no commit.
    """

    AUTO_FOCUS = "#editing-text"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "Save the new words, as a commit", id="edit.keep"),
        Binding("escape", "close", "Close; press twice if you changed something", id="edit.close"),
    ]

    def __init__(self, title: str, text: str, glyphs: Glyphs) -> None:
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._title = title
        self._before = writable(text)
        self._glyphs = glyphs
        self._asked_for = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="editing-box", classes="box") as box:
            box.border_title = one_row(self._title)[:60]
            box.border_subtitle = f"ctrl+s saves {self._glyphs.separator} esc closes"
            yield TextArea(self._before, id="editing-text", soft_wrap=True, tab_behavior="focus")

    @property
    def text(self) -> str:
        """The words as they stand in the box."""
        return self.query_one("#editing-text", TextArea).text

    def action_keep(self) -> None:
        """Give the words back."""
        self.dismiss(self.text if self.text != self._before else None)

    def action_close(self) -> None:
        """Leave it as it was; asked for twice where something was changed."""
        if self.text in {self._before, self._asked_for}:
            self.dismiss(None)
            return
        self._asked_for = self.text
        box = self.query_one("#editing-box")
        box.border_subtitle = "esc again discards your changes; ctrl+s saves them"
