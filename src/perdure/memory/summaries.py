"""Summaries of talk: what a model is asked for, and what is made without one.

A summary rolls on: the text that stands, and the turns since, become the next text. Without a model
it is sentences of the talk itself, those with most of what it was about, the same each time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

from perdure.backends.protocol import PromptMessage
from perdure.backends.tokens import EstimateTokenizer
from perdure.memory.answers import is_order, one_line, paragraph, shortened
from perdure.memory.recall.words import content_words
from perdure.memory.sentences import sentences
from perdure.memory.talk import Said, quoted_block, record
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
"""Characters below which an answer is none."""
_FEWEST_TERMS, _MOST_TERMS = 3, 60
_SAID_ALREADY = 0.2
"""What is left of a word's weight once a chosen sentence has it."""
_QUESTION, _USER = 0.5, 1.2
_MOST_SENTENCES = 4000
"""Of one conversation that are weighed; of a longer one the newest."""


def summary_room(window: int) -> int:
    """Tokens of one summary, for a model's window: 150 of 4k, 300 of 8k, 48 to 400.

    Half of what `perdure.memory.budgets` has for all of them, so that one always fits in.
    """
    return max(_LEAST_TOKENS, min(MOST_TOKENS, window // 27))


def summary_prompt(
    talk: Sequence[Said], previous: str, *, language: str, char: str, user: str, tokens: int
) -> tuple[PromptMessage, ...]:
    """What a model is asked: the text that stands, the talk since, and what to make of both."""
    task, text = task_in(SUMMARISE, language, char=char, user=user)
    heading, parts = task.record, []
    if previous.strip():
        parts.append(f"{task.given}\n{quoted_block(previous)}")
        heading = task.since
    words, characters = tokens * 6 // 100 * 10, tokens * 8 // 100 * 10
    ask = task.ask.format(words=words or 50, characters=characters or 80)
    content = "\n\n".join([*parts, f"{heading}\n{record(talk)}", ask])
    return PromptMessage("system", text), PromptMessage("user", content)


def cleaned(answer: str, tokens: int, speakers: Collection[str] = ()) -> str:
    """A model's answer as the text of a summary; empty where it is none.

    It is none where most of it goes on with the talk, or copies it: sentences that begin with one
    of the ``speakers`` and a colon.
    """
    text = paragraph(answer, tokens * _CHARACTERS_A_TOKEN)
    found = sentences(text)
    names = tuple(f"{one_line(name)}{colon}" for name in speakers for colon in (":", "\uff1a"))
    talk = sum(sentence.startswith(names) for sentence in found)
    return text if len(text) >= _WORTH_SAYING and talk * 2 <= len(found) else ""


def extract(talk: Sequence[Said], tokens: int = EXTRACT_TOKENS) -> str:
    """The sentences that say most of what a talk was about, in the order in which they fell.

    A sentence is worth the weights of its words, by how often the talk has them, over the square
    root of their number; words that a chosen one has count little for the others. The same talk
    gives the same text on any machine, whatever model there is: tokens are estimated by script.
    """
    count = EstimateTokenizer().count
    rows = _rows(talk)
    times = Counter(word for _, _, words in rows for word in words)
    weights = {word: math.log1p(number) for word, number in times.items()}
    chosen: list[int] = []
    left, open_rows = tokens, _whole(rows)
    while open_rows:
        best = max(open_rows, key=lambda at: (_worth(*rows[at], weights), -at))
        open_rows.discard(best)
        cost = count(_line(*rows[best][:2])) + 1
        if cost > left and chosen:
            break
        if cost <= left:
            left -= cost
            chosen.append(best)
            for word in rows[best][2]:
                weights[word] *= _SAID_ALREADY
    if not chosen and rows:
        return shortened(_line(*rows[0][:2]), tokens)
    return "\n".join(_line(*rows[at][:2]) for at in sorted(chosen))


_Row = tuple[Said, str, list[str]]


def _rows(talk: Sequence[Said]) -> list[_Row]:
    """Each sentence once, with who said it and its words."""
    found: dict[str, _Row] = {}
    for one in talk:
        for sentence in sentences(one.text):
            line = one_line(sentence)
            words = sorted(content_words(line)) if line else []
            if words and not is_order(line):
                found.setdefault(line.casefold(), (one, line, words))
    return list(found.values())[-_MOST_SENTENCES:]


def _whole(rows: Sequence[_Row]) -> set[int]:
    """Places of the sentences that are neither scraps nor endless; of all where there is none."""
    found = {at for at, row in enumerate(rows) if _FEWEST_TERMS <= len(row[2]) <= _MOST_TERMS}
    return found or set(range(len(rows)))


def _worth(one: Said, line: str, words: list[str], weights: dict[str, float]) -> float:
    worth = sum(weights[word] for word in words) / math.sqrt(len(words))
    if line.endswith(("?", "？")):  # noqa: RUF001 - CJK
        worth *= _QUESTION
    return worth * (_USER if one.by_user else 1.0)


def _line(one: Said, sentence: str) -> str:
    return f"{one_line(one.speaker)}: {sentence}"
