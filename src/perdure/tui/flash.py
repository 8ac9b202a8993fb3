"""A notice above the message box, one row as a rule, that goes by itself."""

from __future__ import annotations

from typing import Literal

from rich.text import Text
from textual.timer import Timer
from textual.widgets import Static

from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise

Level = Literal["info", "success", "warning", "error"]


class Flash(Static):
    """Shows the latest notice for some seconds. Failures stay until the next."""

    SECONDS = 6.0

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__("", id=widget_id, markup=False)
        self._glyphs = glyphs
        self._timer: Timer | None = None
        self.display = False

    def tell(self, text: str, level: Level = "info", *, stays: bool = False) -> None:
        """Show a notice. ``stays``: until the next one."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        sign = {
            "info": self._glyphs.separator,
            "success": self._glyphs.saved,
            "warning": self._glyphs.warning,
            "error": self._glyphs.warning,
        }[level]
        line = " ".join(sanitise(text).split())
        self.update(Text(f"{sign} {line}"))
        self.set_classes(f"-{level}")
        self.display = True
        if not stays and level != "error":
            self._timer = self.set_timer(self.SECONDS, self.clear_notice)

    def clear_notice(self) -> None:
        """Take the notice away."""
        self.display = False
