"""Hypothesis strategies for the values of the chunk format."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn

NASTY = [
    "---",
    "---\nformat: 1\nconversation: 2026-11-22-1803-9f3a77c0\nchunk: 1\n---\n",
    "#### 7 · Ana · 2026-11-22 18:03:12+01:00\n\n> no",
    "```\nnever closed",
    "<!-- never closed",
    "<pre>",
    "<<<<<<< HEAD\n=======\n>>>>>>> theirs\n||||||| base",
    "> quoted\n>> twice\n>",
    "&#x26;#x0; &#x; &#x110000; &amp; &#xD800;",
    "\r\n\r\r\n a\rb \x0c\x0b\x85\u2028\u2029",
    "\x00\ufeff\ud800\udc00\udfff\U0001f30a",
    "",
    " ",
    "\n",
    "\n\n\n",
    "  leading and trailing  ",
    "·",
    " · ",
    "a · b: c",
]

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=())),
    st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=5)), max_size=5).map("".join),
)
words = st.one_of(
    st.sampled_from(
        ["Ana", "Mira", "backend", "model", "interrupted", "stand-in", "2026-11-22 18:03:12Z", "~1"]
    ),
    texts,
)
offsets = st.integers(-86_399, 86_399).map(lambda seconds: timedelta(seconds=seconds))
times = st.builds(
    lambda naive, offset: naive.replace(tzinfo=timezone(offset)),
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001
    offsets,
)
notes = st.dictionaries(words, words, max_size=3)
messages = st.builds(Message, words, texts, st.none() | times, notes)
replies = st.builds(
    Reply,
    speaker=words,
    text=texts,
    at=st.none() | times,
    answer=st.integers(1, 999_999),
    backend=words,
    model=words,
    interrupted=st.booleans(),
    stand_in=st.booleans(),
    notes=notes,
)


@st.composite
def turn_lists(draw: st.DrawFn, min_size: int = 0) -> tuple[Turn, ...]:
    """Turns with ascending numbers: answered, unanswered, replies only, several speakers."""
    numbers = draw(
        st.lists(st.integers(0, 999_999_999), unique=True, max_size=5, min_size=min_size).map(
            sorted
        )
    )
    made = []
    for number in numbers:
        message = draw(st.none() | messages)
        said = draw(st.lists(replies, max_size=3, min_size=1 if message is None else 0))
        made.append(Turn(number, message, tuple(said)))
    return tuple(made)


conversations = st.builds(
    lambda at, digits: ConversationId.begin(at, f"{digits:08x}"),
    st.datetimes(min_value=datetime(1000, 1, 1)),  # noqa: DTZ001
    st.integers(0, 2**32 - 1),
)
turn_ids = st.builds(TurnId, conversations, st.integers(0, 999_999_999))
heads = st.builds(
    ChunkHead,
    conversation=conversations,
    chunk=st.integers(0, 99_999),
    title=texts,
    participants=st.lists(words, max_size=3).map(tuple),
    continues=st.none() | turn_ids,
    joins=st.lists(turn_ids, max_size=3, unique=True).map(tuple),
    started=st.none() | times,
    notes=st.dictionaries(
        st.one_of(words, st.sampled_from(["format", "title", "joins", "was", "null", "no"])),
        texts,
        max_size=3,
    ),
)
