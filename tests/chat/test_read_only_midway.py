"""The disk refuses something in the middle of a talk: it is told, and the words are kept."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from perdure.chat.events import Failed, ReplyStarted, Saved
from perdure.chat.session import Session
from perdure.git import disk
from perdure.git.errors import HistoryError
from tests.chat.test_session import events_of, life
from tests.conftest import assert_sound
from tests.speaking import Scripted

REFUSALS = [errno.EROFS, errno.EIO, errno.EPERM, errno.EMFILE]


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
async def test_a_journal_that_cannot_be_opened(
    companion: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A turn could not be committed, and then its journal cannot even be read."""
    take = disk.KernelLock.try_take

    def refused(lock: disk.KernelLock) -> bool:
        if lock.path.suffix in {".journal", ".lock"}:
            raise OSError(number, os.strerror(number), str(lock.path))
        return take(lock)

    session = await Session.open(companion, backends=[Scripted()])
    with monkeypatch.context() as patch:
        async for event in session.send("Cut off."):
            if isinstance(event, ReplyStarted):
                patch.setattr(disk.KernelLock, "try_take", refused)
        for _ in range(2):
            events = await events_of(session.send("Again."))
            assert isinstance(events[-1], Failed)
            assert events[-1].what
    await events_of(session.send("Afterwards."))
    await session.close()
    said = [turn.message.text for turn in life(companion) if turn.message]
    assert said == ["Cut off.", "Afterwards."]
    assert_sound(companion)


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
async def test_a_journal_that_cannot_be_removed(
    companion: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    unlink = Path.unlink

    def refused(path: Path, *, missing_ok: bool = False) -> None:
        if path.suffix == ".journal":
            raise OSError(number, os.strerror(number), str(path))
        unlink(path, missing_ok=missing_ok)

    session = await Session.open(companion, backends=[Scripted()])
    saved = (await events_of(session.send("Hello.")))[-1]
    assert isinstance(saved, Saved)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        await session.close()
        again = await Session.open(companion, backends=[Scripted()])
        await again.close()
    session = await Session.open(companion, backends=[Scripted()])
    await session.close()
    assert [turn.message.text for turn in life(companion) if turn.message] == ["Hello."]
    assert_sound(companion)


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
async def test_whatever_is_read_in_between_is_told(
    companion: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    session = await Session.open(companion, backends=[Scripted()])

    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(companion / ".git/HEAD"))

    with monkeypatch.context() as patch:
        patch.setattr("perdure.git.refs.refs.Refs.head", refused)
        events = await events_of(session.send("Hello."))
        assert isinstance(events[-1], Failed)
        with pytest.raises(HistoryError):
            await session.look_again()
    await events_of(session.send("Hello."))
    await session.close()
    assert_sound(companion)
