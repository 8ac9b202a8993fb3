"""kill -9 at random moments of a steered talk: `python -m tests.system.kill_lives --times 1000`.

A session says something, has answers made anew, corrects words, rewinds, switches, merges, undoes
and redoes; beside it a process packs what comes together. Both are killed. After each act the
session tells what a user saw: the words that were saved, and where every branch stood. Then the
companion is opened again as a user would, and: all that was acknowledged is in the history, at most
one act more has happened, no turn stands twice, the next message is saved, git finds nothing wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from perdure.actions.history import branch, undo
from perdure.actions.history import merge as merge_action
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.turns import answers, correct
from perdure.actions.workspace import Workspace
from perdure.chat.events import Event, MessageKept, Saved
from perdure.chat.session import Session
from perdure.errors import Problem
from perdure.git.maintenance import process
from perdure.git.packs import background, repack, small
from tests.speaking import Scripted
from tests.system.recovered import Recovered, Row, seen
from tests.system.walk import new

KINDS = {
    "turn": 5, "regenerate": 3, "regenerate further up": 2, "choose": 2, "edit": 2, "rewind": 2,
    "switch": 1, "merge": 3, "undo": 3, "redo": 2, "drop": 1,
}  # fmt: skip


def small_packs() -> None:
    """Packs are joined after four turns and made small after eight, by the process beside only."""
    small.SMALL_LIMIT = 4
    setattr(repack, "JOINED_LIMIT", 2)  # noqa: B010 - a name that it imports
    repack.FAN = repack.STEP_PACKS = 2
    background.JOINED_LIMIT = 1000


class Talker:
    """The session that is killed."""

    def __init__(self, path: Path, session: Session, dice: random.Random, out: int) -> None:
        self.path, self.session, self.dice, self.out = path, session, dice, out
        self.run = dice.randrange(1 << 40)
        self.number = 0

    def tell(self, what: str, value: object) -> None:
        os.write(self.out, (json.dumps([what, value]) + "\n").encode())

    def fresh(self) -> str:
        self.number += 1
        return f"{self.run:x}-{self.number}"

    async def forever(self) -> None:
        while True:
            (kind,) = self.dice.choices(list(KINDS), list(KINDS.values()))
            self.tell("begins", kind)
            with contextlib.suppress(Problem):
                await self.act(kind)
                self.tell("done", [kind, seen(self.path)])

    async def act(self, kind: str) -> None:
        session, dice = self.session, self.dice
        if kind == "turn":
            await self.hear(session.send(f"words {self.fresh()} {'river ' * dice.randrange(99)}"))
        elif kind == "regenerate":
            await self.hear(session.regenerate())
        elif kind == "regenerate further up":
            await self.hear(session.regenerate(f"@-{dice.randrange(1, 6)}", f"a{self.fresh()}"))
        else:
            await session.act(self.steering(kind))

    async def hear(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, MessageKept):
                self.tell("kept", event.message.text)
            elif isinstance(event, Saved):
                turn = event.turn
                words = [turn.message.text if turn.message else "", turn.replies[-1].text]
                self.tell("saved", [event.commit, str(event.turn_id), *words])

    def steering(self, kind: str) -> Callable[[Workspace], object]:
        name, place = self.fresh(), f"@-{self.dice.randrange(6)}"

        def other(workspace: Workspace) -> str:
            names = [
                row.branch.name
                for row in branch.list_branches(workspace)
                if not row.branch.is_current
            ]
            return self.dice.choice(names) if names else "none"

        def choose(workspace: Workspace) -> object:
            rows = answers.list_answers(workspace, "@").rows
            number = self.dice.choice([row.number for row in rows]) if rows else 1
            return answers.choose(
                workspace, answers.plan_choice(workspace, "@", number, f"c{name}")
            )

        def edit(workspace: Workspace) -> object:
            return correct.correct(
                workspace, correct.find_words(workspace, place), f"better {name}"
            )

        def drop(workspace: Workspace) -> object:
            return branch.remove_branch(workspace, branch.plan_drop(workspace, other(workspace)))

        return {
            "choose": choose,
            "edit": edit,
            "drop": drop,
            "rewind": lambda workspace: rewind(
                workspace, plan_rewind(workspace, place, f"r{name}")
            ),
            "switch": lambda workspace: branch.check_out_branch(workspace, other(workspace)),
            "merge": lambda workspace: merge_action.merge_branch(workspace, other(workspace)),
            "undo": lambda workspace: undo.perform_step(workspace, undo.next_undo(workspace)),
            "redo": lambda workspace: undo.perform_step(workspace, undo.next_redo(workspace)),
        }[kind]


def talk(path: Path, seed: int, out: int) -> None:
    async def run() -> None:
        dice = random.Random(seed)
        backend = Scripted(reply=lambda _: f"answer {dice.randrange(1 << 60):x}", step=9)
        session = await Session.open(path, backends=[backend])
        await Talker(path, session, dice, out).forever()

    asyncio.run(run())


def pack(path: Path) -> None:
    while True:
        process.work(path / ".git")
        time.sleep(0.005)


def forked(work: Callable[[], None]) -> int:
    """A child that does that until it is killed; its id. Forked: all is imported already."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        traceback.print_exc()
    os._exit(70)


@dataclass
class Outcome:
    """What came of all kills."""

    kills: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    killed_in: Counter[str] = field(default_factory=Counter)
    beyond: int = 0
    faults: list[str] = field(default_factory=list)


class Killing:
    """One companion, killed again and again."""

    def __init__(self, path: Path, dice: random.Random, outcome: Outcome) -> None:
        self.path, self.dice, self.outcome = path, dice, outcome
        new(path)
        self.found = Recovered(path, dice)
        asyncio.run(self.found.say_something())

    def once(self) -> None:
        """Start, kill, open again, compare."""
        reading, writing = os.pipe()
        talker = forked(lambda: talk(self.path, self.dice.randrange(1 << 30), writing))
        os.close(writing)
        packer = forked(lambda: pack(self.path))
        with open(reading, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
            shown = pipe.read(1 << 16)  # the session is opened
            time.sleep(self.dice.uniform(0.0, 0.5))
            for child in self.dice.sample([talker, packer], 2):
                os.kill(child, signal.SIGKILL)
            while data := pipe.read(1 << 16):
                shown += data
        for child in (talker, packer):
            _, status = os.waitpid(child, 0)
            if os.WIFEXITED(status):
                self.outcome.faults.append(f"a process ended by itself: {os.WEXITSTATUS(status)}")
        self.outcome.kills += 1
        told = [row for row in shown.splitlines(keepends=True) if row.endswith(b"\n")]
        rows: list[Row] = [tuple(json.loads(row)) for row in told]
        self.check(rows)

    def check(self, rows: list[Row]) -> None:
        kind = "opening"
        for what, value in rows:
            if what == "begins":
                kind = value
            elif what == "done":
                self.outcome.acts[value[0]] += 1
                kind = "between two"
        self.outcome.killed_in[kind] += 1
        before = self.found.beyond
        try:
            asyncio.run(self.found.check(rows))
        except (AssertionError, Problem) as trouble:
            self.outcome.faults.append(f"killed in {kind}: {type(trouble).__name__}: {trouble}")
        self.outcome.beyond += self.found.beyond - before


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--each", type=int, default=60, help="kills of one companion")
    parser.add_argument("--seconds", type=float, default=3600.0, help="no new kill after that")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    small_packs()
    dice, outcome, began = random.Random(asked.seed), Outcome(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kill-lives-") as folder:
        config = Path(folder) / "gitconfig"
        config.write_text("[user]\n\tname = Ana\n\temail = ana@example.invalid\n")
        os.environ |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
        while outcome.kills < asked.times and time.monotonic() - began < asked.seconds:
            if outcome.kills % asked.each == 0:
                killing = Killing(Path(folder) / f"mira-{outcome.kills}", dice, outcome)
            killing.once()
            if outcome.faults:
                kept = Path(tempfile.mkdtemp(prefix="kill-kept-")) / "mira"
                killing.path.rename(kept)
                print("\n".join(outcome.faults))
                print(f"kill {outcome.kills}, seed {asked.seed}; it is left at {kept}")
                return 1
    print(
        f"{outcome.kills} kills (seed {asked.seed}), {time.monotonic() - began:.0f} s: "
        f"{sum(outcome.acts.values())} acts acknowledged {dict(outcome.acts.most_common())}, "
        f"0 lost; {outcome.beyond} others were finished; 0 blocked restarts; "
        f"killed in {dict(outcome.killed_in.most_common())}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
