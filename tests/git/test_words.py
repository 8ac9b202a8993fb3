"""Texts compared by words."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git.diff.words import (
    compare,
    count_words,
    matching_lines,
    split_lines,
    split_words,
    words_changed,
)

FEW = st.lists(st.sampled_from("abcd\n x"), max_size=25)


def marked(old: str, new: str) -> str:
    marks = {"same": "{}", "gone": "[-{}-]", "come": "{{+{}+}}"}
    return "".join(marks[piece.kind].format(piece.text) for piece in compare(old, new))


def test_words_are_marked_and_not_lines() -> None:
    assert marked("You are calm.\n", "You are calm and kind.\n") == "You are calm{+ and kind+}.\n"
    assert marked("one\ntwo\nthree\n", "one\nthree\n") == "one\n[-two\n-]three\n"
    assert marked("", "new") == "{+new+}"
    assert marked("same\n", "same\n") == "same\n"


def test_neighbouring_words_are_one_mark() -> None:
    assert (
        marked("short plain words", "long rich ones") == "[-short plain words-]{+long rich ones+}"
    )


def test_chinese_and_japanese_split_by_character() -> None:
    assert marked("她喜欢大海。", "她喜欢高山。") == "她喜欢[-大海-]{+高山+}。"
    assert split_words("ひらがな漢字") == list("ひらがな漢字")
    assert count_words("她喜欢 tea。").total() == 4


def test_what_belongs_together_stays_together() -> None:
    for whole in ("don’t", "naïve", "e\u0301tude", "हिन्दी", "👩‍💻", "👍🏽", "한국어", "größer"):
        assert split_words(f"a {whole} b") == ["a", " ", whole, " ", "b"]


@settings(max_examples=200)
@given(FEW, FEW)
def test_matches_are_a_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    matches = matching_lines(a, b)
    assert all(a[i : i + n] == b[j : j + n] and n for i, j, n in matches)
    for (i, j, n), (k, m, _) in pairwise(matches):
        assert i + n <= k
        assert j + n <= m
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longer = max(best[i][j + 1], best[i + 1][j])
            best[i + 1][j + 1] = best[i][j] + 1 if x == y else longer
    assert sum(n for _, _, n in matches) == best[-1][-1]


@settings(max_examples=200)
@given(st.text(max_size=80), st.text(max_size=80))
def test_both_texts_come_back_from_the_pieces(old: str, new: str) -> None:
    pieces = compare(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "come") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == new
    assert "".join(split_words(old)) == old
    assert "".join(split_lines(old)) == old
    added, removed = words_changed(old, new)
    assert count_words(new).total() - count_words(old).total() == added - removed or "\u0300" in (
        old + new
    )


def test_long_texts_are_matched_in_bounds() -> None:
    """Thousands of lines that all differ, and thousands that are all the same."""
    old = "".join(f"old line {n}\n" for n in range(4000))
    new = "".join(f"new line {n}\n" for n in range(4000))
    assert [piece.kind for piece in compare(old, new)] == ["gone", "come"]
    pieces = compare("x\n" * 9000, "x\n" * 7000 + "y\n" + "x\n" * 900)
    assert "".join(piece.text for piece in pieces if piece.kind != "come") == "x\n" * 9000
