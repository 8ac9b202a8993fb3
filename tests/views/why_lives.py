"""``perdure why`` over a whole scripted life: every recorded hash must be met again.

By hand: ``python -m tests.views.why_lives --turns 1100 --sample 1000``. A short life is lived in
``make test``. The life has branches, merges, regenerated, edited and set aside turns, edits of
persona, lore, facts and summaries by hand, some of them committed while a reply is being written,
failovers between backends with different windows and counters, hours between talks, recall,
and turns that were made by a later version of the rules. It is checked with the cache deleted,
without tiktoken's vocabulary, and after the rules have moved on. Turns of older versions are those
of tests/views/test_old_companions.py.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from perdure.actions.history import branch
from perdure.actions.history import merge as merge_action
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.history.undo import next_undo, perform_step
from perdure.actions.memory import exclude as setting_aside
from perdure.actions.turns import answers, correct
from perdure.actions.workspace import Workspace
from perdure.backends.errors import ConnectionRefused
from perdure.backends.protocol import PromptMessage, Tokenizer
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.chat.events import Event, Saved
from perdure.chat.session import Session
from perdure.companion import clock
from perdure.companion.config.manifest import Manifest
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.summaries import Summary, as_written, render_summary, summary_path
from perdure.companion.templates import new_companion
from perdure.errors import Problem
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.prompt import (
    ASSEMBLIES,
    Choice,
    Prompt,
    PromptInputs,
    newest_assembly,
    versions,
)
from perdure.snapshot.conversation.trailers import parse_trailers
from perdure.views.why.explain import Explanation, explain
from tests.lives import Words
from tests.speaking import Scripted

T = TypeVar("T")
Acts = tuple[tuple[str, int], ...]
"""What is done, with weights."""
ANA = Author("Ana", "ana@example.org")
TODAY = newest_assembly()
TOPICS = ("river", "sister", "bakery", "Lisbon", "cello", "storm", "lantern", "orchard")


class ByWords(EstimateTokenizer):
    """Another counter than the estimate: a token a word."""

    name = "words"

    def count(self, text: str) -> int:
        return len(text.split())


@dataclass
class Voice(Scripted):
    """Long and short replies; sometimes it is away, and sometimes a hand edits meanwhile."""

    counter: Tokenizer = field(default_factory=EstimateTokenizer)
    meanwhile: Callable[[], None] | None = None

    async def tokenizer(self) -> Tokenizer:
        return self.counter


@dataclass
class Life:
    """One companion's life, act by act."""

    path: Path
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    racing: bool = False

    def __post_init__(self) -> None:
        self.words = Words(self.dice)
        self.near = Voice(reply=self.reply, step=400, window=1600, name="near")
        self.far = Voice(reply=self.reply, step=400, window=6000, name="far", counter=ByWords())
        self.runner = asyncio.Runner()
        self.session = self.run(Session.open(self.path, backends=[self.near, self.far]))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def reply(self, prompt: tuple[PromptMessage, ...]) -> str:
        if self.racing:
            self.racing = False
            self.commit_by_hand()
        return f"{self.dice.choice(TOPICS)}: {self.words.text(40)}"

    def message(self) -> str:
        about = " and ".join(self.dice.sample(TOPICS, 2))
        return f"Do you remember {about}? {self.words.text(18)}"

    # Acts

    def say(self) -> None:
        self.near.failure = ConnectionRefused("gone") if self.dice.random() < 0.15 else None
        self.near.fail_after = -1
        self.racing = self.dice.random() < 0.12
        self.hear(lambda: self.session.send(self.message()))

    def hear(self, stream: Callable[[], AsyncIterator[Event]]) -> None:
        async def all_of() -> list[Event]:
            return [event async for event in stream()]

        events = self.run(all_of())
        self.done["turns"] += sum(isinstance(event, Saved) for event in events)

    def again(self) -> None:
        place = "" if self.dice.random() < 0.6 else f"@-{self.dice.randint(1, 6)}"
        name = f"again-{self.done['again']}" if place else ""
        self.hear(lambda: self.session.regenerate(place, name))

    def steer(self, act: Callable[[Workspace], T]) -> T:
        return self.run(self.session.act(act))

    def rewind(self) -> None:
        place, name = f"@-{self.dice.randint(1, 12)}", f"line-{self.done['rewind']}"
        self.steer(lambda workspace: rewind(workspace, plan_rewind(workspace, place, name)))

    def switch(self) -> None:
        name = self.dice.choice(self.git("branch", "--format=%(refname:short)").split())
        self.steer(lambda workspace: branch.check_out_branch(workspace, name))

    def merge(self) -> None:
        name = self.dice.choice(self.git("branch", "--format=%(refname:short)").split())
        joined = self.steer(lambda workspace: merge_action.merge_branch(workspace, name))
        if joined.conflicts:
            self.steer(merge_action.abort)

    def choose(self) -> None:
        def do(workspace: Workspace) -> None:
            rows = [row for row in answers.list_answers(workspace, "@").rows if not row.shown]
            for row in rows[:1]:
                answers.choose(workspace, answers.plan_choice(workspace, "@", row.number, ""))

        self.steer(do)

    def edit(self) -> None:
        place, reply = f"@-{self.dice.randint(0, 6)}", self.dice.random() < 0.5
        text = f"corrected: {self.words.text(12)}"
        self.steer(
            lambda workspace: correct.correct(
                workspace, correct.find_words(workspace, place, reply=reply), text
            )
        )

    def aside(self) -> None:
        place, back = f"@-{self.dice.randint(0, 8)}", self.dice.random() < 0.3
        self.steer(
            lambda workspace: setting_aside.exclude_turns(
                workspace, setting_aside.plan_exclude(workspace, place, back=back)
            )
        )

    def undo(self) -> None:
        self.steer(lambda workspace: perform_step(workspace, next_undo(workspace)))

    def new(self) -> None:
        self.session.new_conversation()

    def reopen(self) -> None:
        self.run(self.session.close())
        self.session = self.run(Session.open(self.path, backends=[self.near, self.far]))

    def edit_file(self) -> None:
        path, data = self.some_file()
        place = self.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def commit_by_hand(self) -> None:
        """While a reply is written: the branch moves between assembling and landing."""
        self.done["races"] += 1
        path, data = self.some_file()
        with Repository.open(self.path, recover=False) as repo:
            repo.commit(
                [Change(path, data)],
                message="persona: by another hand",
                author=ANA,
                branch=repo.head().branch or "main",
                at=clock.now(),
            )
        self.git("checkout", "-q", "HEAD", "--", path)

    def remember(self) -> None:
        """One of each kind of memory, so that even a short life has them."""
        summary = self.some_summary()
        kept = {
            "lore/winter.md": b"---\nconstant: yes\n---\nIt is winter.\n",
            "memory/facts/people.md": b"# People\n\n- Her sister is Eva.\n",
            **({summary[0]: summary[1]} if summary else {}),
        }
        for path, data in kept.items():
            (self.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / path).write_bytes(data)
        self.new()

    def some_file(self) -> tuple[str, bytes]:
        """A file of persona, lore or memory, and its new content."""
        kind = self.dice.choice(["persona", "lore", "lore", "facts", "facts", "summary", "broken"])
        topic, text = self.dice.choice(TOPICS), self.words.text(15)
        if kind == "persona":
            return "persona/30-you.md", f"# You\n\n{{{{user}}}} likes {topic}. {text}\n".encode()
        if kind == "lore":
            front = self.dice.choice(
                [
                    f"keys: [{topic}]",
                    f"keys: [{topic}]\nposition: before\npriority: {self.dice.randint(0, 9)}",
                    f"keys: [{topic}]\nposition: 2",
                    "constant: yes\norder: 7",
                ]
            )
            return f"lore/the {topic}.md", f"---\n{front}\n---\n{text}\n".encode()
        if kind == "facts":
            lines = "".join(f"- {self.words.text(9)}\n" for _ in range(self.dice.randint(1, 12)))
            return f"memory/facts/{topic.lower()}.md", f"# {topic}\n\n{lines}".encode()
        if kind == "summary":
            return self.some_summary() or ("lore/storm.md", b"---\nkeys: [\n---\nbroken\n")
        return f"lore/{topic}-broken.md", b"---\nkeys: [\n---\nbroken\n"

    def some_summary(self) -> tuple[str, bytes] | None:
        names = self.git("ls-files", "conversations").split()
        if not names:
            return None
        stem = self.dice.choice(names).rsplit("/", 1)[-1].removesuffix(".md")
        pieces = stem.split("-")
        conversation = ConversationId("-".join([*pieces[:4], pieces[-1]]))
        summary = as_written(Summary(conversation, self.dice.randint(1, 9), self.words.text(40)))
        return summary_path(conversation), render_summary(summary)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *words], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return done.stdout

    ACTS: ClassVar[Acts] = (
        ("say", 60), ("again", 7), ("rewind", 2), ("switch", 2), ("merge", 1), ("choose", 2),
        ("edit", 4), ("aside", 3), ("new", 2), ("reopen", 2), ("edit_file", 8),
    )  # fmt: skip

    def live(
        self, turns: int, *, wait: Callable[[timedelta], None], acts: Acts | None = None
    ) -> None:
        """Act until so many turns were saved."""
        names, weights = zip(*(acts or self.ACTS), strict=True)
        until = self.done["turns"] + turns
        while self.done["turns"] < until:
            (name,) = self.dice.choices(names, weights)
            wait(timedelta(minutes=self.dice.choice([1, 1, 2, 3, 90, 500])))
            self.done[name] += 1
            try:
                getattr(self, name)()
            except Problem as problem:
                self.done[f"no {name}: {type(problem).__name__}"] += 1

    def end(self) -> None:
        self.run(self.session.close())
        self.runner.close()


@contextmanager
def moving_clock() -> Iterator[Callable[[timedelta], None]]:
    """The program's clock, moved on by what is handed to the function."""
    passed = timedelta()

    class Moved:
        @staticmethod
        def now() -> datetime:
            return datetime.now() + passed  # noqa: DTZ005 - as the clock asks for it

    def wait(more: timedelta) -> None:
        nonlocal passed
        passed += more

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("perdure.companion.clock.datetime", Moved)
        yield wait


@contextmanager
def rules(known: dict[int, versions.Assemble]) -> Iterator[None]:
    """Perdure as it was, or will be, with other versions of prompt assembly."""
    before = dict(ASSEMBLIES)
    ASSEMBLIES.clear()
    ASSEMBLIES.update(known)
    try:
        yield
    finally:
        ASSEMBLIES.clear()
        ASSEMBLIES.update(before)


def version_to_come(inputs: PromptInputs, choice: Choice) -> Prompt:
    """Made-up rules: those of today, and a line at the end of the persona."""
    prompt = ASSEMBLIES[TODAY](inputs, choice)
    first = replace(prompt.messages[0], content=f"{prompt.messages[0].content}\n\nTo come.")
    return replace(prompt, messages=(first, *prompt.messages[1:]))


def new(path: Path) -> None:
    """A companion that is told the time."""
    manifest = Manifest(name="rehearsal", driver="embedded", model="smollm2-135m-instruct")
    files = new_companion(
        template="friend", name="Mira", user="Ana", manifest=manifest, at=datetime.now(UTC)
    )
    files["companion.yaml"] = files["companion.yaml"].replace(b"time: off", b"time: full")
    create_repository(path, files, message="companion: Mira begins\n", author=ANA).close()


BRANCHING: Acts = (
    ("say", 10), ("again", 3), ("rewind", 3), ("switch", 4), ("merge", 6), ("undo", 2), ("new", 1),
    ("aside", 1), ("reopen", 1),
)  # fmt: skip
"""For a life on many lines, which come together again and again."""


def live(path: Path, turns: int, seed: int, acts: Acts | None = None) -> Counter[str]:
    """A life of at least so many turns: the last under rules of a later version."""
    with moving_clock() as wait:
        new(path)
        life = Life(path, random.Random(seed))
        try:
            life.live(turns // 10, wait=wait, acts=acts)
            life.remember()
            life.live(turns - 2 * (turns // 10), wait=wait, acts=acts)
            with rules({**ASSEMBLIES, TODAY + 1: version_to_come}):
                life.live(turns // 10, wait=wait, acts=acts)
        finally:
            life.end()
    return life.done


def recorded(path: Path) -> list[tuple[str, TurnId, int]]:
    """Every answer with a recorded prompt on any branch: a branch that has it, turn, answer."""
    found: dict[tuple[TurnId, int], str] = {}
    with Repository.open(path, recover=False) as repo:
        branches = subprocess.run(
            ["git", "-C", str(path), "branch", "--format=%(objectname)"],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        for tip in branches:
            for info in repo.commits.log(rev=tip):
                facts = parse_trailers(info.trailers)
                if facts is not None and facts.prompt:
                    found.setdefault((facts.turn, facts.answer or 1), tip)
    return [(tip, turn, answer) for (turn, answer), tip in found.items()]


def check(path: Path, sample: int, seed: int) -> tuple[list[Explanation], list[Explanation]]:
    """Explain random turns, the cache gone and newer rules known: all, and those that differ."""
    shutil.rmtree(path / ".git/perdure/cache", ignore_errors=True)
    every = sorted(recorded(path), key=lambda each: (str(each[1]), each[2]))
    picked = random.Random(seed).sample(every, min(sample, len(every)))
    later = {TODAY + 1: version_to_come, TODAY + 2: version_to_come}
    with rules({**ASSEMBLIES, **later}), Repository.open(path, recover=False) as repo:
        told = [explain(repo, turn, answer=answer, start=tip) for tip, turn, answer in picked]
    return told, [each for each in told if each.verdict != "matches"]


def main() -> int:
    """Live a life and check it; the exit status says whether every hash was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1150)
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = said.keep or Path(folder) / "mira"
        begun = time.monotonic()
        done = live(path, said.turns, said.seed)
        lived = time.monotonic()
        told, wrong = check(path, said.sample, said.seed)
        took = time.monotonic() - lived
    print(f"lived {lived - begun:.0f} s: {dict(done)}")
    versions_seen = Counter(each.assembly for each in told)
    kinds = Counter(part.kind for each in told for part in each.parts)
    print(f"versions {dict(versions_seen)}; parts {dict(kinds)}")
    print(f"{len(told) - len(wrong)} of {len(told)} hashes match, {took:.0f} s")
    for each in wrong[:20]:
        print(each.turn, each.answer, each.commit[:10], each.note)
    return 1 if wrong or len(told) < said.sample else 0


if __name__ == "__main__":
    sys.exit(main())
