"""What a prompt costs before a model sees it, in a life of 50,000 turns.

By hand: ``python -m tests.bench.bench_prompt [--turns N] [--life DIR]``. Aim: putting a prompt
together, p95, at most 50 ms; with recall beside it (30 ms) still less than a tenth of a second.

The life gets 200 lore entries, 500 facts and 300 summaries. Measured is what a session does for one
message after it was put on disk: reading thread, lore, facts and summaries from the tree, choosing
by token counts, and assembling; then the same with recall. Counted by tiktoken where its vocabulary
is on this machine, else by the estimate.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from perdure.backends.protocol import Tokenizer
from perdure.backends.tokens.estimate import EstimateTokenizer, tokenizer_for
from perdure.chat.reply.prompt import PromptSources, make_prompt, measure
from perdure.chat.session import Session
from perdure.companion.conversation.chunk import parse_chunk_path
from perdure.companion.memory.summaries import Summary, as_written, render_summary, summary_path
from tests.lives import Words, make_life
from tests.speaking import Scripted

WINDOWS = (4_096, 8_192, 32_768, 200_000)
MESSAGES = 60
FILL = 40
"""Turns that are really sent first, so that the window is not fresh."""


@dataclass
class Counting(Scripted):
    counter: Tokenizer = field(default_factory=EstimateTokenizer)

    async def tokenizer(self) -> Tokenizer:
        return self.counter


def furnish(path: Path, words: Words, dice: random.Random) -> None:
    """Lore, facts and summaries beside the talk."""
    for number in range(200):
        keys = ", ".join(dice.sample(words.rare, 2))
        constant = "constant: yes\n" if number < 3 else ""
        write(
            path, f"lore/{number:03}.md", f"---\nkeys: [{keys}]\n{constant}---\n{words.text(25)}\n"
        )
    for topic in range(10):
        facts = "".join(f"- {' '.join(words.text(12).split())}\n" for _ in range(50))
        write(path, f"memory/facts/topic-{topic}.md", f"# Topic\n\n{facts}")
    names = (path / "conversations").rglob("*.md")
    found = {parse_chunk_path(str(name.relative_to(path))) for name in names}
    conversations = sorted({each[0] for each in found if each is not None})
    for conversation in conversations[-300:]:
        summary = as_written(Summary(conversation, 20, words.text(60), "local", "model"))
        write(path, summary_path(conversation), render_summary(summary).decode())
    git = ["git", "-C", str(path), "-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    subprocess.run([*git, "add", "lore", "memory"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "memory: all of it"], check=True)


def write(path: Path, name: str, text: str) -> None:
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(text)


async def measure_window(path: Path, window: int, counter: Tokenizer, words: Words) -> None:
    """Fill a conversation, then time prompts."""
    backend = Counting(window=window, counter=counter, reply=lambda _: words.text(60))
    session = await Session.open(path, backends=[backend])
    session.new_conversation()
    begun = time.perf_counter()
    for _ in range(FILL):
        async for _event in session.send(words.text(15)):
            pass
    per_turn = (time.perf_counter() - begun) / FILL
    store, router, work = session._store, session._router, session._work
    plain: list[float] = []
    whole: list[float] = []
    cpu: list[float] = []
    for _ in range(MESSAGES):
        text = words.text(15)
        for recall, took in ((False, plain), (True, whole)):
            begun, worked = time.perf_counter(), time.process_time()
            thread = await work(partial(store.position.thread_to_come, text))
            material = await router.material(thread, wait=60)
            if not recall:
                material = PromptSources(material.memory, material.previous)
            by = await measure(backend)
            made = await make_prompt(
                store.position.companion, thread, by, material, router.corrections
            )
            took.append((time.perf_counter() - begun) * 1000)
            if not recall:
                cpu.append((time.process_time() - worked) * 1000)
    await session.close()
    print(
        f"  window {window:>7,}: {made.tokens:>6,} tokens of prompt; "
        f"p50 {statistics.median(plain):5.1f} ms, p95 {p95(plain):5.1f} ms, "
        f"CPU p95 {p95(cpu):5.1f} ms; "
        f"with recall p50 {statistics.median(whole):5.1f} ms, p95 {p95(whole):5.1f} ms "
        f"(a whole turn: {per_turn * 1000:.0f} ms)"
    )


def p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]


def run(turns: int = 50_000, life: Path | None = None) -> None:
    """Print the figures."""
    counter = tokenizer_for("gpt-4o")
    print(f"Prompts at {turns:,} turns, counted by {counter.name}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "mira"
        if life is not None:
            shutil.copytree(life, path)
        else:
            make_life(path, turns)
        subprocess.run(["git", "-C", str(path), "checkout", "-q", "-f"], check=True)
        dice = random.Random(11)
        words = Words(dice)
        furnish(path, words, dice)
        for window in WINDOWS:
            asyncio.run(measure_window(path, window, counter, words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=50_000)
    parser.add_argument("--life", type=Path, help="A life made before; it is copied.")
    said = parser.parse_args()
    run(said.turns, said.life)


if __name__ == "__main__":
    main()
