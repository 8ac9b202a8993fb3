"""Starting and ending the terminal program around one session."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.worker import WorkerFailed

from perdure.errors import one_line
from perdure.interrupts import run_coroutine
from perdure.terminal.glyphs import choose_glyphs
from perdure.terminal.sanitise import sanitise
from perdure.tui.app import ChatApp
from perdure.tui.chat.startup import Opened
from perdure.tui.draft import Draft
from perdure.tui.error_text import error_parts, log
from perdure.tui.themes import DARK

if TYPE_CHECKING:
    from typing import Any

    from textual.driver import Driver

    from perdure.backends.protocol import Backend
    from perdure.tui.chat.startup import Opener


def run(path: Path, *, theme: str | None = None, debug: bool = False) -> int:
    """Show the chat until the user leaves; the session is closed whatever happened.

    ``debug``: where unforeseen errors came from is said once the screen is gone.
    """
    wanted = theme or os.environ.get("PERDURE_THEME") or DARK.name
    state: list[Path] = []
    app = ChatApp(
        opener_of(path, state),
        choose_glyphs(),
        theme=wanted,
        draft=lambda _opened: Draft(state[0] / "draft.txt" if state else None, path),
        driver=_driver(),
    )
    kept = _Kept()
    if debug:
        log.addHandler(kept)
    try:
        return run_coroutine(show(app))
    finally:
        kept.say()


def _driver() -> type[Driver] | None:
    """How the terminal is read; None: as Textual does, where somebody chose, or on Windows."""
    if os.environ.get("TEXTUAL_DRIVER") or sys.platform == "win32":
        return None
    from perdure.tui.terminal.driver import TerminalDriver

    return TerminalDriver


class _Kept(logging.Handler):
    """Keeps what is logged while the screen is there."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._records: deque[str] = deque(maxlen=50)

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(self.format(record))

    def say(self) -> None:
        """Print it, made safe for a terminal."""
        for text in self._records:
            print(sanitise(text), file=sys.stderr)  # noqa: T201 - the screen is gone


def opener_of(path: Path, state: list[Path], backend: Backend | None = None) -> Opener:
    """How the screen opens the companion at ``path``; ``state`` receives its state folder."""

    async def open_companion() -> Opened:
        # Half a second of imports: in a thread, so that keys are taken meanwhile.
        await asyncio.to_thread(importlib.import_module, "perdure.chat.session")
        from perdure.chat.session import Session
        from perdure.git.repository.repository import Repository
        from perdure.snapshot.conversation.transcript import Transcript

        session = await Session.open(path, backends=[backend] if backend is not None else ())
        try:
            # The session's repository belongs to its worker thread; the screen has its own.
            repository = await asyncio.to_thread(Repository.open, path, recover=False)
            state.append(repository.state_dir)
            transcript = await asyncio.to_thread(Transcript, repository, session.info.branch)
        except BaseException:
            await session.close()
            raise
        return Opened(session, transcript)

    return open_companion


async def show(app: ChatApp) -> int:
    """Run the program to its end, then close the session; an error becomes one line on stderr."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(partial(background_error, app))
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As the key does: the reply is kept, and the terminal is given back as it was.
        loop.add_signal_handler(number, app.call_later, app.run_quit)
    code = await app.run_async()
    trouble: BaseException | None = app.crash
    if app.session is not None:
        try:
            await app.session.close()
        except Exception as error:  # noqa: BLE001 - said below, the terminal is ours again
            trouble = trouble or error
    if unsaved := app.chat.conversation.draft.unsaved.strip():
        print(  # noqa: T201 - the only place that is left for it
            "perdure: what you were writing could not be saved. Here it is:\n\n"
            f"{sanitise(unsaved)}\n",
            file=sys.stderr,
        )
    if trouble is None:
        _let_go_of_a_closed_terminal()
        return code if code is not None else (app.return_code or 0)
    if isinstance(trouble, WorkerFailed):
        trouble = trouble.error
    words = " ".join(sanitise(one_line(*error_parts(trouble))).split())
    print(  # noqa: T201 - the screen is gone, this is the last word
        f"perdure: the chat screen ended on an error: {words}. Everything said is kept; "
        "open it again with: perdure chat",
        file=sys.stderr,
    )
    return 1


def _let_go_of_a_closed_terminal() -> None:
    """Nothing more is written to a terminal that is gone.

    Python 3.11.2 would try to at its end, fail, and make 120 of the exit code.
    """
    for stream in (each for each in (sys.__stdout__, sys.__stderr__) if each is not None):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def background_error(
    app: ChatApp, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """An error of a task that nobody awaits: shown on the screen, asyncio would print it there."""
    error = context.get("exception")
    app.unforeseen(error if isinstance(error, Exception) else RuntimeError(context["message"]))
