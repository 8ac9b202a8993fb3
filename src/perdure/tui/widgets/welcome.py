"""The card of the first use: how to begin, and where everything is kept."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from perdure.chat.events import SessionInfo
from perdure.terminal.glyphs import Glyphs
from perdure.terminal.sanitise import sanitise


class Welcome(Container):
    """Shown while nothing has been said yet."""

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield Static("", id="welcome-card", markup=False)

    def show(self, info: SessionInfo | None, *, greeted: bool = False) -> None:
        """Show the card for this companion; None: something was said already, no card.

        ``greeted``: a greeting is in the transcript, and the card above it.
        """
        self.display = info is not None
        self.set_class(greeted, "-above")
        if info is not None:
            self.query_one("#welcome-card", Static).update(self._text(info))

    def _text(self, info: SessionInfo) -> Text:
        text = Text(justify="left")
        text.append(sanitise(info.companion), "bold")
        text.append(" is here. Nothing has been said yet.\n\n")
        text.append("Write below, press enter. Each turn becomes a commit in\n")
        text.append(sanitise(str(info.path)) + "\n\n", "dim")
        for key, words in (("F1", "keys"), ("ctrl+p", "commands"), ("esc", "stops a reply")):
            text.append(key, "bold")
            text.append(f" {words}    ")
        if info.rehearsal:
            text.append(
                f"\n\n{self._glyphs.rehearsal} The voice is a small rehearsal model that came "
                "with the program: good enough to begin, no match for a real one.",
                "dim",
            )
        return text
