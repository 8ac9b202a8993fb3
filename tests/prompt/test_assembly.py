from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.backends.protocol import PromptMessage, Role
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.persona.persona import Example, ExampleLine, Persona, PersonaFile, Reminder
from perdure.companion.turns import Message, Reply, Turn
from perdure.prompt import Choice, PastTurn, PromptInputs, assemble, assembly, digest
from perdure.prompt import choose as choose_parts
from perdure.prompt.budgets import Budgets
from perdure.prompt.errors import PersonaTooLarge

TALK = ConversationId("2026-11-22-1803-9f3a77c0")
AT = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)
count = EstimateTokenizer().count_prompt
one = assembly(1)


def choose(
    inputs: PromptInputs, *, budget: int, examples_budget: int, previous: Choice | None = None
) -> Choice:
    shares = Budgets(0, budget, examples_budget, 0, 0, 0, 0)
    chosen = choose_parts(inputs, budgets=shares, tokenizer=EstimateTokenizer(), previous=previous)
    return chosen.choice


def past(number: int, said: str | None, *replies: str, speaker: str = "Mira") -> PastTurn:
    message = Message("Ana", said, AT) if said is not None else None
    return PastTurn(
        TurnId(TALK, number), Turn(number, message, tuple(Reply(speaker, r, AT) for r in replies))
    )


def persona(*, examples: int = 0, reminder: str = "") -> Persona:
    line = (ExampleLine(by_user=True, text="Hi."), ExampleLine(by_user=False, text="Hello. " * 30))
    return Persona(
        files=(
            PersonaFile("persona/10-who.md", "Who", "# Who\n\nYou are {{char}}, with {{user}}."),
        ),
        examples=tuple(Example(f"persona/examples/{n}.md", line) for n in range(examples)),
        reminder=Reminder("persona/reminder.md", reminder, 2) if reminder else None,
    )


def inputs(*turns: PastTurn, **more: Any) -> PromptInputs:
    return replace(PromptInputs(persona(), "Mira", "Ana", turns), **more)


def long_talk(turns: int) -> list[PastTurn]:
    talk = [past(n, f"message {n} " * 20, f"reply {n} " * 40) for n in range(1, turns)]
    return [*talk, past(turns, "the newest")]


def test_the_whole_prompt_of_a_short_talk_is_golden() -> None:
    """Assembly 1, word for word: a change here needs a new version."""
    prompt = one(
        inputs(
            past(0, None, "Good evening."),
            past(1, "Hi.", "Hello, Ana."),
            past(2, "How are you?"),
            persona=persona(examples=1, reminder="Stay {{char}}."),
        ),
        Choice(TurnId(TALK, 0), 1),
    )
    example = "Ana: Hi.\nMira: " + ("Hello. " * 30).strip()
    assert prompt.messages == (
        PromptMessage(
            "system",
            f"# Who\n\nYou are Mira, with Ana.\n\n# How Mira talks: examples\n\n{example}",
        ),
        PromptMessage("assistant", "Good evening."),
        PromptMessage("user", "Hi."),
        PromptMessage("system", "Stay Mira."),
        PromptMessage("assistant", "Hello, Ana."),
        PromptMessage("user", "How are you?"),
    )
    assert prompt.digest == "f7ac355ea4d1aa88cc27658f176942c7"


def test_unanswered_messages_and_other_speakers_keep_their_order() -> None:
    prompt = assemble(
        inputs(
            past(1, "One."),
            past(2, "Two.", "Heard both."),
            past(3, None, "Me too.", speaker="Tom"),
            past(4, "Three."),
        ),
        Choice(TurnId(TALK, 1), 0),
    )
    assert [(m.role, m.content) for m in prompt.messages[1:]] == [
        ("user", "One.\n\nTwo."),
        ("assistant", "Heard both."),
        ("user", "Tom: Me too.\n\nThree."),
    ]


@pytest.mark.parametrize(
    ("time", "gap", "line"),
    [
        ("off", timedelta(days=2), ""),
        ("date", timedelta(minutes=5), "[Sunday 22 November 2026]\n"),
        ("full", timedelta(hours=1), "[Sunday 22 November 2026, 18:03; last talked 1 hour ago]\n"),
        ("full", timedelta(days=3), "[Sunday 22 November 2026, 18:03; last talked 3 days ago]\n"),
    ],
)
def test_time_and_gap_stand_before_the_newest_message(time: str, gap: timedelta, line: str) -> None:
    prompt = assemble(
        inputs(past(1, "Earlier.", "Yes."), past(2, "Now."), time=time, now=AT, last_talk=AT - gap),
        Choice(TurnId(TALK, 1), 0),
    )
    assert prompt.messages[-1].content == f"{line}Now."
    assert prompt.messages[1].content == "Earlier."


def test_examples_go_first_then_the_oldest_turns_never_the_persona() -> None:
    talk = inputs(*long_talk(12), persona=persona(examples=3))
    whole = assemble(talk, Choice(TurnId(TALK, 1), 3))
    budget = count(whole.messages) - 10
    fewer = choose(talk, budget=budget, examples_budget=9999)
    assert (fewer.window.number, fewer.examples) == (1, 2)
    half = choose(talk, budget=count(whole.messages) // 2, examples_budget=9999)
    assert half.examples == 0
    assert half.window.number > 1
    kept = assemble(talk, half)
    assert kept.messages[0].content.startswith("# Who")
    assert kept.messages[-1].content == "the newest"
    assert kept.left_out == half.window.number - 1


def test_examples_have_a_budget_of_their_own() -> None:
    talk = inputs(past(1, "Hi."), persona=persona(examples=5))
    two = count(assemble(talk, Choice(TurnId(TALK, 1), 2)).messages)
    none = count(assemble(talk, Choice(TurnId(TALK, 1), 0)).messages)
    chosen = choose(talk, budget=9999, examples_budget=two - none + 10)
    assert chosen.examples == 2


def test_a_persona_that_does_not_fit_is_an_error_with_the_numbers() -> None:
    with pytest.raises(PersonaTooLarge, match=r"need \d+ tokens, the window has room for 5"):
        choose(inputs(past(1, "Hi.")), budget=5, examples_budget=0)


def test_the_window_stays_put_while_it_fits_and_then_moves_in_one_step() -> None:
    """A moving front would make a server read the whole prompt anew at each turn."""
    previous, windows = None, []
    for length in range(2, 60):
        talk = inputs(*long_talk(length))
        previous = choose(talk, budget=1500, examples_budget=0, previous=previous)
        assert count(assemble(talk, previous).messages) <= 1500
        windows.append(previous.window.number)
    assert windows == sorted(windows)
    assert len(set(windows)) < len(windows) / 2


texts = st.text(min_size=1, max_size=60)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=12), st.integers(1, 400))
def test_a_choice_fits_and_replays_to_the_same_prompt(
    said: list[tuple[str, str]], budget: int
) -> None:
    turns = [past(n, a, b) for n, (a, b) in enumerate(said, 1)]
    talk = inputs(*turns, past(len(said) + 1, "newest"))
    try:
        choice = choose(talk, budget=budget, examples_budget=0)
    except PersonaTooLarge:
        assert count(assemble(talk, Choice(talk.turns[-1].id, 0)).messages) > budget
        return
    prompt = assemble(talk, choice)
    assert count(prompt.messages) <= budget
    assert assemble(talk, choice) == prompt
    assert prompt.messages[-1].content.endswith("newest")


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), max_size=5))
def test_the_digest_tells_prompts_apart(said: list[tuple[Role, str]]) -> None:
    messages = tuple(PromptMessage(role, text) for role, text in said)
    assert len(digest(messages)) == 32
    assert digest((*messages, PromptMessage("user", "more"))) != digest(messages)
    assert digest((PromptMessage("user", "\ud800"),)) != digest((PromptMessage("user", "?"),))
