"""A short life is simply all there, as turns, whichever conversation they are of."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actions.memory.exclude import exclude_turns, plan_exclude
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from tests.actions.test_answers import again
from tests.chat.test_recall import ask
from tests.chat.test_session import events_of, talk, trailers
from tests.speaking import Scripted
from tests.views.test_why import why

TOLD = ("My sister Marta is allergic to peanuts.", "Our cat is called Pepper.")
ASKED = "What can my sister not eat, and what is my cat called?"


@pytest.fixture
async def told(companion: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("perdure.chat.reply.recall.WAIT", 60.0)
    for text in TOLD:
        await ask(companion, text)
    return companion


async def test_every_earlier_conversation_is_sent(told: Path) -> None:
    _, backend = await ask(told, ASKED)
    sent = [message for message in backend.asked[-1].messages if message.role != "system"]
    said = [message.content for message in sent if message.role == "user"]
    assert {said[0], said[1]} == set(TOLD)
    assert said[-1].endswith(ASKED)
    assert "assistant" in [message.role for message in sent]
    assert "Recalled" not in trailers(told)
    first, now = trailers(told)["Window"], trailers(told)["Turn"]
    assert first.split("/")[0] != now.split("/")[0]
    assert why(told).verdict == "matches"
    await talk(told, "And another thing.")
    assert trailers(told)["Window"] == first
    assert why(told).verdict == "matches"


async def test_where_it_does_not_fit_earlier_moments_take_its_place(told: Path) -> None:
    await ask(told, "Here is a long story. " + "Once upon a time there was a heron. " * 400)
    backend = Scripted(window=3_000)
    session = await Session.open(told, backends=[backend])
    session.new_conversation()
    await events_of(session.send(ASKED))
    await session.close()
    newest = backend.asked[-1].messages[-1].content
    assert "allergic to peanuts" in newest
    assert "Pepper" in newest
    assert trailers(told)["Recalled"]
    assert why(told).verdict == "matches"


async def test_what_is_set_aside_is_not_sent(told: Path) -> None:
    first = trailers(told)["Turn"]
    with Workspace.open(told) as workspace:
        exclude_turns(workspace, plan_exclude(workspace, first))
    _, backend = await ask(told, ASKED)
    said = [message.content for message in backend.asked[-1].messages]
    assert TOLD[0] in said
    assert TOLD[1] not in said
    assert why(told).verdict == "matches"


async def test_another_answer_is_made_from_what_was_said_before(told: Path) -> None:
    await ask(told, ASKED)
    turn = trailers(told)["Turn"]
    await ask(told, "Something later.")
    backend = Scripted(reply=lambda _: "She cannot eat peanuts.")
    await again(told, turn, backend)
    said = [message.content for message in backend.asked[-1].messages]
    assert {text for text in said if text in TOLD} == set(TOLD)
    assert said[-1].endswith(ASKED)
    assert "Something later." not in said
    assert why(told, turn).verdict == "matches"


@pytest.mark.parametrize("setting", ["memory:\n  recall: off\n", "context:\n  recall_tokens: 0\n"])
async def test_without_recall_a_talk_of_its_own_stays_one(told: Path, setting: str) -> None:
    file = told / "companion.yaml"
    file.write_text(f"{file.read_text()}\n{setting}")
    _, backend = await ask(told, ASKED)
    assert not [each for each in backend.asked[-1].messages if each.content in TOLD]
    assert why(told).verdict == "matches"


async def test_what_would_be_sent_has_it_too(told: Path) -> None:
    backend = Scripted()
    session = await Session.open(told, backends=[backend])
    session.new_conversation()
    preview = await session.preview(ASKED)
    await events_of(session.send(ASKED))
    await session.close()
    assert backend.asked[-1].messages == preview.messages
    parts = [part.text for part in preview.parts if part.kind == "turn"]
    assert all(any(text in part for part in parts) for text in TOLD)


async def test_a_life_of_many_turns_is_not_tried(
    told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.snapshot.conversation.merged_thread.MOST_TURNS", 3)
    _, backend = await ask(told, ASKED)
    assert "allergic to peanuts" in backend.asked[-1].messages[-1].content
    assert trailers(told)["Recalled"]


async def test_a_model_that_reads_slowly_is_sent_less(told: Path) -> None:
    """It reads a hundred tokens a second: what is empty is not filled."""
    await ask(told, "Here is a long story. " + "Once upon a time there was a heron. " * 300)
    usual, slow = (Scripted(driver=driver) for driver in ("scripted", "embedded"))
    for backend in (usual, slow):
        session = await Session.open(told, backends=[backend])
        session.new_conversation()
        await events_of(session.send(ASKED))
        await session.close()
        assert why(told).verdict == "matches"
    assert TOLD[0] in [message.content for message in usual.asked[-1].messages]
    assert TOLD[0] not in [message.content for message in slow.asked[-1].messages]
    newest = slow.asked[-1].messages[-1].content
    assert TOLD[0] in newest
    assert len(newest) < 600 * 6
