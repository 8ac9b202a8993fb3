"""What stands at a commit, read with git alone, and what a test says has to stand there."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from perdure.companion.conversation.chunk import parse_chunks
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn


@dataclass(frozen=True, slots=True)
class Said:
    """The words of one turn."""

    message: str | None
    replies: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()
    """Answers that stand in ``alternatives/``."""

    @classmethod
    def of(cls, turn: Turn) -> Said:
        message = turn.message.text if turn.message else None
        return cls(message, tuple(reply.text for reply in turn.replies))


Book = dict[str, Said]
"""Turns by id."""


class WrongTalk(AssertionError):
    """A tip that does not hold what it has to."""


def run_git(path: Path, *words: str, data: str | None = None, check: bool = True) -> str:
    """What git prints."""
    done = subprocess.run(
        ["git", "-C", str(path), *words],
        input=data.encode() if data is not None else None,
        capture_output=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"git {' '.join(words)}: {done.stdout!r} {done.stderr!r}")
    return done.stdout.decode("utf-8", "surrogateescape")


class Reader:
    """The talk at any commit, through ``git ls-tree`` and ``git cat-file``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blobs: dict[str, Book] = {}
        self._trees: dict[str, Book] = {}
        self._commits: dict[str, str] = {}

    def talk_tree(self, commit: str) -> str:
        """Ids of a commit's folders of conversations and alternatives, "" for one not there."""
        if commit not in self._commits:
            words = ["rev-parse", "-q", "--verify"]
            ids = [
                run_git(self._path, *words, f"{commit}:{top}", check=False).strip()
                for top in ("conversations", "alternatives")
            ]
            self._commits[commit] = " ".join(ids)
        return self._commits[commit]

    def read(self, commit: str) -> Book:
        """Every turn at a commit. Raises WrongTalk for damage and for ids that stand twice."""
        trees = self.talk_tree(commit)
        if trees not in self._trees:
            talk, others = trees.split(" ")
            book = self._read_tree(talk, "conversations")
            for turn, said in self._read_tree(others, "alternatives").items():
                if turn not in book:
                    raise WrongTalk(f"other answers to {turn}, which is nowhere")
                book[turn] = replace(book[turn], others=frozenset(said.replies))
            self._trees[trees] = book
        return self._trees[trees]

    def _read_tree(self, tree: str, top: str) -> Book:
        listed = run_git(self._path, "ls-tree", "-r", "-z", tree) if tree else ""
        book: Book = {}
        for row in filter(None, listed.split("\0")):
            facts, _, name = row.partition("\t")
            for turn, said in self._chunk(facts.split()[2], f"{top}/{name}").items():
                if turn in book:
                    raise WrongTalk(f"{turn} stands in two chunks")
                book[turn] = said
        return book

    def _chunk(self, oid: str, path: str) -> Book:
        if oid in self._blobs:
            return self._blobs[oid]
        text = run_git(self._path, "cat-file", "blob", oid)
        book: Book = {}
        before = -1
        for chunk in parse_chunks(text.encode("utf-8", "surrogateescape"), path):
            if chunk.troubles:
                raise WrongTalk(f"{path}: {chunk.troubles}")
            for turn in chunk.turns:
                if turn.number <= before:
                    raise WrongTalk(f"{path}: turn {turn.number} after {before}")
                before = turn.number
                book[str(TurnId(chunk.head.conversation, turn.number))] = Said.of(turn)
        self._blobs[oid] = book
        return book


def joined(pasts: Sequence[Book], ours: Book, theirs: Book, found: Book) -> Book:
    """What a merge has to hold: all turns of both; changed on one side only, that side's.

    Of a turn that both have changed no new answer may be missing, and ours stands. Where branches
    were merged across there are several pasts. If they differ in a turn, what either side still has
    of it, and no past had, or both sides have, may not be missing.
    """
    result = dict(ours)
    for turn, said in theirs.items():
        before, here = [past.get(turn) for past in pasts], ours.get(turn)
        was, is_crossed = before[0], any(other != before[0] for other in before)
        if here is None or (here == was and not is_crossed):
            result[turn] = said
        elif said != here and (said != was or is_crossed):
            known = set().union(*(_answers(past) for past in before if past is not None))
            wanted = (_answers(here) | _answers(said)) - known
            if is_crossed:
                wanted |= _answers(here) & _answers(said)
            there = found.get(turn, Said(None))
            right = there.message in {here.message, said.message}
            if not right or wanted - _answers(there):
                raise WrongTalk(f"{turn}: {here} and {said} became {there}")
            result[turn] = there
    return result


def _answers(said: Said) -> set[str]:
    return {*said.replies, *said.others}


def compare(where: str, found: Book, wanted: Book) -> None:
    """Raise WrongTalk where they differ."""
    if found == wanted:
        return
    gone = {turn: wanted[turn] for turn in wanted.keys() - found.keys()}
    more = {turn: found[turn] for turn in found.keys() - wanted.keys()}
    other = {
        turn: (found[turn], wanted[turn])
        for turn in wanted.keys() & found.keys()
        if found[turn] != wanted[turn]
    }
    raise WrongTalk(f"at {where}: missing {gone}; not wanted {more}; other words {other}")
