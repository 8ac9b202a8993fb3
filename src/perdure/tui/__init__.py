"""The terminal program."""

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
