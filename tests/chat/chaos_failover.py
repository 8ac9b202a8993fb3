"""Chat while servers die: `python -m tests.chat.chaos_failover --turns 500 --seed 7`.

A companion lists three backends: the openai, anthropic and ollama drivers, each with a real server
on loopback. Two of the three at a time, another two every 25 turns, are killed, stopped, put out by
one that accepts and never answers, and started again, at random moments: before a message, while it
is on its way, and after some words of the reply. Now and then all three go.

The order of failover is changed every 40 turns.

In the end the history is read with git alone (`tests.chat.chaos_history`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path

from perdure.actions.agreement import agree_to
from perdure.actions.trust import confirm
from perdure.backends.errors import BackendError
from perdure.backends.store.catalogue import DEFAULT_MODEL
from perdure.backends.store.download import pull
from perdure.chat.events import Event, Failed, ReplyPiece, ReplyStarted, Saved
from perdure.chat.session import Session
from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest, render_manifest
from perdure.companion.config.settings import edit_settings
from perdure.companion.templates import new_companion
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Repository
from tests.chat.chaos_servers import KEY, KEY_VARIABLE, PROXIED, WINDOW, Server, three

CONNECT_TIMEOUT, TIMEOUT = 1.0, 3.0
"""Seconds. A person waits longer; a run of 500 turns has no time to."""
PAIR_TURNS = 25
TURN_LIMIT = 90.0
"""Seconds; a turn that takes longer hangs."""
_WORDS = "river lamp winter letter garden quiet kitchen window story morning train music".split()  # noqa: SIM905


@dataclass
class Asked:
    """One message: what was shown of its turn, and when."""

    text: str
    order: tuple[str, ...]
    """The backends, as companion.yaml lists them."""
    turn: str = ""
    pieces: str = ""
    failed: str = ""
    resumed: int = 0
    spans: list[tuple[float, float]] = field(default_factory=list)
    """When a backend was asked, the first time and at each resumption."""

    @property
    def answered(self) -> bool:
        return self.pieces != ""


@dataclass
class Outcome:
    asked: list[Asked] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    """Kills, stalls and restarts."""
    counts: Counter[str] = field(default_factory=Counter)
    """What the history holds."""
    faults: list[str] = field(default_factory=list)


class Chaos:
    """Disturbs servers, as its dice say."""

    def __init__(self, servers: list[Server], dice: random.Random, outcome: Outcome) -> None:
        self._servers = {server.name: server for server in servers}
        self._dice = dice
        self._done = outcome.done
        self._running: set[asyncio.Task[None]] = set()
        self._pair: list[Server] = []
        self._cut: int | None = None

    async def before(self, number: int) -> None:
        """Before message ``number`` is sent."""
        dice = self._dice
        if number % PAIR_TURNS == 0:
            await self.settle()
            await asyncio.gather(*map(self._up, self._servers.values()))
            self._pair = dice.sample(list(self._servers.values()), 2)
        for server in self._servers.values():
            if dice.random() < (0.4 if server in self._pair else 1.0):
                self._later(0.0, self._up(server))
        if dice.random() < 0.04:
            await self.settle()
            self._done["all three at once"] += 1
            for server in self._servers.values():
                await self._hurt(server)
        elif dice.random() < 0.12:
            await self._hurt(dice.choice(self._pair))
        elif dice.random() < 0.12:
            self._later(dice.random() * 0.6, self._hurt(dice.choice(self._pair)))
        self._cut = dice.randint(1, 10) if dice.random() < 0.2 else None

    async def on(self, event: Event, speaking: str, pieces: int) -> None:
        """While the reply streams: after some words the one that speaks may go."""
        if isinstance(event, ReplyPiece) and pieces == self._cut:
            server = self._servers[speaking]
            if server in self._pair and server.state == "up":
                self._cut = None
                self._done["in mid-stream"] += 1
                await self._hurt(server)

    def any_order(self) -> tuple[str, ...]:
        """The names of all servers, shuffled."""
        return tuple(self._dice.sample(list(self._servers), len(self._servers)))

    async def all_up(self) -> None:
        """Every server answers."""
        await self.settle()
        await asyncio.gather(*map(self._up, self._servers.values()))

    async def settle(self) -> None:
        """Wait for what was begun."""
        while self._running:
            await asyncio.wait(set(self._running))

    def _later(self, pause: float, act: Awaitable[object]) -> None:
        async def run() -> None:
            await asyncio.sleep(pause)
            await act

        task = asyncio.create_task(run())
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        task.result()

    async def _up(self, server: Server) -> None:
        if server.state not in ("up", "starting"):
            self._done["continued" if server.state == "stopped" else "restarts"] += 1
            await server.up()

    async def _hurt(self, server: Server) -> None:
        if server.state != "up":
            return
        match self._dice.choice(["kill", "kill", "stop", "silence"]):
            case "stop":
                self._done["stops"] += 1
                server.stop()
            case "silence":
                self._done["silenced"] += 1
                await server.silence()
            case _:
                self._done["kills"] += 1
                which = self._dice.random()
                if server.proxied and which < 0.3:
                    await server.lose_model()
                else:
                    await server.kill(proxy=server.proxied and which < 0.6)


class Talk:
    """Sends the messages through one session after another."""

    def __init__(self, path: Path, chaos: Chaos, dice: random.Random, outcome: Outcome) -> None:
        self._path = path
        self._chaos = chaos
        self._dice = dice
        self._outcome = outcome
        self._session: Session | None = None
        self._order: tuple[str, ...] = ()

    async def run(self, turns: int) -> None:
        try:
            for number in range(turns):
                if number % 40 == 0:
                    await self._reopen()
                await self._turn(number)
            await self._chaos.all_up()
            last = self._outcome.asked[-1]
            if not last.answered:
                await self._resume(last)
        finally:
            if self._session is not None:
                await self._session.close()

    async def _reopen(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._order = self._chaos.any_order()
        set_order(self._path, self._order)
        self._session = await Session.open(self._path)

    async def _turn(self, number: int) -> None:
        session, dice = self._open(), self._dice
        await self._chaos.before(number)
        if number % 40 == 1:
            # As a face does as it opens: the first backend is read to ahead, or is not there.
            with contextlib.suppress(BackendError):
                await session.prepare()
        if dice.random() < 0.3:
            session.new_conversation()
        words = " ".join(dice.choices(_WORDS, k=dice.randint(1, 8)))
        asked = Asked(f"message {number:04d} {dice.getrandbits(32):08x} {words}", self._order)
        self._outcome.asked.append(asked)
        await self._read(session.send(asked.text), asked)
        # Half of those that nobody answered are asked again, the others are talked over.
        while not asked.answered and dice.random() < 0.5:
            await self._chaos.before(number if number % PAIR_TURNS else number + 1)
            await self._resume(asked)

    async def _resume(self, asked: Asked) -> None:
        asked.resumed += 1
        await self._read(self._open().resume(), asked)

    async def _read(self, events: AsyncIterator[Event], asked: Asked) -> None:
        speaking, pieces, asked.failed = "", 0, ""
        began = time.monotonic()
        async with asyncio.timeout(TURN_LIMIT):
            async for event in events:
                if isinstance(event, ReplyStarted):
                    speaking = event.backend
                elif isinstance(event, ReplyPiece):
                    asked.pieces, pieces = asked.pieces + event.text, pieces + 1
                elif isinstance(event, Saved):
                    asked.turn = str(event.turn_id)
                elif isinstance(event, Failed):
                    asked.failed = event.what
                await self._chaos.on(event, speaking, pieces)
        asked.spans.append((began, time.monotonic()))

    def _open(self) -> Session:
        if self._session is None:
            raise RuntimeError("no session is open")
        return self._session


def set_order(path: Path, order: tuple[str, ...]) -> None:
    """Write companion.yaml and commit it with git, and agree to it: a commit may be anybody's."""
    file = path / "companion.yaml"
    listed = f"backends: [{', '.join(order)}]"
    file.write_text(re.sub(r"^backends: .*$", listed, file.read_text(), flags=re.MULTILINE))
    ana = ["-c", "user.name=Ana", "-c", "user.email=ana@example.invalid"]
    words = ["commit", "--quiet", "--allow-empty", "-am", "backends in another order"]
    subprocess.run(["git", "-C", str(path), *ana, *words], check=True)
    with Repository.open(path, recover=False) as repo:
        agree_to(repo, backends=order)


def new(path: Path, servers: list[Server]) -> None:
    """A companion of few words that lists the three."""
    manifests = [
        Manifest(
            name=server.name,
            driver=server.name,
            model=PROXIED if server.proxied else "smollm2",
            address=server.address,
            key="" if server.proxied else f"env:{KEY_VARIABLE}",
            context_window=WINDOW,
            connect_timeout=CONNECT_TIMEOUT,
            timeout=TIMEOUT,
        )
        for server in servers
    ]
    files = new_companion(
        template="blank", name="Mira", user="Ana", manifest=manifests[0], at=now()
    )
    # Few words: every failover reads the whole prompt anew.
    files = {name: text for name, text in files.items() if not name.startswith("persona/")}
    files["persona/10-who.md"] = b"You are Mira. You speak to Ana in short words.\n"
    files |= {f"backends/{m.name}.yaml": render_manifest(m) for m in manifests}
    settings = files["companion.yaml"]
    files["companion.yaml"] = edit_settings(settings, {"context.reply_tokens": 64})
    author = Author("Mira", "mira@companion.invalid")
    with create_repository(path, files, message="companion: Mira begins\n", author=author) as repo:
        confirm(repo, manifests)


async def talk(folder: Path, turns: int, seed: int, limit: float, outcome: Outcome) -> list[Server]:
    """The talk and the chaos; the servers, all ended, with their past.

    Raises:
        TimeoutError: it took longer than ``limit``, in seconds.
    """
    dice = random.Random(seed)
    (folder / "servers").mkdir()
    servers = three(pull(DEFAULT_MODEL), folder / "servers")
    try:
        async with asyncio.timeout(limit):
            await asyncio.gather(*(server.up() for server in servers))
            new(folder / "mira", servers)
            chaos = Chaos(servers, random.Random(dice.random()), outcome)
            try:
                await Talk(folder / "mira", chaos, dice, outcome).run(turns)
            finally:
                await chaos.settle()
    finally:
        for server in servers:
            await server.close()
    return servers


def chaos_talk(folder: Path, turns: int, seed: int, limit: float = 7200.0) -> Outcome:
    """Talk so many turns below ``folder``, then look at what stands there."""
    from tests.chat.chaos_history import check

    outcome = Outcome()
    os.environ[KEY_VARIABLE] = KEY
    try:
        servers = asyncio.run(talk(folder, turns, seed, limit, outcome))
    finally:
        del os.environ[KEY_VARIABLE]
    check(folder / "mira", servers, outcome)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--keep", type=Path, help="a folder for the companion")
    parser.add_argument("--limit", type=float, default=7200.0, help="seconds for the whole talk")
    asked = parser.parse_args()
    # So that the servers are ended when this is asked to end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcome = chaos_talk(asked.keep or Path(folder), asked.turns, asked.seed, asked.limit)
    print(f"{asked.turns} turns in {time.monotonic() - began:.0f} s (seed {asked.seed})")
    for title, counts in (("servers", outcome.done), ("history", outcome.counts)):
        print(f"  {title}: " + ", ".join(f"{name} {counts[name]}" for name in sorted(counts)))
    print(f"  {len(outcome.faults)} faults")
    for fault in outcome.faults:
        print(f"    {fault}")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
