"""Words of a text, as the index has them and as a question means them.

Scripts that are written without spaces (Han, kana) and Hangul, whose particles cling to the word,
are cut into overlapping pairs of characters. SQLite's trigram tokenizer would find nothing for the
two-character words that Chinese mostly consists of.
"""

from __future__ import annotations

import re
import unicodedata

from perdure.memory.recall.stopwords import (
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
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_HIRAGANA = re.compile("[\u3041-\u309f\u30fc]+")
MOST_WORDS = 48
"""Words of a question that are looked at; of a longer one the longest words, which are rarest."""


def normal(text: str) -> str:
    """Text in one form of Unicode (NFKC): full-width letters and half-width kana become usual."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def prepared(text: str) -> str:
    """Text as the tokenizer is given it: runs without spaces become pairs and a last character.

    Every character of a run so begins a token, and a single one is found as a prefix.
    """
    if text.isascii():
        return text
    # NULs and lone surrogates cannot be stored; nobody looks for them.
    clean = unicodedata.normalize("NFKC", text).encode("utf-8", "replace").decode()
    return _RUN.sub(_pairs, clean)


def _pairs(found: re.Match[str]) -> str:
    run = found[0]
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    return f" {' '.join([*pairs, run[-1]])} "


def is_cjk(word: str) -> bool:
    """Whether a word of `words_of` is a run without spaces, or a pair of one."""
    return _RUN.match(word) is not None


def words_of(text: str) -> list[str]:
    """Words of a text in their order, folded; a run without spaces is one word."""
    return [found.casefold() for found in _WORD.findall(normal(text))]


def content_words(text: str) -> dict[str, float]:
    """Words of a question that say what it is about, each once, with a weight.

    Words of grammar are left out. Pairs of characters are words.
    """
    words = pieces_of(text)
    stop = _stop_list(words)
    found = {word: FRAME.get(word, 1.0) for word in words if word not in stop and _says(word)}
    return _longest(found)


def all_words(text: str) -> dict[str, float]:
    """Words of a question that consists of grammar only."""
    return _longest(dict.fromkeys(pieces_of(text), 1.0))


def pieces_of(text: str) -> list[str]:
    """Words of a text, runs without spaces in pairs."""
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
    """False for pairs of characters that only hold a sentence together."""
    if not is_cjk(word):
        return True
    if word in CJK_STOP:
        return False
    return not all(letter in CJK_PARTICLES for letter in word)


def _stop_list(words: list[str]) -> frozenset[str]:
    """The words of grammar of the language that most of these words are of.

    One list for all would lose "die", "war" and "hat", which are grammar in German only.
    """
    counts = {name: sum(word in stop for word in words) for name, stop in STOP.items()}
    best = max(counts, key=lambda name: (counts[name], name == "en"))
    return STOP[best]
