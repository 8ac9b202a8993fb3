r"""RE2's character classes as code point ranges, the same for every engine.

Engines differ in what ``\w`` or ``\p{Greek}`` is, and in which letters are the same without case;
where a class is spelled out there is nothing left to differ in. Sources: RE2's ``doc/syntax.txt``,
``perl_groups.cc`` (classes in ASCII) and ``parse.cc`` (``AddUGroup``, ``AddFoldedRange``).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import lru_cache

Ranges = tuple[tuple[int, int], ...]
"""First and last code points, ascending, with gaps between them."""

LAST = 0x10FFFF
ANY: Ranges = ((0, LAST),)
_CASED_END = 0x1E944
"""No letter from here on has another case."""
_YOUNGER = frozenset(
    {0x1C89, 0x1C8A, 0xA7CB, 0xA7CC, 0xA7CD, 0xA7DA, 0xA7DB, 0xA7DC}
    | {*range(0x10D50, 0x10D66), *range(0x10D70, 0x10D86)}
)
"""Letters of Unicode 16: Python knows their cases from 3.14 on, and RE2 does not."""
_ALSO_THE_SAME = {"\u1fd3": "\u0390", "\u1fe3": "\u03b0", "\ufb05": "\ufb06"}
"""Letters that no method of ``str`` folds into one another; in Unicode 15.1 they fold."""

_DIGIT: Ranges = ((48, 57),)
_UPPER: Ranges = ((65, 90),)
_LOWER: Ranges = ((97, 122),)
_WORD: Ranges = (*_DIGIT, *_UPPER, (95, 95), *_LOWER)
PERL: dict[str, Ranges] = {"d": _DIGIT, "s": ((9, 10), (12, 13), (32, 32)), "w": _WORD}
POSIX: dict[str, Ranges] = {
    "alnum": (*_DIGIT, *_UPPER, *_LOWER),
    "alpha": (*_UPPER, *_LOWER),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": _LOWER,
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": (*_DIGIT, (65, 70), (97, 102)),
}
_CATEGORIES = (
    "Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So "
    "Z Zl Zp Zs"
)
_SCRIPTS = """
Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali
Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian
Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret
Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian
Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya
Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi
Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi
Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian
Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin
Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani
Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong
Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian
Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau
Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham
SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa
Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta
Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
"""


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges sorted and merged, from any order."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def negated(ranges: Ranges) -> Ranges:
    """Every code point outside ``ranges``."""
    found, next_ = [], 0
    for first, last in ranges:
        if next_ < first:
            found.append((next_, first - 1))
        next_ = last + 1
    return (*found, (next_, LAST)) if next_ <= LAST else tuple(found)


@lru_cache(maxsize=256)
def folded(ranges: Ranges) -> Ranges:
    """``ranges`` plus every letter that differs from one of them only in case."""
    found = list(ranges)
    for first, last in ranges:
        if last < 0x80:
            found += _ascii_folded(first, last)
        elif first == last and _has_no_case(chr(first)):
            pass
        else:
            same = _same_but_case()
            # Code points of a range, or letters with a case: whichever are fewer.
            if last - first < len(same):
                inside = [code for code in range(first, last + 1) if code in same]
            else:
                inside = [code for code in same if first <= code <= last]
            found += [(other, other) for code in inside for other in same[code]]
    return joined(found)


def _ascii_folded(first: int, last: int) -> list[tuple[int, int]]:
    found = [(max(first, 65) + 32, min(last, 90) + 32), (max(first, 97) - 32, min(last, 122) - 32)]
    # The sign of Kelvin is a k, and the long s an s.
    for letters, other in (("Kk", 0x212A), ("Ss", 0x17F)):
        if any(first <= ord(letter) <= last for letter in letters):
            found.append((other, other))
    return [each for each in found if each[0] <= each[1]]


@lru_cache(maxsize=1)
def _same_but_case() -> dict[int, tuple[int, ...]]:
    """For each letter, all letters that differ only in case (Unicode simple folding)."""
    groups: dict[str, list[int]] = {}
    for code in range(_CASED_END):
        letter = chr(code)
        if code not in _YOUNGER and not _has_no_case(letter):
            groups.setdefault(_simple_fold(letter), []).append(code)
    for fold, group in groups.items():
        if ord(fold) not in group:
            group.append(ord(fold))
    return {code: tuple(group) for group in groups.values() if len(group) > 1 for code in group}


def _has_no_case(letter: str) -> bool:
    """Whether all case forms are the character itself, as with Chinese characters."""
    return letter.casefold() == letter.upper() == letter.lower() == letter


def _simple_fold(letter: str) -> str:
    """Case folding that keeps one letter one: Python's own turns ``ß`` into ``ss``."""
    letter = _ALSO_THE_SAME.get(letter, letter)
    for fold in (letter.casefold(), letter.lower()):
        if len(fold) == 1:
            return fold
    return letter


@lru_cache(maxsize=64)
def unicode_class(name: str) -> Ranges | None:
    r"""What ``\p{name}`` means in `regex`'s tables; None if RE2 has no such class."""
    import regex

    if name == "Any":
        return ANY
    if name == "C":  # in RE2 without what is not assigned
        return joined(
            each for part in ("Cc", "Cf", "Co", "Cs") for each in unicode_class(part) or ()
        )
    if name in _CATEGORIES.split():
        kind = "General_Category"
    elif name in _SCRIPTS.split():
        kind = "Script"
    else:
        return None
    return tuple(
        (found.start(), found.end() - 1)
        for found in regex.finditer(rf"\p{{{kind}={name}}}+", _every_character())
    )


@lru_cache(maxsize=1)
def _every_character() -> str:
    return array("I", range(LAST + 1)).tobytes().decode(_UTF_32, "surrogatepass")


_UTF_32 = "utf-32-le" if array("I", [1]).tobytes()[0] else "utf-32-be"


def steps(ranges: Ranges) -> int:
    """Roughly how many RE2 program steps a class takes: UTF-8 splits ranges at its block limits."""
    if len(ranges) == 2 and ranges[1][1] < 0x80:
        (upper, one), (lower, other) = ranges
        if upper == one and lower == other == upper + 32:
            return 1  # a letter in both cases
    return sum(_steps(first, last) for first, last in ranges) or 1


def _steps(first: int, last: int) -> int:
    if last < 0x80:
        return 1
    return 2 if first >> 6 == last >> 6 else 6
