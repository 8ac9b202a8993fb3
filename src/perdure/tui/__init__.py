"""The terminal program.

Screen: what fills the terminal. The chat screen is at the bottom of the stack.
Panel: a screen over the chat screen with a list: the timeline, the memory browser, the conflicts.
Drawer: a list over the conversation that gives back a turn to go to: search, the prompt inspector.
Dialog: a question, or a text to read, over any screen.
Controller: a plain object that the chat screen owns and that does one kind of thing.
Transcript: the conversations as one scroll of rows. Rail: the list of them beside it.
Flash: the notice row. Composer: the message box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run_chat"]


def run_chat(path: Path, *, theme: str | None = None, debug: bool = False) -> int:
    """Open the companion at ``path`` on the screen; returns the program's exit code.

    Textual is imported here and not with the package: no other command pays for it.
    """
    from perdure.tui.run import run

    return run(path, theme=theme, debug=debug)
