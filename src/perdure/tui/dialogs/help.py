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
FIXED: dict[str, tuple[tuple[str, str], ...]] = {
    "Writing": (
        ("enter", "Send"),
        ("ctrl+j", "New line"),
        ("up", "Your last message, in an empty box"),
        ("/new", "Begin a new conversation"),
        ("/answer", "Ask for a reply that is missing"),
        ("/backend", "Choose the backend; with a name, from now on"),
        ("/next NAME", "Let another backend give the next reply only"),
        ("/merge", "What the open merge still needs; with a branch's name, merge it"),
        ("/sync", "Sync with all remotes, or the one named behind it"),
        ("/backup", "Push to every remote, and see what is not proven to be safe"),
        ("/drill", "Prove that a restore works: what is new; with full, all of her"),
        ("/stop", "Stop the sync, backup or drill that is running"),
        ("/conflicts", "What was changed differently on two devices, to choose from"),
        ("/confirm", "Confirm a backend that came from outside, or not"),
        ("/help", "Keys that work here"),
        ("/quit", "Leave"),
    ),
    "Conversations": (
        ("up down", "Move; the conversation under the cursor is shown"),
        ("enter", "Stay there; on a branch, switch to it; on a tag, continue from there"),
    ),
    "Everywhere": (
        ("tab", "Next pane"),
        ("ctrl+p", "Commands"),
        ("ctrl+c", "Copy the selected text"),
    ),
    "The timeline": (("up down pgup pgdn", "Move; details appear beside the list"),),
    "An open merge": (("up down pgup pgdn", "Move; both versions appear beside the list"),),
    "Conflicts between devices": (
        ("up down pgup pgdn", "Move; both versions appear beside the list"),
    ),
    "Memory": (
        ("up down pgup pgdn", "Move; details appear beside the list"),
        ("tab", "The list of lists, if the window is wide enough"),
    ),
    "Search": (("enter", "Search; on a moment, go there"),),
    "When asked a question": (
        ("up down", "Move between the choices; the first one changes nothing"),
        ("enter", "Choose it"),
    ),
    "When asked for a name": (("enter", "Confirm the name"),),
}
"""Keys that no binding of ours describes: the message box, its slash commands, Textual's own."""

_NAMES = {
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "question_mark": "?",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "slash": "/",
    "f1": "F1",
    "f2": "F2",
    "f4": "F4",
    "f6": "F6",
    "asterisk": "*",
}


def named(binding: Binding) -> str:
    """A binding's keys as they are read, a space between them."""
    return " ".join(_NAMES.get(key, key) for key in binding.key.split(","))


def described(bindings: Sequence[BindingType]) -> list[tuple[str, str]]:
    """The keys of bindings, and what each does."""
    return [
        (named(binding), binding.description)
        for binding in bindings
        if isinstance(binding, Binding) and binding.description
    ]


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
