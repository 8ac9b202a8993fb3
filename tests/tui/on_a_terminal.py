"""The program on a pseudo-terminal of its own, over a scripted companion; run as a module."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from perdure.terminal.glyphs import UNICODE
from perdure.tui.app import ChatApp
from perdure.tui.draft import Draft
from perdure.tui.run import show
from perdure.tui.terminal.driver import TerminalDriver
from tests.tui.stand_in import NOW, ScriptedSession, life, opener


def main(draft: str) -> int:
    """Run until somebody leaves; what stands in the message box is kept in the file."""
    app = ChatApp(
        opener(ScriptedSession(), life(6)),
        UNICODE,
        clock=lambda: NOW,
        draft=lambda _opened: Draft(Path(draft)),
        driver=TerminalDriver,
    )
    return asyncio.run(show(app))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
