"""A disk that is full at every write of a turn and of a pack: `python -m tests.system.disk_full`.

A small file system of its own is mounted (for which one has to be root). It is filled until so many
pages, or so many names of new files, are free; then somebody talks, through a session or with
`perdure say`, or the background packs. What was shown as kept or saved has to be there as soon as
there is space again, and the next turn has to be saved.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure.actions.backends.manage import BackendActions
from perdure.actions.history import undo
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.chat.events import Failed, MessageKept, Saved
from perdure.chat.session import Session
from perdure.companion.config.manifest import Manifest
from perdure.errors import Problem
from perdure.git.maintenance import process
from perdure.git.packs import background
from tests.api_server import ApiServer
from tests.speaking import Scripted
from tests.system.book import WrongTalk
from tests.system.power_cuts import small_packs
from tests.system.recovered import Recovered, Row, seen
from tests.system.walk import new

PAGE = 4096
SIZE = 8 * 1024 * 1024


class CannotMount(Exception):
    """There is no right to mount anything here."""


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of 8 MB, in memory."""
    place.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},nr_inodes=4000", "none", str(place)]
    try:
        done = subprocess.run(words, check=False, capture_output=True)
    except OSError as error:
        raise CannotMount(str(error)) from error
    if done.returncode:
        raise CannotMount(done.stderr.decode())
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def filled(disk: Path, *, pages: int | None = None, names: int | None = None) -> Iterator[None]:
    """Nothing is free for a while but so many pages, or so many new files."""
    ballast = disk / "ballast"
    ballast.mkdir()
    try:
        if pages is not None:
            free = os.statvfs(disk).f_bavail - pages
            with (ballast / "pages").open("wb") as file:
                file.write(bytes(free * PAGE))
        if names is not None:
            for number in range(os.statvfs(disk).f_ffree - names):
                (ballast / str(number)).touch()
        yield
    finally:
        shutil.rmtree(ballast)


def _told(problem: Problem | Failed) -> None:
    """A full disk is named, with what is kept and what to do."""
    if "full" not in problem.what or not problem.next_step:
        raise WrongTalk(f"told: {problem.what!r} {problem.kept!r} {problem.next_step!r}")


class FullDisk:
    """One companion on it, and what came of filling the disk again and again."""

    def __init__(self, disk: Path, seed: int) -> None:
        self.disk, self.path = disk, disk / "mira"
        self.dice = random.Random(seed)
        self.found = Recovered(self.path, self.dice)
        self.outcomes: Counter[str] = Counter()
        self.number = 0

    def _text(self) -> str:
        self.number += 1
        return f"words {self.number} " + "river " * self.dice.randrange(400)

    async def talk(self, pages: int | None, names: int | None, *, opened: bool) -> None:
        """Say something while the disk is full, from before or after the session was opened."""
        text, rows = self._text(), [self._row("done", ["", seen(self.path)])]
        rows.append(self._row("begins", ""))
        session = None
        if opened:
            session = await Session.open(self.path, backends=[Scripted()])
        try:
            with filled(self.disk, pages=pages, names=names):
                outcome = "saved"
                try:
                    session = session or await Session.open(self.path, backends=[Scripted()])
                    outcome = await self._hear(session, text, rows)
                except Problem as problem:
                    _told(problem)
                    outcome = "refused"
            self.outcomes[outcome] += 1
            if session is not None and self.dice.random() < 0.5:
                # The same session goes on as soon as there is space.
                text = self._text()
                events = [event async for event in session.send(text)]
                if not any(isinstance(event, Saved) for event in events):
                    raise WrongTalk(f"not saved with space: {events}")
                rows = [row for row in rows if row[0] in {"kept", "saved"}]
        finally:
            if session is not None:
                await session.close()
        await self.found.check(rows)

    async def _hear(self, session: Session, text: str, rows: list[Row]) -> str:
        outcome = "nothing"
        async for event in session.send(text):
            if isinstance(event, MessageKept):
                rows.append(self._row("kept", event.message.text))
            elif isinstance(event, Saved):
                words = [text, event.turn.replies[-1].text]
                rows.append(self._row("saved", [event.commit, str(event.turn_id), *words]))
                outcome = "saved"
            elif isinstance(event, Failed):
                _told(event)
                outcome = "failed"
        return outcome

    @staticmethod
    def _row(what: str, value: object) -> Row:
        return what, json.loads(json.dumps(value))

    async def steer(self, pages: int | None, names: int | None) -> None:
        """Rewind, or undo, while the disk is full."""
        rows = [self._row("done", ["", seen(self.path)]), self._row("begins", "")]
        session = await Session.open(self.path, backends=[Scripted()])
        name = f"line-{self.number}"
        self.number += 1
        try:
            with filled(self.disk, pages=pages, names=names):
                try:
                    if self.number % 2:
                        await session.act(lambda h: rewind(h, plan_rewind(h, "@-1", name)))
                    else:
                        await session.act(lambda h: undo.perform_step(h, undo.next_undo(h)))
                    self.outcomes["steered"] += 1
                except Problem as problem:
                    _told(problem)
                    self.outcomes["not steered"] += 1
        finally:
            await session.close()
        await self.found.check(rows)

    async def say(self, pages: int | None, names: int | None) -> None:
        """`perdure say` while the disk is full."""
        text, rows = self._text(), [self._row("done", ["", seen(self.path)])]
        rows.append(self._row("begins", ""))
        with filled(self.disk, pages=pages, names=names):
            done = subprocess.run(
                [sys.executable, "-m", "perdure.cli.entry", "say", "-c", str(self.path), text],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        said = done.stdout + done.stderr
        if "Traceback" in said or (done.returncode and "full" not in said):
            raise WrongTalk(f"perdure say: {done.returncode} {said}")
        outcome = "said" if done.returncode == 0 else "not said"
        if done.returncode == 0 or "is kept" in done.stderr or "are kept" in done.stderr:
            rows.append(self._row("kept", text))
            outcome += ", kept"
        self.outcomes[outcome] += 1
        await self.found.check(rows)

    async def pack(self, pages: int | None, names: int | None) -> None:
        """The background packs while the disk is full."""
        git_dir = self.path / ".git"
        with filled(self.disk, pages=pages, names=names):
            code = process.work(git_dir)
        left = list((git_dir / "objects" / "pack").glob("tmp_*"))
        if left:
            raise WrongTalk(f"left: {left}")
        self.outcomes["packed" if code == 0 else "not packed"] += 1
        failed = background.failure_file(git_dir)
        if code and (pages or 0) > 1 and "space" not in failed.read_text():
            raise WrongTalk("nobody says why")
        await self.found.check([])


async def run(disk: Path, asked: argparse.Namespace, server: ApiServer) -> Counter[str]:
    """Every way, at every position."""
    new(disk / "mira")
    with BackendActions(disk / "mira") as backends:
        backends.add(Manifest("tiny", "openai", "tiny", server.address))
        backends.use(["tiny"])
    full = FullDisk(disk, asked.seed)
    for _ in range(4):
        await full.found.say_something()
    ways = {
        "open": lambda p, n: full.talk(p, n, opened=True),
        "closed": lambda p, n: full.talk(p, n, opened=False),
        "steer": full.steer,
        "pack": full.pack,
        "say": full.say,
    }
    for way in asked.way or ways:
        for kind in ("pages", "names"):
            for free in range(asked.first, asked.most, asked.every * (4 if way == "say" else 1)):
                at = (free, None) if kind == "pages" else (None, free)
                try:
                    await ways[way](*at)
                except (AssertionError, Problem, OSError) as error:
                    kept = Path(tempfile.mkdtemp(prefix="full-kept-")) / "mira"
                    shutil.copytree(full.path, kept)
                    raise WrongTalk(f"{way}, {free} {kind} free; it is left at {kept}") from error
    return full.outcomes


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--way", action="append", help="open, closed, steer, pack, say; all without"
    )
    parser.add_argument("--most", type=int, default=48, help="pages, or files, that are free")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    small_packs()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="disk-full-") as folder:
        config = Path(folder) / "gitconfig"
        config.write_text("[user]\n\tname = Ana\n\temail = ana@example.invalid\n")
        os.environ |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
        try:
            with small_disk(Path(folder) / "disk") as disk, ApiServer() as server:
                outcomes = asyncio.run(run(disk, asked, server))
        except CannotMount as error:
            print(f"skipped: nothing can be mounted here: {error}")
            return 0
    print(
        f"{sum(outcomes.values())} full disks (seed {asked.seed}), {time.monotonic() - began:.0f} s"
        f", 0 words lost: {dict(outcomes.most_common())}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
