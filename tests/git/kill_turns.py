"""Kill a writer at random moments and see that no turn shown as saved is lost.

    python -m tests.git.kill_turns --times 200

A child talks: journal, streamed pieces, commit; it prints a line once a turn's header is safe and
one once its commit returned. It is killed with SIGKILL, the repository is opened again, and then:
every acknowledged turn is at the tip exactly once, every begun one is there or in the journal, the
next commit works at once, `git fsck --full --strict` and `git status` are clean.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from perdure.git.commit.write_order import HasJournal
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal, leftover
from tests.background import unpacked
from tests.processes import killed_after

MIRA = Author("Mira", "mira@companion.invalid")
CONVERSATION = "2026-11-22-1803-9f3a77c0"


def chunk(number: int) -> str:
    return f"conversations/2026-11/22/2026-11-22-1803-{number:04d}-9f3a77c0.md"


def save(repo: Repository, turn: int, text: str, journal: HasJournal) -> None:
    """Append a turn to its chunk; twenty turns to a chunk."""
    path = chunk(turn // 20)
    old = repo.read(path, "main") or b""
    entry = f"turn {turn:06d}: {text}\n".encode()
    if entry in old:
        raise SystemExit(f"turn {turn} would be written twice")
    oid = repo.oid(path, "main")
    repo.commit(
        [Change(path, old + entry)],
        message=f"turn: {turn}\n\nTurn: {CONVERSATION}/{turn}",
        author=MIRA,
        branch="main",
        expect={path: oid},
        journal=journal,
    )


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def child(path: Path, first: int) -> None:
    with Repository.open(path) as repo:
        for turn in range(first, first + 10_000):
            journal = Journal.begin(repo, {"turn": turn})
            say(f"begun {turn}")
            words = [f"word{random.randrange(10**6)} " for _ in range(60)]
            for word in words:
                journal.append(word)
            if turn % 3 == 0:
                journal.sync()
            save(repo, turn, "".join(words), journal)
            say(f"saved {turn}")


def texts(repo: Repository) -> list[bytes]:
    lines: list[bytes] = []
    for entry in repo.files("conversations", "main"):
        lines += repo.blob(entry.oid).splitlines()
    return lines


def git(path: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(path), *words], capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}" if done.returncode or done.stdout or done.stderr else ""


class Run:
    """One repository, killed again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.saved: set[int] = set()
        self.begun: set[int] = set()
        self.next = 0
        self.recovered = 0
        self.troubles: list[str] = []

    def kill_once(self, delay: float) -> None:
        first = self.next
        command = [
            sys.executable,
            "-m",
            "tests.git.kill_turns",
            "--child",
            str(self.path),
            "--first",
            str(first),
        ]
        with killed_after(subprocess.Popen(command, stdout=subprocess.PIPE)) as writer:
            assert writer.stdout is not None
            head = writer.stdout.readline()
            time.sleep(delay)
            writer.kill()
            rest = writer.stdout.read()
        for line in (head + rest).decode().splitlines():
            word, number = line.split()
            (self.saved if word == "saved" else self.begun).add(int(number))

    def reopen(self) -> None:
        with Repository.open(self.path) as repo:
            for left in leftover(repo):
                save(repo, left.header["turn"], left.text, left)
                self.recovered += 1
            lines = texts(repo)
            held = [int(line[5:11]) for line in lines]
            if len(set(held)) != len(held):
                self.troubles.append(f"twice: {sorted(n for n in held if held.count(n) > 1)}")
            self.next = max([*held, *self.begun], default=-1) + 1
            lost = self.begun - set(held)
            if lost:
                self.troubles.append(f"lost: {sorted(lost)}")
            repo.commit(
                [Change("memory/probe.md", str(len(held)).encode())],
                message="memory: a commit after the kill",
                author=MIRA,
                branch="main",
            )
            if repo.writer.index_trouble:
                self.troubles.append(repo.writer.index_trouble)
        # git's fsck does not look again for a pack that is joined to others beside it.
        with unpacked(self.path):
            for words in (("fsck", "--full", "--strict"), ("status", "--porcelain")):
                said = "\n".join(
                    line for line in git(self.path, *words).splitlines() if "dangling" not in line
                )
                if said:
                    self.troubles.append(f"git {words[0]}: {said}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--child", type=Path)
    parser.add_argument("--first", type=int, default=0)
    wanted = parser.parse_args()
    if wanted.child:
        child(wanted.child, wanted.first)
        return 0
    dice = random.Random(wanted.seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-turns-"))
    path = folder / "mira"
    create_repository(path, {"persona/10-who.md": b"I am Mira.\n"}, message="c", author=MIRA)
    run = Run(path)
    for number in range(wanted.times):
        run.kill_once(dice.uniform(0.0, 0.12))
        run.reopen()
        if run.troubles:
            print(f"after kill {number + 1}: {run.troubles}; the repository is left at {path}")
            return 1
    shutil.rmtree(folder)
    print(
        f"{wanted.times} kills: {len(run.saved)} turns acknowledged, 0 lost; {run.recovered} begun "
        "turns recovered from the journal; 0 blocked restarts; fsck and status clean each time"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
