"""What goes into the next prompt: budgets, what is trimmed first, and what stays where it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from perdure.backends.protocol import PromptMessage
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.memory.facts import Fact
from perdure.companion.memory.lore import LoreEntry
from perdure.companion.memory.summaries import Summary
from perdure.companion.persona.persona import Persona, PersonaFile
from perdure.companion.turns import Message, Reply, Turn
from perdure.prompt import (
    BaseChoice,
    Choice,
    PastTurn,
    PromptInputs,
    add_recalled,
    assemble,
    choose,
)
from perdure.prompt.budgets import Budgets
from perdure.prompt.choice import MOST_TURNS
from perdure.prompt.errors import PersonaTooLarge
from perdure.prompt.recalled import as_ranges

TALK = ConversationId("2026-11-22-1803-9f3a77c0")
BEFORE = ConversationId("2026-08-14-2001-04bd11f2")
PLAIN = EstimateTokenizer()
SHARES = Budgets(
    reply=500, prompt=4000, examples=400, lore=100, facts=100, summaries=100, recall=300
)


def past(number: int, message: str, reply: str = "", talk: ConversationId = TALK) -> PastTurn:
    replies = (Reply("Mira", reply),) if reply else ()
    return PastTurn(TurnId(talk, number), Turn(number, Message("Ana", message), replies))


def talk_of(turns: int, words: int = 30) -> tuple[PastTurn, ...]:
    said = tuple(past(n, "word " * words, "word " * words) for n in range(1, turns))
    return (*said, past(turns, "the newest"))


def inputs(turns: tuple[PastTurn, ...] = (), **more: Any) -> PromptInputs:
    persona = Persona(files=(PersonaFile("persona/10-who.md", "Who", "You are {{char}}."),))
    made = PromptInputs(persona, "Mira", "Ana", turns or (past(1, "Hello."),))
    return replace(made, **more)


def chosen(
    given: PromptInputs, previous: Choice | None = None, *, recall: bool = False
) -> BaseChoice:
    made = choose(given, budgets=SHARES, tokenizer=PLAIN, previous=previous, recall=recall)
    spent = PLAIN.count_prompt(assemble(given, made.choice).messages)
    assert spent + made.recall <= SHARES.prompt
    return made


def entry(name: str, tokens: int = 10, **more: Any) -> LoreEntry:
    text = f"{name} ".ljust(tokens * 4, ".")
    made = LoreEntry(f"lore/{name}.md", keys=(name,), text=text)
    return replace(made, **more)


# Lore


def test_lore_comes_in_by_its_key_and_stays_while_the_window_does() -> None:
    lore = (entry("river"), entry("moon"), entry("always", constant=True))
    said = chosen(inputs((past(1, "The river!"),), lore=lore)).choice
    assert said.lore == ("lore/always.md", "lore/river.md")
    later = tuple(past(n, "And?", "Well.") for n in range(2, 9))
    turns = (past(1, "The river!", "Yes."), *later, past(9, "So."))
    assert chosen(inputs(turns, lore=lore)).choice.lore == ("lore/always.md",)
    assert chosen(inputs(turns, lore=lore), said).choice.lore == said.lore


def test_lore_with_a_depth_does_not_stay() -> None:
    lore = (entry("river", position=2),)
    said = Choice(TurnId(TALK, 1), 0, lore=("lore/river.md",))
    assert chosen(inputs((past(1, "And?"),), lore=lore), said).choice.lore == ()


def test_the_lowest_priority_goes_first_and_a_constant_one_last() -> None:
    lore = (
        entry("river", 45, priority=1),
        entry("moon", 45, priority=9),
        entry("always", 45, constant=True, priority=-5),
    )
    found = chosen(inputs((past(1, "The river and the moon."),), lore=lore)).choice
    assert found.lore == ("lore/always.md", "lore/moon.md")


# Facts and summaries


def test_as_many_facts_as_have_room_the_best_first() -> None:
    facts = tuple(Fact("people", f"fact {n} ".ljust(80, "."), "", "user", line=n) for n in range(9))
    found = chosen(inputs(facts=facts)).choice
    assert found.facts == 4
    assert chosen(inputs(facts=facts[:3])).choice.facts is None
    sent = assemble(inputs(facts=facts), found).messages[-1].content
    assert "fact 3" in sent
    assert "fact 4" not in sent


def test_a_talk_that_is_sent_from_its_start_needs_no_summary() -> None:
    summaries = (Summary(TALK, 3, "Of this talk."), Summary(BEFORE, 9, "Of an earlier one."))
    assert chosen(inputs(summaries=summaries)).choice.summaries == (BEFORE,)
    long = inputs(talk_of(120), summaries=summaries)
    assert chosen(long).choice.summaries == (BEFORE, TALK)
    large = (Summary(TALK, 3, "x" * 9000), summaries[1])
    assert chosen(inputs(talk_of(120), summaries=large)).choice.summaries == (BEFORE,)


# The window


def test_a_window_never_holds_more_turns_than_the_thread_is_read_for() -> None:
    turns = talk_of(MOST_TURNS + 90, words=1)
    shares = replace(SHARES, prompt=60_000)
    window = choose(inputs(turns), budgets=shares, tokenizer=PLAIN).choice.window
    sent = len(turns) - window.number + 1
    assert MOST_TURNS // 2 < sent <= MOST_TURNS
    more = (*turns[:-1], past(len(turns), "said", "so"), past(len(turns) + 1, "next"))
    previous = Choice(window, 0)
    again = choose(inputs(more), budgets=shares, tokenizer=PLAIN, previous=previous)
    assert again.choice.window == window


def test_a_window_that_became_much_larger_is_filled_again() -> None:
    turns = talk_of(60)
    small = Choice(TurnId(TALK, 58), 0)
    assert chosen(inputs(turns), small).choice.window.number < 40


def test_a_window_of_a_turn_that_is_gone_is_chosen_anew() -> None:
    gone = Choice(TurnId(BEFORE, 3), 0)
    assert chosen(inputs(talk_of(5)), gone).choice.window == TurnId(TALK, 1)


def test_each_text_is_counted_once() -> None:
    counted: list[str] = []

    class Noting(EstimateTokenizer):
        def count(self, text: str) -> int:
            counted.append(text)
            return super().count(text)

        def count_prompt(self, messages: tuple[PromptMessage, ...]) -> int:
            return EstimateTokenizer().count_prompt(messages)

    turns = tuple(past(n, f"message {n} " * 9, f"reply {n} " * 9) for n in range(1, 90))
    choose(inputs((*turns, past(90, "now"))), budgets=SHARES, tokenizer=Noting())
    assert len(counted) == len(set(counted))


# What does not fit


def test_a_persona_of_megabytes_is_refused_before_it_is_counted() -> None:
    class Slow(EstimateTokenizer):
        def count(self, text: str) -> int:
            assert len(text) < 1_000_000
            return super().count(text)

    files = (
        PersonaFile("persona/10-who.md", "Who", "You are {{char}}."),
        PersonaFile("persona/20-all.md", "All", "word " * 2_000_000),
    )
    with pytest.raises(PersonaTooLarge) as caught:
        choose(inputs(persona=Persona(files)), budgets=SHARES, tokenizer=Slow())
    told = str(caught.value)
    assert "persona/20-all.md alone 2,5" in told
    assert "room for 4,000" in told


def test_a_message_that_does_not_fit_is_named_with_its_tokens() -> None:
    with pytest.raises(PersonaTooLarge, match="your message 5,000"):
        choose(inputs((past(1, "x" * 20_000),)), budgets=SHARES, tokenizer=PLAIN)


def test_memory_leaves_half_of_the_rest_to_the_talk() -> None:
    lore = tuple(entry(f"river{n}", 60, constant=True) for n in range(20))
    shares = replace(SHARES, prompt=600, lore=5000)
    made = choose(inputs(talk_of(40, 10), lore=lore), budgets=shares, tokenizer=PLAIN)
    assert 0 < len(made.choice.lore) < 6
    assert made.choice.window.number < 35


# Recall


def test_room_is_kept_for_earlier_turns_and_filled_best_first() -> None:
    earlier = {TurnId(BEFORE, n): past(n, f"earlier {n} " * 12, talk=BEFORE).turn for n in range(9)}
    given = inputs(talk_of(80), recalled=earlier)
    made = chosen(given, recall=True)
    assert made.recall == SHARES.recall
    found = [TurnId(BEFORE, 6), TurnId(BEFORE, 2), TurnId(TALK, 80), TurnId(BEFORE, 99)]
    choice = add_recalled(given, made, found, budgets=SHARES, tokenizer=PLAIN)
    taken = [str(each) for each in choice.recalled]
    assert taken[0].startswith(f"{BEFORE}/1..")
    assert any(TurnId(BEFORE, 6) in each for each in choice.recalled)
    assert PLAIN.count_prompt(assemble(given, choice).messages) <= SHARES.prompt
    assert choice == add_recalled(given, made, found, budgets=SHARES, tokenizer=PLAIN)


def test_earlier_turns_may_have_what_is_empty() -> None:
    shares = replace(SHARES, empty=2_000)
    few, many = inputs(talk_of(3)), inputs(talk_of(80))
    roomy = choose(few, budgets=shares, tokenizer=PLAIN, recall=True)
    plain = choose(few, budgets=SHARES, tokenizer=PLAIN, recall=True)
    assert (roomy.choice, roomy.recall) == (plain.choice, 2_000)
    assert plain.recall == SHARES.recall
    full = choose(many, budgets=shares, tokenizer=PLAIN, recall=True)
    spare = shares.prompt - PLAIN.count_prompt(assemble(many, full.choice).messages)
    assert full.choice == choose(many, budgets=SHARES, tokenizer=PLAIN, recall=True).choice
    assert full.recall == min(2_000, spare)
    assert choose(few, budgets=shares, tokenizer=PLAIN, recall=False).recall == 0


def test_without_room_nothing_is_recalled() -> None:
    earlier = {TurnId(BEFORE, 1): past(1, "earlier " * 90, talk=BEFORE).turn}
    given = inputs(recalled=earlier)
    made = replace(chosen(given, recall=True), recall=70)
    found = [TurnId(BEFORE, 1)]
    assert add_recalled(given, made, found, budgets=SHARES, tokenizer=PLAIN).recalled == ()


def test_neighbours_become_one_moment() -> None:
    turns = [TurnId(TALK, 3), TurnId(BEFORE, 5), TurnId(BEFORE, 4), TurnId(BEFORE, 7)]
    assert [str(each) for each in as_ranges(turns)] == [
        f"{BEFORE}/4..5", f"{BEFORE}/7", f"{TALK}/3",
    ]  # fmt: skip
