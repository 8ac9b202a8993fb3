"""What has to hold of a companion whose process was ended, when a user opens it again."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from perdure.chat.events import Saved
from perdure.chat.session import Session
from tests.background import unpacked
from tests.speaking import Scripted
from tests.system.book import Book, Reader, WrongTalk, run_git

Row = tuple[str, Any]
"""What the process told before it ended: ``begins KIND``, ``kept TEXT``, ``saved [COMMIT, TURN,
MESSAGE, REPLY]``, ``done [KIND, SEEN]``."""


def seen(path: Path) -> dict[str, str]:
    """Where HEAD, the branches, an open merge and the log of operations are, by plain git."""
    rows = run_git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    found = dict(row.split() for row in rows)
    found = {n: c for n, c in found.items() if n.startswith(("refs/heads/", "refs/perdure/ops"))}
    merging = path / ".git" / "MERGE_HEAD"
    if merging.exists():
        found["MERGE_HEAD"] = merging.read_text().strip()
    return found | {"HEAD": (path / ".git" / "HEAD").read_text().strip()}


class Recovered:
    """One companion, and all that was ever acknowledged of it."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.path, self.dice = path, dice
        self.reader = Reader(path)
        self.saved: dict[str, tuple[str, str, str]] = {}
        self.tips: set[str] = set()
        self.beyond = 0
        """How often one act more than was acknowledged had been done."""

    async def check(self, rows: list[Row]) -> None:
        """Open, compare with what was told, go on talking.

        Raises:
            WrongTalk, AssertionError, Problem: something is not as it has to be.
        """
        last, kept, has_begun = self._take(rows)
        session = await Session.open(self.path, backends=[Scripted()])
        await session.close()
        self._compare(last, has_begun=has_begun)
        self.look()
        if kept and not self._stands(kept):
            raise WrongTalk(f"the message was shown as kept: {kept!r}")
        await self.say_something()
        self.look()
        self.saved.clear()

    def _take(self, rows: list[Row]) -> tuple[dict[str, str], str, bool]:
        last: dict[str, str] = {}
        kept, has_begun = "", True
        for what, value in rows:
            if what == "begins":
                has_begun = True
            elif what == "kept":
                kept = value
            elif what == "saved":
                commit, *words = value
                self.saved[commit] = (words[0], words[1], words[2])
                kept = ""
            else:
                last, has_begun, kept = value[1], False, ""
                self.tips |= {oid for name, oid in last.items() if name.startswith("refs/")}
        return last, kept, has_begun

    async def say_something(self) -> None:
        """The next message of a user is saved."""
        session = await Session.open(self.path, backends=[Scripted()])
        text = f"and on {self.dice.randrange(1 << 60):x}"
        events = [event async for event in session.send(text)]
        await session.close()
        found = [event for event in events if isinstance(event, Saved)]
        if len(found) != 1:
            raise WrongTalk(f"the next message was not saved: {events}")
        self.tips.add(found[0].commit)

    def _compare(self, last: dict[str, str], *, has_begun: bool) -> None:
        """What was told last holds, or that and one act more if one had begun."""
        now = seen(self.path)
        if not last or now == last:
            return
        if not has_begun:
            raise WrongTalk(f"acknowledged: {last}; found: {now}")
        self.beyond += 1
        log = now.get("refs/perdure/ops")
        ops = run_git(self.path, "rev-list", "--first-parent", log).split() if log else []
        before = last.get("refs/perdure/ops")
        if before is not None and before not in ops[:2]:
            raise WrongTalk(f"the log of operations: {ops[:3]}, after {before}")
        moved = {name for name in now.keys() | last.keys() if now.get(name) != last.get(name)}
        if log == before and len(moved) > 1:
            raise WrongTalk(f"moved without an operation: {moved}")

    def _books(self) -> list[tuple[str, Book]]:
        rows = run_git(self.path, "for-each-ref", "--format=%(objectname)", "refs/heads")
        return [(tip, self.reader.read(tip)) for tip in rows.split()]

    def _stands(self, text: str) -> bool:
        return any(said.message == text for _, book in self._books() for said in book.values())

    def look(self) -> None:
        """All that was ever acknowledged is reachable, with its words; nothing is twice."""
        kept = set(run_git(self.path, "rev-list", "--all").split())
        if lost := (self.tips | self.saved.keys()) - kept:
            raise WrongTalk(f"acknowledged, and unreachable: {lost}")
        for commit, (turn, message, reply) in self.saved.items():
            said = self.reader.read(commit).get(turn)
            if said is None or (message and said.message != message) or reply not in said.replies:
                raise WrongTalk(f"{commit} has {said}, not {message} {reply}")
        for tip, book in self._books():
            texts = Counter(said.message for said in book.values() if said.message)
            if doubled := [text for text, count in texts.items() if count > 1]:
                raise WrongTalk(f"twice at {tip}: {doubled}")
        with unpacked(self.path):
            said_by_git = run_git(self.path, "fsck", "--full", "--strict").splitlines()
        said_by_git = [line for line in said_by_git if "dangling" not in line]
        git = self.path / ".git"
        if not (git / "MERGE_HEAD").exists():
            said_by_git += run_git(self.path, "status", "--porcelain", "-uall").splitlines()
        locks = [p for p in git.rglob("*.lock") if git / "perdure" not in p.parents]
        if said_by_git or locks:
            raise WrongTalk(f"git: {said_by_git}; locks: {locks}")
