"""Talk while a newer git puts the refs into tables, in the session's own repository."""

from __future__ import annotations

from pathlib import Path

from perdure.chat.session import Session
from perdure.notice import Notice
from tests.conftest import assert_sound, git
from tests.newer_git import NewerGit, newer_git
from tests.rescue.devices import words
from tests.speaking import Scripted

__all__ = ["newer_git"]


async def told(session: Session, text: str) -> int:
    """Say something; how often it was said that a table becomes files."""
    events = [event async for event in session.send(text)]
    found = [each for each in events if isinstance(each, Notice) and "in a table" in each.text]
    return len(found)


async def test_each_time_it_is_said_with_the_turn_that_puts_them_into_files(
    companion: Path, newer_git: NewerGit
) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    try:
        assert await told(session, "one") == 0
        for number in range(2):
            newer_git(companion, "refs", "migrate", "--ref-format=reftable")
            assert (companion / ".git" / "reftable").is_dir()
            assert await told(session, f"again {number}") == 1
            assert not (companion / ".git" / "reftable").exists()
            assert await told(session, f"and more {number}") == 0
    finally:
        await session.close()
    assert_sound(companion)
    assert git(companion, "rev-list", "--count", "--grep=^turn: ", "HEAD").strip() == "5"
    for text in ("one", "again 0", "and more 0", "again 1", "and more 1"):
        assert text in words(companion)


async def test_what_is_said_at_the_opening_is_not_said_again(
    companion: Path, newer_git: NewerGit
) -> None:
    newer_git(companion, "refs", "migrate", "--ref-format=reftable")
    session = await Session.open(companion, backends=[Scripted()])
    try:
        assert sum("in a table" in each.text for each in session.notices) == 1
        assert await told(session, "one") == 0
        newer_git(companion, "refs", "migrate", "--ref-format=reftable")
        assert await told(session, "two") == 1
    finally:
        await session.close()
    assert_sound(companion)
