"""Four writers at once: `python -m tests.system.four_writers --commits 1000`.

Two sessions in two processes and `perdure say`, each with a model of their own that answers at
once, and a person who commits edits of the persona with plain git. In the end every text stands at
the tip once, each conversation is in order, no id is there twice, git finds nothing wrong, and no
writer was told of an error but those that git itself documents: its locks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from perdure.actions.backends.manage import BackendActions
from perdure.chat.events import Failed, Saved
from perdure.chat.session import Session
from perdure.companion.config.manifest import Manifest
from perdure.companion.conversation.chunk import parse_chunks
from perdure.companion.ids import TurnId
from perdure.notice import Notice
from tests.api_server import REPLY, ApiServer
from tests.background import unpacked, wait_for_children
from tests.processes import killed_after
from tests.speaking import Scripted
from tests.system.book import Reader, Said, run_git
from tests.system.walk import new

PERSONA = "persona/30-you.md"
_LOCKED = (".lock", "cannot lock ref", "could not write index")


async def talk(path: Path, name: str, count: int) -> None:
    """A session that says so many things; each that was shown as saved is told on stdout."""
    backend = Scripted(reply=lambda p: f"to {p[-1].content.split()[-1]}", step=4000)
    session = await Session.open(path, backends=[backend])
    for number in range(count):
        text = f"{name} says {name}-{number:04d}"
        async for event in session.send(text):
            if isinstance(event, Saved):
                _tell("saved", text, event.turn.replies[0].text, str(event.turn_id))
            elif isinstance(event, Failed):
                _tell("error", str(event))
            elif isinstance(event, Notice) and event.level == "warning":
                _tell("notice", event.text)
        if number % 50 == 49:
            await session.close()
            session = await Session.open(path, backends=[backend])
    await session.close()


def _tell(*words: str) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


@dataclass
class Outcome:
    """What the writers were told."""

    said: dict[str, Said] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    locked: int = 0
    notices: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    count: Counter[str] = field(default_factory=Counter)


def commit_with_git(path: Path, count: int, outcome: Outcome, dice: random.Random) -> None:
    """A person who edits the persona and commits."""
    for number in range(count):
        line = f"- by hand {number:04d}"
        with (path / PERSONA).open("a") as file:
            file.write(f"{line}\n")
        if not _commit(path, number, outcome, dice):
            return
        outcome.lines.append(line)
        outcome.count["git"] += 1
        time.sleep(dice.uniform(0.0, 0.05))


def _commit(path: Path, number: int, outcome: Outcome, dice: random.Random) -> bool:
    """Ask again while locked, as a person would."""
    for _ in range(200):
        done = subprocess.run(
            ["git", "-C", str(path), "commit", "-q", "-m", f"persona: {number}", "--", PERSONA],
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        # A session may have committed the edit before a turn of its own.
        if done.returncode == 0 or "nothing to commit" in said or "no changes added" in said:
            return True
        if said and not any(word in said for word in _LOCKED):
            break
        outcome.locked += 1
        time.sleep(dice.uniform(0.02, 0.2))
    outcome.errors.append(f"git commit: {said}")
    return False


def say(path: Path, count: int, outcome: Outcome) -> None:
    """The command, one turn a process."""
    for number in range(count):
        text = f"cli says cli-{number:04d}"
        words = [sys.executable, "-m", "perdure.cli.entry", "say", "-c", str(path), text]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode or REPLY not in done.stdout:
            outcome.errors.append(f"say: {done.returncode} {done.stdout} {done.stderr}")
            return
        if done.stderr.strip():
            outcome.notices[re.sub(r"[0-9]+", "N", done.stderr.strip())] += 1
        outcome.said[text] = Said(text, (REPLY,))
        outcome.count["say"] += 1


def write(path: Path, commits: int, seed: int) -> Outcome:
    """All four at once, until each has done its part."""
    outcome, dice = Outcome(), random.Random(seed)
    spoken, by_say, by_git = commits * 36 // 100, commits * 8 // 100, commits * 20 // 100
    with ApiServer() as server:
        new(path)
        with BackendActions(path) as backends:
            # On a busy machine the server is slow to take a connection; that is not looked at here.
            tiny = Manifest("tiny", "openai", "tiny", server.address)
            backends.add(replace(tiny, connect_timeout=3600.0, timeout=3600.0))
            backends.use(["tiny"])

        def session(name: str) -> AbstractContextManager[subprocess.Popen[str]]:
            words = [sys.executable, "-m", "tests.system.four_writers", "--talk", str(path)]
            words += ["--name", name, "--commits", str(spoken)]
            pipe = subprocess.PIPE
            return killed_after(subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True))

        with session("ann") as ann, session("bob") as bob:
            threads = [
                threading.Thread(target=commit_with_git, args=(path, by_git, outcome, dice)),
                threading.Thread(target=say, args=(path, by_say, outcome)),
            ]
            for thread in threads:
                thread.start()
            told = [ann.communicate(), bob.communicate()]
            for thread in threads:
                thread.join()
    for (out, err), process in zip(told, (ann, bob), strict=True):
        _hear(out, outcome)
        if process.returncode:
            outcome.errors.append(f"a session ended: {err}")
    return outcome


def _hear(out: str, outcome: Outcome) -> None:
    for row in out.splitlines():
        kind, *words = json.loads(row)
        if kind == "saved":
            text, reply, turn = words
            outcome.said[text] = Said(text, (reply,))
            if turn in outcome.ids:
                outcome.errors.append(f"{turn} was given to {text} and {outcome.ids[turn]}")
            outcome.ids[turn] = text
            outcome.count[text.split()[0]] += 1
        elif kind == "error":
            outcome.errors.append(words[0])
        else:
            outcome.notices[re.sub(r"[0-9]+", "N", words[0])] += 1


def check(path: Path, outcome: Outcome) -> list[str]:
    """What is wrong with the repository, read with git alone."""
    troubles = list(outcome.errors)
    found = Reader(path).read("HEAD")
    texts = Counter(said.message for said in found.values() if said.message)
    troubles += [f"{count} times: {text}" for text, count in texts.items() if count > 1]
    by_text = {said.message: said for said in found.values()}
    for text, said in outcome.said.items():
        if by_text.get(text) != said:
            troubles.append(f"at the tip: {by_text.get(text)}; said: {said}")
    for turn, text in outcome.ids.items():
        if turn not in found or found[turn].message != text:
            troubles.append(f"{turn} is not {text!r}")
    troubles += _order(path)
    persona = (path / PERSONA).read_text().splitlines()
    tip = run_git(path, "show", f"HEAD:{PERSONA}").splitlines()
    troubles += [f"not in the persona: {line}" for line in outcome.lines if line not in tip]
    if persona != tip:
        troubles.append("the persona's file is not as committed")
    with unpacked(path):
        fsck = run_git(path, "fsck", "--full", "--strict").splitlines()
    troubles += [line for line in fsck if "dangling" not in line]
    troubles += run_git(path, "status", "--porcelain", "--untracked-files=all").splitlines()
    return troubles


def _order(path: Path) -> list[str]:
    """Each conversation: times never go back, a writer's words are in the order he said them."""
    troubles = []
    heads: dict[str, TurnId | None] = {}
    seen: dict[str, tuple[datetime | None, dict[str, str]]] = {}
    for name in run_git(path, "ls-files", "conversations").splitlines():
        for chunk in parse_chunks((path / name).read_bytes(), name):
            conversation = str(chunk.head.conversation)
            heads[conversation] = heads.get(conversation) or chunk.head.continues
            at, last = seen.get(conversation, (None, {}))
            for turn in chunk.turns:
                if turn.message is None:
                    continue
                writer, text = turn.message.text.split()[0], turn.message.text
                if at is not None and turn.message.at is not None and turn.message.at < at:
                    troubles.append(f"{conversation}/{turn.number} is older than the one before")
                if text < last.get(writer, ""):
                    troubles.append(f"{conversation}: {text} after {last[writer]}")
                at, last[writer] = turn.message.at, text
            seen[conversation] = (at, last)
    known = Reader(path).read("HEAD")
    troubles += [
        f"{conversation} continues {after}, which is nowhere"
        for conversation, after in heads.items()
        if after is not None and str(after) not in known
    ]
    return troubles


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--talk", type=Path)
    parser.add_argument("--name", default="")
    asked = parser.parse_args()
    if asked.talk is not None:
        asyncio.run(talk(asked.talk, asked.name, asked.commits))
        return 0
    with tempfile.TemporaryDirectory(prefix="four-") as folder:
        config = Path(folder) / "gitconfig"
        config.write_text("[user]\n\tname = Ana\n\temail = ana@example.invalid\n")
        os.environ |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
        path, began = Path(folder) / "mira", time.monotonic()
        outcome = write(path, asked.commits, asked.seed)
        troubles = check(path, outcome)
        commits = run_git(path, "rev-list", "--count", "HEAD").strip()
        conversations = len({turn.partition("/")[0] for turn in Reader(path).read("HEAD")})
        wait_for_children()
        if troubles:
            kept = Path(tempfile.mkdtemp(prefix="four-kept-")) / "mira"
            path.rename(kept)
            print("\n".join(troubles[:20]), f"\n{len(troubles)} troubles; it is left at {kept}")
            return 1
    print(
        f"{commits} commits in {time.monotonic() - began:.0f} s (seed {asked.seed}): "
        f"{dict(outcome.count)}, {conversations} conversations; every text at the tip once, "
        f"0 errors; git had to ask again {outcome.locked} times; notices {dict(outcome.notices)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
