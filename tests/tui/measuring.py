"""Figures of the chat screen on a life of a given size; the benchmark prints them.

Run by hand: ``python -m tests.tui.measuring FOLDER``, where FOLDER is a companion.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pseudo_terminal import on_a_terminal

SIZE = (120, 40)
_KEY = "ø"
"""Typed once the screen is there; no life made for tests holds this letter."""
_ANSWER = (
    "It took a while to say so, and the words came one by one. There was **no hurry** at all in "
    "it, as there never is by the river in the evening.\n\n- first the weir\n- then the bridge\n\n"
)


@dataclass(frozen=True)
class Opening:
    """Seconds from starting the program, and its memory at the end of that."""

    paint: float
    """Something is drawn."""
    composer: float
    """A typed letter is in the message box."""
    history: float
    """The last words of the history are on the screen; 0 without any to wait for."""
    rss_mb: float


def opening(path: Path, last_words: str) -> Opening:
    """Start `perdure chat` on a companion, as `started` does; no model is there to be loaded."""
    command = [sys.executable, "-m", "perdure.cli.entry", "chat", str(path)]
    return started(command, paint="message", last_words=last_words)


def started(
    command: Sequence[str], *, paint: str, last_words: str = "", limit: float = 30.0
) -> Opening:
    """Start a program on a pseudo-terminal of 120 by 40 and look at what it draws."""
    with tempfile.TemporaryDirectory() as no_models:
        began = time.perf_counter()
        environ = {"COLORTERM": "truecolor", "PERDURE_MODELS": no_models}
        with on_a_terminal(command, folder=Path.cwd(), size=SIZE, environ=environ) as terminal:
            seen = dict.fromkeys((paint, _KEY, last_words), 0.0)
            while not all(seen.values()) and time.perf_counter() - began < limit:
                if terminal.is_ready(0.05):
                    terminal.read()
                for word, when in seen.items():
                    if not when and word.encode() in terminal.shown:
                        seen[word] = time.perf_counter() - began
                        if word == paint:
                            terminal.send(_KEY.encode())
            rss = _rss_mb(terminal.process.pid)
    return Opening(seen[paint], seen[_KEY], seen[last_words] if last_words else 0.0, rss)


@dataclass(frozen=True)
class Streaming:
    """Processor milliseconds a flush, median and worst."""

    median_ms: float
    worst_ms: float


async def streaming(path: Path, *, flushes: int = 200) -> Streaming:
    """Stream a reply into the transcript of ``path`` as the screen does.

    The clock counts from a flush to the end of the refresh that it causes.
    """
    from perdure.git.repository.repository import Repository
    from perdure.snapshot.conversation.transcript import Transcript
    from perdure.terminal.glyphs import UNICODE
    from perdure.tui.app import ChatApp
    from perdure.tui.chat.startup import Opened
    from perdure.tui.transcript.blocks import Live
    from tests.tui.stand_in import ScriptedSession, opened

    async def open_companion() -> Opened:
        repository = Repository.open(path, recover=False)
        return opened(ScriptedSession(), Transcript(repository, "main"))

    app = ChatApp(open_companion, UNICODE)
    async with app.run_test(size=SIZE) as pilot:
        while app.chat.status.status.state != "ready":
            await pilot.pause()
        view = app.chat.view
        view.feed.begin_reply(Live("Mira"))

        async def flush(piece: str) -> None:
            view.feed.add_piece(piece)
            view.feed.flush()
            drawn = asyncio.Event()
            view.call_after_refresh(drawn.set)
            await drawn.wait()

        return await costs_of(flush, flushes)


async def costs_of(flush: Callable[[str], Awaitable[None]], flushes: int) -> Streaming:
    """What each of so many pieces of a reply costs."""
    costs = []
    for number in range(flushes):
        at = (number * 24) % len(_ANSWER)
        before = time.process_time()
        await flush((_ANSWER + _ANSWER)[at : at + 24])
        costs.append((time.process_time() - before) * 1000)
    return Streaming(statistics.median(costs), max(costs))


def _rss_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return 0.0
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def last_words(path: Path) -> str:
    """The word that stands at the end of the newest chunk."""
    newest = max(path.glob("conversations/*/*/*.md"))
    return newest.read_text("utf-8").split()[-1]


def main() -> None:
    """Print the figures of one companion."""
    path = Path(sys.argv[1])
    words = last_words(path)
    for _ in range(3):
        print(opening(path, words))
    print(asyncio.run(streaming(path)))


if __name__ == "__main__":
    main()
