"""Recall by meaning: vectors put together with words, and the models of the extra ``[dense]``."""

from __future__ import annotations

import dataclasses
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from perdure.git.repository.repository import Repository
from perdure.recall import Embedder, RecallIndex, RecallQuery
from perdure.recall.embedders import e5
from tests.recall.recall_eval import Session, make_companion, measure, ours, read_dialogue
from tests.recall.test_recall import CHATTER, GARDEN, grow, said, talk

pytestmark = pytest.mark.skipif(find_spec("numpy") is None, reason="the extra [dense] is not there")
FIXTURES = Path(__file__).parent / "fixtures"
FELINE = ("The kitten is purring on my lap.", "How sweet!")
CANINE = ("Our terrier barks at the postman.", "Oh!")
GROUPS = (("cat", "kitten", "purr"), ("dog", "terrier", "bark"), ("rain", "wet"), ("bean", "cumin"))


@dataclass
class Meanings:
    """A model that knows four things, and remembers what it was given."""

    name: str = "meanings"
    dimension: int = 8
    share: float = 0.5
    least: float = 0.3
    seen: list[str] = field(default_factory=list)

    def embed(self, text: str) -> Sequence[float]:
        self.seen.append(text)
        return self._vector(text)

    def ask(self, text: str) -> Sequence[float]:
        known = any(word in text.lower() for group in GROUPS for word in group)
        return self._vector(text) if known else [0.0] * 4 + [0.5] * 4

    def _vector(self, text: str) -> list[float]:
        numbers = [float(any(word in text.lower() for word in group)) for group in GROUPS]
        other = len(text) % 4
        if not any(numbers):
            numbers += [float(at == other) for at in range(4)]
        length = sum(number * number for number in numbers) ** 0.5
        return [number / length for number in [*numbers, *[0.0] * 4][:8]]


def read_by(repo: Repository, model: Embedder) -> RecallIndex:
    """The index, with the meaning of all that was said."""
    index = RecallIndex.open(repo, embedder=model)
    index.embed("HEAD")
    return index


LIFE = talk(GARDEN, [FELINE], CHATTER, [*CHATTER, ("Nothing new.", "Fine.")])


def test_no_word_needs_to_be_the_same(tmp_path: Path) -> None:
    with make_companion(tmp_path / "mira", LIFE) as repo:
        query = RecallQuery("cats")
        assert not RecallIndex.open(repo).find("HEAD", query)
        index = read_by(repo, Meanings())
        assert said(index.find("HEAD", query), repo)[0] == FELINE[0]
        # What is said later is found the same way, by an index that is opened anew too, and only
        # where it was said.
        grow(repo, dataclasses.replace(LIFE, sessions=(*LIFE.sessions, *_later(CANINE))))
        index.embed("HEAD")
        for each in (index, RecallIndex.open(repo, embedder=Meanings())):
            assert said(each.find("HEAD", RecallQuery("dogs")), repo)[0] == CANINE[0]
            assert CANINE[0] not in said(each.find("HEAD~1", RecallQuery("dogs")), repo)


def _later(*turns: tuple[str, str]) -> Sequence[Session]:
    return talk(*([[]] * 9), list(turns)).sessions[9:]


def test_what_nobody_said_finds_not_just_the_nearest(tmp_path: Path) -> None:
    with make_companion(tmp_path / "mira", LIFE) as repo:
        index = read_by(repo, Meanings())
        assert not index.find("HEAD", RecallQuery("zyzzyva"))
        assert said(index.find("HEAD", RecallQuery("zyzzyva in the greenhouse")), repo)


def test_a_question_takes_the_meanings_that_are_there(tmp_path: Path) -> None:
    with make_companion(tmp_path / "mira", LIFE) as repo:
        model = Meanings()
        index = RecallIndex.open(repo, embedder=model)
        worded = RecallIndex.open(repo).find("HEAD", RecallQuery("greenhouse"))
        assert index.by_meaning
        assert index.find("HEAD", RecallQuery("greenhouse")) == worded
        assert not index.find("HEAD", RecallQuery("cats"))
        assert not model.seen
        total = sum(index.unembedded("HEAD"))

        def stop(done: int, total: int) -> None:
            if done == total - 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            index.embed("HEAD", stop)
        assert "Nothing new." in model.seen  # the newest first
        assert index.unembedded("HEAD") == (3, total - 3)
        assert index.embed("HEAD") == 3
        assert len(model.seen) == total
        assert index.embed("HEAD") == 0
        for each in (index, RecallIndex.open(repo, embedder=model)):
            assert said(each.find("HEAD", RecallQuery("cats")), repo)[0] == FELINE[0]


def test_vectors_that_came_one_by_one_rank_as_those_that_came_at_once(tmp_path: Path) -> None:
    dialogue = read_dialogue(FIXTURES / "talk_en.txt")
    with make_companion(tmp_path / "mira", dialogue) as repo:
        whole = read_by(repo, Meanings(name="whole"))
        bits = RecallIndex.open(repo, embedder=Meanings(name="bits"))
        bits.find("HEAD", RecallQuery("mill"))
        bits.embed("HEAD")
        for question in dialogue.questions:
            query = RecallQuery(question.text, now=question.now)
            assert bits.find("HEAD", query) == whole.find("HEAD", query)


def test_the_model_finds_more_than_words_alone(tmp_path: Path) -> None:
    model = e5.installed()
    if model is None:
        pytest.skip("not installed, or not for this machine")
    dialogue = read_dialogue(FIXTURES / "talk_en.txt")
    with make_companion(tmp_path / "mira", dialogue) as repo:
        worded = measure(repo, dialogue, ours(RecallIndex.open(repo)))
        index = read_by(repo, model)
        both = measure(repo, dialogue, ours(index))
        assert not index.find("HEAD", RecallQuery("zyzzyva"))
    assert both.recall[10] >= max(0.9, worded.recall[10]), both.missed
    assert both.by_kind["adversarial"] >= 0.9


@pytest.mark.parametrize(
    ("processor", "system", "flags", "runs"),
    [
        ("x86_64", "linux", "fpu sse2 avx2 bmi1", True),
        ("x86_64", "linux", "fpu sse2 avx", False),
        ("aarch64", "linux", "", True),
        ("arm64", "darwin", "", True),
        ("x86_64", "darwin", "", False),
    ],
)
def test_the_model_runs_where_its_wheels_do(
    monkeypatch: pytest.MonkeyPatch, processor: str, system: str, flags: str, *, runs: bool
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: processor)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(Path, "read_text", lambda *_: f"flags\t\t: {flags}\n")
    assert e5._runs_here() is runs
