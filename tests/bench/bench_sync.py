"""Sync: how soon a turn is on the remote, how often it is pushed, and what that costs a turn.

Run it with `python -m tests.bench.bench_sync`. The remotes are on this machine: a folder, a web
server with TLS and `git http-backend`, and sshd. The peer is `git push` of the same ten turns.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure import child
from perdure.actions.companion.sync_policy import set_sync_policy
from perdure.actions.workspace import Workspace
from perdure.chat.events import Saved
from perdure.chat.session import Session
from perdure.companion.config.settings import SyncPolicy
from perdure.git.remotes.settings import add_remote, find_remote
from perdure.git.repository.repository import Change, Repository
from perdure.rescue.due import Waiting, due_at
from perdure.rescue.run import sync_with
from tests.bench.bench_commit import MIRA, place
from tests.bench.bench_packs import git
from tests.git_servers import (
    PASSWORD,
    USER,
    bare_repository,
    make_authority,
    ssh_server,
    web_server,
)
from tests.lives import make_life
from tests.speaking import Scripted

_TURNS = 2_000
"""Of the companion that talks."""
_TALK = 15
_EVERY = 2.0


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def _talk(
    path: Path, turns: int, every: float, saved: Callable[[str], object]
) -> list[float]:
    """Say something ``turns`` times; seconds of each turn, with a backend that takes none."""
    spent = []
    session = await Session.open(path, backends=[Scripted()])
    try:
        for number in range(turns):
            begun = time.perf_counter()
            async for event in session.send(f"word {number} of the bench"):
                if isinstance(event, Saved):
                    saved(event.commit)
            spent.append(time.perf_counter() - begun)
            await asyncio.sleep(every)
    finally:
        await session.close()
    return spent


def _set(path: Path, policy: SyncPolicy) -> None:
    with Workspace.open(path) as workspace:
        set_sync_policy(workspace, policy)


def _sync(path: Path, name: str) -> float:
    begun = time.perf_counter()
    with Workspace.open(path) as workspace:
        sync_with(workspace, find_remote(workspace.repo, name))
    return time.perf_counter() - begun


def each_turn(path: Path, remote: Path) -> None:
    """Print how long after it was saved a turn is on the remote."""
    saved: dict[str, float] = {}
    there: dict[str, float] = {}
    ends = threading.Event()

    def look() -> None:
        while not ends.wait(0.02):
            for oid in list(saved):
                if oid not in there and _has(remote, oid):
                    there[oid] = time.perf_counter()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        asyncio.run(
            _talk(path, _TALK, _EVERY, lambda oid: saved.setdefault(oid, time.perf_counter()))
        )
        deadline = time.perf_counter() + 30
        while len(there) < len(saved) and time.perf_counter() < deadline:
            time.sleep(0.05)
    finally:
        ends.set()
        looking.join()
    delays = [there[oid] - at for oid, at in saved.items() if oid in there]
    print(
        f"  each turn, one every {_EVERY:.0f} s: on the remote after"
        f" {statistics.median(delays):.2f} s, p95 {_p95(delays):.2f} s (limit 10),"
        f" {len(delays)} of {len(saved)} turns",
        flush=True,
    )


def _has(remote: Path, oid: str) -> bool:
    found = subprocess.run(
        ["git", "-C", remote, "merge-base", "--is-ancestor", oid, "main"],
        capture_output=True,
        check=False,
    )
    return found.returncode == 0


def when_quiet() -> None:
    """Print how often a steady conversation of two hours is pushed."""
    for every in (20.0, 45.0):
        pushes, waiting, turns, at = 0, None, 0, 0.0
        while at < 7200:
            if at % every == 0:
                turns += 1
                count = waiting.turns + 1 if waiting else 1
                waiting = Waiting(waiting.since if waiting else at, at, count)
            due = due_at("when quiet", waiting) if waiting else None
            if due is not None and due <= at:
                pushes, waiting = pushes + 1, None
            at += 1.0
        print(f"  when quiet, a turn every {every:.0f} s: {pushes} pushes for {turns} turns")


def a_turn(path: Path) -> None:
    """Print what a turn takes with and without, in turns: what the machine does hits both."""
    spent: dict[SyncPolicy, list[list[float]]] = {"off": [], "each turn": []}
    for _ in range(6):
        for policy, blocks in spent.items():
            _set(path, policy)
            blocks.append(asyncio.run(_talk(path, 45, 0.1, lambda _: None))[5:])
    for policy, blocks in spent.items():
        every = [each for block in blocks for each in block]
        ends = sorted(_p95(block) * 1e3 for block in blocks)
        print(
            f"  {len(every)} turns with sync: {policy}: {statistics.median(every) * 1e3:.1f} ms,"
            f" p95 {_p95(every) * 1e3:.1f} ms (of blocks: {ends[0]:.1f} to {ends[-1]:.1f})",
            flush=True,
        )


def waiting_child(path: Path) -> None:
    """Print what the process costs while it waits."""
    end_children()
    _set(path, "when quiet")
    asyncio.run(_talk_once(path))
    (pid,) = child.spawned
    time.sleep(4)
    before = _cpu(pid)
    time.sleep(20)
    memory = next(
        line.split()[1]
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    print(
        f"  the process that waits: {(_cpu(pid) - before) * 3 * 1e3:.0f} ms CPU a minute,"
        f" {int(memory) / 1024:.0f} MB",
        flush=True,
    )


async def _talk_once(path: Path) -> None:
    session = await Session.open(path, backends=[Scripted()])
    try:
        async for _ in session.send("one word"):
            pass
    finally:
        await session.close()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_children() -> None:
    """End the processes that sessions have started."""
    for pid in list(child.spawned):
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        child.spawned.discard(pid)


def pushes(folder: Path) -> None:
    """Print what a push of ten turns takes, against git."""
    with _remotes(folder) as remotes:
        for name, url in remotes.items():
            _push_ten(folder, name, url)


@contextmanager
def _remotes(folder: Path) -> Iterator[dict[str, str]]:
    served = folder / "served"
    served.mkdir()
    (folder / "authority").mkdir()
    authority = make_authority(folder / "authority")
    ssh = ssh_server(served, folder / "ssh")
    os.environ |= {
        "GIT_SSH_COMMAND": f"ssh -F {ssh.config}",
        "GIT_SSL_CAINFO": str(authority.file),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
    }
    helper = f"!f() {{ echo username={USER}; echo password={PASSWORD}; }}; f"
    (folder / "gitconfig").write_text(f'[credential]\n\thelper = "{helper}"\n')
    with web_server(served, context=authority.context, password=True, host="localhost") as web:
        yield {"folder": str(served), "https": web.url, "ssh": ssh.url}


def _push_ten(folder: Path, name: str, url: str) -> None:
    path = folder / f"life-{name}"
    make_life(path, _TURNS)
    bare_repository(folder / "served", f"{name}.git")
    bare_repository(folder / "served", f"{name}-git.git")
    with Repository.open(path) as repo:
        add_remote(repo, "ours", f"{url}/{name}.git")
        add_remote(repo, "gits", f"{url}/{name}-git.git")
    _sync(path, "ours")
    git(path, "push", "-q", "gits", "main")
    ours, theirs, command = [], [], []
    for number in range(5):
        _ten(path, number)
        with Workspace.open(path) as workspace:
            workspace.repo.commit_info("HEAD")
            begun = time.perf_counter()
            sync_with(workspace, find_remote(workspace.repo, "ours"))
            ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        git(path, "push", "-q", "gits", "main")
        theirs.append(time.perf_counter() - begun)
        _ten(path, 100 + number)
        begun = time.perf_counter()
        subprocess.run(
            [Path(sys.executable).with_name("perdure"), "push", "ours"],
            cwd=path,
            check=True,
            capture_output=True,
        )
        command.append(time.perf_counter() - begun)
        git(path, "push", "-q", "gits", "main")
    best = min(ours), min(theirs), min(command)
    print(
        f"  10 turns by {name}: {best[0] * 1e3:.0f} ms in an open session, git push"
        f" {best[1] * 1e3:.0f} ms ({best[0] / best[1]:.2f}, limit 2), as a command"
        f" {best[2] * 1e3:.0f} ms (limit 300)",
        flush=True,
    )


def _ten(path: Path, number: int) -> None:
    with Repository.open(path) as repo:
        for each in range(10):
            repo.commit(
                [Change(f"conversations/2026-11/22/bench-{number}.md", b"> word\n" * (each + 1))],
                message=f"turn: {number}-{each}\n",
                author=MIRA,
                branch="main",
            )


def run() -> None:
    """Print the figures."""
    folder = place()
    try:
        print(f"sync ({folder.parent})")
        path, remote = folder / "mira", bare_repository(folder)
        make_life(path, _TURNS)
        with Repository.open(path) as repo:
            add_remote(repo, "backup", str(remote))
        _set(path, "each turn")
        _sync(path, "backup")
        when_quiet()
        each_turn(path, remote)
        end_children()
        a_turn(path)
        waiting_child(path)
        end_children()
        pushes(folder)
    finally:
        end_children()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    run()
