"""Each way in which a reply can end is told, with advice that helps, and no word is lost."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from perdure.backends.errors import BackendError, ModelLoading, ReplyTooLong
from perdure.backends.protocol import (
    BackendSpec,
    Finished,
    Piece,
    Request,
    StopReason,
    StreamEvent,
    Thinking,
    ThoughtsClosed,
    Usage,
)
from perdure.chat.events import (
    Event,
    Failed,
    Saved,
)
from perdure.chat.routing import failover
from perdure.chat.session import Session
from perdure.notice import Notice
from tests.chat.test_session import events_of, life
from tests.conftest import assert_sound
from tests.speaking import Scripted


@dataclass
class Says(Scripted):
    """Streams these events; raises an error that stands among them."""

    events: list[StreamEvent | BackendError] = field(default_factory=list)
    parameters: dict[str, int] = field(default_factory=dict)

    @property
    def spec(self) -> BackendSpec:
        return BackendSpec(self.name, "scripted", "script-1", parameters=self.parameters)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        self.asked.append(request)
        for event in self.events:
            if isinstance(event, BackendError):
                raise event
            yield event


def ends(stop: StopReason, tool: str = "") -> Finished:
    return Finished(stop, Usage(30, 3), "script-1", tool=tool)


async def turn(
    path: Path, *events: StreamEvent | BackendError, **more: int
) -> tuple[list[str], list[str]]:
    """What failed, and what was noticed."""
    session = await Session.open(path, backends=[Says(events=list(events), parameters=more)])
    heard = await events_of(session.send("Hello."))
    await session.close()
    assert_sound(path)
    return told(heard)


def told(events: list[Event]) -> tuple[list[str], list[str]]:
    failed = [f"{e.what} {e.kept} {e.next_step}" for e in events if isinstance(e, Failed)]
    return failed, [e.text for e in events if isinstance(e, Notice)]


def said(path: Path) -> list[tuple[str, bool]]:
    return [(reply.text, reply.interrupted) for reply in life(path)[-1].replies]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([ends("end")], "answered with nothing"),
        ([Piece("\n\n  \n"), ends("end")], "answered with nothing"),
        ([Thinking("Hm."), ends("length")], "768 tokens on thoughts"),
        ([Thinking("Hm."), ends("length")], "context.reply_tokens"),
        ([Thinking("Hm."), ends("end")], "turn thinking off"),
        ([Piece(" "), Thinking("Hm."), ends("length")], "on thoughts"),
        ([ends("end", "get_weather")], "the tool 'get_weather'"),
    ],
)
async def test_a_reply_without_words_is_none(
    companion: Path, events: list[StreamEvent | BackendError], words: str
) -> None:
    (failed,), _ = await turn(companion, *events)
    assert words in failed
    assert "perdure say --resume" in failed
    assert life(companion)[-1].unanswered


async def test_the_limit_that_is_the_manifests_is_named_so(companion: Path) -> None:
    (failed,), _ = await turn(companion, Thinking("Hm."), ends("length"), max_tokens=50)
    assert "50 tokens" in failed
    assert "max_tokens in backends/scripted.yaml" in failed


@pytest.mark.parametrize("stop", ["end", "unknown"])
async def test_an_end_for_an_unknown_reason_is_a_whole_reply(
    companion: Path, stop: StopReason
) -> None:
    assert await turn(companion, Piece("Good evening."), ends(stop)) == ([], [])
    assert said(companion) == [("Good evening.", False)]


async def test_a_reply_that_was_cut_at_its_limit_says_so(companion: Path) -> None:
    failed, (notice,) = await turn(companion, Piece("Good eve"), ends("length"))
    assert failed == []
    assert "cut at its limit of 768 tokens" in notice
    assert said(companion) == [("Good eve", False)]


@pytest.mark.parametrize(
    ("stop", "words"),
    [("refused", "a filter"), ("cancelled", "broke"), ("unclosed", "never closed its thoughts")],
)
async def test_a_reply_that_the_server_broke_off_is_kept_and_told_as_that(
    companion: Path, stop: StopReason, words: str
) -> None:
    (failed,), _ = await turn(companion, Piece("Good eve"), ends(stop))
    assert words in failed
    assert "interrupted" in failed
    assert said(companion) == [("Good eve", True)]


async def test_thoughts_with_their_last_mark_only_are_not_kept_as_words(companion: Path) -> None:
    pieces = (Piece("She greets."), ThoughtsClosed(), Piece("Good evening."))
    failed, (notice,) = await turn(companion, *pieces, ends("end"))
    assert failed == []
    assert "--reasoning-format" in notice
    assert said(companion) == [("Good evening.", False)]


async def test_a_reply_without_an_end_is_kept_up_to_its_bound(companion: Path) -> None:
    failure = ReplyTooLong("far did not end its reply; it was stopped at 76 KiB")
    (failed,), _ = await turn(companion, Piece("word " * 100), failure)
    assert "did not end" in failed
    assert "interrupted" in failed
    assert said(companion) == [("word " * 100, True)]


async def test_a_model_that_is_being_loaded_is_waited_for(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "_LOADING", 0.001)

    class Loads(Says):
        async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
            if len(self.asked) < 7:
                self.asked.append(request)
                raise ModelLoading("far says: Loading model")
            async for event in super().stream(request):
                yield event

    backend = Loads(events=[Piece("Good evening."), ends("end")])
    session = await Session.open(companion, backends=[backend])
    heard = await events_of(session.send("Hello."))
    await session.close()
    failed, (notice,) = told(heard)
    assert failed == []
    assert notice == "scripted is loading its model; waiting for it."
    assert len(backend.asked) == 8
    assert any(isinstance(event, Saved) for event in heard)
