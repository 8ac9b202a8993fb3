"""Two and more devices on one companion: every word of all of them, and one tip at the end."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from perdure.actions.sync.tips import merge_tips
from perdure.chat.session import Session
from perdure.companion.config.settings import parse_settings
from perdure.companion.conversation.chunk import parse_chunks, render_turn
from perdure.companion.conversation.edit import (
    ChunkFiles,
    add_answer,
    alternatives_path,
    choose_answer,
    edit_message,
    edit_reply,
    open_chunk,
)
from perdure.companion.errors import CompanionProblem
from perdure.companion.memory.summaries import Summary, as_written, render_summary, summary_path
from perdure.companion.turns import Message, Reply, Turn
from perdure.git.operations.operation import perform
from perdure.git.refs.refs import RefMove
from perdure.git.repository.repository import Author, Change, Repository
from tests.chat.test_session import events_of
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

ANA = Author("Ana", "ana@example.org")
BEGIN = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)


@dataclass
class Device:
    """A clone of a bare repository that syncs with it."""

    path: Path
    name: str
    rng: random.Random
    said: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    count: int = 0

    @contextmanager
    def opened(self) -> Iterator[Repository]:
        with Repository.open(self.path) as repo:
            yield repo

    def text(self, what: str) -> str:
        self.count += 1
        return f"{what} {self.count} on {self.name}"

    # Sync

    def sync(self) -> None:
        git(self.path, "fetch", "-q", "origin")
        with self.opened() as repo:
            ours, theirs = repo.resolve("main"), repo.resolve("origin/main")
            with merge_tips(repo, theirs, ours) as swapped:
                pass
            with merge_tips(repo, ours, theirs) as found:
                assert swapped.commit == found.commit
                if found.commit != ours:
                    move = RefMove("refs/heads/main", ours, found.commit)
                    perform(repo, "sync", "main", [move], author=ANA)
        git(self.path, "push", "-q", "origin", "main")

    # What a user does

    def act(self) -> None:
        acts = [self.append, self.append, self.say_anew, self.again, self.choose, self.correct,
                self.learn, self.persona, self.settings, self.summarise, self.odd]  # fmt: skip
        with self.opened() as repo:
            self.rng.choice(acts)(repo)

    def commit(self, repo: Repository, files: dict[str, bytes | None], said: str) -> None:
        changes = [Change(path, content) for path, content in files.items()]
        at = BEGIN + timedelta(minutes=self.rng.randint(0, 500))
        repo.commit(changes, message=said, author=ANA, branch="main", at=at)

    def chunks(self, repo: Repository) -> list[str]:
        return sorted(entry.path for entry in repo.files("conversations", "main"))

    def chunk(self, repo: Repository) -> ChunkFiles | None:
        paths = self.chunks(repo)
        if not paths:
            return None
        path = self.rng.choice(paths)
        data = repo.read(path, "main")
        assert data is not None
        return ChunkFiles(path, data, repo.read(alternatives_path(path), "main"))

    def turn(self, number: int) -> Turn:
        at = BEGIN + timedelta(seconds=self.rng.randint(0, 30_000))
        message, reply = self.text("message"), self.text("reply")
        self.said |= {message, reply}
        return Turn(number, Message("Ana", message, at), (Reply("Mira", reply, at),))

    def append(self, repo: Repository) -> None:
        """A turn more in a conversation that another device may go on with too."""
        files = self.chunk(repo)
        if files is not None:
            sheet = open_chunk(files.chunk, files.path)
            new = render_turn(self.turn(max((t.number for t in sheet.turns), default=0) + 1))
            self.commit(repo, {files.path: files.chunk + new}, "turn: more")

    def say_anew(self, repo: Repository) -> None:
        message = self.text("message")
        self.said |= {message, f"I heard: {message}"}

        async def say() -> None:
            session = await Session.open(self.path, backends=[Scripted()])
            await events_of(session.send(message))
            await session.close()

        repo.close()
        asyncio.run(say())

    def rewritten(self, repo: Repository, files: ChunkFiles) -> None:
        other = alternatives_path(files.path)
        changed: dict[str, bytes | None] = {files.path: files.chunk}
        if files.alternatives is not None or repo.read(other, "main") is not None:
            changed[other] = files.alternatives
        self.commit(repo, changed, "edit: in place")

    def some_turn(self, repo: Repository) -> tuple[ChunkFiles, Turn] | None:
        files = self.chunk(repo)
        turns = open_chunk(files.chunk, files.path).turns if files else ()
        full = [turn for turn in turns if turn.message is not None and turn.replies]
        return (files, self.rng.choice(full)) if files and full else None

    def again(self, repo: Repository) -> None:
        if found := self.some_turn(repo):
            files, turn = found
            reply = self.text("another")
            self.said.add(reply)
            at = BEGIN + timedelta(seconds=self.rng.randint(0, 30_000))
            shown = self.rng.random() < 0.5
            answer = [Reply("Mira", reply, at)]
            self.rewritten(repo, add_answer(files, turn.number, answer, shown=shown))

    def choose(self, repo: Repository) -> None:
        found = self.some_turn(repo)
        if found is None or found[0].alternatives is None:
            return
        files, turn = found
        aside = open_chunk(files.alternatives or b"", files.path).turn(turn.number)
        if aside is not None and aside.replies:
            answer = self.rng.choice(aside.replies).answer
            self.rewritten(repo, choose_answer(files, turn.number, answer))

    def correct(self, repo: Repository) -> None:
        if found := self.some_turn(repo):
            files, turn = found
            if self.rng.random() < 0.5 and turn.message is not None:
                self.edited.add(turn.message.text)
                self.rewritten(repo, edit_message(files, turn.number, self.text("corrected")))
            else:
                self.edited.add(turn.replies[0].text)
                self.rewritten(repo, edit_reply(files, turn.number, self.text("corrected")))

    def learn(self, repo: Repository) -> None:
        path = "memory/facts/ana.md"
        lines = (repo.read(path, "main") or b"# Ana\n\n").decode().splitlines(keepends=True)
        if len(lines) > 3 and self.rng.random() < 0.4:
            lines.pop(self.rng.randint(2, len(lines) - 1))
        else:
            lines.append(f"- {self.text('fact')}\n")
        self.commit(repo, {path: "".join(lines).encode()}, "memory: learnt")

    def persona(self, repo: Repository) -> None:
        path = self.rng.choice(["persona/20-voice.md", "persona/new.md"])
        data = repo.read(path, "main")
        lines = (data or b"One.\nTwo.\nThree.\n").decode().splitlines(keepends=True)
        lines[self.rng.randrange(len(lines))] = f"{self.text('line')}\n"
        content = None if data and self.rng.random() < 0.2 else "".join(lines).encode()
        self.commit(repo, {path: content}, "persona: edit")

    def settings(self, repo: Repository) -> None:
        data = repo.read("companion.yaml", "main") or b""
        key = self.rng.choice([b"user: ", b"language: "])
        lines = [line for line in data.splitlines(keepends=True) if not line.startswith(key)]
        value = f"{self.rng.choice(['en', 'de', 'fr'])}\n".encode()
        lines.insert(self.rng.randint(1, len(lines)), key + value)
        new = b"".join(lines)
        try:
            parse_settings(new)
        except CompanionProblem:
            return
        self.commit(repo, {"companion.yaml": new}, "companion: settings")

    def summarise(self, repo: Repository) -> None:
        if found := self.some_turn(repo):
            conversation = open_chunk(found[0].chunk, found[0].path).head.conversation
            summary = as_written(Summary(conversation, found[1].number, self.text("summary")))
            self.commit(
                repo, {summary_path(conversation): render_summary(summary)}, "memory: summary"
            )

    def odd(self, repo: Repository) -> None:
        """What only git can do: a picture, a mode, a file renamed."""
        repo.close()
        kind = self.rng.choice(["picture", "mode", "rename"])
        if kind == "picture":
            (self.path / "assets").mkdir(exist_ok=True)
            (self.path / "assets/face.png").write_bytes(b"\x89PNG\0" + self.text("x").encode())
        elif kind == "mode":
            place = self.path / "persona/10-who.md"
            if place.exists():
                place.chmod(place.stat().st_mode ^ 0o111)
        else:
            names = sorted((self.path / "lore").glob("*.md"))
            if names:
                names[0].rename(self.path / "lore" / f"{self.text('x').replace(' ', '-')}.md")
        git(self.path, "add", "-A")
        identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
        git(self.path, *identity, "commit", "-q", "--allow-empty", "-m", f"companion: {kind}")

    # What is there

    def texts(self) -> set[str]:
        found = set()
        with self.opened() as repo:
            for folder in ("conversations", "alternatives"):
                for entry in repo.files(folder, "main"):
                    for chunk in parse_chunks(repo.blob(entry.oid), entry.path):
                        assert chunk.troubles == ()
                        for turn in chunk.turns:
                            found |= {reply.text for reply in turn.replies}
                            found |= {turn.message.text} if turn.message else set()
        return found


@pytest.fixture
def bare(companion: Path, tmp_path: Path) -> Path:
    """A bare repository with one conversation in it."""
    (companion / "lore").mkdir(exist_ok=True)
    first = Device(companion, "first", random.Random(1))
    with first.opened() as repo:
        first.commit(repo, {"lore/x.md": b"---\nkeys: [x]\n---\nX.\n"}, "lore: x")
        first.say_anew(repo)
    to = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(companion), str(to)], check=True)
    return to


def device(bare: Path, folder: Path, name: str, seed: int) -> Device:
    subprocess.run(["git", "clone", "-q", str(bare), str(folder / name)], check=True)
    return Device(folder / name, name, random.Random(f"{seed} {name}"))


@pytest.mark.parametrize("seed", range(int(os.environ.get("SCHEDULES", "6"))))
def test_after_any_schedule_every_device_has_every_turn(
    bare: Path, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    devices = [device(bare, tmp_path, name, seed) for name in ("desk", "lap", "phone")]
    for _ in range(14):
        chosen = rng.choice(devices)
        if rng.random() < 0.35:
            chosen.sync()
        else:
            chosen.act()
    for each in (*devices, *devices):
        each.sync()
    tips = {git(each.path, "rev-parse", "main").strip() for each in devices}
    assert len(tips) == 1
    edited = set().union(*(each.edited for each in devices))
    wanted = set().union(*(each.said for each in devices)) - edited
    assert wanted <= devices[0].texts()
    for each in devices:
        assert_sound(each.path)
        with each.opened() as repo:
            parse_settings(repo.read("companion.yaml", "main") or b"")
