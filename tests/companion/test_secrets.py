from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.secrets import MASK, SecretMasker, looks_secret, mask_secrets

# Shaped as the providers' keys are, and none of them a key.
SHAPED = [
    "sk-ant-" + "api03-" + "Ab1_" * 8,
    "sk-or-v1-" + "0a1b" * 8,
    "sk-proj-" + "Ab1-" * 8,
    "sk_live_" + "a1B2" * 6,
    "AIza" + "Sy0_" * 9,
    "hf_" + "aB3d" * 8,
    "gsk_" + "aB3d" * 8,
    "xai-" + "aB3d" * 8,
    "ghp_" + "aB3d" * 9,
    "github_pat_" + "aB3_" * 9,
    "glpat-" + "aB3-" * 5,
    "AKIA" + "ABCD1234" * 2,
    "xoxb-" + "1234-abcd-" * 2,
    "npm_" + "aB3d" * 9,
    "pypi-" + "AgEI" * 9,
    "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN" * 3,
    "eyJ" + "hbGc" * 6 + ".eyJzdWIi0iJ9x." + "c2ln" * 5,
]


@pytest.mark.parametrize("secret", SHAPED)
def test_a_key_in_prose_is_masked_and_the_words_around_it_stay(secret: str) -> None:
    text, count = mask_secrets(f"Here it is: {secret}. Keep it safe!")
    assert count == 1
    assert secret not in text
    assert text.startswith(f"Here it is: {MASK}")
    assert text.endswith("Keep it safe!")


def test_a_loaded_key_without_a_shape_is_masked_wherever_it_stands() -> None:
    text, count = mask_secrets("a 0123456789abcdef b0123456789abcdefc", ["0123456789abcdef"])
    assert (text, count) == (f"a {MASK} b{MASK}c", 2)


@pytest.mark.parametrize(
    "plain",
    [
        "I asked-and-asked about the risk-taking task-force, ask-me-anything-at-all-today.",
        "sk- is a prefix, hf_ too, and AKIA.",
        "The commit is 5f1d0c9be2a74e6f8a0b1c2d3e4f5a6b7c8d9e0f.",
        "See https://example.org/eyJ and desk-lamp-with-a-long-name-and-more.",
        "明天带上 sk 和 hf，别忘了。",
    ],
)
def test_ordinary_talk_is_left_alone(plain: str) -> None:
    assert mask_secrets(plain) == (plain, 0)


@given(st.text())
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once, _ = mask_secrets(text)
    assert mask_secrets(once) == (once, 0)
    assert not looks_secret(once)


KNOWN = ["correct-horse/battery", "0123456789abcdef", "0123456789", "s k-with blanks"]
SNIPPETS = st.sampled_from(
    [
        *SHAPED,
        *KNOWN,
        *(secret[:7] for secret in SHAPED),
        *("sk-", "eyJ", "a" * 19, "0" * 30, ".", "-", " ", "\n", "x", "\u660e", "eyJ" + "a" * 1030),
    ]
)


@st.composite
def split_texts(draw: st.DrawFn) -> list[str]:
    """A text full of keys and beginnings of keys, cut anywhere."""
    text = "".join(draw(st.lists(SNIPPETS | st.text(max_size=5), max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(split_texts(), st.sets(st.sampled_from(KNOWN)))
def test_however_a_text_is_cut_the_same_is_masked(pieces: list[str], known: set[str]) -> None:
    masker = SecretMasker(known)
    streamed = "".join(masker.feed(piece) for piece in pieces) + masker.end()
    assert (streamed, masker.count) == mask_secrets("".join(pieces), known)


@given(split_texts(), st.sets(st.sampled_from(KNOWN)))
def test_no_key_is_ever_shown_and_little_is_held_back(pieces: list[str], known: set[str]) -> None:
    masker, given_, shown = SecretMasker(known), 0, ""
    for piece in pieces:
        given_ += len(piece)
        shown += masker.feed(piece)
        removed = given_ - len(shown.replace(MASK, ""))
        # What was masked is gone for good; the rest is held back, and not more than this of it.
        masked = given_ - len(mask_secrets("".join(pieces)[:given_], known)[0].replace(MASK, ""))
        assert removed - masked <= 3 + 1024 + 1 + 10
    assert not any(secret in shown for secret in known)
    assert not looks_secret(shown)


@pytest.mark.parametrize("secret", SHAPED)
def test_a_key_letter_by_letter_is_masked_when_it_begins_to_be_one(secret: str) -> None:
    masker = SecretMasker()
    assert masker.feed("Here: ") == "Here: "
    assert "".join(masker.feed(letter) for letter in secret) == MASK
    assert masker.feed(". Keep") == ". Keep"
    assert (masker.end(), masker.count) == ("", 1)


def test_ordinary_talk_is_not_held_back() -> None:
    masker = SecretMasker(["0123456789abcdef"])
    for piece in ("The", " house", " by", " the", " sea", ",", " she", " said", "."):
        assert masker.feed(piece) == piece


def test_a_key_without_an_end_is_not_kept_in_memory() -> None:
    masker = SecretMasker()
    assert masker.feed("sk-") + masker.feed("a" * 20) == MASK
    for _ in range(100):
        assert masker.feed("a" * 1000) == ""
    assert masker.feed(" so it ends") == " so it ends"
