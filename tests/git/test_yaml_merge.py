from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from perdure.git.merge.text import Merged, text_lines
from perdure.git.merge.yaml import merge_yaml

BASE = b"name: Mira\nbackends:\n  - ollama\n"
KEYS = ["name", "sync", "clock", "room", "voice"]
_VALUES = st.sampled_from(["on", "off", "\n  - one\n  - two", "\n  x: 1\n\n  # aside\n  y: 2"])
MAPPING = st.dictionaries(st.sampled_from(KEYS), _VALUES)
LINES = st.lists(
    st.sampled_from(["a: 1", "b: 2", "a:", "  - x", "- y", "# why", "", "'b' : 3", "c", "  d: 4"])
).map(lambda lines: "\n".join(lines).encode())


def written(values: dict[str, str]) -> bytes:
    return "".join(f"{key}: {value}\n" for key, value in values.items()).encode()


def loaded(text: bytes) -> dict[str, object]:
    return dict(YAML(typ="safe").load(text) or {})


def test_two_keys_that_were_added_in_one_place_are_both_there() -> None:
    merged = merge_yaml(BASE, BASE + b"sync: off\n", BASE + b"# mine\nclock: 24 hours\n")
    assert merged == Merged(BASE + b"# mine\nclock: 24 hours\nsync: off\n")


def test_one_key_that_both_changed_is_a_conflict_of_its_lines_alone() -> None:
    kept = b"name: Mira\nsync: off\nbackends:\n  - ollama\n  - embedded\n"
    other = b"name: Mira\nsync: each turn\nbackends:\n  - anthropic\n  - ollama\n"
    merged = merge_yaml(BASE, kept, other)
    assert merged.pairs == ((b"sync: off\n", b"sync: each turn\n"),)
    assert merged.starts == (1,)
    assert merged.content == kept.replace(b"  - ollama", b"  - anthropic\n  - ollama")


def test_a_key_that_one_side_took_out_is_gone_and_one_that_the_other_changed_is_said() -> None:
    past = b"a: 1\nb: 2\nc: 3\n"
    assert merge_yaml(past, b"a: 1\nc: 3\n", b"a: 1\nb: 2\nc: 4\n").content == b"a: 1\nc: 4\n"
    merged = merge_yaml(past, b"a: 1\nc: 3\n", b"a: 1\nb: 5\nc: 3\n")
    assert merged == Merged(b"a: 1\nc: 3\n", ((b"", b"b: 5\n"),), (1,))


def test_comments_stay_above_what_they_were_written_for() -> None:
    past = b"# Of her.\nname: Mira\n# clock: 24 hours\n"
    kept = past + b"# Mine.\nsync: off\n"
    other = past.replace(b"Mira", b"Mira B.") + b"# Theirs.\nroom: 1\n"
    merged = merge_yaml(past, kept, other)
    assert merged == Merged(
        b"# Of her.\nname: Mira B.\n# clock: 24 hours\n# Theirs.\nroom: 1\n# Mine.\nsync: off\n"
    )


def test_a_last_line_without_an_end_is_ended_before_another() -> None:
    merged = merge_yaml(b"a: 1", b"a: 1\nb: 2", b"a: 1\nc: 3")
    assert loaded(merged.content) == {"a": 1, "b": 2, "c": 3}


@given(MAPPING, MAPPING, MAPPING)
def test_each_key_is_as_the_side_has_it_that_changed_it(
    past: dict[str, str], kept: dict[str, str], other: dict[str, str]
) -> None:
    merged = merge_yaml(*map(written, (past, kept, other)))
    found = loaded(merged.content)
    for key in KEYS:
        before, mine, theirs = (
            loaded(written({key: each[key]})).get(key) if key in each else None
            for each in (past, kept, other)
        )
        if theirs in (mine, before):
            assert found.get(key) == mine
        elif mine == before:
            assert found.get(key) == theirs


@given(LINES, LINES, LINES)
def test_any_text_is_merged_and_no_line_of_a_side_is_lost_unsaid(
    past: bytes, kept: bytes, other: bytes
) -> None:
    merged = merge_yaml(past, kept, other)
    lines = text_lines(merged.content)
    for (mine, _), start in zip(merged.pairs, merged.starts, strict=True):
        count = len(text_lines(mine))
        assert b"".join(lines[start : start + count]).rstrip(b"\n") == mine.rstrip(b"\n")
    said = {line.rstrip() for _, theirs in merged.pairs for line in text_lines(theirs)}
    said |= {line.rstrip() for mine, _ in merged.pairs for line in text_lines(mine)}
    known = {line.rstrip() for text in (past, merged.content) for line in text_lines(text)}
    for text in (kept, other):
        assert {line.rstrip() for line in text_lines(text)} <= known | said


@given(LINES, LINES)
def test_what_one_side_left_alone_is_taken_from_the_other(past: bytes, text: bytes) -> None:
    for merged in (merge_yaml(past, past, text), merge_yaml(past, text, past)):
        assert not merged.pairs
        assert sorted(merged.content.split()) == sorted(text.split())
