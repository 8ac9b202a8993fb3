"""Choosing another backend: which there are, where each runs, for how long to switch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from perdure.terminal.sanitise import sanitise

if TYPE_CHECKING:
    from rich.console import OverflowMethod

    from perdure.chat.routing.backend_set import BackendChoice
    from perdure.terminal.glyphs import Glyphs


@dataclass(frozen=True, slots=True)
class Picked:
    """A backend, for the next reply only or for good."""

    name: str
    once: bool


class BackendPicker(ModalScreen[Picked | None]):
    """Lists backends. Enter goes on with one, ``t`` takes it once, escape leaves all as it is."""

    AUTO_FOCUS = "#backends"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "pick(False)", "Use it from now on", id="backend.use"),
        Binding("t", "pick(True)", "Use it for the next reply only", id="backend.once"),
        Binding("escape,ctrl+t,q", "dismiss", "Close; nothing changes", id="backend.close"),
        Binding("j", "move(1)", "Down", id="backend.down"),
        Binding("k", "move(-1)", "Up", id="backend.up"),
    ]

    def __init__(self, candidates: Sequence[BackendChoice], following: str, glyphs: Glyphs) -> None:
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._candidates = list(candidates)
        self._following = following
        self._glyphs = glyphs
        self._overflow: OverflowMethod = "crop" if glyphs.rule.isascii() else "ellipsis"

    def compose(self) -> ComposeResult:
        dot = self._glyphs.separator
        with Vertical(id="backend-box") as box:
            box.border_title = "Who answers"
            box.border_subtitle = f"enter from now on {dot} t next reply only {dot} esc closes"
            yield OptionList(*(Option(self._row(each)) for each in self._candidates), id="backends")
            yield Static(id="backend-note", markup=False)

    def on_mount(self) -> None:
        """Begin at the one that speaks next."""
        names = [each.name for each in self._candidates]
        if self._following in names:
            self._options.highlighted = names.index(self._following)

    @property
    def _options(self) -> OptionList:
        return self.query_one("#backends", OptionList)

    def _row(self, candidate: BackendChoice) -> Table:
        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(width=1)
        for share in (14, 22, 36):
            # In ASCII, what is too long is cut without a sign: the drawn one is outside of it.
            row.add_column(ratio=share, no_wrap=True, overflow=self._overflow)
        if candidate.problem:
            sign = self._glyphs.warning
        elif candidate.name == self._following:
            sign = self._glyphs.ready
        else:
            sign = self._glyphs.offline
        where = "cannot be used" if candidate.problem else candidate.runs
        row.add_row(
            sign,
            Text(_line(candidate.name), style="bold"),
            Text(_line(candidate.model)),
            Text(_line(where), style="italic" if candidate.hosted else ""),
        )
        return row

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        """What choosing this one would mean."""
        candidate = self._candidates[event.option_index]
        if candidate.problem:
            note = candidate.problem
        else:
            place = f"Number {candidate.order} in the failover order"
            if candidate.order < 2:
                place = ("Not in the failover order", "First in companion.yaml")[candidate.order]
            note = f"{place}. What you say stays on this machine."
            if candidate.hosted:
                say = "What you say, and the conversation before it, goes to"
                note = f"{place}. {say} {candidate.host}."
        self.query_one("#backend-note", Static).update(Text(_line(note)))

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_pick(once=False)

    def action_move(self, rows: int) -> None:
        """One row up or down."""
        if rows > 0:
            self._options.action_cursor_down()
        else:
            self._options.action_cursor_up()

    def action_pick(self, once: bool) -> None:  # noqa: FBT001 - an argument of a binding
        """Go on with the one under the cursor, or let it give the next reply only."""
        row = self._options.highlighted
        if row is not None:
            self.dismiss(Picked(self._candidates[row].name, once))


def _line(text: str) -> str:
    return " ".join(sanitise(text).split())
