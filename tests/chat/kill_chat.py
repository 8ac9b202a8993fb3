"""kill -9 at random moments of a scripted chat: `python -m tests.chat.kill_chat --times 200`.

The talking process prints what a face would have shown: a message kept, a piece of a reply, a turn
saved. After each kill the companion is opened again as a user would, and all that was shown as kept
or saved must stand in the history, by text.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from perdure.chat.events import MessageKept, ReplyPiece, Saved
from perdure.chat.session import Session
from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.templates import new_companion
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Repository
from perdure.snapshot.conversation.transcript import Transcript
from tests.background import unpacked
from tests.processes import killed_after
from tests.speaking import Scripted


def new(path: Path) -> None:
    manifest = Manifest(name="rehearsal", driver="embedded", model="smollm2-135m-instruct")
    files = new_companion(template="blank", name="Mira", user="Ana", manifest=manifest, at=now())
    author = Author("Mira", "mira@companion.invalid")
    create_repository(path, files, message="companion: Mira begins\n", author=author).close()


async def chat(path: Path, run: int) -> None:
    """Talk without end, telling on stdout what was shown."""
    session = await Session.open(path, backends=[Scripted(step=11)])
    number = 0
    while True:
        number += 1
        text = f"message {run}.{number} " + "river " * (number % 9)
        async for event in session.send(text):
            if isinstance(event, MessageKept):
                tell("kept", event.message.text)
            elif isinstance(event, ReplyPiece):
                tell("piece", event.text)
            elif isinstance(event, Saved):
                tell("saved", [text, event.turn.replies[0].text])


def tell(what: str, value: object) -> None:
    sys.stdout.write(json.dumps([what, value]) + "\n")
    sys.stdout.flush()


@dataclass
class Outcome:
    kills: int = 0
    saved: int = 0
    kept_only: int = 0
    faults: list[str] = field(default_factory=list)


def kill_once(path: Path, run: int, rng: random.Random, outcome: Outcome) -> None:
    """Start a talk, kill it somewhere, open again, compare."""
    words = [sys.executable, "-m", "tests.chat.kill_chat", "--talk", str(path), "--run", str(run)]
    with killed_after(subprocess.Popen(words, stdout=subprocess.PIPE)) as child:
        if child.stdout is None:
            raise RuntimeError("the talk has no standard output")
        shown = [child.stdout.readline() for _ in range(rng.randint(1, 60))]
        if not shown[-1]:
            outcome.faults.append(f"run {run}: the talk could not go on after the kill before")
        time.sleep(rng.random() * 0.03)
        child.kill()
        shown += child.stdout.read().splitlines(keepends=True)
    outcome.kills += 1
    check(path, run, [json.loads(piece) for piece in shown if piece.endswith(b"\n")], outcome)


def check(path: Path, run: int, shown: list[list[object]], outcome: Outcome) -> None:
    asyncio.run(open_and_close(path))
    with Repository.open(path, recover=False) as repo:
        transcript = Transcript(repo, "main")
        turns = [turn for at in range(len(transcript.chunks)) for turn in transcript.turns(at)]
    replies = {turn.message.text: [r.text for r in turn.replies] for turn in turns if turn.message}
    texts = [turn.message.text for turn in turns if turn.message]
    if len(texts) != len(set(texts)):
        outcome.faults.append(f"run {run}: a turn stands twice")
    for what, value in shown:
        if what == "saved" and isinstance(value, list):
            outcome.saved += 1
            if replies.get(value[0]) != [value[1]]:
                outcome.faults.append(f"run {run}: saved, but not there: {value[0]}")
        elif what == "kept":
            outcome.kept_only += 1
            if value not in replies:
                outcome.faults.append(f"run {run}: kept, but not there: {value}")
    for command in (["fsck", "--full", "--strict"], ["status", "--porcelain"]):
        with unpacked(path):
            done = subprocess.run(
                ["git", "-C", str(path), *command], capture_output=True, text=True, check=False
            )
        if done.returncode or done.stderr or (command[0] == "status" and done.stdout):
            outcome.faults.append(f"run {run}: git {command[0]}: {done.stdout}{done.stderr}")


async def open_and_close(path: Path) -> None:
    session = await Session.open(path, backends=[Scripted()])
    await session.close()


def kill_many(path: Path, times: int, seed: int) -> Outcome:
    rng, outcome = random.Random(seed), Outcome()
    new(path)
    for run in range(times):
        kill_once(path, run, rng, outcome)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--talk", type=Path)
    parser.add_argument("--run", type=int, default=0)
    asked = parser.parse_args()
    if asked.talk is not None:
        asyncio.run(chat(asked.talk, asked.run))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_many(Path(folder) / "mira", asked.times, asked.seed)
    print(
        f"{outcome.kills} kills (seed {asked.seed}): {outcome.saved} turns shown as saved, "
        f"{outcome.kept_only} messages shown as kept, {len(outcome.faults)} faults"
    )
    for fault in outcome.faults:
        print(fault)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
