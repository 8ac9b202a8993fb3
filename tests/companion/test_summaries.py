"""Summaries as files."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.errors import FileTrouble
from perdure.companion.ids import ConversationId
from perdure.companion.memory.aside import TurnRange
from perdure.companion.memory.summaries import (
    Summary,
    as_written,
    is_summary,
    merge_summaries,
    parse_summary,
    printable,
    read_summaries,
    render_summary,
    summary_path,
)
from perdure.git.merge.sides import ThreeWay
from tests.companion.values import texts

CONVERSATION = ConversationId("2026-11-22-1803-9f3a77c0")
PATH = "memory/summaries/2026-11/2026-11-22-1803-9f3a77c0.md"

numbers = st.integers(0, 999_999_999)
ranges = st.tuples(numbers, numbers).map(lambda pair: TurnRange(CONVERSATION, min(pair), max(pair)))
named = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


def made(text: str, through: int = 7, *, backend: str = "", model: str = "") -> Summary:
    return as_written(Summary(CONVERSATION, through, text, backend, model, PATH))


def read(data: bytes) -> Summary:
    (found,), _ = read_summaries({PATH: data})
    return found


@given(texts, numbers, named, named, st.lists(ranges, max_size=3), st.sampled_from(["own", ""]))
def test_what_is_written_is_read_again(
    text: str, through: int, backend: str, model: str, sources: list[TurnRange], own: str
) -> None:
    summary = Summary(CONVERSATION, through, text, backend, model, PATH, tuple(sources))
    summary = as_written(summary) if own else replace(summary, text=printable(text))
    read, troubles = parse_summary(render_summary(summary), PATH)
    assert (read, troubles) == (summary, ())
    assert read is not None
    assert read.by_hand is (not own)


@given(texts)
def test_what_a_file_holds_stays_as_it_is(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.binary(max_size=300) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for whole in (data, b"---\nthrough: 3\n" + data, b"---\nthrough: 3\n---\n" + data):
        summary, troubles = parse_summary(whole, PATH)
        assert summary is not None or troubles
        lines = whole.decode("utf-8", "replace").count("\n") + 1
        assert all(0 <= trouble.line <= lines for trouble in troubles)


def test_the_file_says_who_wrote_it_and_from_what() -> None:
    summary = replace(
        made("The river was loud.", backend="local", model="qwen3:8b"),
        sources=(TurnRange(CONVERSATION, 0, 4), TurnRange(CONVERSATION, 6, 7)),
    )
    assert render_summary(summary).decode() == (
        "---\n"
        "conversation: 2026-11-22-1803-9f3a77c0\n"
        "through: 7\n"
        'sources: ["2026-11-22-1803-9f3a77c0/0..4", "2026-11-22-1803-9f3a77c0/6..7"]\n'
        "backend: local\n"
        "model: qwen3:8b\n"
        'digest: "e2ab8535f9cb5582"\n'
        "---\n\nThe river was loud.\n"
    )
    assert summary_path(CONVERSATION) == PATH
    extract = made("Ana: The river was loud.")
    assert extract.extractive
    assert b"\nextractive: yes\n" in render_summary(extract)


def test_a_change_by_hand_shows() -> None:
    data = render_summary(made("The river was loud.", backend="local", model="m"))
    assert not read(data).by_hand
    assert read(data.replace(b"loud", b"low")).by_hand
    by_hand = read(b"---\nthrough: 7\n---\nAll by myself.\n")
    assert by_hand.by_hand
    assert not by_hand.extractive


def test_another_order_comments_and_line_ends_are_read() -> None:
    data = (
        b"\xef\xbb\xbf---\r\n# mine\r\nthrough: 31\r\nmodel: 'x: y'\r\nbackend: cloud\r\n"
        b"sources:\r\n  - 2026-11-22-1803-9f3a77c0/3\r\nmood: blue\r\n---\r\n\r\nTwo\r\nlines.\r\n"
    )
    summary, troubles = parse_summary(data, PATH)
    assert troubles == ()
    assert summary == Summary(
        CONVERSATION, 31, "Two\nlines.", "cloud", "x: y", PATH, (TurnRange(CONVERSATION, 3, 3),)
    )


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"---\nthrough: 3\n---\n\nOne.\n<<<<<<< HEAD\nTwo.\n", 6, "a merge conflict marker"),
        (b"<<<<<<< HEAD\n---\nthrough: 3\n---\n\nOne.\n", 1, "a merge conflict marker"),
        (b"x" * 300_000, 0, "larger than 256 KiB"),
    ],
)
def test_what_nobody_knows_the_meaning_of_is_not_used(data: bytes, line: int, what: str) -> None:
    assert parse_summary(data, PATH) == (None, (FileTrouble(PATH, line, what),))


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"No front matter.\n", 1, "no front matter between two '---' lines"),
        (b"---\nconversation: x\nthrough: 1\n---\nText.\n", 2, "not a valid conversation: x"),
        (b"---\nthrough: soon\n---\nText.\n", 2, "not a valid turn: soon"),
        (b"---\nbackend: a\n---\nText.\n", 0, "front matter without 'through'"),
        (b"---\nthrough: [\n---\nText.\n", 2, "expected"),
        (b"---\nthrough: 1\nsources: [x]\n---\nText.\n", 3, "not a turn"),
        (b"---\nthrough: 1\n---\nText \xff.\n", 4, "not UTF-8"),
    ],
)
def test_damage_is_told_with_its_line_and_the_rest_is_read(
    data: bytes, line: int, what: str
) -> None:
    summary, troubles = parse_summary(data, PATH)
    assert summary is not None
    assert summary.conversation == CONVERSATION
    assert summary.text
    assert (troubles[0].path, troubles[0].line) == (PATH, line)
    assert what in troubles[0].what


def test_a_broken_line_does_not_hide_which_turns_it_rests_on() -> None:
    summary = replace(made("Text."), sources=(TurnRange(CONVERSATION, 1, 7),))
    data = render_summary(summary).replace(b"---\n\n", b"mood: [sad\n---\n\n")
    read, troubles = parse_summary(data, PATH)
    assert read == summary
    assert troubles[-1].what == "skipped: mood: [sad"


def test_one_broken_file_keeps_no_other_from_being_read() -> None:
    other = "memory/summaries/2026-11/notes.md"
    found, troubles = read_summaries(
        {PATH: render_summary(made("Text.")), other: b"---\nthrough: 1\n---\nWhose?\n"}
    )
    assert [each.text for each in found] == ["Text."]
    assert [(each.path, each.what) for each in troubles] == [
        (other, "it does not say which conversation it is about")
    ]
    assert is_summary(PATH)
    assert not is_summary(other)
    assert not is_summary(PATH.replace("summaries", "facts"))


def merged(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes | None:
    one = merge_summaries([ThreeWay(PATH, base, ours, theirs)])[PATH]
    other = merge_summaries([ThreeWay(PATH, base, theirs, ours)])[PATH]
    assert one == other, "both sides come to the same"
    return one


def test_of_two_the_one_that_covers_more_stays() -> None:
    base = render_summary(made("One.", 3, backend="a", model="m"))
    short = render_summary(made("Two.", 5, backend="a", model="m"))
    long = render_summary(made("Three.", 9, backend="a", model="m"))
    extract = render_summary(made("Ana: three.", 9))
    assert merged(base, short, long) == long
    assert merged(base, extract, long) == long
    assert merged(base, base, short) == short
    assert merged(None, short, None) == short
    assert merged(base, base, None) is None
    assert merged(base, None, long) == long
    assert merged(base, b"---\n<<<<<<< x\n", short) == short


def test_words_that_a_hand_wrote_are_not_lost_in_a_merge() -> None:
    base = render_summary(made("One.\nTwo.", 3))
    hand = base.replace(b"One", b"Mine")
    long = render_summary(made("Three.", 9, backend="a", model="m"))
    assert merged(base, hand, long) == hand
    both = merged(base, hand, base.replace(b"Two", b"Yours"))
    assert both is not None
    found = read(both)
    assert {"Mine.", "Two.", "One.", "Yours."} <= set(found.text.split("\n"))
    assert found.by_hand
