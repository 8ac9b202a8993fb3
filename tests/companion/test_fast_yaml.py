"""What is read without the YAML library means the same as with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.companion.errors import BadFile, Trouble
from perdure.companion.yaml.fast import (
    read_front_matter,
    read_simple,
    read_undamaged,
    split_front_matter,
)
from perdure.companion.yaml.quote import scalar
from perdure.companion.yaml.strict import read_mapping

_values = st.one_of(
    st.sampled_from(["river", "yes", "null", "~", "7", "-3", "007", "a: b", "a:b", "a #b", "a#b"]),
    st.sampled_from(['"a"', '"\\u00e9\\n"', '"\\ud83d\\ude00"', '"a', "'a'", "[a]", "&a", "x y"]),
    st.sampled_from(['["a", "b"]', "[]", '["a",]', '[["a"]]', "[1]", '["\\ud83d"]', '"\u3000"']),
    st.sampled_from(["2026-11-22T18:03:12+01:00", "2026-11-22-1803-9f3a77c0/7..9", "12:", "1 :a"]),
    st.text(max_size=6),
    st.text(max_size=6, alphabet="0123456789:./+- Tab"),
    st.text(max_size=6, alphabet=st.characters(exclude_categories=["Cs"])).map(scalar),
)
_lines = st.lists(
    st.one_of(
        st.builds(
            "{}: {}".format,
            st.sampled_from(["a", "b", "key_c", "d-9", '"a"', '"x: y"', '"\\x41"']),
            _values,
        ),
        st.sampled_from(["a:", "b:", "c:", "# x", "", "  - ", "d: "]),
        st.builds("  - {}".format, _values),
    ),
    max_size=5,
).filter(lambda lines: not any("\n" in line or "\r" in line for line in lines))


@settings(max_examples=300)
@given(_lines)
def test_whatever_is_read_is_what_the_library_reads(lines: list[str]) -> None:
    found = read_simple(lines, 2)
    if found is not None and lines:
        assert found == read_mapping("\n".join(lines), "x", 2)


def test_what_the_program_writes_is_read() -> None:
    lines = ["title: The Isar", "keys:", "  - river", '  - "a, b"', "priority: -3", "regex: yes"]
    found = read_simple(lines, 2)
    assert found == read_mapping("\n".join(lines), "x", 2)
    assert found is not None
    assert found.lines == {"title": 2, "keys": 3, "priority": 6, "regex": 7}


@pytest.mark.parametrize(
    "line",
    [
        *("a: b #c", "a: {}", "a: !x b", "a: 'b'", "  a: b", "a: b: c", "-"),
        *('a: "\\ud83d"', 'a: "\x7f"', 'a: "\ufeff"', 'a: "b" #c', 'a: "\\x41"'),
    ],
)
def test_all_else_is_left_to_the_library(line: str) -> None:
    assert read_simple(["x: y", line], 2) is None


def test_a_front_matter_stands_between_two_fences_at_the_top() -> None:
    assert split_front_matter(["---", "a: b", "---", "text"]) == (["a: b"], 3)
    assert split_front_matter(["---", "---"]) == ([], 2)
    for lines in ([""], ["---"], ["---", "a: b"], ["text", "---", "---"], ["--- ", "---"]):
        assert split_front_matter(lines) == ([], 0)


def test_a_damaged_line_costs_that_line_alone() -> None:
    lines = ['"a b": "c"', "d: [e", "f:", "  - g", "", "h: 2026-11-22-1803-9f3a77c0/7"]
    with pytest.raises(BadFile):
        read_front_matter(lines, "x")
    front, troubles = read_undamaged(lines)
    assert front.lines == {"a b": 2, "h": 7}
    assert troubles[1:] == [Trouble(n, f"skipped: {lines[n - 2]}") for n in (3, 4, 5)]


def test_lists_in_lists_without_end_are_left_to_the_library() -> None:
    assert read_simple(["a: " + "[" * 100_000], 2) is None


def test_what_the_library_refuses_is_refused() -> None:
    lines = ["a: b", "a: c"]
    assert read_simple(lines, 2) is None
    with pytest.raises(BadFile):
        read_mapping("\n".join(lines), "x", 2)
