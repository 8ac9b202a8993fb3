"""How many loose objects a long life has at most: `python -m tests.system.loose_objects`.

Two sessions of one companion, turn about, say things, rewind, have answers made anew, begin, change
and merge branches; every so often somebody edits and commits with plain git, which writes loose
objects. Packing goes on beside it as it does for everybody. Counted are all loose objects after
each act, and the packs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from perdure.actions.history import branch, undo
from perdure.actions.history import merge as merge_action
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.turns import correct
from perdure.chat.events import Event, Failed
from perdure.chat.session import Session
from perdure.errors import Problem
from tests.background import wait_for_children
from tests.speaking import Scripted
from tests.system.book import run_git
from tests.system.walk import new

LIMIT = 3000
KINDS = {"turn": 60, "regenerate": 8, "edit": 4, "rewind": 3, "switch": 3, "merge": 3, "undo": 3,
         "new conversation": 4, "git": 30}  # fmt: skip


class LongLife:
    """One companion, and the most that was counted."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.path, self.dice = path, dice
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.most_loose = self.most_packs = 0
        self.number = 0

    async def live(self, turns: int) -> None:
        """Until so many turns are saved, by two sessions that are both open."""
        sessions = [await Session.open(self.path, backends=[Scripted(step=4000)]) for _ in "ab"]
        try:
            while self.done["turn"] < turns:
                (kind,) = self.dice.choices(list(KINDS), list(KINDS.values()))
                try:
                    await self._act(kind, self.dice.choice(sessions))
                except Problem as problem:
                    self.refused[f"{kind}: {type(problem).__name__}"] += 1
                else:
                    self.done[kind] += 1
                self._count()
                if sum(self.done.values()) % 500 == 0:
                    print(
                        f"  {self.done['turn']} turns, {self.most_loose} loose at most", flush=True
                    )
        finally:
            for session in sessions:
                await session.close()
        wait_for_children()
        self._count()

    async def _act(self, kind: str, session: Session) -> None:
        self.number += 1
        name = f"{kind.replace(' ', '-')}-{self.number}"
        if kind == "turn":
            await self._hear(session.send(f"{name} {'river and stone ' * self.dice.randrange(40)}"))
        elif kind == "regenerate":
            await self._hear(session.regenerate())
        elif kind == "new conversation":
            session.new_conversation()
        elif kind == "git":
            self._commit(name)
        elif kind == "edit":
            await session.act(
                lambda h: correct.correct(h, correct.find_words(h, "@"), f"better {name}")
            )
        elif kind == "rewind":
            place = f"@-{self.dice.randrange(1, 8)}"
            await session.act(lambda h: rewind(h, plan_rewind(h, place, name)))
        elif kind == "undo":
            await session.act(lambda h: undo.perform_step(h, undo.next_undo(h)))
        elif kind == "switch":
            await session.act(lambda h: branch.check_out_branch(h, self._other()))
        else:
            joined = await session.act(lambda h: merge_action.merge_branch(h, self._other()))
            if joined.conflicts:
                await session.act(merge_action.abort)

    def _other(self) -> str:
        names = run_git(self.path, "branch", "--format=%(refname:short)").split()
        return self.dice.choice(names)

    def _commit(self, name: str) -> None:
        file = self.path / f"lore/{self.dice.randrange(20)}.md"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"# Lore\n\n{name}\n")
        for words in (["add", "lore"], ["commit", "-q", "-m", f"lore: {name}", "--", "lore"]):
            # A session may hold the index for a moment, and git does not wait for it.
            run_git(self.path, *words, check=False)

    @staticmethod
    async def _hear(events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, Failed):
                raise Problem(event.what, event.kept, event.next_step)

    def _count(self) -> None:
        objects = self.path / ".git" / "objects"
        folders = [each for each in os.scandir(objects) if len(each.name) == 2]
        loose = sum(len(os.listdir(each.path)) for each in folders)  # noqa: PTH208
        packs = sum(name.endswith(".pack") for name in os.listdir(objects / "pack"))  # noqa: PTH208
        self.most_loose = max(self.most_loose, loose)
        self.most_packs = max(self.most_packs, packs)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="loose-") as folder:
        config = Path(folder) / "gitconfig"
        config.write_text("[user]\n\tname = Ana\n\temail = ana@example.invalid\n")
        os.environ |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
        path = Path(folder) / "mira"
        new(path)
        life = LongLife(path, random.Random(asked.seed))
        asyncio.run(life.live(asked.turns))
        said = subprocess.run(
            ["git", "-C", path, "fsck", "--full", "--strict"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert said.stderr == "", said.stderr
    print(f"{dict(life.done.most_common())} (seed {asked.seed}), {time.monotonic() - began:.0f} s")
    print(f"refused: {dict(life.refused.most_common())}")
    print(
        f"at most {life.most_loose} loose objects (limit {LIMIT}) and {life.most_packs} packs; "
        "git fsck --full --strict: clean"
    )
    return life.most_loose > LIMIT


if __name__ == "__main__":
    sys.exit(main())
