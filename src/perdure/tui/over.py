"""A screen that stands over the talk: its notice row, its status line, and its errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.screen import Screen

from perdure.chat.reader import Leaving
from perdure.tui.flash import Flash
from perdure.tui.status import StatusLine
from perdure.tui.telling import told

if TYPE_CHECKING:
    from perdure.terminal.glyphs import Glyphs
    from perdure.tui.merging import MergingScreen
    from perdure.tui.status import Hint


class OverScreen(Screen[None]):
    """Says its own errors, and shows the status of the talk below it."""

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
