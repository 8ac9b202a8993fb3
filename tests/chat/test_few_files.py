"""The system lets few files be open: it is told, no word is lost, and a long talk needs few."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.chat.events import Failed, MessageKept, Saved
from perdure.chat.session import Session
from perdure.git.errors import NoMoreFiles
from perdure.git.repository.repository import Repository
from tests.chat.test_session import events_of, life, talk
from tests.conftest import assert_sound
from tests.speaking import Scripted


@contextlib.contextmanager
def free_files(count: int) -> Iterator[None]:
    """This process may open so many files more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/dev/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + count + 2, limits[1]))
    held = []
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(held.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for fd in held:
            os.close(fd)


@pytest.mark.parametrize("count", range(16))
async def test_it_is_told_and_the_next_turn_has_everything(companion: Path, count: int) -> None:
    await talk(companion, "First.", "Second.")
    session = await Session.open(companion, backends=[Scripted()])
    with free_files(count):
        events = await events_of(session.send("With few."))
    saved = any(isinstance(event, Saved) for event in events)
    assert saved or "too many files are open" in getattr(events[-1], "what", "")
    await events_of(session.send("With many."))
    await session.close()
    said = [turn.message.text for turn in life(companion) if turn.message]
    kept = any(isinstance(event, MessageKept) for event in events)
    assert said == ["First.", "Second.", *(["With few."] if kept else []), "With many."]
    assert_sound(companion)


@pytest.mark.parametrize("count", range(12))
async def test_no_object_is_called_missing(companion: Path, count: int) -> None:
    await talk(companion, "First.", "Second.")
    with free_files(count):
        try:
            with Repository.open(companion, recover=False) as repo:
                assert repo.commit_info("HEAD").subject == "turn: Second."
        except NoMoreFiles:
            pass


async def test_a_long_talk_needs_few(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    with free_files(20):
        for number in range(31):
            events = await events_of(session.send(f"Number {number}."))
            assert not [event for event in events if isinstance(event, Failed)]
    await session.close()
    assert_sound(companion)
