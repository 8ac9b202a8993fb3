"""What backends report corrects the counts; what is on a commit is not decided again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perdure.actions.backends.token_corrections import CORRECTIONS_FILE, Corrections
from perdure.backends.protocol import BackendSpec
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.chat.session import Session
from perdure.companion.ids import TurnId
from perdure.git.repository.repository import Repository
from perdure.prompt.budgets import budgets
from perdure.snapshot.companion import read_companion
from perdure.snapshot.conversation.turn_commits import find_answer_commit
from perdure.views.why.replay import replay
from tests.chat.test_session import events_of, trailers
from tests.speaking import Scripted

SPEC = BackendSpec("far", "openai", "model-1")
PLAIN = EstimateTokenizer()


def factor(known: Corrections, spec: BackendSpec = SPEC) -> float:
    return known.applied(spec, PLAIN).count("a" * 4000) / 1000


def test_what_was_learned_is_kept_for_each_backend_and_model(tmp_path: Path) -> None:
    known = Corrections(tmp_path / "cache")
    assert known.applied(SPEC, PLAIN) is PLAIN
    for _ in range(30):
        known.learn(SPEC, PLAIN, 1000, 1500)
    again = Corrections(tmp_path / "cache")
    assert factor(again) == pytest.approx(1.5, abs=0.05)
    assert factor(again, BackendSpec("far", "openai", "model-2")) == 1
    assert factor(again, BackendSpec("near", "openai", "model-1")) == 1


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[1]",
        b'{"far": 3}',
        b"\xff\xfe",
        b'{"far\\nmodel-1\\nestimate": {"factor": "x"}}',
    ],
)
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / CORRECTIONS_FILE).write_bytes(damaged)
    known = Corrections(tmp_path)
    assert factor(known) == 1
    known.learn(SPEC, PLAIN, 1000, 1500)
    assert json.loads((tmp_path / CORRECTIONS_FILE).read_bytes())
    assert factor(Corrections(tmp_path)) > 1


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    known = Corrections(tmp_path / "cache")
    known.learn(SPEC, PLAIN, 1000, 1500)
    assert factor(known) > 1


class Exact(EstimateTokenizer):
    exact = True


def test_an_exact_counter_has_nothing_to_learn(tmp_path: Path) -> None:
    known, exact = Corrections(tmp_path), Exact()
    known.learn(SPEC, exact, 1000, 1500)
    assert known.applied(SPEC, exact) is exact
    assert not (tmp_path / CORRECTIONS_FILE).exists()


async def test_replies_teach_and_the_next_prompt_heeds_it(companion: Path) -> None:
    backend = Scripted(window=3000, reports=1.9)
    session = await Session.open(companion, backends=[backend])
    words = "many words about the river and the weir " * 12
    for number in range(24):
        await events_of(session.send(f"{number} {words}"))
    assert (companion / ".git/perdure/cache" / CORRECTIONS_FILE).is_file()
    tokens = [PLAIN.count_prompt(request.messages) for request in backend.asked]
    await session.close()
    # About half as much fits as was thought: a token counted here is 1.9 there.
    room = 3000 - session_reply_tokens(companion)
    assert max(tokens) <= room
    assert max(tokens[-8:]) <= room * 0.6

    facts = trailers(companion)
    with Repository.open(companion, recover=False) as repo:
        asked = find_answer_commit(repo, repo.resolve("HEAD"), TurnId.parse(facts["Turn"]))
        assert asked is not None
        prompt = replay(repo, asked).prompt
    # The reply is not part of its own prompt.
    assert prompt.messages[-1].role == "user"
    assert prompt.digest == facts["Prompt"]
    assert facts["Tokens"].split("+")[0] == str(round(1.9 * tokens[-1]))


def session_reply_tokens(path: Path) -> int:
    with Repository.open(path, recover=False) as repo:
        return budgets(3000, read_companion(repo, "HEAD").settings.context).reply
