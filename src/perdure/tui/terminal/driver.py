"""Textual's driver, made so that no byte from the terminal ends the program."""

from __future__ import annotations

import os
import selectors
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from textual.drivers.linux_driver import LinuxDriver
from textual.events import MouseEvent
from textual.message import Message

from perdure.tui.terminal.input import TerminalInput

_TICK = 0.1
_READ = 64 * 1024


class TerminalDriver(LinuxDriver):
    """Reads as `TerminalInput` tells; a terminal that is gone ends the program as ctrl+q does."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - Textual's own
        super().__init__(*given, **named)
        self._file: Any = _Screen(self._file)

    def run_input_thread(self) -> None:
        """Read until the program ends; runs in a thread of its own."""
        source = TerminalInput()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if not selector.select(_TICK):
                    self._hand_on(source.tick())
                    continue
                try:
                    data = os.read(self.fileno, _READ)
                except InterruptedError:
                    continue
                except OSError:
                    data = b""
                if not data:
                    self._call("terminal_gone")
                    return
                self._hand_on(source.feed(data))
                self._report(source)

    def _hand_on(self, messages: Iterable[Message]) -> None:
        width, height = self._app.size
        for message in messages:
            if isinstance(message, MouseEvent) and not (
                0 <= message.x < width and 0 <= message.y < height
            ):
                continue  # no terminal points beside itself
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self.process_message(message)

    def _report(self, source: TerminalInput) -> None:
        if source.odd:
            source.odd = False
            self._call("odd_bytes")
        if source.cut and not source.is_pasting:
            cut, source.cut = source.cut, 0
            self._call("paste_cut", cut)

    def _call(self, name: str, *given: object) -> None:
        """Call what the program has by this name, in its own thread."""
        call = getattr(self._app, name, None)
        if call is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._app.call_later, call, *given)


class _Screen:
    """What is written to; Textual's writing thread would die, and the program hang, on an error."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, as far as there is a terminal."""
        with suppress(OSError, ValueError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, as far as there is a terminal."""
        with suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any of a file's
        return getattr(self._file, name)
