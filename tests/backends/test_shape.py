"""Folding a prompt into the shape that a model takes, and what a refusal says about that shape."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.backends.protocol import PromptMessage
from perdure.backends.roles.shape import (
    OPENER,
    PLAIN,
    SHAPES,
    FoldedTokenizer,
    Shape,
    fold,
    next_shape,
    parse_shape,
)
from perdure.backends.tokens.estimate import EstimateTokenizer

TURN = (
    PromptMessage("system", "You are Mira."),
    PromptMessage("system", "Be brief."),
    PromptMessage("assistant", "Hello!"),
    PromptMessage("user", "How are you?", name="Ana"),
    PromptMessage("system", "It rains."),
    PromptMessage("user", "Well?"),
)
NOTE = "[Instructions for this reply: It rains.]"
SYSTEM = "You are Mira.\n\nBe brief."
ASKED = f"Ana: How are you?\n\n{NOTE}\n\nWell?"

messages = st.lists(
    st.builds(
        PromptMessage,
        st.sampled_from(["system", "user", "assistant"]),
        st.sampled_from(["", " ", "a", "b: c", "line\n\nline"]),
        st.sampled_from(["", "Ana"]),
    ),
    max_size=8,
).map(tuple)
shapes = st.sampled_from([*SHAPES, Shape("none")])


@pytest.mark.parametrize(
    ("shape", "sent"),
    [
        ("one-system", [("system", SYSTEM), ("assistant", "Hello!"), ("user", ASKED)]),
        ("no-system", [("user", SYSTEM), ("assistant", "Hello!"), ("user", ASKED)]),
        (
            "alternate",
            [("system", SYSTEM), ("user", OPENER), ("assistant", "Hello!"), ("user", ASKED)],
        ),
        ("no-system alternate", [("user", SYSTEM), ("assistant", "Hello!"), ("user", ASKED)]),
    ],
)
def test_a_turn_in_each_shape(shape: str, sent: list[tuple[str, str]]) -> None:
    folded = fold(TURN, parse_shape(shape))
    assert [(each.role, each.content) for each in folded] == sent
    assert {each.name for each in folded} == {""}


def test_a_prompt_with_all_its_roles_is_the_same_one() -> None:
    assert fold(TURN, PLAIN) is TURN


def test_without_a_greeting_the_persona_leads_the_first_message() -> None:
    asked = (PromptMessage("system", "You are Mira."), PromptMessage("user", "Hi."))
    assert fold(asked, Shape("none")) == (PromptMessage("user", "You are Mira.\n\nHi."),)


@given(messages, shapes)
def test_what_a_shape_promises_holds(prompt: tuple[PromptMessage, ...], shape: Shape) -> None:
    folded = fold(prompt, shape)
    assert fold(folded, shape) == folded
    if shape == PLAIN:
        return
    roles = [each.role for each in folded]
    assert "system" not in roles[1 if shape.system == "first" else 0 :]
    said = roles[1:] if roles[:1] == ["system"] else roles
    assert all(one != two for one, two in pairwise(said))
    if shape.turns:
        assert said[0] == "user"
    words = " ".join(each.content for each in folded)
    for each in prompt:
        assert each.content.strip() in words


def test_tokens_are_counted_as_sent() -> None:
    plain, shape = EstimateTokenizer(), Shape("first", turns=True)
    folded = FoldedTokenizer(plain, shape)
    assert folded.count_prompt(TURN) == plain.count_prompt(fold(TURN, shape))
    assert folded.count_prompt(TURN) != plain.count_prompt(TURN)
    assert folded.count("Hello.") == plain.count("Hello.")


@pytest.mark.parametrize("shape", [*SHAPES, Shape("none")])
def test_a_shape_is_read_as_it_is_written(shape: Shape) -> None:
    assert parse_shape(str(shape)) == shape


def test_words_in_any_order_and_with_commas() -> None:
    assert parse_shape("alternate, no-system") == Shape("none", turns=True)
    assert parse_shape("One-System") == Shape("first")
    for text in ("strict", "plain alternate", ""):
        with pytest.raises(ValueError, match="shape"):
            parse_shape(text)


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ("System role not supported", "no-system"),
        ("This model doesn't support system messages.", "no-system"),
        ("Developer instruction is not enabled for this model", "no-system"),
        ("messages[0].role does not support 'system' with this model", "no-system"),
        ("System message must be at the beginning.", "one-system"),
        ("Unexpected role 'system' after role 'assistant'", "one-system"),
        ("only one system message is allowed", "one-system"),
        ("Conversation roles must alternate user/assistant/user/assistant/...", "alternate"),
        ("roles must alternate, but found multiple user roles in a row", "alternate"),
        ("does not support successive user or assistant messages", "alternate"),
        ("A conversation must start with a user message.", "alternate"),
        ("first message must use the user role", "alternate"),
        ("Error rendering prompt with jinja template", "one-system"),
    ],
)
def test_what_a_refusal_teaches(said: str, shape: str) -> None:
    assert next_shape(PLAIN, said) == parse_shape(shape)


def test_a_refusal_that_teaches_nothing_new_makes_the_shape_stricter_to_its_end() -> None:
    shape: Shape | None = PLAIN
    tried = []
    while shape is not None:
        tried.append(str(shape))
        shape = next_shape(shape, "the chat template raised an exception")
    assert tried == ["plain", "one-system", "alternate", "no-system alternate"]
