"""Summaries: what a model is asked for, and what is made without a model.

A summary is updated: the current text and the turns since then become the next text. Without a
model it consists of sentences from the conversation itself, those that tell most, the same each
time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from perdure.backends.protocol import PromptMessage
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.memory.model_answer import is_order, one_line, paragraph, shortened
from perdure.memory.record import RecordMessage, quoted_block, render_record
from perdure.memory.salience import Substance, substance
from perdure.memory.sentences import sentences
from perdure.memory.tasks import SUMMARISE, task_in

MOST_TOKENS = 400
"""Of one summary."""
_LEAST_TOKENS = 48
EXTRACT_TOKENS = 150
"""Of one that is made without a model, whatever the window: half of what one of 4k has for
summaries."""
_CHARACTERS_A_TOKEN = 6
"""More than any language has: an answer that was cut by tokens is not cut by letters again."""
_WORTH_SAYING = 8
"""Characters below which an answer does not count."""
_MOST_TERMS = 60
"""Words of a sentence that is no list, and no text without full stops."""
_LEAST_NEW = 0.35
"""Share of a sentence's words that no chosen one has."""
_COMPANION = 0.2
"""What the companion's sentences are worth beside the user's: a small model babbles."""
_LEAST_WORTH = 0.5
"""Of a sentence that is taken for more than that there has to be one."""
_OWN_DUTY = re.compile(r"\bI (?:must|have to)\b")
_MOST_SENTENCES = 4000
"""Of one conversation that are weighed; of a longer one the newest."""


def summary_room(window: int) -> int:
    """How many tokens a summary gets for a window: 150 for 4k, 300 for 8k, always 48 to 400.

    Half of what `perdure.prompt.budgets` has for all of them, so that one always fits in.
    """
    return max(_LEAST_TOKENS, min(MOST_TOKENS, window // 27))


def summary_prompt(
    messages: Sequence[RecordMessage],
    previous: str,
    *,
    language: str,
    char: str,
    user: str,
    tokens: int,
) -> tuple[PromptMessage, ...]:
    """The messages that ask a model for a summary of the old one and of what was said since."""
    task, text = task_in(SUMMARISE, language, char=char, user=user)
    heading, parts = task.record, []
    if previous.strip():
        parts.append(f"{task.given}\n{quoted_block(previous)}")
        heading = task.since
    words, characters = tokens * 6 // 100 * 10, tokens * 8 // 100 * 10
    ask = task.ask.format(words=words or 50, characters=characters or 80)
    content = "\n\n".join([*parts, f"{heading}\n{render_record(messages)}", ask])
    return PromptMessage("system", text), PromptMessage("user", content)


def clean_summary(answer: str, tokens: int, speakers: Collection[str] = ()) -> str:
    """Make a summary's text of a model's answer; empty if it is not usable.

    It is not if most of it continues the conversation or copies it: sentences that begin with one
    of the ``speakers`` and a colon.
    """
    text = paragraph(answer, tokens * _CHARACTERS_A_TOKEN)
    found = sentences(text)
    names = tuple(f"{one_line(name)}{colon}" for name in speakers for colon in (":", "\uff1a"))
    spoken = sum(sentence.startswith(names) for sentence in found)
    return text if len(text) >= _WORTH_SAYING and spoken * 2 <= len(found) else ""


def extract_summary(messages: Sequence[RecordMessage], tokens: int = EXTRACT_TOKENS) -> str:
    """Pick the sentences that tell most, in the order in which they were said.

    What the user told comes first: names, numbers, dates, relations (`perdure.memory.salience`).
    What a chosen sentence has said counts little for the others, and nothing is taken just because
    there is room. The same conversation gives the same text on any machine, whatever model there
    is: tokens are estimated by script.
    """
    count = EstimateTokenizer().count
    rows = _rows(messages)
    chosen: list[int] = []
    known: set[str] = set()
    left, open_rows = tokens, set(range(len(rows)))
    while open_rows:
        best = max(open_rows, key=lambda at: (_worth(rows[at], known), -at))
        open_rows.discard(best)
        if chosen and _worth(rows[best], known) < _LEAST_WORTH:
            break
        cost = count(_line(rows[best])) + 1
        if cost <= left:
            left -= cost
            chosen.append(best)
            known.update(rows[best].told.words)
    if not chosen and rows:
        return shortened(_line(rows[0]), tokens)
    return "\n".join(_line(rows[at]) for at in sorted(chosen))


@dataclass(frozen=True, slots=True)
class _Row:
    """A sentence and what it tells."""

    said: RecordMessage
    text: str
    told: Substance


def _rows(messages: Sequence[RecordMessage]) -> list[_Row]:
    """Weigh every sentence, each once."""
    found: dict[str, _Row] = {}
    for one in messages:
        for sentence in sentences(one.text):
            line = one_line(sentence)
            told = substance(line, by_user=one.by_user)
            # "I must be careful" binds nobody but who says it.
            order = is_order(_OWN_DUTY.sub("I", line) if one.by_user else line)
            if told.words and not order:
                found.setdefault(line.casefold(), _Row(one, line, told))
    return list(found.values())[-_MOST_SENTENCES:]


def _worth(row: _Row, known: Collection[str]) -> float:
    """How much a sentence adds to the words that are already taken."""
    words = row.told.words
    new = sum(word not in known for word in words) / len(words)
    if new < _LEAST_NEW:
        return 0.0
    if len(words) > _MOST_TERMS:
        return _LEAST_WORTH / 2
    # Two or three words tell little, whatever they are.
    full = min(1.0, (1 + len(words)) / 4)
    return row.told.worth * full * new * (1.0 if row.said.by_user else _COMPANION)


def _line(row: _Row) -> str:
    return f"{one_line(row.said.speaker)}: {row.text}"
