"""How well recall finds what a question is about: dialogues with known evidence.

Measures, each the mean over the questions: recall@k is the share of the evidence turns among the
first k turns; `within` the share that stands in the earlier moments of a prompt, in at most 600
tokens, and `roomy` in 2,048, which a window of 8,192 has for them while it is empty; `newer` the
share of questions whose evidence stands before what it took the place of; a session is hit when one
of its turns is among the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from perdure.chat.reply.recall import MOST, worth_a_place
from perdure.companion.conversation.chunk import (
    CHUNK_LIMIT,
    chunk_path,
    parse_chunks,
    render_head,
    render_turn,
)
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Repository
from perdure.prompt.recalled import fitting_turns
from perdure.recall import Hit, RecallIndex, RecallQuery

AUTHOR = Author("Mira", "mira@companion.invalid")


@dataclass(frozen=True)
class Session:
    """One conversation: when it began, and what was said, two messages a turn."""

    name: str
    at: datetime
    turns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Question:
    """A question and what answers it: places of turns, or of whole sessions with turn 0.

    Attributes:
        older: what answered it before, and is not true any more.
    """

    kind: str
    text: str
    evidence: frozenset[tuple[str, int]]
    now: datetime | None = None
    older: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True)
class Dialogue:
    """A life in small, and questions about it."""

    user: str
    companion: str
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...]


@dataclass
class Figures:
    """What was measured."""

    questions: int = 0
    recall: dict[int, float] = field(default_factory=dict)
    hit: dict[int, float] = field(default_factory=dict)
    within: float = 0.0
    roomy: float = 0.0
    newer: float = 0.0
    by_kind: dict[str, float] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)


_TURN = re.compile(r"(?:\[(\w+)\]\s*)?(.*)")


def read_dialogue(path: Path, *, by_message: bool = False) -> Dialogue:
    """Read a fixture: ``# time`` begins a session, ``>`` and ``<`` are a turn, ``?`` asks.

    Args:
        path: the file.
        by_message: make each message a turn of its own.
    """
    user, companion = "Ana", "Mira"
    sessions: list[Session] = []
    tags: dict[str, tuple[str, int]] = {}
    questions: list[Question] = []
    turns: list[tuple[str, str]] = []
    for line in path.read_text("utf-8").splitlines():
        mark, text = line[:2], line[2:].strip()
        if mark == "@ ":
            user, companion = text.split()
        elif mark == "# ":
            at = datetime.fromisoformat(text).replace(tzinfo=UTC)
            turns = []
            sessions.append(Session(str(len(sessions) + 1), at, ()))
        elif mark == "> ":
            found = _TURN.fullmatch(text)
            assert found
            turns.append((found[2], ""))
            if found[1]:
                assert found[1] not in tags, found[1]
                tags[found[1]] = (sessions[-1].name, len(turns))
        elif mark == "< ":
            found = _TURN.fullmatch(text)
            assert found
            if by_message:
                turns.append(("", found[2]))
            else:
                turns[-1] = (turns[-1][0], found[2])
            if found[1]:
                assert found[1] not in tags, found[1]
                tags[found[1]] = (sessions[-1].name, len(turns))
            last = sessions[-1]
            sessions[-1] = Session(last.name, last.at, tuple(turns))
        elif mark == "? ":
            kind, asked, named = (part.strip() for part in text.split("|"))
            now = sessions[-1].at + timedelta(days=1)
            questions.append(
                Question(kind, asked, frozenset(tags[tag] for tag in named.split()), now)
            )
    return Dialogue(user, companion, tuple(sessions), tuple(questions))


def conversation_of(session: Session) -> ConversationId:
    """The id of the conversation that a session becomes."""
    return ConversationId.begin(session.at, f"{abs(int(session.at.timestamp())) % 16**8:08x}")


def chunks_of(dialogue: Dialogue) -> Iterator[tuple[str, bytes]]:
    """The files of a companion that had these conversations."""
    for session in dialogue.sessions:
        identity = conversation_of(session)
        number, content, path = 1, b"", ""
        for place, (said, answered) in enumerate(session.turns, 1):
            at = session.at + timedelta(minutes=place)
            turn = Turn(
                place,
                Message(dialogue.user, said, at) if said else None,
                (Reply(dialogue.companion, answered, at + timedelta(seconds=9)),)
                if answered
                else (),
            )
            new = render_turn(turn)
            if content and len(content) + len(new) > CHUNK_LIMIT:
                yield path, content
                number, content = number + 1, b""
            if not content:
                path = chunk_path(identity, number, session.at.date())
                content = render_head(ChunkHead(identity, number, started=session.at))
            content += new
        if content:
            yield path, content


def make_companion(path: Path, *dialogues: Dialogue) -> Repository:
    """A repository in which these dialogues were had."""
    files = {name: data for dialogue in dialogues for name, data in chunks_of(dialogue)}
    files["companion.yaml"] = b"format: 1\nname: Mira\n"
    return create_repository(path, files, message="companion: begins\n", author=AUTHOR)


def count(text: str) -> int:
    """Tokens, roughly: a word and a third, or a character of Chinese or Japanese."""
    wide = sum(letter > "\u2e7f" for letter in text)
    return wide + round(sum(letter <= "\u2e7f" for letter in text) / 4)


def turn_reader(repo: Repository) -> Callable[[TurnId], Turn | None]:
    """Every turn of HEAD by id."""
    turns = {
        TurnId(chunk.head.conversation, turn.number): turn
        for entry in repo.files("conversations")
        for chunk in parse_chunks(repo.blob(entry.oid), entry.path)
        for turn in chunk.turns
    }
    return turns.get


Finder = Callable[[Question], list[Hit]]


def ours(index: RecallIndex, limit: int = 50) -> Finder:
    """Recall as prompts use it."""
    return lambda asked: index.find("HEAD", RecallQuery(asked.text, now=asked.now), limit=limit)


def in_a_prompt(
    hits: Sequence[Hit], turn: Callable[[TurnId], Turn | None], question: str, tokens: int = 600
) -> list[TurnId]:
    """The turns that a prompt would hold of what was found."""
    around = (
        TurnId(hit.turn.conversation, hit.turn.number + n) for hit in hits for n in (-1, 0, 1)
    )
    there = {each: said for each in around if (said := turn(each)) is not None}
    return fitting_turns([hit.turn for hit in hits], there, question, count=count, tokens=tokens)


def measure(repo: Repository, dialogue: Dialogue, find: Finder) -> Figures:
    """Ask every question."""
    names = {str(conversation_of(session)): session.name for session in dialogue.sessions}
    turn = turn_reader(repo)
    figures = Figures(len(dialogue.questions))
    totals: dict[int, float] = dict.fromkeys((1, 5, 10, 20), 0.0)
    hits: dict[int, float] = dict.fromkeys((1, 5), 0.0)
    kinds: dict[str, list[float]] = {}
    for question in dialogue.questions:
        found = find(question)
        places = [(names.get(str(hit.turn.conversation), ""), hit.turn.number) for hit in found]
        whole = any(number == 0 for _, number in question.evidence)
        wanted = {(name, 0) for name, _ in question.evidence} if whole else question.evidence
        for k in totals:
            have = {(name, 0) if whole else (name, number) for name, number in places[:k]}
            share = len(have & wanted) / len(wanted)
            totals[k] += share
            if k == 10:
                kinds.setdefault(question.kind, []).append(share)
                if share < 1:
                    figures.missed.append(f"{question.kind} {share:.2f} {question.text}")
        ranks = [places.index(each) for each in question.evidence if each in places]
        before = [places.index(each) for each in question.older if each in places]
        newer = bool(ranks) and min(ranks) < min(before, default=len(places))
        figures.newer += newer / len(dialogue.questions)
        sessions = list(dict.fromkeys(name for name, _ in places))
        for k in hits:
            hits[k] += any(name in sessions[:k] for name, _ in question.evidence)
        share = 1 / len(wanted) / len(dialogue.questions)
        hits_sent = worth_a_place(found[:MOST])
        tight, wide = (
            {
                (names.get(str(each.conversation), ""), 0 if whole else each.number)
                for each in in_a_prompt(hits_sent, turn, question.text, tokens)
            }
            for tokens in (600, 2_048)
        )
        figures.within += len(tight & wanted) * share
        figures.roomy += len(wide & wanted) * share
    figures.recall = {k: total / len(dialogue.questions) for k, total in totals.items()}
    figures.hit = {k: total / len(dialogue.questions) for k, total in hits.items()}
    figures.by_kind = {kind: sum(all_) / len(all_) for kind, all_ in sorted(kinds.items())}
    return figures


def longmemeval(path: Path) -> list[Dialogue]:
    """The haystacks of a LongMemEval file (MIT), with sessions as evidence."""
    found = []
    for entry in json.loads(path.read_text("utf-8")):
        sessions = []
        taken: set[datetime] = set()
        rows = zip(
            entry["haystack_session_ids"], entry["haystack_dates"], entry["haystack_sessions"],
            strict=True,
        )  # fmt: skip
        for name, date, messages in rows:
            at = datetime.strptime(date, "%Y/%m/%d (%a) %H:%M").replace(tzinfo=UTC)
            while at in taken:
                at += timedelta(minutes=1)
            taken.add(at)
            sessions.append(Session(name, at, tuple(_pairs(messages))))
        now = datetime.strptime(entry["question_date"], "%Y/%m/%d (%a) %H:%M").replace(tzinfo=UTC)
        questions = [
            Question(entry["question_type"], text, frozenset((name, 0) for name in names), now)
            for text, names in zip(entry["questions"], entry["answer_session_ids"], strict=True)
        ]
        found.append(Dialogue("Ana", "Mira", tuple(sessions), tuple(questions)))
    return found


def _pairs(messages: Sequence[dict[str, str]]) -> Iterator[tuple[str, str]]:
    said = ""
    for message in messages:
        if message["role"] == "user":
            if said:
                yield said, ""
            said = message["content"]
        else:
            yield said, message["content"]
            said = ""
    if said:
        yield said, ""
