"""Recognise languages by script and function words, and find the stems of words.

Stemmers are those of Snowball (snowballstemmer, BSD-3-Clause, written in Python alone, so that
every machine makes the same stems). Ukrainian, which Snowball lacks, has endings taken off here.
"""

# ruff: noqa: RUF001, RUF003 - letters of other scripts

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from perdure.recall.language.stopwords import STOP


@dataclass(frozen=True, slots=True)
class Language:
    """A language with a stemmer.

    Attributes:
        algorithm: Snowball's name for it; "" for ours.
        script: of its words.
        compounds: whether it writes words that are made of others as one.
    """

    algorithm: str
    script: str
    compounds: bool = False


LANGUAGES = {
    "en": Language("english", "latin"),
    "de": Language("german", "latin", compounds=True),
    "es": Language("spanish", "latin"),
    "fr": Language("french", "latin"),
    "it": Language("italian", "latin"),
    "pt": Language("portuguese", "latin"),
    "nl": Language("dutch", "latin", compounds=True),
    "pl": Language("polish", "latin"),
    "tr": Language("turkish", "latin"),
    "sv": Language("swedish", "latin", compounds=True),
    "da": Language("danish", "latin", compounds=True),
    "no": Language("norwegian", "latin", compounds=True),
    "fi": Language("finnish", "latin", compounds=True),
    "hu": Language("hungarian", "latin", compounds=True),
    "ro": Language("romanian", "latin"),
    "cs": Language("czech", "latin"),
    "ca": Language("catalan", "latin"),
    "id": Language("indonesian", "latin"),
    "ru": Language("russian", "cyrillic"),
    "uk": Language("", "cyrillic"),
    "sr": Language("serbian", "cyrillic"),
    "el": Language("greek", "greek"),
    "ar": Language("arabic", "arabic"),
    "fa": Language("persian", "arabic"),
    "hi": Language("hindi", "devanagari"),
    "ta": Language("tamil", "tamil"),
    "hy": Language("armenian", "armenian"),
}
NUMBERS = {language: number for number, language in enumerate(LANGUAGES, 1)}
"""As the index keeps them; 0 is none."""
_BY_NUMBER = ("", *LANGUAGES)
USUAL = {
    "latin": "en",
    "cyrillic": "ru",
    "greek": "el",
    "arabic": "ar",
    "devanagari": "hi",
    "tamil": "ta",
    "armenian": "hy",
}
"""What language a script counts as if nothing tells."""
_ENOUGH = 2
"""Function words that identify a language."""
_SHARE = 7
"""One word in so many has to be one: in conversations it is one in two to five."""
RARE = 33
"""One message in so many makes a language one of this history's."""
_INTERJECTIONS = frozenset({"oh", "ok", "okay", "no", "yeah", "yes", "ah", "ja", "o"})
"""Said in many languages."""
_SCRIPTS = (
    ("\u0041", "\u024f", "latin"),
    ("\u0370", "\u03ff", "greek"),
    ("\u0400", "\u052f", "cyrillic"),
    ("\u0531", "\u058a", "armenian"),
    ("\u0600", "\u06ff", "arabic"),
    ("\u0900", "\u097f", "devanagari"),
    ("\u0b80", "\u0bff", "tamil"),
    ("\u1e00", "\u1eff", "latin"),
    ("\u1f00", "\u1fff", "greek"),
)
_LETTERS = {
    **dict.fromkeys("іїєґ", "uk"),
    **dict.fromkeys("ыэъё", "ru"),
    **dict.fromkeys("ђјљњћџ", "sr"),
    **dict.fromkeys("پچژگی", "fa"),
}
"""Letters that one language of a script has and its neighbours have not."""
_APART = frozenset(
    {"animation", "authority", "business", "customer", "general", "generation", "hospitality"}
    | {"important", "importance", "organization", "organisation", "university"}
)
"""English words that Snowball makes one with busy, author, custom, generous, hospital, import …"""
_GRAMMAR: dict[str, tuple[str, ...]] = {}
for _language, _words in STOP.items():
    for _word in _words - _INTERJECTIONS:
        _GRAMMAR[_word] = (*_GRAMMAR.get(_word, ()), _language)


def name_of(number: int) -> str:
    """The language with a number; "" for none."""
    return _BY_NUMBER[number] if number < len(_BY_NUMBER) else ""


@cache
def _script_of(letter: str) -> str:
    return next((name for first, last, name in _SCRIPTS if first <= letter <= last), "")


def script_of(word: str) -> str:
    """The script of a word's first letter; "" for scripts without stemmers."""
    return _script_of(word[0]) if word else ""


def language_of(words: Sequence[str]) -> str:
    """The language that most of these words of grammar belong to; "" where they do not tell."""
    counts: dict[str, int] = {}
    foreign: list[str] = []
    for word in words:
        for language in _GRAMMAR.get(word, ()):
            counts[language] = counts.get(language, 0) + 1
        if not word.isascii():
            foreign.append(word)
    if foreign:
        _by_letters(foreign, counts)
    first = max(counts.values(), default=0)
    if first < _ENOUGH or first * _SHARE < len(words):
        return ""
    best = [language for language, count in counts.items() if count == first]
    return best[0] if len(best) == 1 else ""


def history_languages(counts: Mapping[int, int]) -> list[str]:
    """The languages of all conversations, most common first, given the messages in each.

    A language in which almost nothing was said was mistaken for another.
    """
    known = {number: count for number, count in counts.items() if name_of(number)}
    total = sum(known.values())
    order = sorted(known, key=lambda number: (-known[number], number))
    return [name_of(number) for number in order if known[number] * RARE >= total]


def _by_letters(words: Iterable[str], counts: dict[str, int]) -> None:
    for word in words:
        script = script_of(word)
        if script in {"latin", ""}:
            continue
        language = next((_LETTERS[letter] for letter in word if letter in _LETTERS), "")
        if language and LANGUAGES[language].script == script:
            counts[language] = counts.get(language, 0) + 1
        elif script != "cyrillic":
            counts[USUAL[script]] = counts.get(USUAL[script], 0) + 1


_WHOLE = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
"""Letters that Unicode does not take apart, as they are typed where a keyboard lacks them."""


def folded(word: str) -> str:
    """A word of `words_of` without accents, as the index has it; Cyrillic keeps its letters."""
    if word.isascii():
        return word
    if _script_of(word[0]) == "cyrillic":
        return word.replace("ё", "е")
    word = word.translate(_WHOLE)
    apart = unicodedata.normalize("NFD", word)
    if not any("\u0300" <= letter <= "\u036f" for letter in apart):
        return word
    bare = "".join(letter for letter in apart if not "\u0300" <= letter <= "\u036f")
    return unicodedata.normalize("NFC", bare) or word


def stem(language: str, word: str) -> str:
    """The stem of a word, folded; "" for words of grammar and those of another script."""
    known = LANGUAGES[language]
    if script_of(word) != known.script or word in STOP.get(language, ()):
        return ""
    if language == "en" and (alone := _apart(word)):
        return alone
    return folded(_stemmer(language)(word)) or folded(word)


def _apart(word: str) -> str:
    """An English word whose stem is that of an unrelated word; "" for others."""
    forms = (word, word.removesuffix("es"), word.removesuffix("s"))
    return next((form for form in forms if form in _APART), "")


@cache
def _stemmer(language: str) -> Callable[[str], str]:
    algorithm = LANGUAGES[language].algorithm
    if not algorithm:
        return _ukrainian
    # Its own `stemmer()` would take a compiled package instead, of whatever version is there.
    module = import_module(f"snowballstemmer.{algorithm}_stemmer")
    found: Callable[[str], str] = getattr(module, f"{algorithm.capitalize()}Stemmer")().stemWord
    return found


_ENDINGS = """
а ав ала али ало ам ами ати ах ають ая ає е еві его ей ем емо ему еш ею и ив ий ила или ило ими
имо ити ить их иш й о ові ого ом ому ою ої у ув ула ули уло ути уть ую ують ує ь ю ють юю я яв
яла яли яло ям ями яти ять ях яють яя яє є єві єм ємо єш єю і ів ій іла іли іло іми іти іть ії ія
ію ією іям іями іях уємо уєте уєш ї
їв їй їми їх їш
"""


_UKRAINIAN = sorted(_ENDINGS.split(), key=lambda ending: (-len(ending), ending))


def _ukrainian(word: str) -> str:
    """A word without the longest ending that leaves a vowel and three letters."""
    word = word.replace("\u2019", "").replace("ґ", "г").removesuffix("ся").removesuffix("сь")
    for ending in _UKRAINIAN:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3 and any(letter in "аеиіоуєїюя" for letter in stem):
            word = stem
            break
    # кінь and коня, ніч and ночі: і of a closed syllable is о or е elsewhere.
    last = word[-2:]
    return word[:-2] + "о" + last[1] if len(word) > 2 and last[0] in "іе" else word
