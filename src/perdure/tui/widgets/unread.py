"""The hint that there is more below what one reads."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from perdure.plural import plural
from perdure.terminal.glyphs import Glyphs


class Unseen(Static):
    """How much was added below while one reads further up. A click goes there."""

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__("", id=widget_id, markup=False)
        self._glyphs = glyphs

    def show(self, rows: int) -> None:
        """Show the count; nothing for 0."""
        self.display = rows > 0
        self.update(Text(f"{self._glyphs.down} {plural(rows, 'new line')} (G)"))

    async def on_click(self) -> None:
        """Go to the end."""
        await self.run_action("screen.end")
