"""Earlier turns in the next prompt, and that nothing about them holds up a turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.chat.events import Failed, Saved
from perdure.chat.session import Session
from perdure.notice import Notice
from perdure.recall import RecallIndex
from tests.chat.test_session import events_of, talk, trailers
from tests.conftest import git
from tests.speaking import Scripted


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not look like an index that is far behind."""
    monkeypatch.setattr("perdure.chat.reply.recall.WAIT", 60.0)


async def ask(path: Path, text: str) -> tuple[list[object], Scripted]:
    """Say something in a conversation of its own."""
    backend = Scripted()
    session = await Session.open(path, backends=[backend])
    session.new_conversation()
    events = await events_of(session.send(text))
    await session.close()
    return list(events), backend


@pytest.fixture
async def remembers(companion: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A life that is too long to be sent as a whole."""
    monkeypatch.setattr("perdure.snapshot.conversation.merged_thread.MOST_TURNS", 0)
    await talk(companion, "My sister Eva paints boats in Porto.", "Good night.")
    return companion


async def test_an_earlier_turn_is_quoted_before_the_message(remembers: Path) -> None:
    _, backend = await ask(remembers, "Where does Eva paint her boats?")
    newest = backend.asked[-1].messages[-1]
    assert newest.role == "user"
    assert "\n> Ana: My sister Eva paints boats in Porto.\n" in newest.content
    assert newest.content.endswith("\n\nWhere does Eva paint her boats?")
    assert trailers(remembers)["Recalled"]


async def test_what_is_sent_anyway_or_set_aside_is_not_recalled(remembers: Path) -> None:
    from perdure.actions.memory.exclude import exclude_turns, plan_exclude
    from perdure.actions.workspace import Workspace

    await talk(remembers, "What does Eva paint?")
    assert "Recalled" not in trailers(remembers)
    with Workspace.open(remembers) as workspace:
        exclude_turns(workspace, plan_exclude(workspace, "1"))
    _, backend = await ask(remembers, "Eva paints boats?")
    assert "Porto" not in backend.asked[-1].messages[-1].content


async def test_recall_can_be_switched_off(remembers: Path) -> None:
    file = remembers / "companion.yaml"
    file.write_text(f"{file.read_text()}\nmemory:\n  recall: off\n")
    await ask(remembers, "Where does Eva paint her boats?")
    assert "Recalled" not in trailers(remembers)


async def test_another_branch_is_not_recalled(remembers: Path) -> None:
    git(remembers, "switch", "-q", "-c", "other", "HEAD~2")
    _, backend = await ask(remembers, "Where does Eva paint her boats?")
    assert "Porto" not in backend.asked[-1].messages[-1].content


async def test_an_index_that_is_far_behind_delays_no_turn(
    remembers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, update = threading.Event(), RecallIndex.update

    def slowly(index: RecallIndex, rev: str, progress: Callable[[int, int], None]) -> int:
        progress(0, 3000)
        level.wait()
        return update(index, rev, progress)

    monkeypatch.setattr(RecallIndex, "update", slowly)
    monkeypatch.setattr("perdure.chat.reply.recall.WAIT", 0.01)
    session = await Session.open(remembers, backends=[Scripted()])
    first = await events_of(session.send("What does Eva paint?"))
    second = await events_of(session.send("And where?"))
    level.set()
    await session.close()
    behind = [
        e for e in first + second if isinstance(e, Notice) and "Recall is still reading" in e.text
    ]
    assert len(behind) == 1
    assert [type(e) for e in (first[-1], second[-1])] == [Saved, Saved]


async def test_a_failing_index_fails_no_turn(
    remembers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(RecallIndex, "update", broken)
    events, _ = await ask(remembers, "What does Eva paint?")
    assert isinstance(events[-1], Saved)
    assert not [e for e in events if isinstance(e, Failed)]
    assert [e for e in events if isinstance(e, Notice) and "on fire" in e.text]
