from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from perdure.chat.events import Failed
from perdure.chat.session import Session
from perdure.chat.turn.recovery import recovered_reply
from perdure.git.commit.journal_file import JournalFile
from perdure.git.repository.turn_journal import Leftover
from perdure.notice import Notice
from tests.chat.test_session import events_of, life, talk
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

CRASH = """
import os, sys
from pathlib import Path
from perdure.chat.turn.open import open_store
store, _ = open_store(Path(sys.argv[1]))
prepared = getattr(store, sys.argv[2])(*sys.argv[4:])
if sys.argv[3]:
    prepared.journal.append(sys.argv[3])
    prepared.journal.sync()
os.kill(os.getpid(), 9)
"""


def crash(path: Path, method: str, reply: str, *words: str) -> None:
    """A process that prepares a turn, streams ``reply`` into its journal and is killed."""
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(path), method, reply, *words], check=False
    )
    assert done.returncode == -9


async def reopened(path: Path) -> list[str]:
    session = await Session.open(path, backends=[Scripted()])
    told = [notice.text for notice in session.notices]
    await session.close()
    return told


@pytest.mark.parametrize("streamed", ["", "Half a repl"])
async def test_a_first_turn_cut_off_by_a_crash_is_committed(companion: Path, streamed: str) -> None:
    crash(companion, "prepare_turn", streamed, "Typed before the crash.")
    (told,) = await reopened(companion)
    assert "committed now" in told
    greeting, turn = life(companion)
    assert greeting.number == 0
    assert turn.message is not None
    assert turn.message.text == "Typed before the crash."
    assert [(r.text, r.interrupted) for r in turn.replies] == (
        [(streamed, True)] if streamed else []
    )
    assert await reopened(companion) == []
    assert_sound(companion)


async def test_a_later_turn_goes_on_in_its_conversation(companion: Path) -> None:
    (first,) = await talk(companion, "One.")
    crash(companion, "prepare_turn", "Two, half", "And two?")
    await reopened(companion)
    (third,) = await talk(companion, "Three.")
    assert third.turn_id.conversation == first.turn_id.conversation
    assert [turn.number for turn in life(companion)] == [0, 1, 2, 3]
    assert_sound(companion)


async def test_an_answer_cut_off_by_a_crash_is_added_to_its_message(companion: Path) -> None:
    crash(companion, "prepare_turn", "", "Anyone?")
    await reopened(companion)
    crash(companion, "prepare_answer", "Here I a")
    (told,) = await reopened(companion)
    assert "marked interrupted" in told
    last = life(companion)[-1]
    assert last.number == 1
    assert last.message is not None
    assert (last.replies[0].text, last.replies[0].interrupted) == ("Here I a", True)
    assert_sound(companion)


@pytest.mark.parametrize("streamed", ["", "Here I a"])
async def test_an_answer_that_goes_elsewhere_does_not_say_the_message_again(
    companion: Path, streamed: str
) -> None:
    """Without its lease the session answers in a conversation that goes on from the message."""
    crash(companion, "prepare_turn", "", "Anyone?")
    await reopened(companion)
    shutil.rmtree(companion / ".git/perdure/state/leases")
    crash(companion, "prepare_answer", streamed)
    await reopened(companion)
    turns = life(companion)
    assert [turn.message.text for turn in turns if turn.message] == ["Anyone?"]
    assert [reply.text for turn in turns[2:] for reply in turn.replies] == [streamed] * bool(
        streamed
    )
    assert_sound(companion)


async def test_what_a_crash_left_on_a_branch_lands_there(companion: Path) -> None:
    await talk(companion, "On main.")
    crash(companion, "prepare_turn", "", "Meant for main.")
    git(companion, "checkout", "-qb", "elsewhere")
    await reopened(companion)
    assert git(companion, "log", "-1", "--format=%s", "main") == "turn: Meant for main.\n"
    assert git(companion, "log", "-1", "--format=%s", "elsewhere") == "turn: On main.\n"
    assert_sound(companion)


async def test_a_turn_whose_commit_failed_lands_before_the_next_one(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    foreign = companion / ".git/refs/heads/main.lock"
    foreign.touch()
    events = await events_of(session.send("While the branch is locked."))
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert "kept" in failed.kept
    assert life(companion) == []
    foreign.unlink()
    events = await events_of(session.send("After it."))
    assert "committed now" in next(e.text for e in events if isinstance(e, Notice))
    await session.close()
    said = [turn.message.text for turn in life(companion) if turn.message]
    assert said == ["While the branch is locked.", "After it."]
    assert await reopened(companion) == []
    assert_sound(companion)


async def test_a_whole_reply_whose_commit_had_to_wait_is_committed_as_what_it_is(
    companion: Path,
) -> None:
    await talk(companion, "One.")
    held = companion / ".git/refs/heads/main.lock"
    held.touch()
    session = await Session.open(companion, backends=[Scripted()])
    events = await events_of(session.send("Two."))
    await session.close()
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert "journal" in failed.kept
    held.unlink()
    (told,) = await reopened(companion)
    assert "complete reply" in told
    (reply,) = life(companion)[-1].replies
    assert not reply.interrupted
    assert (reply.text, reply.backend, reply.model) == ("I heard: Two.", "scripted", "script-1")
    message = life(companion)[-1].message
    assert message is not None
    assert message.at is not None
    assert reply.at is not None
    assert reply.at >= message.at
    assert_sound(companion)


@pytest.mark.parametrize(
    ("end", "interrupted"),
    [
        ({"backend": "far", "model": "m", "interrupted": False}, False),
        ({"backend": 7, "model": None, "interrupted": "no", "at": "soon", "stand_in": 1}, True),
        ({"at": "2026-11-22T18:00:00", "interrupted": False}, False),
        ({}, True),
    ],
)
def test_any_record_of_an_end_is_read(end: dict[str, object], interrupted: bool) -> None:  # noqa: FBT001
    found = Leftover({"speaker": "Mira"}, "Hello.", cast("JournalFile", None), end)
    reply = recovered_reply(found)
    assert reply is not None
    assert (reply.text, reply.interrupted) == ("Hello.", interrupted)
    assert reply.at is not None
    assert reply.at.tzinfo is not None
