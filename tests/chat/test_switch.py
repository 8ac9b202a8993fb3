"""Another backend for one reply or for good, while the talk goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from perdure.actions.backends.manage import BackendActions
from perdure.backends.errors import (
    ConnectionRefused,
    NotConfirmed,
    RateLimited,
    StreamCut,
)
from perdure.backends.protocol import BackendSpec
from perdure.chat.events import (
    Event,
    Failed,
    MessageKept,
    ReplyPiece,
    ReplyStarted,
    Saved,
)
from perdure.chat.session import Session
from perdure.companion.config.manifest import Manifest
from perdure.companion.config.settings import parse_settings
from perdure.notice import Notice
from perdure.snapshot.errors import NoBackend, RequestProblem
from tests.chat.test_session import events_of, life, trailers
from tests.conftest import assert_sound, git, no_room
from tests.speaking import Scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GONE = ConnectionRefused("nobody listens there")


class Voice(Scripted):
    """A scripted backend that counts how often it is opened and closed."""

    opened = 0
    closed = 0

    @property
    def spec(self) -> BackendSpec:
        return self.own_spec

    own_spec: BackendSpec

    async def open(self) -> None:
        self.opened += 1
        await super().open()

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Voices:
    """Makes a voice for each spec; ``setup`` changes those of a name as they are made."""

    made: dict[str, list[Voice]] = field(default_factory=dict)
    setup: dict[str, Callable[[Voice], None]] = field(default_factory=dict)

    def make(self, spec: BackendSpec) -> Voice:
        voice = Voice(name=spec.name, reply=lambda prompt: f"{spec.name}: {prompt[-1].content}")
        voice.own_spec = spec
        voice.is_hosted = spec.name.startswith("cloud")
        if spec.name in self.setup:
            self.setup[spec.name](voice)
        self.made.setdefault(spec.name, []).append(voice)
        return voice

    def __getitem__(self, name: str) -> Voice:
        return self.made[name][-1]

    @asynccontextmanager
    async def talk(self, path: Path) -> AsyncIterator[Session]:
        session = await Session.open(path, make=self.make)
        try:
            yield session
        finally:
            await session.close()


@pytest.fixture
def voices() -> Voices:
    return Voices()


@pytest.fixture
def listed(companion: Path) -> Path:
    """A companion with a, b and cloud in its list, and spare and cloud2 beside it."""
    with BackendActions(companion) as backends:
        for name in ("a", "b", "cloud", "spare", "cloud2"):
            backends.add(Manifest(name, "openai", f"model-{name}", "http://127.0.0.1:9/v1"))
        backends.use(["a", "b", "cloud"])
    return companion


def fail(voice: Scripted) -> None:
    voice.failure, voice.fail_after = GONE, -1


async def say(session: Session, text: str) -> list[Event]:
    return await events_of(session.send(text))


def spoke(events: list[Event]) -> str:
    saved = next(event for event in events if isinstance(event, Saved))
    return saved.turn.replies[0].backend if saved.turn.replies else ""


def told(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def order(path: Path) -> tuple[str, ...]:
    return parse_settings((path / "companion.yaml").read_bytes()).backends


async def test_the_next_reply_only_and_then_the_order_again(listed: Path, voices: Voices) -> None:
    async with voices.talk(listed) as session:
        assert spoke(await say(session, "One.")) == "a"
        switch = await session.speak_next("spare")
        assert switch.candidate.order == 0
        info = session.info
        assert (info.next_backend, info.next_model, info.once) == ("spare", "model-spare", True)
        events = await say(session, "Two.")
        assert spoke(events) == "spare"
        assert (session.info.next_backend, session.info.once) == ("a", False)
        assert spoke(await say(session, "Three.")) == "a"
    assert [turn.replies[0].stand_in for turn in life(listed)[1:]] == [False, False, False]
    assert trailers(listed, "HEAD~1")["Backend"] == "spare"
    assert "Instead-Of" not in trailers(listed, "HEAD~1")
    assert order(listed) == ("a", "b", "cloud")
    assert voices["spare"].closed == 1
    assert_sound(listed)


async def test_from_now_on_is_a_commit_and_needs_no_restart(listed: Path, voices: Voices) -> None:
    async with voices.talk(listed) as session:
        await say(session, "One.")
        switch = await session.speak_from_now("b")
        assert "From now on, b speaks (model-b)." in switch.candidate.speaks(once=False)
        assert (
            git(listed, "log", "-1", "--format=%an %s")
            == "Ana backend: use b, then a, then cloud\n"
        )
        assert session.info.next_backend == "b"
        assert voices["b"].opened == 0
        assert spoke(await say(session, "Two.")) == "b"
        assert [len(voices.made[name]) for name in "ab"] == [1, 1]
    assert order(listed) == ("b", "a", "cloud")
    async with voices.talk(listed) as session:
        assert spoke(await say(session, "Three.")) == "b"
    assert not any(turn.replies[0].stand_in for turn in life(listed)[1:])
    assert_sound(listed)


async def test_one_that_was_not_listed_goes_first_and_the_others_behind_it(
    listed: Path, voices: Voices
) -> None:
    async with voices.talk(listed) as session:
        await session.speak_from_now("spare")
        before = git(listed, "rev-parse", "HEAD")
        await session.speak_from_now("spare")
        assert git(listed, "rev-parse", "HEAD") == before
    assert order(listed) == ("spare", "a", "b", "cloud")


async def test_choosing_a_hosted_one_is_consent_for_that_reply_alone(
    listed: Path, voices: Voices
) -> None:
    async with voices.talk(listed) as session:
        await session.speak_next("cloud2")
        assert spoke(await say(session, "To the cloud.")) == "cloud2"
        for name in "ab":
            fail(voices[name])
        events = await say(session, "At home only.")
        assert isinstance(events[-1], Failed)
    assert len(voices["cloud2"].asked) == 1
    assert voices["cloud"].asked == []


async def test_a_chosen_one_that_fails_is_followed_by_the_order_not_by_another_hosted_one(
    listed: Path, voices: Voices
) -> None:
    voices.setup["cloud2"] = fail
    async with voices.talk(listed) as session:
        await session.speak_next("cloud2")
        events = await say(session, "Hello?")
        assert told(events) == ["cloud2 did not answer: nobody listens there."]
        started = next(event for event in events if isinstance(event, ReplyStarted))
        assert (started.backend, started.stand_in) == ("a", True)
        fail(voices["a"])
        fail(voices["b"])
        await session.speak_next("cloud2")
        await say(session, "And now?")
    first, second = life(listed)[-2:]
    assert (first.replies[0].backend, first.replies[0].stand_in) == ("a", True)
    assert second.unanswered
    assert voices["cloud"].asked == []
    assert trailers(listed, "HEAD~1")["Instead-Of"] == "cloud2: nobody listens there"


async def test_a_chosen_local_one_that_fails_does_not_lead_away_from_the_machine(
    listed: Path, voices: Voices
) -> None:
    voices.setup["spare"] = fail
    with BackendActions(listed) as backends:
        backends.use(["cloud"])
    async with voices.talk(listed) as session:
        await session.speak_next("spare")
        events = await say(session, "Between us.")
        assert isinstance(events[-1], Failed)
        assert voices["cloud"].asked == []
        assert spoke(await say(session, "To all.")) == "cloud"


async def test_a_switch_during_a_reply_leaves_that_reply_alone(
    listed: Path, voices: Voices
) -> None:
    def hold(voice: Voice) -> None:
        voice.hold_after = 1

    voices.setup["a"] = hold
    async with voices.talk(listed) as session:
        turn = asyncio.create_task(say(session, "A long one."))
        await voices["a"].held.wait()
        await session.speak_next("spare")
        await session.speak_from_now("b")
        await session.speak_next("spare")
        assert git(listed, "log", "-1", "--format=%s") == "backend: use b, then a, then cloud\n"
        assert voices["a"].closed == 0
        session.stop()
        assert spoke(await turn) == "a"
        assert trailers(listed)["Base"]
        assert spoke(await say(session, "Two.")) == "spare"
        assert spoke(await say(session, "Three.")) == "b"
    assert len(life(listed)) == 4
    assert_sound(listed)


async def test_closing_during_a_switch_ends_and_leaves_a_sound_companion(
    listed: Path, voices: Voices
) -> None:
    for switch in ("speak_next", "speak_from_now"):
        session = await Session.open(listed, make=voices.make)
        await say(session, "One.")
        done = await asyncio.gather(
            getattr(session, switch)("b"), session.close(), return_exceptions=True
        )
        assert done[1] is None
        assert not isinstance(done[0], BaseException) or isinstance(done[0], RequestProblem)
        with pytest.raises(RequestProblem):
            await session.speak_next("a")
    assert_sound(listed)


async def test_what_is_edited_meanwhile_counts_for_the_next_turn(
    listed: Path, voices: Voices
) -> None:
    async with voices.talk(listed) as session:
        await say(session, "One.")
        manifest = listed / "backends" / "a.yaml"
        manifest.write_text(manifest.read_text().replace("model-a", "model-a2"))
        events = await say(session, "Two.")
        assert told(events)[0] == "Your edit of a.yaml was committed on its own."
        assert [voice.spec.model for voice in voices.made["a"]] == ["model-a", "model-a2"]
        assert [voice.closed for voice in voices.made["a"]] == [1, 0]
        assert len(voices.made["b"]) == 1
        with BackendActions(listed) as backends:
            backends.use(["b", "a"])
        assert spoke(await say(session, "Three.")) == "b"
        assert len(voices.made["a"]) == 2
        assert voices.made["cloud"][0].closed == 1
    assert_sound(listed)


async def test_a_new_manifest_can_be_chosen_at_once(listed: Path, voices: Voices) -> None:
    async with voices.talk(listed) as session:
        text = "driver: openai\nmodel: fresh-1\naddress: http://127.0.0.1:9/v1\n"
        (listed / "backends" / "fresh.yaml").write_text(text)
        rows = await session.candidates()
        assert [row.name for row in rows][:3] == ["a", "b", "cloud"]
        assert "fresh" in {row.name for row in rows}
        switch = await session.speak_next("fresh")
        assert [notice.text for notice in switch.notices] == [
            "Your addition of fresh.yaml was committed on its own."
        ]
        assert spoke(await say(session, "Hello.")) == "fresh"


async def test_a_broken_manifest_is_as_one_that_does_not_answer(
    listed: Path, voices: Voices
) -> None:
    async with voices.talk(listed) as session:
        await say(session, "One.")
        (listed / "backends" / "a.yaml").write_text("driver: [\n")
        git(listed, "commit", "-qam", "backend: by hand")
        events = await say(session, "Two.")
        assert spoke(events) == "b"
        assert "backends/a.yaml" in told(events)[0]
        row = next(row for row in await session.candidates() if row.name == "a")
        assert "backends/a.yaml" in row.problem
    assert "a: " in trailers(listed)["Instead-Of"]


async def test_an_emptied_list_keeps_the_message(listed: Path, voices: Voices) -> None:
    async with voices.talk(listed) as session:
        await say(session, "One.")
        file = listed / "companion.yaml"
        file.write_text(file.read_text().replace("backends: [a, b, cloud]", "backends: []"))
        events = await say(session, "Two.")
        assert isinstance(events[-1], Failed)
        assert "lists no backend" in events[-1].what
        await session.speak_from_now("b")
        assert spoke(await events_of(session.resume())) == "b"
    assert life(listed)[-1].replies[0].text == "b: Two."
    assert_sound(listed)


async def test_who_cannot_be_used_is_refused_and_nothing_changes(
    listed: Path, voices: Voices
) -> None:
    text = "driver: openai\nmodel: m\naddress: http://127.0.0.1:9/v1\n"
    (listed / "backends" / "stranger.yaml").write_text(text)
    git(listed, "add", "backends/stranger.yaml")
    git(listed, "commit", "-qm", "from elsewhere")
    async with voices.talk(listed) as session:
        for name in ("nobody", "../a", "", "a/b"):
            with pytest.raises(NoBackend):
                await session.speak_next(name)
        with pytest.raises(NotConfirmed) as refused:
            await session.speak_from_now("stranger")
        assert "perdure backend confirm stranger" in refused.value.next_step
        (listed / "companion.yaml").write_text("name: [\n")
        with pytest.raises(RequestProblem):
            await session.speak_from_now("b")
        assert session.info.next_backend == "a"
    assert git(listed, "log", "-1", "--format=%s") == "from elsewhere\n"


async def test_a_turn_that_cannot_begin_leaves_the_choice(listed: Path, voices: Voices) -> None:
    async with voices.talk(listed) as session:
        await session.speak_next("b")
        with no_room():
            assert isinstance((await say(session, "Hello."))[-1], Failed)
        assert session.info.next_backend == "b"
        assert spoke(await say(session, "Hello.")) == "b"


async def test_one_that_is_back_is_announced_once(listed: Path, voices: Voices) -> None:
    async with voices.talk(listed) as session:
        fail(voices["a"])
        await say(session, "One.")
        voices["a"].failure = None
        assert told(await say(session, "Two.")) == ["a answers again."]
        assert told(await say(session, "Three.")) == []


async def test_stopping_while_a_server_does_not_answer_asks_nobody_else(
    listed: Path, voices: Voices
) -> None:
    class Silent(Voice):
        opening = asyncio.Lock()

        async def open(self) -> None:
            async with self.opening:
                self.held.set()
                await asyncio.Event().wait()

        async def close(self) -> None:
            async with self.opening:
                self.closed += 1

    silent = Silent(name="silent")
    silent.own_spec = BackendSpec("silent", "scripted", "m")
    spare = Scripted(name="spare")
    session = await Session.open(listed, backends=[silent, spare])
    turn = asyncio.create_task(say(session, "Are you there?"))
    await silent.held.wait()
    session.stop()
    events = await turn
    await session.close()
    assert [type(event) for event in events][-1] is Saved
    assert not any(isinstance(event, Failed | ReplyStarted) for event in events)
    assert spare.asked == []
    assert life(listed)[-1].unanswered


async def test_stopping_while_waiting_for_a_busy_server_asks_nobody_else(
    listed: Path,
) -> None:
    busy = Scripted(name="busy", failure=RateLimited("busy", retry_after=15.0), fail_after=-1)
    spare = Scripted(name="spare")
    session = await Session.open(listed, backends=[busy, spare])
    async for event in session.send("Hello."):
        if isinstance(event, Notice) and "Asking again" in event.text:
            session.stop()
    await session.close()
    assert spare.asked == []


async def test_a_key_is_masked_before_it_is_shown(companion: Path) -> None:
    key = "sk-ant-api03-" + "Ab1_" * 8
    backend = Scripted(reply=lambda _: f"It is {key}. Keep it.", step=3)
    session = await Session.open(companion, backends=[backend])
    events = await say(session, f"My key is {key}, remember it.")
    await session.close()
    shown = "".join(event.text for event in events if isinstance(event, ReplyPiece))
    assert shown == "It is [key removed]. Keep it."
    kept = next(event for event in events if isinstance(event, MessageKept))
    assert kept.message.text == "My key is [key removed], remember it."
    assert key not in backend.asked[0].messages[-1].content
    assert life(companion)[-1].replies[0].text == shown
    assert sum("key was removed" in text for text in told(events)) == 2
    assert key not in "".join(git(companion, "log", "-p"))


async def test_a_broken_off_reply_names_what_to_do(companion: Path) -> None:
    cut = Scripted(reply=lambda _: "Some words.", failure=StreamCut("it broke"), fail_after=1)
    session = await Session.open(companion, backends=[cut])
    events = await say(session, "Tell me.")
    await session.close()
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert "interrupted" in failed.kept
    assert "--resume" not in failed.next_step
