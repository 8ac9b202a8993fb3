"""The chat screen: opening it and streaming into it, on lives of 100 and of 10,000 turns.

Peers in the same run: an empty Textual program for the opening; for streaming a Textual program
that mounts one Markdown widget a message for the last 200 turns and appends to the last of them.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.lives import make_life
from tests.tui.measuring import (
    SIZE,
    Opening,
    Streaming,
    costs_of,
    last_words,
    opening,
    started,
    streaming,
)

RUNS = 5
FLUSHES = 200
TURNS = (100, 10_000)
PEER_TURNS = 200
OPENING_LIMIT = 1.5
RSS_LIMIT = 200

_EMPTY = """
from textual.app import App
from textual.widgets import TextArea

class Empty(App):
    def compose(self):
        box = TextArea()
        box.border_title = "message"
        box.styles.border = ("round", "white")
        yield box

Empty().run()
"""


async def mounted(path: Path) -> Streaming:
    """The peer's cost of a flush, over the last turns of the same life."""
    from textual.app import App, ComposeResult
    from textual.containers import VerticalScroll
    from textual.widgets import Markdown

    texts = _last_texts(path)

    class Mounted(App[None]):
        def compose(self) -> ComposeResult:
            with VerticalScroll() as talk:
                talk.anchor()
                for text in texts:
                    yield Markdown(text)
                yield Markdown(id="live")

    app = Mounted()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        live = app.query_one("#live", Markdown)

        async def flush(piece: str) -> None:
            await live.append(piece)
            drawn = asyncio.Event()
            live.call_after_refresh(drawn.set)
            await drawn.wait()

        return await costs_of(flush, FLUSHES)


def _last_texts(path: Path) -> list[str]:
    from perdure.git.repository.repository import Repository
    from perdure.snapshot.conversation.transcript import Transcript

    repository = Repository.open(path, recover=False)
    transcript = Transcript(repository, "main")
    texts: list[str] = []
    for index in reversed(range(len(transcript.chunks))):
        for turn in reversed(transcript.turns(index)):
            texts += [reply.text for reply in turn.replies]
            texts += [turn.message.text] if turn.message is not None else []
        if len(texts) >= 2 * PEER_TURNS:
            break
    repository.close()
    return texts[: 2 * PEER_TURNS][::-1]


def _openings(name: str, start: Callable[[], Opening]) -> Opening:
    """Medians of some starts, the first left out; 0 anywhere means that it was never seen."""
    found = [start() for _ in range(RUNS + 1)][1:]
    middle = Opening(
        *(
            statistics.median(getattr(one, part) for one in found)
            for part in ("paint", "composer", "history", "rss_mb")
        )
    )
    history = f"{middle.history:6.2f} s" if middle.history else "       -"
    print(
        f"  {name:34} {middle.paint:6.2f} s {middle.composer:6.2f} s {history} "
        f"{middle.rss_mb:6.0f} MB"
    )
    return middle


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lives = {turns: Path(folder) / f"life-{turns}" for turns in TURNS}
        for turns, path in lives.items():
            make_life(path, turns)
        print(f"chat screen, medians of {RUNS} starts on {SIZE[0]}x{SIZE[1]}, no model installed")
        print(f"  {'':34} {'paint':>8} {'a key':>8} {'history':>8} {'RSS':>9}")
        peer = _openings(
            "an empty Textual program",
            lambda: started([sys.executable, "-c", _EMPTY], paint="message"),
        )
        for turns, path in lives.items():
            start = partial(opening, path, last_words(path))
            ours = _openings(f"perdure chat, {turns:,} turns", start)
        print(
            f"  at {TURNS[-1]:,} turns {ours.composer / peer.composer:.1f} times the empty program "
            f"(a key at most {OPENING_LIMIT} s, RSS below {RSS_LIMIT} MB)"
        )
        print(f"a flush of a streaming reply, processor time, {FLUSHES} flushes")
        for turns, path in lives.items():
            cost = asyncio.run(streaming(path, flushes=FLUSHES))
            _cost(f"perdure chat, {turns:,} turns", cost)
        _cost(f"Markdown widgets, {PEER_TURNS} turns", asyncio.run(mounted(lives[TURNS[-1]])))


def _cost(name: str, cost: Streaming) -> None:
    print(f"  {name:34} median {cost.median_ms:6.1f} ms, worst {cost.worst_ms:6.1f} ms")


if __name__ == "__main__":
    run()
