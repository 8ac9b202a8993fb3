"""The part of a long message that a question is about, as version 2 shows it.

A pure function of two texts: its output stands in prompts that are rebuilt from commits, so it
never changes. It knows no stop list and no stemmer, which may become better; Python's case folding
is stable for every character that Unicode has assigned.
"""

from __future__ import annotations

import re
from collections import Counter

_WIDE = "\u3002\uff01\uff1f"
_SENTENCE = re.compile(rf"(?<=[.!?\u2026])\s+|(?<=[{_WIDE}])\s*|\n+")
_CJK = "\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_SHORTEST = 4
"""Letters of the shortest word that counts: shorter ones are mostly grammar."""
_STEM = 5
"""Letters by which words are compared, so that their endings do not matter."""
_LEAST_WORD = 40
"""Cells at the end of a cut text that are given up to end with a whole word."""


def excerpt(text: str, question: str, cells: int) -> str:
    """Shorten a text to so many cells: the sentences around the one that fits a question best.

    Words that few sentences of the text have count most. Without a word in common it is the
    beginning. ``…`` stands where something was left out, and comes on top of the cells.

    Args:
        text: what was said.
        question: the newest message.
        cells: terminal cells; a character of Chinese or Japanese is two.
    """
    if fitting(text, cells) == len(text):
        return text
    spans = _sentences(text)
    best = _fits_best([text[begin:end] for begin, end in spans], question)
    first = last = best
    while True:
        for grown in ((first, last + 1), (first - 1, last)):
            if grown[0] >= 0 and grown[1] < len(spans):
                piece = text[spans[grown[0]][0] : spans[grown[1]][1]]
                if fitting(piece, cells) == len(piece):
                    first, last = grown
                    break
        else:
            break
    piece = text[spans[first][0] : spans[last][1]]
    cut = _cut(piece, cells)
    front = "… " if first else ""
    if cut != piece:
        return f"{front}{cut}…"
    return f"{front}{piece} …" if last + 1 < len(spans) else f"{front}{piece}"


def fitting(text: str, cells: int) -> int:
    """How many characters of a text fit into so many cells."""
    used = 0
    for place, character in enumerate(text):
        # By fixed ranges: a newer Unicode table must not change a prompt of the past.
        used += 2 if "\u2e80" <= character <= "\uffdf" or character >= "\U00020000" else 1
        if used > cells:
            return place
    return len(text)


def _sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence begins and ends; at least one."""
    spans, begin = [], 0
    for gap in _SENTENCE.finditer(text):
        if text[begin : gap.start()].strip():
            spans.append((begin, gap.start()))
        begin = gap.end()
    if text[begin:].strip() or not spans:
        spans.append((begin, len(text)))
    return spans


def _fits_best(sentences: list[str], question: str) -> int:
    """The sentence with most of the question's words, the first among equals."""
    asked = _words(question)
    shared = [asked & _words(sentence) for sentence in sentences]
    spread = Counter(word for words in shared for word in words)
    scores = [sum(1 / spread[word] for word in sorted(words)) for words in shared]
    return scores.index(max(scores))


def _words(text: str) -> set[str]:
    """The beginnings of longer words; pairs of characters where words have no spaces."""
    found: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if re.match(f"[{_CJK}]", word):
            found |= {word[at : at + 2] for at in range(max(1, len(word) - 1))}
        elif len(word) >= _SHORTEST or word.isdecimal():
            found.add(word[:_STEM])
    return found


def _cut(text: str, cells: int) -> str:
    """Cut a text at the end of a word if it is longer than so many cells."""
    cut = text[: fitting(text, cells)]
    if cut == text:
        return text
    words = cut.rsplit(maxsplit=1)
    if len(words) == 2 and len(cut) - len(words[0]) <= _LEAST_WORD:
        cut = words[0]
    return cut.rstrip()
