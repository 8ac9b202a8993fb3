from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.backends.protocol import PromptMessage
from perdure.backends.tokens.estimate import (
    CorrectedTokenizer,
    Correction,
    EstimateTokenizer,
    tokenizer_for,
    with_correction,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("abcdefgh", 2),
        ("Grüße, à demain", 4),
        ("你好世界", 4),
        ("こんにちは", 5),
        ("Привет", 3),
        ("🌊", 2),
    ],
)
def test_the_estimate_goes_by_script(text: str, tokens: int) -> None:
    tokenizer = EstimateTokenizer()
    assert tokenizer.count(text) == tokens
    assert not tokenizer.exact
    assert tokenizer.name == "estimate"


def test_a_prompt_costs_more_than_its_texts() -> None:
    tokenizer = EstimateTokenizer()
    one = tokenizer.count_prompt((PromptMessage("user", "abcdefgh"),))
    assert one > tokenizer.count("abcdefgh")
    assert tokenizer.count_prompt((PromptMessage("user", "abcdefgh", name="Annabell"),)) > one


def test_without_a_vocabulary_it_is_the_estimate_and_no_address_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(url: str) -> None:
        raise AssertionError(f"asked {url}")

    monkeypatch.setattr("requests.get", asked)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    assert isinstance(tokenizer_for("gpt-4o"), EstimateTokenizer)
    assert isinstance(tokenizer_for("something-new"), EstimateTokenizer)
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_of_a_package_is_used_and_called_what_it_is(tmp_path: Path) -> None:
    plugin = tmp_path / "tiktoken_ext"
    plugin.mkdir()
    ranks = "".join(f"{base64.b64encode(bytes([each])).decode()} {each}\n" for each in range(256))
    (plugin / "bytes.tiktoken").write_text(ranks)
    (plugin / "bytewise.py").write_text(
        "from pathlib import Path\n"
        "from tiktoken.load import load_tiktoken_bpe\n"
        "def make():\n"
        "    path = str(Path(__file__).with_name('bytes.tiktoken'))\n"
        "    return {'name': 'cl100k_base_offline', 'pat_str': r'[\\s\\S]+',\n"
        "            'mergeable_ranks': load_tiktoken_bpe(path), 'special_tokens': {}}\n"
        "ENCODING_CONSTRUCTORS = {'cl100k_base_offline': make}\n"
    )
    script = (
        "from perdure.backends.tokens.estimate import tokenizer_for\n"
        "for model in ('gpt-4', 'llama3'):\n"
        "    t = tokenizer_for(model)\n"
        "    print(t.name, t.exact, t.count('river'), t.count('<|endoftext|>'))\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "TIKTOKEN_CACHE_DIR": str(tmp_path / "empty"),
    }
    found = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert found.stdout.splitlines() == [
        "tiktoken cl100k_base_offline True 5 13",
        "tiktoken cl100k_base_offline False 5 13",
    ], found.stderr


@given(
    st.floats(), st.integers(), st.lists(st.tuples(st.integers(-5, 10**7), st.integers(-5, 10**7)))
)
def test_a_correction_stays_in_bounds_whatever_is_reported(
    factor: float, samples: int, reports: list[tuple[int, int]]
) -> None:
    correction = Correction(factor, samples)
    for counted, reported in reports:
        correction = correction.learn(counted, reported)
        assert 0.5 <= correction.factor <= 2
        assert correction.samples >= 0
    assert correction.samples or correction == Correction()


@given(st.floats(0.51, 1.99), st.integers(1000, 100_000), st.floats(0.5, 2), st.integers(0, 10_000))
def test_a_correction_comes_to_what_a_backend_always_reports(
    true: float, counted: int, before: float, samples: int
) -> None:
    correction = Correction(before, samples)
    for _ in range(120):
        correction = correction.learn(counted, round(counted * true))
    assert abs(correction.factor - true) < 0.02


@pytest.mark.parametrize(
    ("counted", "reported"), [(0, 0), (0, 90), (-4, 90), (63, 90), (1000, 499), (1000, 4001)]
)
def test_reports_that_prove_nothing_are_passed_over(counted: int, reported: int) -> None:
    learned = Correction().learn(1000, 1300)
    assert learned.samples == 1
    assert learned.learn(counted, reported) == learned


def test_one_odd_report_does_not_decide_and_a_small_one_least() -> None:
    steady = Correction(1.2, 50)
    assert steady.factor < steady.learn(1000, 4000).factor < 1.5
    assert 1.15 < steady.learn(1000, 500).factor < steady.factor
    assert Correction(1.0, 50).learn(1000, 3900).factor < 1.4


def test_a_corrected_counter_rounds_up_and_says_what_it_is() -> None:
    plain, correction = EstimateTokenizer(), Correction(1.25, 3)
    tokenizer = with_correction(plain, correction)
    assert tokenizer.count("abcdefgh") == 3
    assert tokenizer.count("") == 0
    prompt = (PromptMessage("user", "abcdefgh"),)
    assert tokenizer.count_prompt(prompt) == -(-plain.count_prompt(prompt) * 5 // 4)
    assert tokenizer.name == "estimate, corrected"
    assert not tokenizer.exact
    # Corrected once, not once more by each session.
    again = with_correction(tokenizer, correction)
    assert again.count("abcdefgh") == 3
    assert again.name == tokenizer.name


class Exact(EstimateTokenizer):
    exact = True


def test_what_is_exact_or_unproven_is_not_corrected() -> None:
    exact, plain = Exact(), EstimateTokenizer()
    assert with_correction(exact, Correction(1.25, 3)) is exact
    assert with_correction(plain, Correction()) is plain
    assert isinstance(with_correction(plain, Correction(1.0, 1)), CorrectedTokenizer)
