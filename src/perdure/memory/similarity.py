"""Find facts that say the same, and facts that contradict each other, by words alone.

No model is asked, so it is quick, the same everywhere, and no more than a hint: what is found is
shown side by side, and the user decides. It errs on the side of silence.

A contradiction is one of these, about the same subject, with no more than one side in the past:

- a slot that has one value (where she lives, her name, her birthday, her age, her favourite …) with
  another value;
- the same words with another number, date or time;
- the same words, said and denied (``likes`` and ``hates`` are one word with two signs).

Each of these is right in at least nine of ten of ordinary pairs, in every language that is read
here: ``python -m tests.bench.fact_pairs`` tells. What was not (where she works, two sentences alike
but for one stretch) is left to the reader.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from perdure.companion.memory.facts import Fact
from perdure.memory.vocabulary import (
    DENIAL,
    IDIOMS,
    NUMBERS,
    PAST,
    PAST_PATTERN,
    SIGNS,
    SLOTS,
    STOP,
    WIDE_DENIAL,
    WIDE_SIGNS,
    WIDE_SLOTS,
)

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(r"\d+(?:[.:,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?")
_IS_WIDE = re.compile(f"[{_WIDE}]")
_WIDE_NUMBER = re.compile(r"\d+|[一二三四五六七八九十百两兩]+(?=[岁歳歲個个只匹人月日年号])")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_MOST_ADDED = 0.3
"""The part of a fact's words that may be missing from another that says nearly the same."""


class _Slot(NamedTuple):
    """A property with one value: whose it is, and the value. Without a name there is none."""

    name: str = ""
    subject: frozenset[str] = frozenset()
    value: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Reading:
    """The words of a fact, ready to be compared.

    Attributes:
        plain: the fact, ignoring case and marks at its ends.
        said: the same without what denies it, where words are not set apart.
        words: what it is about, in order.
        content: the same as a set.
        numbers: numbers, months and days.
        sign: -1 where it is denied.
        past: it was so once.
    """

    plain: str
    said: str
    words: tuple[str, ...]
    content: frozenset[str]
    numbers: frozenset[str]
    sign: int
    past: bool


def near_duplicates(text: str, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The facts that say what ``text`` says in about the same words, in the given order."""
    return tuple(fact for fact in facts if is_alike(text, fact.text))


def contradictions(text: str, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The facts that contradict ``text``, as far as words show, in the given order."""
    return tuple(fact for fact in facts if is_contrary(text, fact.text))


Kind = Literal["like", "against"]


def pairs(facts: Iterable[Fact]) -> list[tuple[Fact, Fact, Kind]]:
    """All pairs that say the same or contradict each other, in the given order.

    Only facts that share a slot's subject or one of their rarer words are compared with each other:
    all other rules ask for half of the words to be shared, so one of the rarer half is among them.
    """
    read = [(fact, _read(fact.text)) for fact in facts]
    frequent = Counter(word for _, reading in read for word in reading.content)
    places: dict[object, list[int]] = {}
    found: list[tuple[Fact, Fact, Kind]] = []
    for place, (fact, reading) in enumerate(read):
        rarest = sorted(reading.content, key=lambda word: (frequent[word], word))
        keys: list[object] = [*rarest[: len(rarest) // 2 + 1]]
        slot = _slot(reading)
        keys += [slot[:2]] if slot.name else []
        others: set[int] = set()
        for key in keys:
            others.update(places.get(key, ()))
            places.setdefault(key, []).append(place)
        for other in sorted(others):
            before = read[other][0]
            if is_contrary(before.text, fact.text):
                found.append((before, fact, "against"))
            elif is_alike(before.text, fact.text):
                found.append((before, fact, "like"))
    return found


def is_alike(one: str, other: str) -> bool:
    """Whether two texts say about the same, with the same numbers and nothing denied."""
    a, b = _read(one), _read(other)
    if a.plain == b.plain:
        return bool(a.plain)
    if not a.content & b.content:
        return False
    if a.numbers != b.numbers or a.sign != b.sign or a.past != b.past or is_contrary(one, other):
        return False
    if (mine := _slot(a)).name and mine == _slot(b):
        return True
    # One in the other: "Marta is Ana's sister" and "Marta is Ana's younger sister". In one order:
    # "tea rather than coffee" is not "coffee rather than tea".
    fewer, more = sorted((a.words, b.words), key=len)
    rest = iter(more)
    return all(word in rest for word in fewer) and (
        fewer == more or (len(fewer) >= 3 and len(fewer) >= (1 - _MOST_ADDED) * len(more))
    )


def is_contrary(one: str, other: str) -> bool:
    """Whether two texts contradict each other, as far as their words show."""
    a, b = _read(one), _read(other)
    if a.past != b.past or a.plain == b.plain or not a.content & b.content:
        return False
    # Slots are looked for last: for most pairs the words alone decide.
    if (mine := _slot(a)).name and (theirs := _slot(b)).name:
        return mine[:2] == theirs[:2] and _values_differ(mine.value, theirs.value, a.sign, b.sign)
    if a.content != b.content:
        return False
    if a.sign != b.sign:
        # "No cats" is the opposite of "two cats", whatever the number.
        denied = a if a.sign < 0 else b
        return a.numbers == b.numbers or not denied.numbers
    return not (a.numbers <= b.numbers or b.numbers <= a.numbers)


def _values_differ(
    mine: frozenset[str], theirs: frozenset[str], sign: int, their_sign: int
) -> bool:
    """Whether two values of a slot contradict: different ones, or one denied. Two denied do not.

    A number and a word are values of two kinds: she was born in 1990, and in Ghent.
    """
    if _is_number(mine) != _is_number(theirs):
        return False
    is_more = mine <= theirs or theirs <= mine
    if sign != their_sign:
        return is_more
    return not is_more and sign > 0


def _is_number(value: frozenset[str]) -> bool:
    return any(word[0].isdigit() or word.startswith("month ") for word in value)


@lru_cache(maxsize=32_768)
def _read(text: str) -> _Reading:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    folded = _ORDINAL.sub(r"\1", " ".join(folded.split())).strip(" .!?。、\"'")
    if _IS_WIDE.search(folded):
        return _read_wide(folded)
    past = bool(PAST_PATTERN.search(folded))
    words, numbers, sign = [], set(), 1
    for word in _WORD.findall(IDIOMS.sub("hates", folded)):
        bare = word.removesuffix("'s")
        if bare in DENIAL or word in DENIAL or word.endswith("n't"):
            sign = -sign
        elif bare in PAST:
            past = True
        elif bare in NUMBERS or bare[0].isdigit():
            numbers.add(NUMBERS.get(bare, bare))
        elif bare not in STOP:
            base, turns = SIGNS.get(bare, (_stem(bare), 1))
            sign *= turns
            words.append(base)
    return _Reading(folded, folded, tuple(words), frozenset(words), frozenset(numbers), sign, past)


def _stem(word: str) -> str:
    """A word without the most common endings: rough, and the same for both sides."""
    for ending in ("ings", "ing", "ied", "ies", "ed", "es", "en", "s", "e", "n"):
        if len(word) - len(ending) >= 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


@lru_cache(maxsize=32_768)
def _slot(reading: _Reading) -> _Slot:
    """The slot that a sentence fills."""
    said = reading.said
    is_wide = bool(_IS_WIDE.search(said))
    for name, pattern in WIDE_SLOTS if is_wide else SLOTS:
        found = pattern.fullmatch(said)
        if found is None:
            continue
        slot = _filled(name, found.groupdict(), is_wide=is_wide)
        if slot.name:
            return slot
    return _Slot()


def _filled(name: str, groups: dict[str, str | None], *, is_wide: bool) -> _Slot:
    """The slot that a pattern found; none where its words do not fill it."""
    subject, kind = groups["who"] or "", groups.get("which") or ""
    filling = groups["value"] or ""
    if is_wide:
        return _Slot(f"{name} {kind}", frozenset({subject}), frozenset({filling}))
    who, value = _bag(subject), _bag(filling)
    if not who or not value:
        return _Slot()
    kind = _stem(kind)
    if "article" in groups:
        # "in Ghent" and "in a bakery" are not values of one kind.
        kind = "common" if groups["article"] else "proper"
    if groups.get("than"):
        # Of tea and coffee she may like one better, and of tea and juice the other.
        kind = " ".join(sorted(value | _bag(groups["than"] or "")))
    return _Slot(f"{name} {kind}", who, value)


def _bag(text: str) -> frozenset[str]:
    words = (word.removesuffix("'s") for word in _WORD.findall(text))
    return frozenset(
        NUMBERS.get(word, _stem(word)) for word in words if word not in STOP | DENIAL | PAST
    )


def _read_wide(folded: str) -> _Reading:
    """Read Chinese or Japanese: overlapping pairs of characters stand for words."""
    numbers = frozenset(found[0] for found in _WIDE_NUMBER.finditer(folded))
    sign, plain = 1, folded
    for denial, said in WIDE_DENIAL.items():
        if denial in plain:
            sign, plain = -sign, plain.replace(denial, said)
            break
    for word, (base, turns) in WIDE_SIGNS.items():
        if word in plain:
            plain, sign = plain.replace(word, base), sign * turns
            break
    words: list[str] = []
    for run in re.findall(f"[{_WIDE}]+|[^\\W\\d_{_WIDE}]+", _WIDE_NUMBER.sub("", plain)):
        is_wide = bool(_IS_WIDE.match(run))
        pairs = [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        words += pairs if is_wide else [run]
    past = bool(PAST_PATTERN.search(folded))
    return _Reading(folded, plain, tuple(words), frozenset(words), numbers, sign, past)
