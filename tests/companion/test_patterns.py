"""Expressions in keys: read as by Python's own engine with ASCII words, and never hanging."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.companion.lore import read_lore
from perdure.companion.patterns import BadPattern, compile_pattern, is_written_as_pattern


def found(source: str, text: str) -> bool:
    return compile_pattern(source, ignore_case=False).found(text)


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
        (r"/(a)\1/", r"'\1': not offered"),
        (r"/\k<a>/", r"'\k': not offered"),
        ("/(?=a)b/", "'(?=': looking around"),
        ("/(?<!a)b/", "'(?<!': looking around"),
        ("/a++/", "bad repetition"),
        ("/a/x", "flag 'x'"),
        (r"/\q/", r"'\q': not offered"),
        ("/" + "a" * 1001 + "/", "longer"),
        ("/((a{100}){100}){100}/", "repeated too often"),
        ("/((((){1000}){1000}){1000}){1000}/", "repeated too often"),
        (r"/(\pL{9}){99}/", "too large once"),
        ("/.{1000}/", "too large once"),
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
    assert compile_pattern(source).found(text) is False


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


def test_re2_is_imported_for_an_expression_only() -> None:
    script = (
        "import sys\n"
        "from perdure.companion.lore import read_lore\n"
        "from perdure.memory.lore import scan\n"
        "def is_there(front):\n"
        "    files = {'lore/a.md': b'---\\n' + front + b'\\n---\\nx'}\n"
        "    scan(read_lore(files)[0], ['a river'], depth=1)\n"
        "    return 're2' in sys.modules\n"
        "print(is_there(b'keys: /river/'), is_there(b'regex: yes\\nkeys: /river/'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "True"]
