from __future__ import annotations

from dataclasses import replace

import pytest

from perdure.companion.config.settings import ContextPolicy
from perdure.prompt.budgets import Budgets, budgets


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (4_096, Budgets(512, 3_584, 400, 400, 300, 300, 400, 1_024, 3_584)),
        (8_192, Budgets(768, 7_424, 800, 800, 600, 600, 600, 2_048, 7_424)),
        (32_768, Budgets(1_024, 31_744, 1_600, 2_000, 1_500, 2_000, 1_200, 4_096, 31_744)),
        (200_000, Budgets(2_048, 64_000, 4_000, 6_000, 4_000, 6_000, 3_000, 4_096, 64_000)),
    ],
)
def test_the_defaults_grow_with_the_window(window: int, expected: Budgets) -> None:
    assert budgets(window, ContextPolicy()) == expected


def test_a_window_between_two_rows_has_those_of_the_smaller_one() -> None:
    assert budgets(16_000, ContextPolicy()).recall == 600


def test_a_tiny_window_has_its_share_of_the_smallest_row() -> None:
    assert budgets(2_000, ContextPolicy()) == Budgets(
        256, 1_744, 200, 200, 150, 150, 200, 500, 1_744
    )
    assert budgets(0, ContextPolicy()).prompt == 0


def test_what_the_companion_says_goes_before_the_table() -> None:
    said = ContextPolicy(
        reply_tokens=100, prompt_tokens=3_000, examples_tokens=0, lore_tokens=1,
        facts_tokens=2, summaries_tokens=3, recall_tokens=4,
    )  # fmt: skip
    assert budgets(8_192, said) == Budgets(100, 3_000, 0, 1, 2, 3, 4, 4, 3_000)
    assert budgets(100_000, ContextPolicy(prompt_tokens=90_000)).prompt == 90_000


def test_a_slow_model_reads_no_more_than_its_share() -> None:
    usual, slow = (budgets(8_192, ContextPolicy(), slow=slow) for slow in (False, True))
    assert slow == replace(usual, empty=600, life=2_048)
    assert budgets(8_192, ContextPolicy(recall_tokens=900), slow=True).empty == 900


def test_a_reply_never_takes_more_than_half_the_window() -> None:
    assert budgets(1_000, ContextPolicy(reply_tokens=900)).reply == 500


def test_parts_take_at_most_half_of_what_the_persona_leaves() -> None:
    whole = budgets(4_096, ContextPolicy())
    assert whole.within(3_600) == whole
    scaled = whole.within(900)
    assert (scaled.examples, scaled.lore, scaled.facts) == (100, 100, 75)
    assert scaled.examples + scaled.lore + scaled.facts + scaled.summaries + scaled.recall <= 450
    assert whole.within(-5).recall == 0
