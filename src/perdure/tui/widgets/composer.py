"""The message box: several lines, enter sends, nothing typed gets lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from perdure.tui.widgets.input_text import writable

_NEWLINE_KEYS = frozenset({"ctrl+j", "shift+enter", "alt+enter"})
_DROPPED = frozenset({"f6", "f7", "pageup", "pagedown"})
"""TextArea's keys that mean something else here: F6 and F7 belong to the switch of screens, and
page keys move the transcript."""

_EDITING: list[BindingType] = [
    binding
    for binding in TextArea.BINDINGS
    if not (isinstance(binding, Binding) and binding.key in _DROPPED)
]


class Composer(TextArea, inherit_bindings=False):
    """The message box. Posts `Sent`; keeps the text until the screen clears it."""

    BINDING_GROUP_TITLE = "Writing"
    BINDINGS: ClassVar[list[BindingType]] = [
        *_EDITING,
        Binding("pageup", "screen.page(-1)", "Scroll the conversation", id="compose.page.up"),
        Binding("pagedown", "screen.page(1)", "Scroll the conversation", id="compose.page.down"),
    ]

    @dataclass
    class Sent(Message):
        """The user wants this said."""

        text: str

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(
            id=widget_id,
            soft_wrap=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            compact=True,
        )
        self._said: list[str] = []
        self._recalled: int | None = None

    def remember(self, text: str) -> None:
        """What was said, so that the up key in an empty box brings it back."""
        self._said.append(text)
        self._recalled = None

    def put(self, text: str) -> None:
        """Fill the box, caret at the end."""
        self.text = writable(text)
        self.move_cursor(self.document.end)

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            if self.text.strip():
                self.post_message(self.Sent(self.text))
        elif event.key in _NEWLINE_KEYS:
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key in {"up", "down"} and self._recall(-1 if event.key == "up" else 1):
            event.stop()
            event.prevent_default()

    def _recall(self, direction: int) -> bool:
        """Walk through earlier messages; only while nothing else is in the box."""
        if not self._said:
            return False
        here = self._recalled
        if here is None or self.text != self._said[here]:
            if self.text or direction > 0:
                return False
            here = len(self._said)
        elif self.document.line_count > 1 and self.cursor_location != self.document.end:
            return False
        wanted = here + direction
        if wanted >= len(self._said):
            self._recalled = None
            self.put("")
            return True
        self._recalled = max(0, wanted)
        self.put(self._said[self._recalled])
        return True
