"""A request is sent as its server takes it: learned, said, and in the lock of the turn's base."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from perdure.actions.backends.check import call_once
from perdure.actions.backends.trial_call import PROMPT
from perdure.backends.errors import (
    BackendError,
    FieldRefused,
    Overloaded,
    RateLimited,
    ShapeRefused,
    Unreachable,
)
from perdure.backends.hosted.request_form import (
    LIMITS,
    RequestForm,
    difference,
    form_after_refusal,
    limit_field,
)
from perdure.backends.protocol import BackendSpec, Fingerprint, PromptMessage, Request, StreamEvent
from perdure.backends.roles.shape import PLAIN, Shape, fold, parse_shape
from perdure.chat.events import Failed, Saved
from perdure.chat.session import Session
from perdure.companion.config.backend_lock import LockEntry, lock_path, parse_lock, render_lock
from perdure.companion.ids import TurnId
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.author import device
from perdure.views.why.explain import explain
from tests.chat.test_session import events_of, trailers
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

STRICT = Shape("first", turns=True)


@dataclass
class Picky(Scripted):
    """Takes one shape, and refuses the rest with ``words``; 500 where it is not ``proven``."""

    takes: Shape = STRICT
    words: str = "Conversation roles must alternate"
    proven: bool = True
    refuses: tuple[str, ...] = ()
    manifest_shape: str = ""

    @property
    def spec(self) -> BackendSpec:
        return BackendSpec(self.name, "scripted", "script-1", shape=self.manifest_shape)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        if fold(request.messages, self.takes) != request.messages:
            self.asked.append(request)
            raise ShapeRefused(f"far says: {self.words}", self.words, proven=self.proven)
        for field in self.refuses:
            if field not in request.without:
                self.asked.append(request)
                raise FieldRefused(f"no {field} here", field)
        async for event in super().stream(request):
            yield event


async def heard(path: Path, backend: Scripted, text: str = "Hello.") -> list[object]:
    session = await Session.open(path, backends=[backend])
    try:
        return list(await events_of(session.send(text)))
    finally:
        await session.close()


def lock(path: Path, rev: str = "HEAD") -> LockEntry:
    where = lock_path(device())
    return parse_lock(git(path, "show", f"{rev}:{where}").encode(), where)["scripted"]


async def test_a_refused_shape_is_learned_said_and_in_the_lock_of_the_turns_base(
    companion: Path,
) -> None:
    picky = Picky()
    events = await heard(companion, picky)
    assert any(isinstance(event, Saved) for event in events)
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "one system message and user and assistant in turns" in notices[0]
    base = trailers(companion).get("Base", "HEAD~1")
    assert lock(companion, base).shape == "alternate"
    assert git(companion, "log", "-2", "--format=%s", base).splitlines()[0] == (
        "backend: scripted is sent prompts with one system message and user and assistant in turns"
    )
    sent = picky.asked[-1].messages
    with Repository.open(companion, recover=False) as repo:
        found = explain(repo, TurnId.parse(trailers(companion)["Turn"]))
    assert found.verdict == "matches"
    assert found.messages == sent
    assert found.shape == "one system message and user and assistant in turns"
    assert_sound(companion)


async def test_the_next_session_knows_it(companion: Path) -> None:
    await heard(companion, Picky())
    commits = git(companion, "rev-list", "--count", "HEAD")
    again = Picky()
    events = await heard(companion, again, "And now?")
    assert not [event for event in events if isinstance(event, Notice)]
    assert len(again.asked) == 1
    assert int(git(companion, "rev-list", "--count", "HEAD")) == int(commits) + 1


async def test_the_hash_is_that_of_the_unfolded_prompt_and_tokens_of_the_folded(
    companion: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(companion), str(other))
    plain = Scripted()
    await heard(companion, plain)
    await heard(other, Picky())
    recorded = trailers(other)
    assert recorded["Prompt"].partition(":")[0] == trailers(companion)["Prompt"].partition(":")[0]
    with Repository.open(other, recover=False) as repo:
        assert explain(repo, TurnId.parse(recorded["Turn"])).rebuilt == recorded["Prompt"]
    assert recorded["Tokens"] != trailers(companion)["Tokens"]


async def test_refused_fields_are_left_out_and_remembered_in_their_order(companion: Path) -> None:
    picky = Picky(takes=PLAIN, refuses=("stream_options", "max_tokens"))
    events = await heard(companion, picky)
    told = [event.text for event in events if isinstance(event, Notice)]
    assert "without the field stream_options" in told[0]
    assert "without the field max_tokens, with max_completion_tokens in its place" in told[1]
    assert lock(companion).without == ("stream_options", "max_tokens")
    assert lock(companion).shape == ""
    assert picky.asked[-1].without == ("stream_options", "max_tokens")


@pytest.mark.parametrize(
    "failure", [RateLimited("roles"), Overloaded("roles"), Unreachable("roles must alternate")]
)
async def test_other_failures_teach_nothing(companion: Path, failure: BackendError) -> None:
    failure.retry_after = 0.0
    events = await heard(companion, Scripted(failure=failure))
    assert any(isinstance(event, Failed) for event in events)
    assert lock(companion).shape == ""
    assert lock(companion).without == ()


async def test_a_status_that_blames_the_server_teaches_by_a_call_of_our_own_words_only(
    companion: Path,
) -> None:
    picky = Picky(proven=False)
    await heard(companion, picky, "My secret.")
    assert lock(companion).shape == "alternate"
    plain, *_, last = picky.asked
    assert "My secret." in plain.messages[-1].content
    assert "My secret." in last.messages[-1].content
    tried = [each for each in picky.asked if "My secret." not in each.messages[-1].content]
    assert tried[0].messages == PROMPT
    assert all(
        {part.content for part in each.messages}
        <= {
            part.content
            for shape in (PLAIN, STRICT, Shape("first"))
            for part in fold(PROMPT, shape)
        }
        for each in tried
    )


async def test_a_passing_failure_that_speaks_of_roles_teaches_nothing(companion: Path) -> None:
    class Once(Picky):
        async def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
            if not self.asked:
                self.asked.append(request)
                raise ShapeRefused("far says: jinja", "jinja", proven=False)
            async for event in Scripted.stream(self, request):
                yield event

    events = await heard(companion, Once())
    assert any(isinstance(event, Failed) for event in events)
    assert lock(companion).shape == ""


async def test_a_shape_in_the_manifest_is_used_and_never_changed(companion: Path) -> None:
    picky = Picky(manifest_shape="alternate no-system", takes=Shape("none", turns=True))
    events = await heard(companion, picky)
    assert not [event for event in events if isinstance(event, Notice)]
    assert len(picky.asked) == 1
    assert lock(companion).shape == "no-system alternate"
    refused = Picky(manifest_shape="one-system")
    events = await heard(companion, refused, "And?")
    assert any(isinstance(event, Failed) for event in events)
    assert len(refused.asked) == 1


async def test_what_the_template_states_is_used_at_once(companion: Path) -> None:
    picky = Picky(prints=Fingerprint("0123456789abcdef", shape="alternate"))
    await heard(companion, picky)
    assert len(picky.asked) == 1
    assert lock(companion).shape == "alternate"


async def test_another_model_behind_the_name_is_asked_with_all_roles_again(companion: Path) -> None:
    await heard(companion, Picky())
    other = Picky(takes=PLAIN, prints=Fingerprint("f" * 16))
    await heard(companion, other, "And you?")
    assert lock(companion).shape == ""
    assert other.asked[0].messages[1].role != "user" or other.asked[0].messages[0].role == "system"


async def test_check_asks_in_the_roles_of_a_turn_until_it_is_answered() -> None:
    picky = Picky(refuses=("stream_options",))
    found = await call_once(picky)
    assert found.trial.form == RequestForm(STRICT, ("stream_options",))
    assert picky.asked[0].messages == PROMPT
    assert found.trial.reply.startswith("I heard")


def test_forms() -> None:
    shape = ShapeRefused("x", "jinja", proven=True)
    assert form_after_refusal(RequestForm(), shape) == RequestForm(Shape("first"))
    assert form_after_refusal(RequestForm(Shape("none", turns=True)), shape) is None
    field = FieldRefused("x", "think")
    assert form_after_refusal(RequestForm(), field) == RequestForm(without=("think",))
    assert form_after_refusal(RequestForm(without=("think",)), field) is None
    assert form_after_refusal(RequestForm(), RateLimited("x")) is None
    assert limit_field((), LIMITS[0]) == "max_tokens"
    assert limit_field(("max_completion_tokens",), "max_completion_tokens") == "max_tokens"
    assert limit_field(LIMITS, "max_tokens") == ""
    assert difference(RequestForm(), RequestForm(parse_shape("no-system"), ("think",))) == (
        "with no system message and without the field think"
    )


def test_the_lock_keeps_shape_and_fields() -> None:
    entry = LockEntry(
        "a" * 16, {"digest": "sha256:1"}, "2026-11-22", "alternate", ("think", "shift")
    )
    assert parse_lock(render_lock({"far": entry}), "x") == {"far": entry}


def test_messages_of_a_prompt_are_not_changed_by_folding() -> None:
    assert fold((PromptMessage("user", "Hi.", "Ana"),), STRICT) == (
        PromptMessage("user", "Ana: Hi."),
    )
