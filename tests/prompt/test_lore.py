"""What a talk triggers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.companion.memory.lore import LoreEntry
from perdure.prompt.lore import LoreScan, Triggered, fit_lore, is_drawn, scan


def entry(name: str = "a", *keys: str, **more: Any) -> LoreEntry:
    return replace(LoreEntry(f"lore/{name}.md", keys, f"Text of {name}."), **more)


def triggered(
    entries: Sequence[LoreEntry], talk: Sequence[str], **more: Any
) -> tuple[Triggered, ...]:
    return scan(entries, talk, **more).triggered


def names(found: Sequence[Triggered]) -> list[str]:
    return [each.entry.name for each in found]


def is_in(key: str, text: str, **more: object) -> bool:
    return bool(triggered([entry("a", key, **more)], [text], depth=1))


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("river", "Was the river loud?", True),
        ("river", "RIVER!", True),
        ("River", "the river", True),
        ("river", "rivers", False),
        ("river", "driver", False),
        ("river", "the river's edge", True),
        ("river", "river-bank", True),
        ("river", "the_river", False),
        ("river", "rivers and a river", True),
        ("the Isar", "along the\n  Isar", True),
        ("7", "turn 17", False),
        ("cafe\u0301", "a CAFÉ", True),
        ("cafe", "a café", False),
        ("STRASSE", "die Straße", True),
        ("замок", "Старый Замок!", True),
        ("замок", "замока", False),
        ("小雨", "今天小雨来了", True),
        ("雨", "大雨", True),
        ("ねこ", "ねこがいる", True),
        ("강", "강은 조용하다", True),
        ("แม่น้ำ", "ที่แม่น้ำสีเขียว", True),
        ("love", "我love你", True),
        ("ＡＢ", "ab", True),
        ("+1", "a +1 here", True),
        ("🌊", "a🌊b", True),
        (" ", "a b", False),
    ],
)
def test_how_a_key_is_looked_for(key: str, text: str, *, expected: bool) -> None:
    assert is_in(key, text) is expected


def test_case_and_words_can_be_asked_for_otherwise() -> None:
    assert not is_in("Rose", "a rose", case_sensitive=True)
    assert is_in("Rose", "Dear Rose", case_sensitive=True)
    assert is_in("river", "rivers", whole_words=False)


@pytest.mark.parametrize(
    ("logic", "said", "expected"),
    [
        ("and_any", "river night", True),
        ("and_any", "river", False),
        ("and_all", "river night", False),
        ("and_all", "river night rain", True),
        ("not_any", "river", True),
        ("not_any", "river rain", False),
        ("not_all", "river rain", True),
        ("not_all", "river rain night", False),
        ("and_any", "night", False),
    ],
)
def test_secondary_keys(logic: str, said: str, *, expected: bool) -> None:
    lore = entry("a", "river", secondary_keys=("night", "rain"), secondary_logic=logic)
    assert bool(triggered([lore], said.split(), depth=3)) is expected


def test_only_the_newest_messages_are_searched() -> None:
    lore = [entry("a", "river"), entry("b", "river", scan_depth=3), entry("c", scan_depth=0)]
    talk = ["the river", "yes", "no"]
    assert names(triggered(lore, talk, depth=2)) == ["b"]
    assert names(triggered(lore, talk, depth=3)) == ["a", "b"]
    assert triggered(lore, [], depth=3) == ()


def test_constant_ones_are_always_in_and_disabled_ones_never() -> None:
    lore = [
        entry("a", constant=True),
        entry("b", "river", enabled=False),
        entry("c", constant=True, enabled=False),
        entry("d", constant=True, text=""),
    ]
    assert triggered(lore, ["river"], depth=1) == (Triggered(lore[0]),)


def test_expressions_and_plain_keys_stand_side_by_side() -> None:
    lore = [entry("a", "/riv(er|ulet)s/", "bank", regex=True)]
    assert triggered(lore, ["two Rivulets"], depth=1)[0].key == "/riv(er|ulet)s/"
    assert triggered(lore, ["the bank"], depth=1)[0].key == "bank"
    plain = [entry("a", "/riv(er|ulet)s/")]
    assert triggered(plain, ["two Rivulets"], depth=1) == ()


def test_an_entry_can_bring_in_another_and_says_so() -> None:
    lore = [
        entry("a", "river", text="Old Tam rows there."),
        entry("b", "Tam", text="He is deaf."),
        entry("c", "Tam", exclude_recursion=True),
        entry("d", "deaf"),
    ]
    assert triggered(lore, ["the river"], depth=1) == (
        Triggered(lore[0], "river"),
        Triggered(lore[1], "Tam", "lore/a.md"),
        Triggered(lore[3], "deaf", "lore/b.md"),
    )
    lore[0] = replace(lore[0], prevent_recursion=True)
    assert names(triggered(lore, ["the river"], depth=1)) == ["a"]
    assert names(triggered(lore, ["Tam"], depth=1)) == ["b", "c", "d"]


def test_a_secondary_key_may_come_with_another_entry() -> None:
    lore = [
        entry("a", "river", secondary_keys=("Tam",)),
        entry("b", "boat", text="It is Tam's."),
    ]
    assert names(triggered(lore, ["river"], depth=1)) == []
    assert names(triggered(lore, ["river and boat"], depth=1)) == ["a", "b"]


def test_names_are_filled_in_for_the_search() -> None:
    lore = [entry("a", "{{user}}'s boat", text="Built by {{char}}."), entry("b", "Mira")]
    found = triggered(lore, ["Ana's boat"], depth=1, char="Mira", user="Ana")
    assert names(found) == ["a", "b"]
    assert found[0].entry is lore[0]


_words = st.sampled_from(["river", "boat", "Tam", "night"])
_lore = st.lists(
    st.builds(
        LoreEntry,
        path=st.sampled_from([f"lore/{letter}.md" for letter in "abcdefgh"]),
        keys=st.lists(_words, min_size=1, max_size=2).map(tuple),
        text=st.lists(_words, min_size=1, max_size=3).map(" ".join),
        order=st.integers(1, 3),
        priority=st.integers(0, 2),
        constant=st.booleans(),
        probability=st.sampled_from([0, 50, 100]),
    ),
    unique_by=lambda each: each.path,
)


@settings(max_examples=50)
@given(_lore, st.lists(_words, max_size=4), st.randoms(use_true_random=False))
def test_loops_end_each_comes_in_once_and_the_files_order_is_no_matter(
    lore: list[LoreEntry], talk: list[str], chance: random.Random
) -> None:
    found = scan(lore, talk, depth=4, draw="turn")
    both = [*found.triggered, *found.unlucky]
    assert len({each.entry.path for each in both}) == len(both)
    order = [(each.entry.order, each.entry.path) for each in found.triggered]
    assert order == sorted(order)
    mixed = list(lore)
    chance.shuffle(mixed)
    assert scan(mixed, talk, depth=4, draw="turn") == found


@settings(max_examples=50)
@given(_lore, st.integers(0, 400))
def test_the_cap_leaves_the_lowest_priority_out_first(lore: list[LoreEntry], budget: int) -> None:
    found = [Triggered(each) for each in lore]
    kept, out = fit_lore(found, lambda each: 40 + len(each.text), budget)
    assert sum(40 + len(each.entry.text) for each in kept) <= budget or not kept
    assert sorted([*kept, *out], key=found.index) == found
    for left_out in out:
        for stays in kept:
            assert (left_out.entry.constant, left_out.entry.priority) <= (
                stays.entry.constant,
                stays.entry.priority,
            )


def test_probability_is_drawn_from_what_is_recorded() -> None:
    lore = [entry("a", "river", probability=30)]
    assert names(triggered(lore, ["river"], depth=1)) == ["a"]
    draws = [scan(lore, ["river"], depth=1, draw=f"turn/{n}") for n in range(1000)]
    assert draws == [scan(lore, ["river"], depth=1, draw=f"turn/{n}") for n in range(1000)]
    came = sum(bool(each.triggered) for each in draws)
    assert came + sum(bool(each.unlucky) for each in draws) == 1000
    assert 250 < came < 350
    assert not is_drawn("x", entry(probability=0))
    # The same on every machine: SHA-256 of "turn/0\nlore/a.md" and so on.
    assert [is_drawn(f"turn/{n}", entry(probability=50)) for n in range(4)] == [
        False, False, False, True,
    ]  # fmt: skip


def test_hostile_expressions_are_given_up_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("perdure.prompt.lore.PATTERNS_WORK", 30_000_000)
    talk = ["the river and a rivulet", "".join(random.Random(1).choices("ab", k=2_000))]
    keys = [f"/(?:[ab]?){{{1000 - n}}}c/" for n in range(30)]
    hostile = [entry(f"h{n:03}", keys[n], "river", regex=True) for n in range(30)]
    lore = [*hostile, entry("i", "/rivulets?/", regex=True), entry("j", "rivulet")]
    found = scan(lore, talk, depth=2)
    assert len(found.triggered) == 32
    assert scan(lore, talk, depth=2) == found
    assert 0 < len(found.troubles) < 30
    for trouble in found.troubles:
        assert trouble.what.startswith(keys[int(trouble.path[6:9])])


def test_what_makes_other_engines_hang_is_no_trouble() -> None:
    talk = ["a" * 32_768]
    lore = [entry(f"{n}", f"/(a+)+{n}$/", "/a$/", regex=True) for n in range(100)]
    found = scan(lore, talk, depth=1)
    assert {each.key for each in found.triggered} == {"/a$/"}
    assert found.troubles == ()


def test_without_re2_what_takes_too_long_is_left_out_and_the_rest_goes_on(
    without_re2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.prompt.lore.PATTERN_SECONDS", 0.02)
    hostile = entry("a", "/(b+)+$/", regex=True, text="lake")
    second = entry(
        "b", "river", secondary_keys=("/(b+)+$/",), secondary_logic="not_any", regex=True
    )
    lore = [hostile, second, entry("c", "/RIVERS?/", regex=True), entry("d", "lake")]
    talk = ["the river " + "b" * 10_000 + "."]
    found = scan(lore, talk, depth=1)
    assert names(found.triggered) == ["c"]
    assert found.timed_out == ("lore/a.md", "lore/b.md")


def test_what_timed_out_is_left_out_where_it_would_not(without_re2: None) -> None:
    first = entry("a", "/river/", regex=True, text="lake")
    found = scan([first, entry("b", "lake")], ["the river"], depth=1, without={"lore/a.md"})
    assert found == LoreScan(())


def test_without_re2_all_expressions_together_have_an_end(
    without_re2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.prompt.lore.PATTERNS_SECONDS", 0.0)
    found = scan([entry("a", "/river/", regex=True), entry("b", "river")], ["river"], depth=1)
    assert (names(found.triggered), found.timed_out) == (["b"], ("lore/a.md",))


def test_expressions_of_a_large_book_are_all_looked_for() -> None:
    lore = [entry(f"{n}", rf"/\b(word|thing){n}s?\b/", regex=True) for n in range(2_000)]
    found = scan(lore, ["word7 and " + "the river " * 180, "Thing1999"], depth=2)
    assert names(found.triggered) == ["1999", "7"]
    assert found.troubles == ()


def test_a_hostile_number_of_keys_is_given_up_and_constant_entries_stay() -> None:
    keys = tuple(f"{'a' * n}c" for n in range(1, 400))
    long = [entry(f"t{n}", constant=True, text="a " * 16_000) for n in range(40)]
    many = [entry(f"k{n}", *keys) for n in range(30)]
    found = scan([*many, *long], ["x"], depth=1)
    assert len(found.triggered) == 40
    assert [each.path for each in found.troubles] == ["lore"]


def test_a_chain_of_entries_ends() -> None:
    chain = [entry(f"{n:03}", f"word{n}", text=f"word{n + 1}") for n in range(300)]
    assert len(triggered(chain, ["word0"], depth=1)) == 300
    ring = [*chain[:-1], replace(chain[-1], text="word0")]
    assert len(triggered(ring, ["word7"], depth=1)) == 300
