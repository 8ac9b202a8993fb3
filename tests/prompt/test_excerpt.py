"""Excerpts of long messages: short enough, of the text, and of the part that was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.prompt.excerpt import excerpt, fitting

FILLER = "We spoke of this and that, and of the weather. " * 20


@given(st.text(max_size=400), st.text(max_size=80), st.integers(8, 300))
def test_it_is_short_and_nothing_is_made_up(text: str, question: str, cells: int) -> None:
    shown = excerpt(text, question, cells)
    if fitting(text, cells) == len(text):
        assert shown == text
        return
    inner = shown.removeprefix("… ") if not text.startswith("… ") else shown
    core = inner.removesuffix("…").removesuffix(" ")
    assert core in text or inner in text
    assert fitting(core, cells) == len(core)


@given(st.text(max_size=400), st.text(max_size=80))
def test_it_is_the_same_for_the_same_texts(text: str, question: str) -> None:
    assert excerpt(text, question, 60) == excerpt(text, question, 60)


@pytest.mark.parametrize(
    ("told", "question"),
    [
        ("The password was turnip.", "What was the password again?"),
        ("She was born on 14 May.", "When was she born?"),
        ("Die Kapelle steht am Fluss.", "Wo stand die Kapelle?"),
        ("我在灯塔旁边看到了一只狐狸。", "灯塔那次你看到什么？"),
        ("灯台のそばで狐を見た。", "灯台で何を見たの？"),
    ],
)
def test_the_sentence_that_was_asked_for_is_in_it(told: str, question: str) -> None:
    for text in (f"{told} {FILLER}", f"{FILLER}{told} {FILLER}", f"{FILLER}{told}"):
        shown = excerpt(text, question, 120)
        assert told in shown
        assert shown.startswith("… ") == (not text.startswith(told))
        assert shown.endswith("…") == (not text.endswith(told))


def test_rare_words_of_the_message_count_more_than_those_in_every_sentence() -> None:
    garden = " ".join(f"The garden has bed number {n}." for n in range(40))
    text = f"{garden} The hedgehog moved in. {garden}"
    assert "hedgehog" in excerpt(text, "Is the hedgehog still in the garden?", 100)


def test_without_a_word_in_common_it_is_the_beginning() -> None:
    shown = excerpt(f"First of all, hello. {FILLER}", "Xylophone?", 100)
    assert shown.startswith("First of all, hello. We spoke")


def test_a_sentence_without_an_end_is_cut_at_a_word() -> None:
    assert excerpt("water " * 100, "water", 20) == "water water water…"
    assert excerpt("水" * 100, "水", 20) == "水" * 10 + "…"
