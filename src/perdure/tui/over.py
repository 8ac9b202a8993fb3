"""A screen that stands over the talk: its list, its notice row, its status line, its errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.screen import Screen
from textual.widgets import OptionList, Static

from perdure.chat.reader import Leaving
from perdure.tui.flash import Flash
from perdure.tui.status import StatusLine
from perdure.tui.telling import told

if TYPE_CHECKING:
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.merging import MergingScreen
    from perdure.tui.status import Hint


class OverScreen(Screen[None]):
    """A list and what is beside it; its own errors, and the status of the talk below it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (90, "-normal"), (130, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#rows"
    HINTS: tuple[Hint, ...] = ()

    def __init__(self, chat: MergingScreen, glyphs: Glyphs) -> None:
        super().__init__(classes="-ascii" if glyphs.rule.isascii() else None)
        self._chat = chat
        self._glyphs = glyphs

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

    def refresh_list(self) -> None:
        """Read all anew: something was done to the history."""

    def will_walk(self, entry: str) -> None:
        """An entry of the log of operations is about to be taken back, or brought back."""

    async def _guarded(self, step: Callable[[], object]) -> None:
        try:
            done = step()
            if asyncio.iscoroutine(done):
                await done
        except Leaving:
            return
        except Exception as error:  # noqa: BLE001 - told on the screen, whatever it was
            words = [part for part in told(error) if part]
            self.flash.tell(". ".join(words), "error")

    def _tell_status(self, hints: Sequence[Hint] | None = None) -> None:
        status = self._chat.status.status
        shared = {name: getattr(status, name) for name in type(status).__slots__}
        shared["hints"] = self.HINTS if hints is None else tuple(hints)
        self.query_one("#status", StatusLine).tell(**shared)
