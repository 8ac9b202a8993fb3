"""A question: what would happen, and the choices.

The first choice is always the one that changes nothing, and it is the one that enter takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose. ``answer`` is what the question gives back."""

    answer: str
    words: str
    note: str = ""


LEAVE = Choice("", "Leave it as it is")


class Question(ModalScreen[str | None]):
    """Says what it is about and lets the user choose; escape chooses nothing.

    No letter chooses anything but the given ones: what is typed on, the question unseen, must not
    agree to it.
    """

    AUTO_FOCUS = "#question-choices"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close; nothing is done", id="question.close"),
        Binding("pageup", "scroll(-5)", "Scroll up", id="question.up"),
        Binding("pagedown", "scroll(5)", "Scroll down", id="question.down"),
    ]

    def __init__(
        self,
        title: str,
        lines: Sequence[str],
        choices: Sequence[Choice],
        glyphs: Glyphs,
        *,
        yes: Sequence[str] = (),
    ) -> None:
        """``yes``: keys that take the second of two choices; where there are any, n the first."""
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._title = title
        self._lines = [line for line in lines if line.strip()]
        self._choices = list(choices)
        self._glyphs = glyphs
        self._yes = tuple(yes) if len(choices) == 2 else ()

    def compose(self) -> ComposeResult:
        dot = self._glyphs.separator
        with Vertical(id="question-box", classes="box") as box:
            box.border_title = one_row(self._title)
            keys = [f"{self._yes[0]} yes", "n no"] if self._yes else []
            box.border_subtitle = f" {dot} ".join([*keys, "enter chooses", "esc closes"])
            with VerticalScroll(id="question-lines", can_focus=False):
                yield Static(self._text(), markup=False)
            yield OptionList(
                *(Option(self._row(each)) for each in self._choices), id="question-choices"
            )

    def on_mount(self) -> None:
        """Begin at the choice that changes nothing."""
        self.query_one(OptionList).highlighted = 0

    def _text(self) -> Text:
        text = Text()
        for number, line in enumerate(self._lines):
            indent = "  " if line.startswith("  ") else ""
            text.append(("\n" if number else "") + indent + one_row(line))
        return text

    def _row(self, choice: Choice) -> Text:
        row = Text(one_row(choice.words), style="bold")
        if choice.note:
            row.append(f"\n  {one_row(choice.note)}", style="not bold dim")
        return row

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index].answer)

    def on_key(self, event: events.Key) -> None:
        """The key that asked agrees, too."""
        if event.key in self._yes:
            event.stop()
            self.dismiss(self._choices[1].answer)
        elif self._yes and event.key == "n":
            event.stop()
            self.dismiss(self._choices[0].answer)

    def action_scroll(self, rows: int) -> None:
        """Scroll what is said."""
        lines = self.query_one("#question-lines", VerticalScroll)
        lines.scroll_relative(y=rows, animate=False)


def one_row(text: str) -> str:
    """Text without line ends and without what a terminal would obey."""
    return " ".join(sanitise(text).split())
