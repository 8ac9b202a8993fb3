"""The order of conversations that begin within one second, as scripts have them begin."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from perdure.chat.session import Session
from perdure.companion.names import title_from
from perdure.git.repository.repository import Repository
from perdure.snapshot.conversation.transcript import Transcript
from tests.chat.test_session import events_of, talk
from tests.conftest import copied
from tests.speaking import Scripted


class Standstill(datetime):
    """A clock on which no second passes."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:  # noqa: ARG003 - its signature
        return cls(2026, 11, 22, 18, 3, 12)


async def test_conversations_of_one_second_stay_in_the_order_of_the_talk(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.companion.clock.datetime", Standstill)
    session = await Session.open(companion, backends=[Scripted()])
    said = [f"Number {number}." for number in range(8)]
    for text in said:
        await events_of(session.send(text))
        session.new_conversation()
    await session.close()
    with Repository.open(companion) as repo:
        transcript = Transcript(repo, None)
        assert [transcript.title(each) for each in transcript.conversations()] == [
            title_from(text) for text in said
        ]


async def test_one_that_goes_on_from_another_comes_after_it(
    companion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.companion.clock.datetime", Standstill)
    monkeypatch.setattr("perdure.actions.turns.location._CLOCK_STEP", timedelta())
    path = companion
    for number in range(6):
        await talk(path, f"Number {number}.")
        path = copied(path, tmp_path / f"copy-{number}")
    with Repository.open(path) as repo:
        transcript = Transcript(repo, None)
        texts = [
            turn.message.text
            for place in range(len(transcript.chunks))
            for turn in transcript.turns(place)
            if turn.message
        ]
        assert texts == [f"Number {number}." for number in range(6)]
