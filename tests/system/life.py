"""A companion to which everything happens that people do, with what must stand on each branch.

`Life.act` does one thing by name and then compares the repository, through plain git, with the
model. `tests/system/test_state_machine.py` lets hypothesis choose the things, `walk` dice.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from perdure.actions.workspace import Workspace
from perdure.chat.events import Event, Failed, Greeted, Saved
from perdure.chat.session import Session
from perdure.errors import Problem
from tests.background import unpacked, wait_for_children
from tests.speaking import Scripted
from tests.system.book import Book, Reader, Said, WrongTalk, compare, joined, run_git

T = TypeVar("T")
Pick = Callable[[int], int]
"""A number below the given one."""

TEXTS = (
    "Do you remember the river?",
    "> quoted\n\n---\nfront: matter\n---\n### heading",
    "```\nfence\n``` <!-- mark -->\n",
    "Zürich 猫 \u2028 e\u0301 \U0001f9dc",
    "  spaces  \n\n\n  and lines\n",
    "crlf\r\nlines\rbare",
    "a long story " + "river and stone " * 150,
    "a very long story " + "stone and river, " * 700,
)
VOICE, YOU = "persona/20-voice.md", "persona/30-you.md"


class Idle(Exception):
    """There is nothing here to do that to."""


@dataclass(frozen=True)
class Refs:
    """What is checked out, and where every branch and tag stands."""

    head: str
    refs: dict[str, str]

    @property
    def branches(self) -> dict[str, str]:
        heads = "refs/heads/"
        return {n.removeprefix(heads): c for n, c in self.refs.items() if n.startswith(heads)}

    @property
    def branch(self) -> str:
        """The branch that is checked out, "" for none."""
        return self.head.removeprefix("refs/heads/") if self.head.startswith("refs/") else ""

    @property
    def tip(self) -> str:
        return self.refs.get(self.head, self.head)

    @property
    def ops(self) -> str:
        return self.refs.get("refs/perdure/ops", "")

    def without_ops(self) -> tuple[str, dict[str, str]]:
        """Where a user sees everything."""
        seen = ("refs/heads/", "refs/tags/")
        return self.head, {n: c for n, c in self.refs.items() if n.startswith(seen)}


@dataclass
class Life:
    """One companion, an open session, and the model."""

    path: Path
    runner: asyncio.Runner
    want: dict[str, Book] = field(default_factory=dict)
    """What must stand at the tip of each branch."""
    books: dict[str, Book] = field(default_factory=dict)
    """The same by commit."""
    ids: dict[str, str] = field(default_factory=dict)
    """Every turn's id that was ever given out, with the words it was given for."""
    saved: set[str] = field(default_factory=set)
    """Commits that may never be unreachable."""
    reworded: dict[str, str] = field(default_factory=dict)
    """Corrected answers, with their words before."""
    edited: dict[str, str] = field(default_factory=dict)
    """Files with an edit by hand that is in no commit."""
    merging: str = ""
    """The commit that an open merge brings."""
    before: Refs | None = None
    """Where everything was before the last thing, if that was one entry that undo takes back."""
    undone: list[Refs] = field(default_factory=list)
    """What redo leads back to."""
    told: list[str] = field(default_factory=list)
    """All that was done, for whoever reads a failure."""
    steps: int = 0
    number: int = 0
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    session: Session | None = None
    checked_every: int = 10

    def __post_init__(self) -> None:
        self.reader = Reader(self.path)
        self.run = self.runner.run
        refs = self.refs()
        self.want = {name: {} for name in refs.branches}
        self.books = {commit: {} for commit in refs.branches.values()}
        self.open()

    # What there is

    def git(self, *words: str, check: bool = True) -> str:
        return run_git(self.path, *words, check=check)

    def refs(self) -> Refs:
        form = "%(refname) %(objectname)"
        rows = self.git("for-each-ref", f"--format={form}").splitlines()
        head = (self.path / ".git" / "HEAD").read_text().strip().removeprefix("ref: ")
        return Refs(head, dict(row.split() for row in rows))

    def fresh(self, what: str) -> str:
        self.number += 1
        return f"{what}-{self.number}"

    # The session

    def open(self) -> None:
        backend = Scripted(reply=lambda _: self.reply, step=4000)
        self.reply = ""
        self.session = self.run(Session.open(self.path, backends=[backend]))

    def close(self) -> None:
        if self.session is not None:
            self.run(self.session.close())
            self.session = None

    def steer(self, act: Callable[[Workspace], T]) -> T:
        assert self.session is not None
        return self.run(self.session.act(act))

    def speak(self, text: str, reply: str) -> list[Saved]:
        """Send a message and take down what must stand from now on."""
        assert self.session is not None
        session = self.session
        return self.hear(session.send(text) if text else session.resume(), text, reply)

    def hear(
        self, stream: AsyncIterator[Event], text: str, reply: str, *, again: bool = False
    ) -> list[Saved]:
        """Wait for a turn's end, and take down what must stand."""
        self.reply = reply

        async def listen() -> list[Event]:
            return [event async for event in stream]

        greeting: Greeted | None = None
        found: list[Saved] = []
        for event in self.run(listen()):
            if isinstance(event, Greeted):
                greeting = event
            elif isinstance(event, Saved):
                if again:
                    self._take_down_again(event, reply)
                else:
                    self._take_down(event, greeting, text, reply)
                found.append(event)
            elif isinstance(event, Failed) and again:
                raise Problem(event.what, event.kept, event.next_step)
            elif isinstance(event, Failed) and reply:
                raise AssertionError(f"a turn failed: {event}")
        return found

    def _take_down(self, event: Saved, greeting: Greeted | None, text: str, reply: str) -> None:
        book = self.before_commit(event.branch, event.commit)
        turn = str(event.turn_id)
        said = Said.of(event.turn)
        if text and said != Said(text, (reply,) if reply else ()):
            raise WrongTalk(f"said {text!r} and {reply!r}, saved {said}")
        if not text and turn in book:
            if book[turn] != Said(said.message, (), book[turn].others):
                raise WrongTalk(f"answered {book[turn]} as {said}")
            said = replace(said, others=book[turn].others)
        elif turn in self.ids:
            raise WrongTalk(f"the id {turn} of {self.ids[turn]!r} is given out again")
        self.ids.setdefault(turn, text or reply)
        if greeting is not None and event.turn_id.number == 1:
            book[str(greeting.turn)] = Said(None, (greeting.reply.text,))
        book[turn] = said
        self.now_stands(event.branch, event.commit, book)

    def before_commit(self, branch: str, commit: str) -> Book:
        """What stood where a commit was made that may have begun its branch."""
        if branch in self.want:
            return dict(self.want[branch])
        past = self.git("rev-list", "--first-parent", "--skip=1", "-n", "20", commit).split()
        return dict(next(self.books[parent] for parent in past if parent in self.books))

    def former_words(self, text: str) -> set[str]:
        """All words that an answer had before its corrections."""
        found: set[str] = set()
        while text in self.reworded:
            text = self.reworded[text]
            found.add(text)
        return found

    def now_stands(self, branch: str, commit: str, book: Book) -> None:
        """A commit of ours, and what it has to hold."""
        self.want[branch] = self.books[commit] = book
        self.saved.add(commit)

    def _take_down_again(self, event: Saved, reply: str) -> None:
        """Another answer: the one that stood is kept beside it."""
        book = self.before_commit(event.branch, event.commit)
        turn, said = str(event.turn_id), Said.of(event.turn)
        if said.replies != (reply,):
            raise WrongTalk(f"answered {reply!r}, saved {said}")
        if turn in book:
            was = book[turn]
            said = Said(was.message, said.replies, was.others | set(was.replies))
        elif turn in self.ids:
            raise WrongTalk(f"the id {turn} of {self.ids[turn]!r} is given out again")
        self.ids.setdefault(turn, reply)
        book[turn] = said
        self.now_stands(event.branch, event.commit, book)

    # One thing after another

    def act(self, name: str, action: Callable[[Life, Pick], None], pick: Pick) -> None:
        """Do one thing and look whether everything is where it belongs."""
        self.refs_then = then = self.refs()
        self.told.append(name)
        was, self.before = self.before, None
        self.then_before = was
        try:
            action(self, pick)
        except Idle:
            self.before = was
            self.told.pop()
            return
        except Problem as problem:
            self.refused[f"{name}: {type(problem).__name__}"] += 1
            self.told[-1] += f" (refused: {problem})"
            self._nothing_moved(then)
        self.steps += 1
        self.done[name] += 1
        self.told[-1] += f" -> {self.refs().branch}"
        self.check(then)

    def _nothing_moved(self, then: Refs) -> None:
        """A refusal leaves every ref; edits by hand may have been committed first."""
        now = self.refs()
        moved = {
            name
            for name in now.refs.keys() | then.refs.keys()
            if now.refs.get(name) != then.refs.get(name)
        }
        if now.head != then.head or moved - {then.head}:
            raise WrongTalk(f"refused, and yet moved: {moved}")

    def check(self, then: Refs | None = None) -> None:
        """Every text at its tip, nothing lost, nothing left lying about."""
        now = self.refs()
        self._know_new_commits(now)
        if now.branches.keys() != self.want.keys():
            raise WrongTalk(f"branches {sorted(now.branches)}, expected {sorted(self.want)}")
        for name, tip in now.branches.items():
            compare(name, self.reader.read(tip), self.want[name])
            self.books[tip] = self.want[name]
            self.saved.add(tip)
        kept = set(self.git("rev-list", "--all").split())
        if lost := self.saved - kept:
            raise WrongTalk(f"unreachable: {lost}")
        self._check_edits(now)
        self._check_files()
        if then is not None:
            self._one_entry(self.told[-1], then, now)
        if self.steps % self.checked_every == 0:
            self.check_whole()

    def _know_new_commits(self, now: Refs) -> None:
        """A commit that leaves the talk alone has its parent's."""
        rows = self.git("rev-list", "--branches", "--topo-order", "--reverse", "--parents")
        for row in rows.splitlines():
            commit, *parents = row.split()
            if commit in self.books or len(parents) != 1 or parents[0] not in self.books:
                continue
            if self.reader.talk_tree(commit) == self.reader.talk_tree(parents[0]):
                self.books[commit] = self.books[parents[0]]
                self.saved.add(commit)

    def _check_edits(self, now: Refs) -> None:
        """An edit by hand is in its file, or in a commit."""
        for path, text in list(self.edited.items()):
            file = self.path / path
            there = file.read_text() if file.exists() else None
            if there == text and self.git("show", f"{now.tip}:{path}", check=False) != text:
                continue
            del self.edited[path]
            log = self.git("log", "--all", "--format=%H", f"-S{text.splitlines()[-1]}", "--", path)
            if not log.strip():
                raise WrongTalk(f"the edit of {path} is gone: {text!r}")

    def _check_files(self) -> None:
        status = self.git("status", "--porcelain", "--untracked-files=all").splitlines()
        if not self.merging:
            other = [row for row in status if row[3:] not in self.edited]
            if other:
                raise WrongTalk(f"status: {other}")
        git = self.path / ".git"
        locks = [p for p in git.rglob("*.lock") if git / "perdure" not in p.parents]
        if locks:
            raise WrongTalk(f"left: {locks}")

    def _one_entry(self, name: str, then: Refs, now: Refs) -> None:
        """Remember where everything was, if undo has to lead there in one step."""
        if name.startswith("git ") or "(refused" in name:
            if now.without_ops() == then.without_ops():
                self.before = self.then_before
            else:
                self.undone.clear()
            return
        if name.startswith(("undo", "redo", "several")):
            return
        commits = 0
        if now.head == then.head and now.tip != then.tip and now.ops == then.ops:
            commits = int(self.git("rev-list", "--count", "--first-parent",
                                   f"{then.tip}..{now.tip}"))  # fmt: skip
        entries = commits + (now.ops != then.ops)
        if entries:
            two = now.head != then.head and name.startswith(("regenerate", "choose"))
            if now.head != then.head and then.head in now.refs:
                # Edits by hand were committed first, on the branch that was left.
                then = Refs(then.head, then.refs | {then.head: now.refs[then.head]})
            self.before = then if entries == 1 and not two else None
            self.undone.clear()
        else:
            self.before = self.then_before

    def check_whole(self) -> None:
        """What takes longer: fsck, one concern a commit, packs that background packing left."""
        with unpacked(self.path):
            said = self.git("fsck", "--full", "--strict").splitlines()
        if troubles := [line for line in said if "dangling" not in line]:
            raise WrongTalk(f"fsck: {troubles}")
        log = self.git("log", "--branches", "--no-merges", "--format=%x00%s", "--name-only")
        for block in log.split("\0")[1:]:
            subject, *names = block.splitlines()
            tops = {name.partition("/")[0] for name in names if name}
            if {"persona", "conversations"} <= tops and not subject.startswith(("revert:", "comp")):
                raise WrongTalk(f"one commit, two concerns: {subject}: {sorted(tops)}")

    def end(self) -> None:
        """Close, look once more, and leave no process behind."""
        try:
            self.close()
            self.check()
            self.check_whole()
        finally:
            wait_for_children()
            shutil.rmtree(self.path, ignore_errors=True)

    # The model of steering

    def went(self, branch: str, commit: str) -> None:
        """A branch begins at, or comes to, a commit whose talk is known."""
        self.want[branch] = self.books[commit]

    def merged(self, theirs: str) -> None:
        """The branch that is checked out has the talk of both."""
        ours = self.refs_then.tip if not self.merging else self.git("rev-parse", "HEAD^1").strip()
        pasts = self.git("merge-base", "--all", ours, theirs).split()
        here = self.refs().branch
        found = self.reader.read(self.refs().tip)
        books = [self.books[past] for past in pasts]
        book = joined(books, self.books[ours], self.books[theirs], found)
        self.want[here] = book
