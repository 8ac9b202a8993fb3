"""The words of a text, as the index stores them and as a question means them.

Scripts that are written without spaces (Han, kana) and Hangul, whose particles cling to the word,
are cut into overlapping pairs of characters. SQLite's trigram tokenizer would find nothing for the
two-character words that Chinese mostly consists of.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from perdure.recall.language.languages import folded, language_of
from perdure.recall.language.stopwords import (
    CJK_PARTICLES,
    CJK_STOP,
    FRAME,
    STOP,
)

_CJK = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{_CJK}]+")
_MARKS = "\u0300-\u036f\u064b-\u0652\u0900-\u0dff"
"""Signs within a word that `str.isalnum` does not know, vowels of Indian scripts above all."""
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}](?:[^\W_{_CJK}]|[{_MARKS}])*")
MOST_WORDS = 48
"""Words of a question that are looked at; of a longer one the longest words, which are rarest."""


def normal(text: str) -> str:
    """Normalise text (NFKC): full-width letters and half-width kana become the usual ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def tokens_of(words: list[str]) -> list[str]:
    """The words of `words_of` as the index stores them, without accents.

    Runs without spaces are there as their pairs of characters, and each character by itself.
    """
    found: list[str] = []
    for word in words:
        if word.isascii():
            found.append(word)
        elif is_cjk(word):
            found += [word[at : at + 2] for at in range(len(word) - 1)]
            found += word
        else:
            found.append(folded(word))
    return found


def is_cjk(word: str) -> bool:
    """Whether a word of `words_of` is a run without spaces, or a pair of one."""
    return _RUN.match(word) is not None


def words_of(text: str) -> list[str]:
    """The words of a text in order, folded; a run without spaces is one word."""
    return [found.casefold() for found in _WORD.findall(normal(text))]


def content_words(text: str, likely: Sequence[str] = ("en",)) -> dict[str, float]:
    """The words that say what a question is about, each once, with a weight.

    Words of grammar are left out. Pairs of characters are words.

    Args:
        text: the question.
        likely: languages that it may be in where it does not tell, the likeliest first.
    """
    words = pieces_of(text)
    stop = _stop_list(words, likely)
    found = {word: FRAME.get(word, 1.0) for word in words if word not in stop and _says(word)}
    return _longest(found)


def single_characters(words: Iterable[str]) -> list[str]:
    """Han characters of pairs that are asked for, those that hold a sentence together left out."""
    letters = (letter for word in words if len(word) == 2 and is_cjk(word) for letter in word)
    return [
        letter
        for letter in dict.fromkeys(letters)
        if letter not in CJK_PARTICLES and "\u3400" <= letter <= "\u9fff"
    ]


def all_words(text: str) -> dict[str, float]:
    """The words of a question that consists only of grammar."""
    return _longest(dict.fromkeys(pieces_of(text), 1.0))


def pieces_of(text: str) -> list[str]:
    """The words of a text, with runs without spaces cut into pairs."""
    return [piece for word in words_of(text) for piece in _pieces(word)]


def _longest(words: dict[str, float]) -> dict[str, float]:
    if len(words) <= MOST_WORDS:
        return words
    kept = set(sorted(words, key=lambda word: (-len(word), word))[:MOST_WORDS])
    return {word: weight for word, weight in words.items() if word in kept}


def _pieces(word: str) -> list[str]:
    if len(word) < 3 or not is_cjk(word):
        return [word]
    return [word[at : at + 2] for at in range(len(word) - 1)]


def _says(word: str) -> bool:
    """Whether a pair of characters says something, and does not only hold a sentence together."""
    if not is_cjk(word):
        return True
    if word in CJK_STOP:
        return False
    return not all(letter in CJK_PARTICLES for letter in word)


def _stop_list(words: list[str], likely: Sequence[str]) -> frozenset[str]:
    """The words of grammar of the language that most of these words are of.

    One list for all would lose "die", "war" and "hat", which are grammar in German only.
    """
    language = language_of(words)
    if language not in STOP:
        known = [each for each in likely if each in STOP] or ["en"]
        counts = [sum(word in STOP[each] for word in words) for each in known]
        language = known[counts.index(max(counts))]
    return STOP[language]
