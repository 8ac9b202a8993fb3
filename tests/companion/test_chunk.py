from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from perdure.companion.conversation.chunk import (
    chunk_path,
    parse_chunk_path,
    parse_chunks,
    render_chunk,
    render_head,
    render_reply,
    render_turn,
)
from perdure.companion.conversation.escape import unescape
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn

from . import values

AT = datetime.fromisoformat("2026-11-22T18:03:12+01:00")
ID = ConversationId("2026-11-22-1803-9f3a77c0")
HEAD = ChunkHead(
    ID,
    1,
    title="Do you remember what I said about the river?",
    participants=("Ana", "Mira"),
    started=AT,
    continues=TurnId(ConversationId("2026-11-21-2211-04bd11f2"), 31),
)
TURNS = (
    Turn(0, None, (Reply("Mira", "Good evening. How was the walk?", AT),)),
    Turn(
        7,
        Message("Ana", "Do you remember what I said about the river?", AT),
        (
            Reply(
                "Mira",
                "You said it only sounds loud when you are tired.\n\nWas it loud today?",
                AT + timedelta(seconds=8),
                backend="local",
                model="smollm2-135m-instruct",
                interrupted=True,
            ),
        ),
    ),
)
FILE = b"""---
format: 1
conversation: 2026-11-22-1803-9f3a77c0
chunk: 1
title: "Do you remember what I said about the river?"
participants: ["Ana", "Mira"]
started: 2026-11-22T18:03:12+01:00
continues: 2026-11-21-2211-04bd11f2/31
---

#### 0~1 \xc2\xb7 Mira \xc2\xb7 2026-11-22 18:03:12+01:00

> Good evening. How was the walk?

#### 7 \xc2\xb7 Ana \xc2\xb7 2026-11-22 18:03:12+01:00

> Do you remember what I said about the river?

#### 7~1 \xc2\xb7 Mira \xc2\xb7 2026-11-22 18:03:20+01:00 \xc2\xb7 backend: local \xc2\xb7 \
model: smollm2-135m-instruct \xc2\xb7 interrupted

> You said it only sounds loud when you are tired.
>
> Was it loud today?
"""


def test_further_lines_are_named_beside_the_one_that_is_continued() -> None:
    ends = (TurnId(ID, 4), TurnId(ConversationId("2026-11-21-2150-77c09f3a"), 12))
    text = render_chunk(replace(HEAD, joins=ends), TURNS)
    assert b'\njoins: ["2026-11-22-1803-9f3a77c0/4", "2026-11-21-2150-77c09f3a/12"]\n' in text
    (chunk,) = parse_chunks(text)
    assert chunk.head.ends == (HEAD.continues, *ends)
    by_hand = text.replace(b'["2026-11-22-1803-9f3a77c0/4", ', b"[ 2026-11-22-1803-9f3a77c0/4 ,")
    assert parse_chunks(by_hand)[0].head.joins == ends
    (chunk,) = parse_chunks(text.replace(b"9f3a77c0/4", b"9f3a77c0"))
    assert [trouble.what for trouble in chunk.troubles] != []
    assert chunk.head.joins == ()


def same_times(a: tuple[Turn, ...], b: tuple[Turn, ...]) -> bool:
    """Equal instants may have different offsets; the format keeps the offset too."""

    def offsets(turns: tuple[Turn, ...]) -> list[timedelta | None]:
        said = [part for turn in turns for part in (turn.message, *turn.replies) if part]
        return [part.at.utcoffset() if part.at else None for part in said]

    return offsets(a) == offsets(b)


def test_a_chunk_has_the_bytes_of_the_specification() -> None:
    assert render_chunk(HEAD, TURNS) == FILE


@given(values.heads, values.turn_lists())
def test_reading_gives_back_what_was_written(head: ChunkHead, turns: tuple[Turn, ...]) -> None:
    (chunk,) = parse_chunks(render_chunk(head, turns))
    assert chunk.troubles == ()
    assert chunk.head == head
    assert chunk.turns == turns
    assert same_times(chunk.turns, turns)


@given(values.heads, values.turn_lists(min_size=1), values.replies)
def test_appending_equals_writing_again(
    head: ChunkHead, turns: tuple[Turn, ...], reply: Reply
) -> None:
    last = turns[-1]
    longer = replace(last, replies=(*last.replies, reply))
    before = render_head(head) + b"".join(render_turn(turn) for turn in turns)
    assert before == render_chunk(head, turns)
    appended = before + render_reply(last.number, reply)
    assert appended == render_chunk(head, (*turns[:-1], longer))
    (chunk,) = parse_chunks(appended)
    assert chunk.turns == (*turns[:-1], longer)


@given(values.heads, values.turn_lists(), values.heads, values.turn_lists())
def test_two_chunks_one_after_another_read_as_both(
    head: ChunkHead, turns: tuple[Turn, ...], other: ChunkHead, others: tuple[Turn, ...]
) -> None:
    chunks = parse_chunks(render_chunk(head, turns) + render_chunk(other, others))
    assert [chunk.head for chunk in chunks] == [head, other]
    assert [chunk.turns for chunk in chunks] == [turns, others]
    assert [chunk.troubles for chunk in chunks] == [(), ()]


STRUCTURE = re.compile(r"|#### [0-9]+(~[0-9]+)? · .*")


@given(values.heads, values.turn_lists())
def test_every_unquoted_line_is_structure(head: ChunkHead, turns: tuple[Turn, ...]) -> None:
    text = render_chunk(head, turns).decode()
    assert "\0" not in text
    _, front, body = text.split("---\n", 2)
    assert all(re.match(r'([a-z][a-z0-9-]*|"[^\n]*"): ', line) for line in front.splitlines())
    # Markdown ends a line at a lone carriage return too.
    for line in re.split(r"\r\n|\n|\r", body):
        assert line[:2] in {"> ", ">"} or STRUCTURE.fullmatch(line)


@given(values.heads, values.turn_lists())
def test_markdown_sees_a_heading_and_a_quote_for_each_message(
    head: ChunkHead, turns: tuple[Turn, ...]
) -> None:
    body = render_chunk(head, turns).decode().split("---\n", 2)[2]
    top = [token for token in MarkdownIt("commonmark").parse(body) if token.level == 0]
    said = sum((turn.message is not None) + len(turn.replies) for turn in turns)
    one = ["heading_open", "heading_close", "blockquote_open", "blockquote_close"]
    assert [token.type for token in top if token.type != "inline"] == one * said
    assert all(token.tag == "h4" for token in top if token.type == "heading_open")


def test_the_example_in_the_specification_is_one() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    assert docs.split("```markdown\n")[1].split("```")[0].encode() == FILE


@given(values.words)
def test_a_header_is_one_plain_line_of_markdown(speaker: str) -> None:
    header = render_turn(Turn(1, Message(speaker, "x"))).decode().split("\n")[1]
    field = header.removeprefix("#### 1 · ")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\\`*\[\]<>~|$·\u2028\u2029\u202e]", field)
    assert not re.search(r"&(?!#x[0-9A-F]{0,6};)|(?<!&)#(?!x)", field)
    assert field.strip() == field


@given(values.heads)
def test_the_front_matter_is_yaml_that_says_the_same(head: ChunkHead) -> None:
    front = render_head(head).decode().split("---\n")[1]
    read = YAML(typ="safe", pure=True).load(io.StringIO(front))
    assert read["format"] == 1
    assert read["conversation"] == str(head.conversation)
    assert read["chunk"] == head.chunk
    assert unescape(read["title"]) == head.title
    assert tuple(unescape(name) for name in read["participants"]) == head.participants
    for key, value in head.notes.items():
        known = [k for k in read if k not in {"format", "title"} and unescape(k) == key]
        assert [unescape(read[k]) for k in known[-1:]] == [value]


@pytest.mark.parametrize("offset", [timedelta(hours=5, minutes=30), timedelta(seconds=-17762)])
def test_times_keep_microseconds_and_odd_offsets(offset: timedelta) -> None:
    at = datetime(1883, 11, 18, 12, 3, 58, 7, timezone(offset))
    (chunk,) = parse_chunks(render_chunk(HEAD, [Turn(1, Message("Ana", "x", at))]))
    message = chunk.turns[0].message
    assert message == Message("Ana", "x", at)
    assert message.at is not None
    assert message.at.isoformat() == at.isoformat()


@pytest.mark.parametrize(
    "turn",
    [
        Turn(-1, Message("Ana", "x")),
        Turn(1_000_000_000, Message("Ana", "x")),
        Turn(1, None, (Reply("Mira", "x", answer=0),)),
        Turn(1, Message("Ana", "x", datetime(2026, 11, 22))),  # noqa: DTZ001
    ],
)
def test_what_could_not_be_read_back_is_not_written(turn: Turn) -> None:
    with pytest.raises(ValueError, match=r"number|offset"):
        render_turn(turn)


def test_fields_that_only_look_known_stay_notes() -> None:
    notes = {"backend": "x", "interrupted": "", "model": "", "stand-in": "half", "2026-11-22": ""}
    turn = Turn(1, Message("Ana", "x", notes=notes), (Reply("Mira", "y", notes=notes),))
    (chunk,) = parse_chunks(render_chunk(HEAD, [turn]))
    assert chunk.turns == (turn,)


def test_a_path_has_the_day_of_the_turn_and_the_hex_last() -> None:
    path = chunk_path(ID, 12, date(2026, 12, 1))
    assert path == "conversations/2026-12/01/2026-11-22-1803-0012-9f3a77c0.md"
    assert parse_chunk_path(path) == (ID, 12)
    other = chunk_path(ID, 12345, date(2026, 12, 1), root="alternatives")
    assert parse_chunk_path(other) == (ID, 12345)


@given(st.text() | st.from_regex(r"conversations/[0-9-/]{20,40}\.md", fullmatch=True))
def test_any_other_path_is_no_chunk(path: str) -> None:
    assert parse_chunk_path(path) is None or path.startswith(("conversations/", "alternatives/"))


def test_reading_a_chunk_loads_no_yaml_library() -> None:
    code = (
        "import sys; from perdure.companion.conversation.chunk import parse_chunks;"
        "chunk, = parse_chunks(sys.stdin.buffer.read());"
        "assert len(chunk.turns) == 2 and not chunk.troubles, chunk;"
        "loaded = {'ruamel.yaml', 'msgspec'} & set(sys.modules); assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], input=FILE, check=True)


def test_reading_what_is_set_aside_loads_no_yaml_library() -> None:
    file = b'---\nturns:\n  - 2026-11-22-1803-9f3a77c0/7..9\nfacts:\n  - "Ana: tea"\n---\n\nwhy\n'
    code = (
        "import sys; from perdure.companion.memory.aside import parse_aside;"
        "aside = parse_aside(sys.stdin.buffer.read(), '');"
        "assert (aside.turns[0].last, aside.facts) == (9, ('Ana: tea',)), aside;"
        "assert 'ruamel.yaml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], input=file, check=True)
