"""Counting turns without reading them gives what the reader gives."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from perdure.companion.conversation import chunk
from perdure.companion.conversation.chunk import parse_chunks, render_chunk, turn_numbers
from perdure.companion.ids import ConversationId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn

AT = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)
TALK = ConversationId("2026-11-22-1803-9f3a77c0")
HEAD = ChunkHead(TALK, 1, "Rain", ("Ana", "Mira"), started=AT)

texts = st.sampled_from(
    ["", "Hi.", "#### 3 \u00b7 Eve", "> #### 4", "---\n", "a\n\n\nb", "\r\n#### 5"]
)
replies = st.lists(st.builds(lambda text: Reply("Mira", text, AT), texts), max_size=3)
turns = st.builds(
    lambda number, text, said: Turn(
        number, Message("Ana", text or "", AT) if text is not None or not said else None, (*said,)
    ),
    st.integers(0, 12),
    st.none() | texts,
    replies,
)
lines = st.sampled_from(
    [b"---\n", b"format: 1\n", b"\n", b"> a\n", b">\n", b">b\n", b"#### 1 \xc2\xb7 Ana\n",
     b"#### 1~1 \xc2\xb7 Mira\n", b"#### 2\n", b"### 2 \xc2\xb7 Ana\n", b"#### 02 \xc2\xb7 A\n",
     b"#### 3 \xc2\xb7 \xff\n", b"stray\n", b"\xef\xbb\xbf", b"\r\n", b"#### 4 \xc2\xb7 A"]
)  # fmt: skip


def read(data: bytes) -> list[int]:
    return [turn.number for chunk in parse_chunks(data) for turn in chunk.turns]


@given(st.lists(turns, max_size=6))
def test_what_was_written_is_counted(said: list[Turn]) -> None:
    data = render_chunk(HEAD, said)
    assert turn_numbers(data) == read(data)


@given(st.lists(turns, max_size=3), st.lists(lines, max_size=14), st.integers(0, 200))
@example([], [b"---\n", b"---\n", b"\n", b"#### 1 \xc2\xb7 A\n", b"\n", b"#### 2 \xc2\xb7 A\n"], 0)
def test_whatever_stands_there_is_counted_as_it_is_read(
    said: list[Turn], more: list[bytes], cut: int
) -> None:
    data = render_chunk(HEAD, said) + b"".join(more)
    for each in (data, b"".join(more), data[: len(data) - cut], data[cut:]):
        assert turn_numbers(each) == read(each)


def test_a_sound_chunk_is_not_read() -> None:
    said = [
        Turn(number, Message("Ana", "Hi.", AT), (Reply("Mira", "Yes.", AT),)) for number in (1, 2)
    ]
    assert chunk._SOUND.fullmatch(render_chunk(HEAD, said))
