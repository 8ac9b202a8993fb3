"""Whole lives of a companion, of any size, for benchmarks and large tests.

Shape: 280 turns a day, 25 a conversation, 4 branches a month, a persona edit about every third day,
texts with the length and entropy of real chat (a Zipf vocabulary, log-normal lengths). The same
seed gives the same life, commit for commit. Written through ``git fast-import``, so the objects are
git's own.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from perdure.companion.config.manifest import Manifest
from perdure.companion.conversation.chunk import CHUNK_LIMIT, chunk_path, render_head, render_turn
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.names import title_from
from perdure.companion.templates import new_companion
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author
from perdure.snapshot.conversation.trailers import TurnFacts, turn_message
from tests.processes import killed_after

TURNS_A_DAY = 280
TURNS_A_CONVERSATION = 25
USER, COMPANION = "Ana", "Mira"
BEGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


class Words:
    """Text of a given length from a vocabulary of 9,000 words, drawn as Zipf's law has it."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        onsets = [*"bcdfghjklmnprstvw", "br", "cr", "dr", "fl", "gr", "pl", "st", "tr"]
        hearts = ["a", "e", "i", "o", "u", "ea", "ai", "ou", "ee"]
        ends = ["", "n", "r", "s", "t", "l", "nd", "ng", "st", "m"]
        made: dict[str, None] = dict.fromkeys(["the", "and", "to", "I", "you", "it", "a", "of"])
        while len(made) < 9000:
            syllables = rng.choices((1, 2, 3), (3, 5, 2))[0]
            made[
                "".join(
                    rng.choice(onsets) + rng.choice(hearts) + rng.choice(ends)
                    for _ in range(syllables)
                )
            ] = None
        self._words = list(made)
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(self._words))))

    @property
    def rare(self) -> list[str]:
        """Words that come up once in some thousand."""
        return self._words[1000:4000]

    def text(self, median: int) -> str:
        """Sentences and paragraphs of about ``median`` words."""
        length = max(2, min(600, round(self._rng.lognormvariate(0, 0.7) * median)))
        words = self._rng.choices(self._words, cum_weights=self._weights, k=length)
        out, start = [], True
        for word in words:
            out.append(word.capitalize() if start else word)
            start = self._rng.random() < 0.09
            if start:
                out[-1] += self._rng.choice([".", ".", ".", "?", "!", ".\n\n"])
        return " ".join(out).replace("\n\n ", "\n\n").rstrip() + "."


@dataclass
class _Life:
    rng: random.Random
    words: Words
    at: datetime
    head: ChunkHead | None = None
    path: str = ""
    content: bytes = b""
    said: int = 0

    def turn(self, day_number: int) -> tuple[Turn, TurnId]:
        """The next turn; opens a conversation where the last one is full."""
        self.at += timedelta(seconds=self.rng.randint(20, 160))
        message = Message(USER, self.words.text(18), self.at)
        if self.head is None or self.said >= TURNS_A_CONVERSATION:
            digits = hashlib.sha256(f"{day_number}/{self.at}".encode()).hexdigest()[:8]
            identity = ConversationId.begin(self.at, digits)
            self.head = ChunkHead(
                identity, 1, title_from(message.text), (USER, COMPANION), started=self.at
            )
            self.path, self.content, self.said = "", b"", 0
        self.said += 1
        reply = Reply(
            COMPANION,
            self.words.text(60),
            self.at + timedelta(seconds=8),
            backend="local",
            model="smollm2-135m-instruct",
        )
        turn = Turn(self.said, message, (reply,))
        self._append(render_turn(turn))
        return turn, TurnId(self.head.conversation, turn.number)

    def _append(self, new: bytes) -> None:
        head = self.head
        if head is None:
            raise ValueError("no conversation is open")
        if self.path and len(self.content) + len(new) > CHUNK_LIMIT:
            number = head.chunk + 1
            head = ChunkHead(
                head.conversation, number, head.title, head.participants, started=head.started
            )
            self.head, self.path, self.content = head, "", b""
        if not self.path:
            self.path = chunk_path(head.conversation, head.chunk, self.at.date())
            self.content = render_head(head)
        self.content += new


def make_life(path: Path, turns: int, *, seed: int = 7) -> None:
    """A companion repository at ``path`` with ``turns`` turns of history on ``main``."""
    manifest = Manifest(name="local", driver="embedded", model="smollm2-135m-instruct")
    files = new_companion(template="friend", name=COMPANION, user=USER, manifest=manifest, at=BEGIN)
    author = Author(COMPANION, "mira@companion.invalid")
    repo = create_repository(path, files, message="companion: Mira begins\n", author=author)
    repo.close()
    words = ["git", "-C", str(path), "fast-import", "--quiet", "--date-format=raw"]
    with killed_after(subprocess.Popen(words, stdin=subprocess.PIPE)) as importer:
        if importer.stdin is None:
            raise RuntimeError("git fast-import has no standard input")
        for piece in _stream(turns, seed):
            importer.stdin.write(piece)
        importer.stdin.close()
        if importer.wait():
            raise RuntimeError("git fast-import failed")
    subprocess.run(["git", "-C", str(path), "reset", "--quiet", "--hard"], check=True)


def _stream(turns: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    life = _Life(rng, Words(rng), BEGIN)
    first = True
    for number in range(turns):
        day, in_day = divmod(number, TURNS_A_DAY)
        if in_day == 0:
            life.at = BEGIN + timedelta(days=day)
            if day % 3 == 2:
                yield _persona_edit(life, first=first)
                first = False
            if day % 7 == 3:
                yield f"reset refs/heads/line-{day:04d}\nfrom refs/heads/main^0\n\n".encode()
        turn, turn_id = life.turn(number)
        facts = TurnFacts(
            turn=turn_id,
            backend="local",
            model="smollm2-135m-instruct",
            fingerprint="b179c9523d0e6a0f",
            assembly=1,
            window=TurnId(turn_id.conversation, 1),
            prompt=hashlib.sha256(str(turn_id).encode()).hexdigest()[:32],
            tokens=(rng.randint(700, 6000), rng.randint(30, 200)),
        )
        yield _commit(life, turn_message(turn, facts), life.path, life.content, first=first)
        first = False


def _persona_edit(life: _Life, *, first: bool) -> bytes:
    text = f"# Voice\n\n{life.words.text(120)}\n"
    return _commit(
        life, "persona: 20-voice.md\n", "persona/20-voice.md", text.encode(), first=first, name=USER
    )


def _commit(
    life: _Life, message: str, path: str, content: bytes, *, first: bool, name: str = COMPANION
) -> bytes:
    stamp = f"{name} <{name.lower()}@companion.invalid> {int(life.at.timestamp())} +0000"
    text = message.encode()
    parent = "from refs/heads/main^0\n" if first else ""
    head = f"commit refs/heads/main\nauthor {stamp}\ncommitter {stamp}\ndata {len(text)}\n"
    return b"".join(
        [
            head.encode(),
            text,
            f"\n{parent}M 100644 inline {path}\ndata {len(content)}\n".encode(),
            content,
            b"\n",
        ]
    )
