from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.companion.conversation.chunk import only_turns, parse_chunks, render_chunk
from perdure.companion.conversation.front_matter import UNKNOWN
from perdure.companion.ids import ConversationId
from perdure.companion.turns import Chunk, Message, Reply, Turn

from . import values
from .test_chunk import FILE, HEAD, ID, TURNS

PATH = "conversations/2026-11/22/2026-11-22-1803-0001-9f3a77c0.md"
LINES = FILE.decode().split("\n")[:-1]
FIRST_HEADER = LINES.index("---", 1) + 2
SHORT = (
    "",
    "",
    ">",
    "> a",
    "> #### 1 · b",
    "#### 1 · A",
    "#### 1~1 · B",
    "#### 2 · A",
    "### 2 · A",
    "x",
)


def one(data: bytes | str) -> Chunk:
    (chunk,) = parse_chunks(data if isinstance(data, bytes) else data.encode(), PATH)
    return chunk


def troubles(chunk: Chunk) -> list[tuple[int, str]]:
    return [(trouble.line, trouble.what) for trouble in chunk.troubles]


def said(turns: tuple[Turn, ...]) -> list[str]:
    return [part.text for turn in turns for part in (turn.message, *turn.replies) if part]


def test_sound_chunks_have_no_troubles() -> None:
    chunk = one(FILE)
    assert (chunk.head, chunk.turns, chunk.troubles) == (HEAD, TURNS, ())


@given(values.turn_lists(min_size=1), st.data())
def test_a_cut_file_keeps_every_whole_turn_before_the_cut(
    turns: tuple[Turn, ...], data: st.DataObject
) -> None:
    whole = render_chunk(HEAD, turns)
    at = data.draw(st.integers(0, len(whole) - 1))
    kept = [n for n in range(len(turns)) if len(render_chunk(HEAD, turns[: n + 1])) <= at]
    chunks = parse_chunks(whole[:at], PATH)
    assert chunks[0].turns[: len(kept)] == turns[: len(kept)]
    assert chunks[0].head.conversation == ID
    # A cut between two messages leaves a sound chunk; every other one is reported.
    if not chunks[0].troubles:
        assert whole[:at] == render_chunk(chunks[0].head, chunks[0].turns) + b"\n" * (
            len(whole[:at]) - len(render_chunk(chunks[0].head, chunks[0].turns))
        )


DAMAGE = st.one_of(
    st.text(st.characters(exclude_characters="\n"), max_size=30),
    st.sampled_from(
        ["", ">", "> ", "---", "####", "#### 7", "### 7 · Ana", "=======", "<<<<<<< HEAD", "\r"]
    ),
)


@given(values.turn_lists(min_size=2), DAMAGE, st.booleans(), st.data())
def test_one_damaged_line_leaves_the_turns_before_it(
    turns: tuple[Turn, ...],
    damage: str,
    delete: bool,  # noqa: FBT001
    data: st.DataObject,
) -> None:
    lines = render_chunk(HEAD, turns).decode().split("\n")[:-1]
    at = data.draw(st.integers(0, len(lines) - 1))
    broken = [*lines[:at], *([] if delete else [damage]), *lines[at + 1 :]]
    chunks = parse_chunks("\n".join([*broken, ""]).encode("utf-8", "surrogateescape"), PATH)
    # The line before a header belongs to no message, but text put there goes on the one above.
    ends = [render_chunk(HEAD, turns[: n + 1]).decode().count("\n") for n in range(len(turns))]
    before = [n for n, end in enumerate(ends) if end < at]
    if damage.startswith(">"):
        # Quoted text where a header stood reads as more text of the message above.
        before = before[:-1]
    assert chunks[0].turns[: len(before)] == turns[: len(before)]
    after = "\n".join(text for chunk in chunks for text in said(chunk.turns))
    told = [t.what for c in chunks for t in c.troubles]
    for number, line in enumerate(lines):
        if line.startswith("> ") and number != at and number > FIRST_HEADER and "&" not in line:
            assert line[2:] in after or any(line[2:] in what for what in told)


@given(st.binary(max_size=300))
@example(b"---\nformat: 1\n")
@example(b"---\n")
@example(b"--")
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    assert parse_chunks(data)
    assert parse_chunks(FILE + data)[0].turns[:1] == TURNS[:1]
    assert parse_chunks(data + FILE)


@given(st.lists(st.sampled_from([*LINES, "=======", "<<<<<<< a", ">>>>>>> b", "stray", "", "---"])))
def test_no_order_of_lines_makes_the_reader_raise_or_drop_a_text(lines: list[str]) -> None:
    chunks = parse_chunks("\n".join(lines).encode())
    everything = "\n".join(text for chunk in chunks for text in said(chunk.turns))
    told = "\n".join(trouble.what for chunk in chunks for trouble in chunk.troubles)
    for line in lines:
        if line.startswith("> ") or line == "stray":
            assert line.removeprefix("> ") in everything + told


def _numbered(data: bytes, numbers: set[int]) -> list[Turn]:
    chunks = parse_chunks(data, PATH)
    return [turn for chunk in chunks for turn in chunk.turns if turn.number in numbers]


@given(values.turn_lists(min_size=1), st.sets(st.integers(0, 9)))
def test_some_turns_are_the_same_without_the_others(
    turns: tuple[Turn, ...], numbers: set[int]
) -> None:
    numbers |= {turns[-1].number}
    whole = render_chunk(HEAD, turns)
    cut = only_turns(whole, numbers)
    assert _numbered(cut, numbers) == _numbered(whole, numbers)
    assert [chunk.head for chunk in parse_chunks(cut)] == [HEAD]
    there = {turn.number for turn in turns}
    # A rule or a carriage return in what was said is reason enough to leave a file whole.
    left = there if whole.count(b"\n---") != 1 or b"\r" in whole else there & numbers
    assert {turn.number for turn in parse_chunks(cut)[0].turns} == left


@given(st.lists(st.sampled_from([*LINES, *SHORT]), max_size=30), st.sets(st.integers(0, 9)))
@example(["#### 1 · A", "#### 7 · Ana · 2026-11-22 18:03:12+01:00"], {1})
def test_some_turns_of_a_damaged_file_are_the_same_without_the_others(
    lines: list[str], numbers: set[int]
) -> None:
    data = "\n".join([*LINES[:FIRST_HEADER], *lines]).encode()
    assert _numbered(only_turns(data, numbers), numbers) == _numbered(data, numbers)


def test_a_cut_last_line_is_kept_and_reported() -> None:
    chunk = one(FILE[:-8])
    assert said(chunk.turns)[-1].endswith("Was it loud")
    assert troubles(chunk) == [(len(LINES), "the last line is cut off: it has no line end")]


def test_a_cut_header_is_no_message() -> None:
    header = "#### 8 · Ana · 2026-11-22 18:0"
    for end in range(1, len(header.encode())):
        chunk = one(FILE + b"\n" + header.encode()[:end])
        assert chunk.turns == TURNS, header[:end]
        assert chunk.troubles


def test_a_cut_front_matter_falls_back_on_the_path() -> None:
    chunk = one(FILE[: FILE.index(b"2026")])
    assert chunk.head.conversation == ID
    assert chunk.head.chunk == 1
    assert chunk.turns == ()
    assert [line for line, _ in troubles(chunk)] == sorted(line for line, _ in troubles(chunk))


def test_without_head_and_path_the_conversation_is_unknown() -> None:
    (chunk,) = parse_chunks(b"\n#### 1 \xc2\xb7 Ana\n\n> hello\n")
    assert chunk.head.conversation == UNKNOWN
    assert UNKNOWN.day.year == 1
    assert chunk.turns == (Turn(1, Message("Ana", "hello")),)


def test_an_empty_file_is_one_empty_chunk() -> None:
    chunk = one(b"")
    assert (chunk.turns, troubles(chunk)) == ((), [(1, "file is empty")])


def test_a_line_that_lost_its_mark_stays_in_its_message() -> None:
    text = FILE.decode().replace("> Was it loud today?", "Was it loud today?")
    chunk = one(text)
    assert chunk.turns == TURNS
    assert troubles(chunk) == [(len(LINES), "not quoted with '> ': Was it loud today?")]


def test_a_paragraph_typed_below_a_message_belongs_to_it() -> None:
    text = FILE.decode().replace("walk?\n", "walk?\n\nIt was late.\nVery late.\n")
    chunk = one(text)
    assert said(chunk.turns)[0] == "Good evening. How was the walk?\n\nIt was late.\nVery late."
    assert chunk.turns[1:] == TURNS[1:]
    assert [line for line, _ in troubles(chunk)] == [15, 16]


def test_an_unquoted_empty_line_stays_inside_its_message() -> None:
    chunk = one(FILE.decode().replace("tired.\n>\n", "tired.\n\n"))
    assert chunk.turns == TURNS
    assert len(chunk.troubles) == 1


@pytest.mark.parametrize("gone", ["#### 7~1", "#### 7 ·"])
def test_text_under_an_unreadable_header_is_a_turn_of_its_own(gone: str) -> None:
    lines = list(LINES)
    at = next(n for n, line in enumerate(lines) if line.startswith(gone))
    line = "XX" + lines[at][4:]
    lines[at] = line
    chunk = one("\n".join([*lines, ""]))
    assert said(chunk.turns) == said(TURNS)
    messages = [turn.message for turn in chunk.turns if turn.message]
    assert [each.notes for each in messages if each.speaker == ""] == [{"unread header": line}]
    assert (at + 1, f"not quoted with '> ': {line}") in troubles(chunk)


def test_a_bent_header_is_read() -> None:
    chunk = one(FILE.decode().replace("#### 7 · Ana", "### 7 · Ana"))
    assert chunk.turns == TURNS
    assert [what for _, what in troubles(chunk)] == ["malformed header"]


def test_a_conflict_is_read_from_both_sides() -> None:
    ours, theirs = Turn(8, Message("Ana", "ours")), Turn(8, Message("Ana", "theirs"))
    head, both = FILE, [render_chunk(HEAD, [turn]).split(b"---\n", 2)[2] for turn in (ours, theirs)]
    chunk = one(
        head
        + b"<<<<<<< HEAD"
        + both[0]
        + b"||||||| 0a1b2c3\n======="
        + both[1]
        + b">>>>>>> kitchen\n"
    )
    assert chunk.turns == (*TURNS, ours, theirs)
    marks = [what for _, what in troubles(chunk) if what.startswith("merge conflict marker")]
    assert marks[0] == "merge conflict marker: <<<<<<< HEAD"
    assert len(marks) == 4
    assert "turn 8 again" in [what for _, what in troubles(chunk)]


def test_marks_of_a_conflict_in_a_text_are_text() -> None:
    text = "<<<<<<< HEAD\n=======\n>>>>>>> theirs"
    chunk = one(render_chunk(HEAD, [Turn(1, Message("Ana", text))]))
    assert said(chunk.turns) == [text]
    assert chunk.troubles == ()


def test_descending_turns_are_read_and_reported() -> None:
    chunk = one(render_chunk(HEAD, TURNS[::-1]))
    assert chunk.turns == TURNS[::-1]
    assert [what for _, what in troubles(chunk)] == ["turn 0 after turn 7"]


def test_bytes_that_are_not_utf8_are_kept() -> None:
    chunk = one(FILE.replace(b"Good evening", b"Good \xe9vening"))
    text = said(chunk.turns)[0]
    assert text.encode("utf-8", "surrogateescape").startswith(b"Good \xe9vening")
    assert troubles(chunk) == [(13, "bytes that are not UTF-8")]
    again = one(render_chunk(chunk.head, chunk.turns))
    assert (again.turns, again.troubles) == (chunk.turns, ())


def test_a_byte_order_mark_is_reported() -> None:
    chunk = one(b"\xef\xbb\xbf" + FILE)
    assert chunk.turns == TURNS
    assert troubles(chunk) == [(1, "begins with a byte order mark")]


def test_converted_line_ends_are_undone() -> None:
    chunk = one(FILE.replace(b"\n", b"\r\n"))
    assert (chunk.head, chunk.turns) == (HEAD, TURNS)
    assert troubles(chunk) == [(1, "line ends were converted to CRLF")]


def test_a_front_matter_edited_by_hand_is_read_as_yaml() -> None:
    head = (
        "---\n# my own note\nparticipants:\n  - Ana\n  - 'Mira'\nformat: 1\nchunk: 01\n"
        "title: Rivers: no\ntags: [a, b]\n"
        "conversation: 2026-11-22-1803-9f3a77c0\nmood: off\n---\n"
    )
    chunk = one(head.replace("Rivers: no", "'Rivers: no'").replace("01", "1"))
    assert chunk.troubles == ()
    assert chunk.head.title == "Rivers: no"
    assert chunk.head.participants == ("Ana", "Mira")
    assert chunk.head.notes == {"tags": '["a", "b"]', "mood": "off"}
    broken = one(head)
    assert broken.head.participants == ()
    assert broken.head.conversation == ID
    assert any("skipped:   - Ana" in what for _, what in troubles(broken))


def test_a_newer_chunk_is_read_and_reported() -> None:
    chunk = one(FILE.replace(b"format: 1", b"format: 2"))
    assert chunk.turns == TURNS
    assert "format 2" in chunk.troubles[0].what


def test_a_ruled_line_is_no_new_chunk() -> None:
    chunk = one(FILE + b"---\nNothing more.\n")
    assert said(chunk.turns)[-1].endswith("Was it loud today?\n---\nNothing more.")
    assert len(chunk.troubles) == 2


def test_head_and_path_may_disagree_and_the_head_counts() -> None:
    other = replace(HEAD, conversation=ConversationId("2025-01-01-0000-00000001"))
    chunk = one(render_chunk(other, [Turn(1, None, (Reply("Mira", "x"),))]))
    assert chunk.head == other
