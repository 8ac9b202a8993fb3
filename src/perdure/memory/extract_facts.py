"""Facts that a model finds in a conversation: what it is asked, and how strictly it is read.

One line each: ``topic | fact | number of the turn``. Any other line is dropped and counted, and so
is one whose turn was not in the record or has nothing to do with the fact.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from perdure.backends.protocol import PromptMessage
from perdure.companion.errors import CompanionProblem
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.facts import Fact, topic_name
from perdure.companion.memory.proposals import Proposal
from perdure.memory.injection import instruction_shaped
from perdure.memory.model_answer import one_line
from perdure.memory.record import RecordMessage, quoted_block, render_record
from perdure.memory.similarity import contradictions, is_alike, near_duplicates
from perdure.memory.tasks import FIND_FACTS, task_in
from perdure.recall.language.words import content_words, is_cjk

MOST_FACTS = 12
"""Taken from one answer."""
FACT_TOKENS = 512
"""Longest answer."""
LOOKS_LIKE_ORDER = "looks like an instruction"
CONTRARY = "does not hold beside a fact that is there"
_LONGEST = 240
"""Characters of a fact."""
_TOPIC = 40
_SHORTEST = 4
_NONE = frozenset({"none", "keine", "无", "無", "なし", "nothing"})
_STEM = 5
"""Letters by which two words count as one: ``works`` and ``working``."""
_LINE = re.compile(r"\s*(?:[-*•]\s+)?([^|｜]+)[|｜]([^|｜]+)[|｜]\s*\[?\s*(\d{1,9})\s*\]?\s*")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class FoundFact:
    """A fact that a model named, not yet judged; ``turn`` taught it."""

    topic: str
    text: str
    turn: int


@dataclass(frozen=True, slots=True)
class FoundFacts:
    """The facts in an answer. ``dropped`` counts lines that were no facts."""

    facts: tuple[FoundFact, ...]
    dropped: int = 0


def facts_prompt(
    messages: Sequence[RecordMessage], known: Sequence[str], *, language: str, char: str, user: str
) -> tuple[PromptMessage, ...]:
    """The messages that ask a model for facts. ``known`` are facts that it need not repeat."""
    task, text = task_in(FIND_FACTS, language, char=char, user=user)
    parts = [f"{task.record}\n{render_record(messages)}", task.ask]
    if known:
        shown = "\n".join(quoted_block(one_line(fact)) for fact in known)
        parts.insert(0, f"{task.given}\n{shown}")
    return PromptMessage("system", text), PromptMessage("user", "\n\n".join(parts))


def read_facts_answer(
    answer: str, messages: Sequence[RecordMessage], *, names: Collection[str] = ()
) -> FoundFacts:
    """Read the facts in a model's answer, each once.

    Args:
        answer: its words.
        messages: the record that it was given.
        names: of the two who talk; to share these with a turn proves nothing.
    """
    given: dict[int, set[str]] = {}
    for one in messages:
        given.setdefault(one.turn, set()).update(_stems(one.text))
    ordinary = {stem for name in names for stem in _stems(name)}
    found: dict[str, FoundFact] = {}
    dropped = 0
    for line in answer.replace("\r", "\n").split("\n"):
        if not line.strip() or line.strip(" .。\"'“”").casefold() in _NONE:
            continue
        fact = _fact(line)
        taught = given.get(fact.turn) if fact is not None else None
        if fact is None or taught is None or not (_stems(fact.text) - ordinary) & taught:
            dropped += 1
        elif len(found) < MOST_FACTS:
            found.setdefault(fact.text.casefold(), fact)
        else:
            dropped += 1
    return FoundFacts(tuple(found.values()), dropped)


def proposals(
    found: Sequence[FoundFact],
    conversation: ConversationId,
    known: Sequence[Fact],
    waiting: Sequence[Proposal] = (),
) -> tuple[Proposal, ...]:
    """Make proposals of found facts. Those with a note wait for the user, whatever the policy.

    Facts that are known, or already waiting, are left out. One that contradicts a known fact is
    proposed in its place, for the user to see both.
    """
    made: list[Proposal] = []
    texts = [each.text for each in waiting if each.kind in {"add", "replace"}]
    for fact in found:
        if near_duplicates(fact.text, known) or any(is_alike(fact.text, text) for text in texts):
            continue
        source = str(TurnId(conversation, fact.turn))
        held = LOOKS_LIKE_ORDER if instruction_shaped(fact.text) else ""
        against = contradictions(fact.text, known)
        if against:
            old = against[0]
            note = "; ".join(each for each in (held, CONTRARY) if each)
            one = Proposal("replace", old.topic, fact.text, old.text, source, note)
        else:
            one = Proposal("add", fact.topic, fact.text, "", source, held)
        made.append(one)
        texts.append(fact.text)
    return tuple(made)


def _fact(line: str) -> FoundFact | None:
    pieces = _LINE.fullmatch(line)
    if pieces is None:
        return None
    topic, text = one_line(pieces[1]), one_line(pieces[2])
    if not (_SHORTEST <= len(text) <= _LONGEST and 0 < len(topic) <= _TOPIC):
        return None
    try:
        return FoundFact(topic_name(topic), text, int(pieces[3]))
    except CompanionProblem:
        return None


def _stems(text: str) -> set[str]:
    return {word if is_cjk(word) else word[:_STEM] for word in content_words(text)}
