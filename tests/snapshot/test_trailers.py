"""The trailers of a turn's commit: what is written is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.aside import TurnRange
from perdure.companion.turns import Message, Turn
from perdure.snapshot.conversation.trailers import TurnFacts, parse_trailers, turn_message

TALK = ConversationId("2026-11-22-1803-9f3a77c0")
names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]) | st.just("\udc80"),
    min_size=1,
    max_size=20,
).map(lambda name: f"lore/{name}.md")
counts = st.none() | st.integers(0, 999_999)
ranges = st.builds(
    lambda first, more: TurnRange(TALK, first, first + more), st.integers(1, 900), st.integers(0, 9)
)


def read_back(facts: TurnFacts) -> TurnFacts | None:
    message = turn_message(Turn(7, Message("Ana", "Hello.")), facts)
    lines = message.rstrip("\n").split("\n\n")[-1].split("\n")
    return parse_trailers([(key, value) for key, _, value in (n.partition(": ") for n in lines)])


@given(
    st.builds(
        TurnFacts,
        turn=st.just(TurnId(TALK, 7)),
        answer=st.integers(0, 99),
        backend=st.just("local"),
        assembly=st.integers(1, 9),
        window=st.just(TurnId(TALK, 3)),
        examples=counts,
        recalled=st.lists(ranges, max_size=4).map(tuple),
        lore=st.lists(names, max_size=4).map(tuple),
        lore_left_out=st.lists(names, max_size=3).map(tuple),
        lore_timed_out=st.lists(names, max_size=2).map(tuple),
        facts=counts,
        summaries=st.sampled_from([(), (TALK,)]),
        prompt=st.just("ab" * 16),
        tokens=st.none() | st.tuples(st.integers(0, 9**8), st.integers(0, 9**8)),
        base=st.sampled_from(["", "c" * 40]),
    )
)
def test_what_is_written_is_read_back(facts: TurnFacts) -> None:
    assert read_back(facts) == facts


@pytest.mark.parametrize(
    "trailers",
    [
        [],
        [("Turn", "nonsense")],
        [("Backend", "local")],
    ],
)
def test_without_a_turn_there_are_no_facts(trailers: list[tuple[str, str]]) -> None:
    assert parse_trailers(trailers) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "Answer",
                    "Window",
                    "Examples",
                    "Recalled",
                    "Lore",
                    "Lore-Timed-Out",
                    "Facts",
                    "Summary",
                    "Tokens",
                ]
            ),
            st.text(max_size=30),
        )
    )
)
def test_forged_trailers_raise_nothing(trailers: list[tuple[str, str]]) -> None:
    facts = parse_trailers([("Turn", f"{TALK}/1"), *trailers])
    assert facts is not None
    assert facts.turn == TurnId(TALK, 1)
