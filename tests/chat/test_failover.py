from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from perdure.backends.errors import (
    AuthenticationFailed,
    BadParameter,
    ConnectionRefused,
    ContextExceeded,
    RateLimited,
    StreamCut,
)
from perdure.backends.protocol import Request, StreamEvent
from perdure.backends.tokens.estimate import EstimateTokenizer
from perdure.chat.events import (
    Event,
    Failed,
    ReplyStarted,
    Saved,
)
from perdure.chat.session import Session
from perdure.notice import Notice
from tests.chat.test_session import events_of, life, trailers
from tests.conftest import assert_sound
from tests.speaking import Scripted


def dead(name: str = "local") -> Scripted:
    return Scripted(name=name, failure=ConnectionRefused("nobody listens there"), fail_after=-1)


async def one_turn(path: Path, *backends: Scripted, text: str = "Hello?") -> list[Event]:
    session = await Session.open(path, backends=backends)
    events = await events_of(session.send(text))
    await session.close()
    return events


def consent(path: Path) -> None:
    file = path / "companion.yaml"
    text = file.read_text()
    assert "failover_to_hosted: no" in text
    file.write_text(text.replace("failover_to_hosted: no", "failover_to_hosted: yes"))


async def test_the_next_backend_speaks_and_screen_and_commit_say_so(companion: Path) -> None:
    spare = Scripted(name="spare")
    events = await one_turn(companion, dead(), spare)
    told = [event.text for event in events if isinstance(event, Notice)]
    assert told == ["local did not answer: nobody listens there."]
    assert [e.backend for e in events if isinstance(e, ReplyStarted)] == ["spare"]
    saved = events[-1]
    assert isinstance(saved, Saved)
    (reply,) = saved.turn.replies
    assert (reply.backend, reply.stand_in, reply.interrupted) == ("spare", True, False)
    facts = trailers(companion)
    assert facts["Backend"] == "spare"
    assert facts["Instead-Of"] == "local: nobody listens there"
    assert life(companion)[-1] == saved.turn
    assert_sound(companion)


async def test_a_key_that_a_server_repeats_is_neither_shown_nor_committed(companion: Path) -> None:
    key = "sk-proj-" + "a1" * 20
    refused = Scripted(name="far", failure=AuthenticationFailed(f"far says: bad key {key}"))
    events = await one_turn(companion, refused, Scripted(name="spare"))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert told == ["far did not answer: bad key [key removed]."]
    assert trailers(companion)["Instead-Of"] == "far: bad key [key removed]"
    events = await one_turn(companion, refused)
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert key not in failed.what
    assert_sound(companion)


async def test_one_that_is_back_is_used_again(companion: Path) -> None:
    first, spare = dead(), Scripted(name="spare")
    session = await Session.open(companion, backends=[first, spare])
    await events_of(session.send("One."))
    assert session.info.backend == "spare"
    first.failure = None
    await events_of(session.send("Two."))
    assert session.info.backend == "local"
    await session.close()
    assert [turn.replies[0].stand_in for turn in life(companion)[1:]] == [True, False]
    assert "Instead-Of" not in trailers(companion)


async def test_with_every_backend_down_the_message_is_kept_and_all_reasons_said(
    companion: Path,
) -> None:
    events = await one_turn(companion, dead("a"), dead("b"))
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert "a: nobody listens there; b: nobody listens there" in failed.what
    assert life(companion)[-1].unanswered
    assert_sound(companion)


async def test_what_a_server_says_stands_behind_its_name_once(companion: Path) -> None:
    says = ConnectionRefused("local says: come back later")
    backend = Scripted(name="local", failure=says, fail_after=-1)
    events = await one_turn(companion, backend, Scripted(name="spare"))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert told == ["local did not answer: come back later."]
    assert trailers(companion)["Instead-Of"] == "local: come back later"


async def test_from_a_local_one_to_a_hosted_one_only_with_consent(companion: Path) -> None:
    hosted = Scripted(name="cloud", is_hosted=True)
    events = await one_turn(companion, dead(), hosted)
    assert hosted.asked == []
    assert isinstance(events[-1], Failed)
    assert any("failover_to_hosted" in e.text for e in events if isinstance(e, Notice))
    consent(companion)
    events = await one_turn(companion, dead(), hosted, text="And now?")
    assert len(hosted.asked) == 1
    assert isinstance(events[-1], Saved)


async def test_one_that_turns_out_to_be_hosted_is_sent_nothing(companion: Path) -> None:
    class Disguised(Scripted):
        async def open(self) -> None:
            self.is_hosted = True

    cloud = Disguised(name="cloud")
    events = await one_turn(companion, dead(), cloud)
    assert cloud.asked == []
    assert isinstance(events[-1], Failed)


async def test_a_started_reply_is_kept_and_nobody_else_is_asked(companion: Path) -> None:
    cut = Scripted(reply=lambda _: "Some words.", failure=StreamCut("the line broke"), fail_after=1)
    spare = Scripted(name="spare")
    await one_turn(companion, cut, spare)
    assert spare.asked == []
    (reply,) = life(companion)[-1].replies
    assert (reply.text, reply.interrupted) == ("Some wo", True)


async def test_what_only_the_user_can_decide_stops_there(companion: Path) -> None:
    spare = Scripted(name="spare")
    wrong = Scripted(failure=BadParameter("no such parameter: warmth"), fail_after=-1)
    events = await one_turn(companion, wrong, spare)
    assert spare.asked == []
    assert isinstance(events[-1], Failed)


async def test_a_key_that_is_not_accepted_fails_over(companion: Path) -> None:
    wrong = Scripted(failure=AuthenticationFailed("the key is not accepted"), fail_after=-1)
    spare = Scripted(name="spare")
    await one_turn(companion, wrong, spare)
    assert len(spare.asked) == 1


async def test_waiting_helps_and_is_tried_before_another_is_asked(companion: Path) -> None:
    class Busy(Scripted):
        async def open(self) -> None:
            self.tries = getattr(self, "tries", 0) + 1
            if self.tries < 3:
                raise RateLimited("too many requests", retry_after=0.0)

    busy, spare = Busy(name="busy"), Scripted(name="spare")
    events = await one_turn(companion, busy, spare)
    assert spare.asked == []
    told = [event.text for event in events if isinstance(event, Notice)]
    assert len(told) == 2
    assert all("Asking again" in text for text in told)
    assert isinstance(events[-1], Saved)


async def test_a_long_wait_is_not_waited_for(companion: Path) -> None:
    slow = Scripted(failure=RateLimited("too many requests", retry_after=3600.0), fail_after=-1)
    spare = Scripted(name="spare")
    await one_turn(companion, slow, spare)
    assert len(spare.asked) == 1


class Narrow(Scripted):
    """Its tokens are smaller than estimated here, and so is its window than the manifest says."""

    tells = True

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        tokens = 2 * EstimateTokenizer().count_prompt(request.messages)
        if tokens > 4200 - request.max_tokens:
            self.asked.append(request)
            raise ContextExceeded(tokens if self.tells else None, 4200)
        async for event in super().stream(request):
            yield event


@pytest.mark.parametrize("tells", [True, False])
async def test_a_prompt_that_is_too_long_is_sent_again_with_fewer_turns(
    companion: Path, *, tells: bool
) -> None:
    narrow = Narrow(name="local", window=8192)
    narrow.tells = tells
    session = await Session.open(companion, backends=[narrow])
    for number in range(9):
        said = " ".join(f"word{number}" for _ in range(120))
        events = await events_of(session.send(said))
        assert isinstance(events[-1], Saved), events
        assert events[-1].turn.replies
    before = len(narrow.asked)
    assert before > 9
    await session.close()
    assert_sound(companion)
    if tells:
        # What was learned holds for the next session: nothing is asked twice.
        session = await Session.open(companion, backends=[narrow])
        await events_of(session.send("And now?"))
        await session.close()
        assert len(narrow.asked) <= before + 2
