"""Expressions in keys: read as by Python's own engine with ASCII words, and never hanging."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perdure.companion.memory import lore_classes
from perdure.companion.memory.lore import read_lore
from perdure.companion.memory.lore_patterns import (
    MEMORY_LIMIT,
    BadPattern,
    SearchTimeout,
    compile_pattern,
    is_written_as_pattern,
    re2_search,
    regex_search,
)
from perdure.companion.memory.lore_syntax import read_expression

SECONDS = 20.0


def found(source: str, text: str) -> bool:
    """Whether an expression finds something: RE2 and `regex` agree."""
    expression = compile_pattern(source, ignore_case=False).expression
    by_re2 = re2_search(expression)(text, SECONDS)
    assert regex_search(expression)(text, SECONDS) == by_re2
    return by_re2


def re2_itself(source: str, flags: str) -> re2._Regexp:
    """What RE2 makes of an expression as it is written. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = 64 * MEMORY_LIMIT
    inside = f"(?{flags})" if flags else ""
    return re2.compile((inside + source).encode("utf-8", "surrogatepass"), options)


# Expressions whose meaning Python's engine shares; texts short enough for it to end.
_atoms = st.sampled_from(
    ["a", "b", ".", "\\w", "\\s", "\\d", "[ab]", "[^a]", "[a-c\\s]", "\\b", "^", "$", "é", "\\."]
)
_repeats = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{0,}", "+?"])


def _repeated(atom: str, repeat: str) -> str:
    return atom if atom in {"\\b", "^", "$"} else atom + repeat


_expressions = st.recursive(
    st.builds(_repeated, _atoms, _repeats),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.builds("({}){}".format, inner, _repeats),
        st.builds("(?:{})".format, inner),
    ),
    max_leaves=6,
)


@given(_expressions, st.text("ab c1é.\n_", max_size=8), st.sampled_from(["", "i", "m", "s"]))
@example("a\\b", "aé", "i")
def test_an_expression_finds_what_python_finds(expression: str, text: str, flags: str) -> None:
    text = text.rstrip("\n")  # Python's `$` also stands before a last line end
    expression_alone = f"(?{flags}:{expression})" if flags else expression
    wanted = re.search(expression_alone, text, re.ASCII)
    assert found(f"/{expression}/{flags}", text) == (wanted is not None)


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("/riv(er|ulet)s?/", "two rivulets", True),
        ("/River/i", "the RIVER", True),
        ("/river/", "RIVER", False),
        (r"/\bsee\b/", "seesaw", False),
        ("/ЗАМОК/i", "старый замок.", True),
        (r"/\bзамок\b/", "старый замок.", False),
        (r"/\w/", "é", False),
        (r"/\d/", "٣", False),
        ("/小[雨雪]/", "今天小雪了", True),
        (r"/\p{Lu}\p{Ll}+/", "to Ana", True),
        (r"/\u0041\x42\u{5c0f}/", "AB小", True),
        (r"/\\u0041/", r"\u0041", True),
        (r"/https?:\/\/mira/", "http://mira", True),
        ("/(?<who>Ana|Tam)/", "Tam", True),
        ("/(?:a)b/gimsuyvd", "AB", True),
        ("/^b/", "a\nb", False),
        ("/^b/m", "a\nb", True),
        ("/a$/", "a\nb", False),
        ("/a$/m", "a\nb", True),
        ("/a.b/", "a\nb", False),
        ("/a.b/s", "a\nb", True),
        ("/[à-ý]/i", "É", True),
        ("/a{2/", "a{2", True),
        ("/x|/", "", True),
        (r"/^\Qa.b\E$/", "a.b", True),
        (r"/\Qa.b\E/", "axb", False),
        (r"/[^\Wa]/", "a b", True),
        (r"/a\z/", "a\n", False),
        ("/a$/", "a\n", False),
        ("/(?U)a+b/", "aab", True),
        ("/(?i)k(?-i)b/", "\u212ab", True),
        ("/(?i)k(?-i)b/", "kB", False),
        ("/(?i:a)b/", "AB", False),
        ("/(?P<who>Ana)/", "Ana", True),
        (r"/\p{Greek}\PN\p{^Lu}/", "αxy", True),
        ("/[[:upper:][:^alpha:]]{2}/", "A1", True),
        (r"/[\]\-a]/", "-", True),
        (r"/\101\x{1F30A}\t/", "A🌊\t", True),
        ("/[^\\x00-\\x{10FFFF}]|b/", "b", True),
        ("/a{0}b{,2}/", "b{,2}", True),
        ("/(?:^|x)*a/", "ba", True),
        ("/x[&&~~||-]y/", "x~y", True),
        ("/(?i)straße/", "STRAẞE", True),
        ("/(?i)σ/", "ς", True),
        ("/(?i)[^ſ]/", "S", False),
        ("/(?i)i/", "\u0130", False),
        (r"/(?i)\w/", "\u212a", True),
    ],
)
def test_what_is_offered(source: str, text: str, *, expected: bool) -> None:
    assert found(source, text) is expected


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("/(a/", "missing )"),
        ("/a)/", "unexpected )"),
        ("/[a-/", "missing ]"),
        ("/*a/", "no argument for repetition"),
        ("/a**/", "bad repetition"),
        ("/a{3,1}/", "'{3,1}': repeated too often, or counted backwards"),
        ("/a{1001}/", "repeated too often"),
        ("/[z-a]/", "range: z-a"),
        ("/[é-a]/", "range: é-a"),
        (r"/(a)\1/", r"'\1': not supported"),
        (r"/\k<a>/", r"'\k': not supported"),
        ("/(?=a)b/", "'(?=': lookaround"),
        ("/(?<!a)b/", "'(?<!': lookaround"),
        ("/a++/", "bad repetition"),
        ("/a/x", "flag 'x'"),
        (r"/\q/", r"'\q': not supported"),
        ("/" + "a" * 1001 + "/", "longer"),
        ("/((a{100}){100}){100}/", "repeated too often"),
        ("/((((){1000}){1000}){1000}){1000}/", "repeated too often"),
        (r"/(\pL{9}){99}/", "too large with"),
        ("/.{1000}/", "too large with"),
        ("/(?>a)/", "'(?>': lookaround"),
        ("/(?P=a)/", "'(?P': lookaround"),
        ("/(?#a)b/", "'(?#': lookaround"),
        ("/(?i-)a/", "'(?i-)': lookaround"),
        ("/(?x)a/", "'(?x': lookaround"),
        ("/(?<a b>c)/", "invalid name of a group"),
        ("/(?<a>b)(?<a>c)/", "duplicate name of a group"),
        ("/a*+/", "bad repetition"),
        ("/a{2}{3}/", "bad repetition"),
        ("/a|*/", "no argument for repetition"),
        (r"/a\Z/", r"'\Z': not supported"),
        (r"/\Ca/", r"'\C': not supported"),
        (r"/a\Gb/", r"'\G': not supported"),
        (r"/\h/", r"'\h': not supported"),
        (r"/x*\B/", r"'\B': not supported where"),
        (r"/\p{Klingon}/", "invalid character class range"),
        (r"/\p{greek}/", "invalid character class range"),
        ("/[[:word:][:nothing:]]/", "invalid character class range"),
        (r"/[a-\d]/", r"'\d': not supported"),
        (r"/\x{110000}/", r"'\x': not supported"),
        ("/a\\/", "trailing"),
        ("/" + "(" * 31 + "a" + ")" * 31 + "/", "more than 30 deep"),
    ],
)
def test_what_is_broken_or_not_offered_is_refused_by_name(source: str, says: str) -> None:
    assert is_written_as_pattern(source)
    with pytest.raises(BadPattern) as caught:
        compile_pattern(source)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("/(a+)+$/", "a" * 30_000 + "b"),
        ("/(a|a)*b/", "a" * 30_000),
        ("/(.*a){30}x/", "a" * 30_000),
        (r"/(\w+\s?)*!/", "word " * 6_000),
    ],
)
def test_what_makes_other_engines_hang_ends_here(source: str, text: str) -> None:
    assert re2_search(compile_pattern(source).expression)(text, SECONDS) is False


@pytest.mark.parametrize("source", ["/(a+)+$/", "/(.*a){30}x/", r"/(\w+\s?)*[!?]$/"])
def test_without_re2_a_search_ends_when_its_time_is_over(source: str) -> None:
    search = regex_search(compile_pattern(source).expression)
    for seconds in (0.05, 0, -1):
        with pytest.raises(SearchTimeout):
            search("a" * 30_000 + "-", seconds)
    assert search("b-", SECONDS) is False


# Every key works or fails alike with RE2 and without

_TOKENS = (
    "a b k é É ς 小 ( ) (?: (?i) (?i: (?-i: (?s) (?m) (?m: (?U) (?s-m: (?P<n> (?<m> | * + ? {2} "
    "{1,3} {0} {2,} { } {,2} {1001} {40} [ [^ ] - a-z [:alpha:] [:^digit:] [a- & ~ # / , 0 1 "
    r"\d \D \w \W \s \S \b \B \A \z \Z ^ $ . \pL \p{Lu} \p{^Greek} \PN \p{Han} \p{C} \p{x} \p "
    r"\x41 \x{e9} \x{} \0 \12 \1 \Q \E \C \. \/ \- \_ \q \G \k \ "
    "(?= (?! (?<= (?<! (?> (?P= (?# (?| ++ *? +? ?? \ud83d"
)
_written = st.lists(
    st.sampled_from([*_TOKENS.split(" "), " ", "\n"]),
    min_size=1,
    max_size=8,
).map("".join)
_NOT_FOR_ALL = (
    "'\\C'",
    "'\\B'",
    "too large with",
    "no argument for repetition",
    "groups nested",
)
"""What RE2 takes alone; it takes a repetition after flags for one of what stands before them."""


@settings(max_examples=600, deadline=None)
@given(
    _written,
    st.sampled_from(["", "i", "m", "s", "ims"]),
    st.lists(st.text("ab kKé\u212aÉςΣ小1.-_{}[]\\\n\ud83d٣", max_size=7), min_size=3, max_size=6),
)
@example("(?:|a)+b\\b|^*", "", ["aab", "\n", "é"])
@example("\\B\\p{Lu}", "", ["aÉ", "ÉÉ", "AA"])
def test_each_engine_takes_what_re2_takes_and_finds_the_same(
    source: str, flags: str, texts: list[str]
) -> None:
    try:
        expression, why = read_expression(source, flags=flags), ""
    except BadPattern as problem:
        expression, why = None, str(problem)
    try:
        wanted = re2_itself(source, flags)
    except re2.error:
        assert expression is None
        return
    if expression is None:
        assert why.startswith(_NOT_FOR_ALL)
        return
    for text in texts:
        there = wanted.search(text.encode("utf-8", "surrogatepass")) is not None
        assert re2_search(expression)(text, SECONDS) == there
        assert regex_search(expression)(text, SECONDS) == there


def test_letters_are_the_same_without_case_as_in_re2() -> None:
    letters = "".join(map(chr, (*range(0x250), *range(0x370, 0x590), *range(0x13A0, 0x1400),
        *range(0x1C80, 0x1C89), *range(0x1E00, 0x2190), *range(0x2C00, 0x2D30),
        *range(0xA640, 0xA6A0), *range(0xAB50, 0xABC0), 0xFB05, 0xFB06, *range(0x10400, 0x10450),
    )))  # fmt: skip
    for letter in letters:
        same = "".join(
            chr(code)
            for first, last in lore_classes.folded(((ord(letter), ord(letter)),))
            for code in range(first, last + 1)
        )
        wanted = re2_itself(f"\\x{{{ord(letter):x}}}", "i")
        assert set(same) >= set(map(bytes.decode, wanted.findall(letters.encode())))
        assert wanted.fullmatch(same[0].encode())
        assert all(wanted.fullmatch(each.encode()) for each in same), letter


def test_the_largest_expression_fits_into_what_re2_may_take() -> None:
    for source in (r"/[\x{81}-\x{10FFFE}]{660}/", r"/(\pL){2}/", "/(a|b|c){400}/"):
        assert found(source, "-") is False


def test_five_thousand_expressions_are_read_and_the_broken_one_is_named() -> None:
    files = {
        f"lore/{n}.md": b"---\nregex: yes\nkeys:\n"
        + b"".join(b'  - "/(%d|x{1,9})+y/"\n' % key for key in range(n * 500, n * 500 + 500))
        + b"---\nText.\n"
        for n in range(10)
    }
    files["lore/9.md"] = files["lore/9.md"].replace(b"/(4999|", b"/(4999(?=a)|")
    entries, (trouble,) = read_lore(files)
    assert sum(len(entry.keys) for entry in entries) == 4999
    assert (trouble.path, trouble.line) == ("lore/9.md", 503)


def test_half_a_character_breaks_neither_expression_nor_text() -> None:
    assert found("/a\ud83d?b/", "a\ud83db") is True
    assert found("/river/", "\ud83d river") is True


def test_an_engine_is_imported_for_an_expression_only() -> None:
    script = (
        "import sys\n"
        "from perdure.companion.memory.lore import read_lore\n"
        "from perdure.prompt.lore import scan\n"
        "def is_there(front):\n"
        "    files = {'lore/a.md': b'---\\n' + front + b'\\n---\\nx'}\n"
        "    scan(read_lore(files)[0], ['a river'], depth=1)\n"
        "    return bool({'re2', 'regex'} & set(sys.modules))\n"
        "print(is_there(b'keys: /river/'), is_there(b'regex: yes\\nkeys: /river/'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
