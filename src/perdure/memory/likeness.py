"""Facts that say the same, and facts that cannot both hold: found by words alone.

No model is asked, so it is quick, the same everywhere, and no more than a hint: what is found is
shown side by side, and the user decides. It errs on the side of silence.

A contradiction is one of these, about the same subject, with no more than one side in the past:

- a slot that has one value (where she lives, where she works, her name, her birthday, her age, her
  favourite …) with another value;
- the same words with another number, date or time;
- the same words, said and denied (``likes`` and ``hates`` are one word with two signs);
- two sentences about what is, not what happened, alike but for one short stretch.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, NamedTuple

from perdure.companion.facts import Fact
from perdure.memory.vocabulary import (
    DENIAL,
    EVENT,
    FAVOURITE,
    IDIOMS,
    MANY,
    NUMBERS,
    ORIGIN,
    PAST,
    PAST_PATTERN,
    SIGNS,
    SLOTS,
    STOP,
    WIDE_DENIAL,
    WIDE_MARKS,
    WIDE_SIGNS,
    WIDE_SLOTS,
)

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(r"\d+(?:[.:,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?")
_IS_WIDE = re.compile(f"[{_WIDE}]")
_WIDE_NUMBER = re.compile(r"\d+|[一二三四五六七八九十百两兩]+(?=[岁歳歲個个只匹人月日年号])")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_ALIKE = 0.7
_MOST_DIFFERENT = 3
"""Words in the one stretch by which two sentences may differ and still speak of one thing."""


class _Slot(NamedTuple):
    """A slot of one value: of whom, and what it is filled with. No name: no such slot."""

    name: str = ""
    subject: frozenset[str] = frozenset()
    value: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Reading:
    """A fact's words as they are compared.

    Attributes:
        plain: the fact, its case and marks at its ends left aside.
        said: the same without what denies it, where words are not set apart.
        words: what it is about, in order.
        content: the same as a set.
        numbers: numbers, months and days.
        sign: -1 where it is denied.
        past: it was so once.
        event: it tells what happened, and much may have happened; what is, is one thing.
        named: words that are written as names are.
    """

    plain: str
    said: str
    words: tuple[str, ...]
    content: frozenset[str]
    numbers: frozenset[str]
    sign: int
    past: bool
    event: bool
    named: frozenset[str] = frozenset()


def near_duplicates(text: str, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts that say what ``text`` says, in the same words or nearly, in the order given."""
    return tuple(fact for fact in facts if is_alike(text, fact.text))


def contradictions(text: str, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts that cannot hold beside ``text``, as far as words show it, in the order given."""
    return tuple(fact for fact in facts if is_contrary(text, fact.text))


Kind = Literal["like", "against"]


def pairs(facts: Iterable[Fact]) -> list[tuple[Fact, Fact, Kind]]:
    """All pairs that say the same, or cannot both hold, in the order given.

    Only facts that share a slot's subject or one of their rarer words are held against each other:
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
    """Whether two texts say nearly the same, with the same numbers and none denied."""
    a, b = _read(one), _read(other)
    if a.plain == b.plain:
        return bool(a.plain)
    if not a.content & b.content:
        return False
    if a.numbers != b.numbers or a.sign != b.sign or a.past != b.past or is_contrary(one, other):
        return False
    shared = len(a.content & b.content)
    least, most = sorted((len(a.content), len(b.content)))
    if not least:
        return False
    if (mine := _slot(a)).name and mine == _slot(b):
        return True
    # One in the other: "Marta is Ana's sister" and "Marta is Ana's younger sister".
    return 2 * shared / (least + most) >= _ALIKE + 0.1 or (
        shared == least and least >= 3 and least / most >= _ALIKE - 0.1
    )


def is_contrary(one: str, other: str) -> bool:
    """Whether two texts cannot both hold, as far as their words show it."""
    a, b = _read(one), _read(other)
    if a.past != b.past or a.plain == b.plain or not a.content & b.content:
        return False
    # Slots are looked for last: for most pairs the words alone decide.
    if (mine := _slot(a)).name and (theirs := _slot(b)).name:
        return mine[:2] == theirs[:2] and _values_differ(mine.value, theirs.value, a.sign, b.sign)
    same = _overlap(a.content, b.content)
    if a.sign != b.sign:
        # "No cats" is the opposite of "two cats", whatever the number.
        denied = a if a.sign < 0 else b
        return same >= _ALIKE and (a.numbers == b.numbers or not denied.numbers)
    if a.numbers and b.numbers and not (a.numbers <= b.numbers or b.numbers <= a.numbers):
        return same == 1.0 or (same >= _ALIKE and len(a.content & b.content) >= 2)
    if a.numbers != b.numbers:
        return False
    return _differ_in_one_place(a, b)


def _values_differ(
    mine: frozenset[str], theirs: frozenset[str], sign: int, their_sign: int
) -> bool:
    """Of one slot: another value, or the same one denied. Two that are denied both hold.

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


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index."""
    return len(one & other) / len(one | other) if one | other else 0.0


def _differ_in_one_place(a: _Reading, b: _Reading) -> bool:
    """Whether two sentences are the same but for one stretch, and their verb takes one value."""
    if _IS_WIDE.search(a.plain + b.plain):
        return _wide_differ(a.plain, b.plain)
    shared = a.content & b.content
    if len(shared) < 3 or a.event or b.event or (shared & MANY and not shared & FAVOURITE):
        return False
    changes = [
        (end - begin, until - start)
        for what, begin, end, start, until in SequenceMatcher(
            None, a.words, b.words, autojunk=False
        ).get_opcodes()
        if what != "equal"
    ]
    return (
        len(changes) == 1
        and all(0 < count <= _MOST_DIFFERENT for count in changes[0])
        and len(shared) / max(len(a.content), len(b.content)) >= 0.5
    )


def _wide_differ(one: str, other: str) -> bool:
    """The same for Chinese and Japanese, by characters: what differs stands in one place."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    rests = (one[start : len(one) - end], other[start : len(other) - end])
    shared = one[:start] + one[len(one) - end :]
    return (
        all(0 < len(rest) <= 8 for rest in rests)
        and start >= 1
        and len(shared) >= 3
        and any(mark in shared for mark in WIDE_MARKS)
    )


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
    event = any(EVENT.fullmatch(word) for word in _WORD.findall(folded))
    named = frozenset(word.casefold() for word in _WORD.findall(text) if word[0].isupper())
    return _Reading(
        folded, folded, tuple(words), frozenset(words), frozenset(numbers), sign, past, event, named
    )


def _stem(word: str) -> str:
    """A word without the commonest endings; rough, and the same for both sides."""
    for ending in ("ings", "ing", "ied", "ies", "ed", "es", "en", "s", "e", "n"):
        if len(word) - len(ending) >= 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


@lru_cache(maxsize=32_768)
def _slot(reading: _Reading) -> _Slot:
    """Which slot a sentence fills."""
    said = reading.said
    is_wide = bool(_IS_WIDE.search(said))
    for name, pattern in WIDE_SLOTS if is_wide else SLOTS:
        found = pattern.fullmatch(said)
        if found is None:
            continue
        slot = _filled(name, found.groupdict(), reading, is_wide=is_wide)
        if slot.name:
            return slot
    return _Slot()


def _filled(name: str, groups: dict[str, str | None], reading: _Reading, *, is_wide: bool) -> _Slot:
    """The slot that a pattern found; none where its words do not fill it."""
    subject, kind = groups["who"] or "", groups.get("which") or ""
    filling = groups.get("one") or groups.get("value") or ""
    if is_wide:
        return _Slot(f"{name} {kind}", frozenset({subject}), frozenset({filling}))
    who, value = _bag(subject), _bag(filling)
    words = _WORD.findall(filling)
    is_named = all(word in reading.named and not ORIGIN.fullmatch(word) for word in words)
    if not who or not value or (groups.get("one") and not is_named):
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
    """Chinese and Japanese: overlapping pairs of characters stand for words."""
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
    return _Reading(folded, plain, tuple(words), frozenset(words), numbers, sign, past, event=False)
