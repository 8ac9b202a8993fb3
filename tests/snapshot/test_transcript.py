"""The order of conversations that begin within one second, as scripts have them begin."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from perdure.chat.session import Session
from perdure.companion.names import title_from
from perdure.git.errors import MissingObject
from perdure.git.objects.tree import Entry
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.conversation.transcript import Transcript, last_turn
from tests.chat.test_session import events_of, talk
from tests.conftest import copied, git
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


async def test_a_refresh_lists_the_folder_only_where_a_conversation_changed(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(companion, "Good morning.")
    with Repository.open(companion) as repo:
        transcript = Transcript(repo, repo.head().commit)
        listings: list[str] = []
        files = Repository.files

        def counted(
            self: Repository, prefix: str = "", rev: str | None = None, *, most: int | None = None
        ) -> list[Entry]:
            listings.append(prefix)
            return files(self, prefix, rev, most=most)

        monkeypatch.setattr(Repository, "files", counted)
        note = Change("notes.md", b"Tea.\n")
        ana = Author("Ana", "ana@example.org")
        transcript.refresh(repo.commit([note], message="Tea", author=ana, branch="main"))
        assert "conversations" not in listings
        await talk(companion, "Are you there?")
        listings.clear()
        transcript.refresh(repo.head().commit)
        assert listings == ["conversations"]
        (conversation,) = transcript.conversations()
        last = last_turn(transcript, conversation)
        assert last is not None
        assert last.message is not None
        assert last.message.text == "Are you there?"


async def test_a_folder_that_cannot_be_read_fails_each_time(companion: Path) -> None:
    await talk(companion, "Good morning.")
    month = f"040000 tree {'5' * 40}\t2026-11\n"
    folder = git(companion, "mktree", "--missing", data=month).strip()
    root = git(companion, "mktree", data=f"040000 tree {folder}\tconversations\n").strip()
    damaged = git(companion, "commit-tree", "-m", "A lost folder", root).strip()
    with Repository.open(companion) as repo:
        transcript = Transcript(repo, "HEAD")
        for _ in range(2):
            with pytest.raises(MissingObject):
                transcript.refresh(damaged)
