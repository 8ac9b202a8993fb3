"""Other answers to a turn: asked for, listed, chosen, and recovered after a crash."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.actions.errors import CannotAct
from perdure.actions.history.undo import next_undo, perform_step
from perdure.actions.memory.exclude import exclude_turns, plan_exclude
from perdure.actions.turns.answers import choose, list_answers, plan_choice
from perdure.actions.turns.correct import correct, find_words
from perdure.actions.turns.regenerate import plan_regenerate
from perdure.actions.workspace import Workspace
from perdure.backends.errors import ConnectionRefused, StreamCut
from perdure.chat.errors import TurnRunning
from perdure.chat.events import (
    Event,
    Failed,
    Greeted,
    MessageKept,
    Saved,
)
from perdure.chat.session import Session
from perdure.companion.ids import TurnId
from perdure.companion.turns import Turn
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.prompt import Choice, PastTurn, assemble
from perdure.snapshot.companion import read_companion
from perdure.snapshot.conversation.thread import thread
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.errors import UnknownTurn
from perdure.snapshot.excluded import read_excluded
from perdure.snapshot.prompt_inputs import prompt_inputs
from tests.chat.test_session import events_of, life, talk, trailers
from tests.conftest import assert_sound, git
from tests.processes import started
from tests.speaking import Scripted


def counting(start: int = 1) -> Scripted:
    """Replies with another text each time."""
    numbers = iter(range(start, 1000))
    return Scripted(reply=lambda prompt: f"Reply {next(numbers)} to {prompt[-1].content}")


async def again(path: Path, turn: str = "", backend: Scripted | None = None) -> list[Event]:
    session = await Session.open(path, backends=[backend or counting(7)])
    try:
        return await events_of(session.regenerate(turn))
    finally:
        await session.close()


def standing(path: Path, number: int = 1) -> list[tuple[int, str]]:
    """The replies of a turn as they stand: answer and text."""
    (turn,) = [turn for turn in life(path) if turn.number == number]
    return [(reply.answer, reply.text) for reply in turn.replies]


def rows(path: Path, turn: str = "@") -> list[tuple[int, str, bool]]:
    with Workspace.open(path) as workspace:
        found = list_answers(workspace, turn).rows
    return [(row.number, row.replies[0].text, row.shown) for row in found]


def pick(path: Path, turn: str, number: int) -> None:
    with Workspace.open(path) as workspace:
        choose(workspace, plan_choice(workspace, turn, number))


def undo(path: Path) -> None:
    with Workspace.open(path) as workspace:
        perform_step(workspace, next_undo(workspace))


async def test_another_answer_stands_and_the_old_one_is_kept(companion: Path) -> None:
    session = await Session.open(companion, backends=[counting()])
    await events_of(session.send("Hello."))
    events = await events_of(session.regenerate())
    (saved,) = [event for event in events if isinstance(event, Saved)]
    assert not any(isinstance(event, MessageKept) for event in events)
    assert [(r.answer, r.text) for r in saved.turn.replies] == [(2, "Reply 2 to Hello.")]
    await events_of(session.send("More."))
    await session.close()

    assert [turn.number for turn in life(companion)] == [0, 1, 2]
    assert standing(companion) == [(2, "Reply 2 to Hello.")]
    assert rows(companion, "1") == [
        (1, "Reply 1 to Hello.", False),
        (2, "Reply 2 to Hello.", True),
    ]
    facts = trailers(companion, "HEAD~1")
    assert (facts["Turn"], facts["Answer"]) == (str(saved.turn_id), "2")
    assert facts["Backend"] == "scripted"
    changed = git(companion, "show", "--name-only", "--format=", "HEAD~1").split()
    assert sorted(path.split("/")[0] for path in changed) == ["alternatives", "conversations"]
    assert_sound(companion)
    undo(companion)
    undo(companion)
    assert rows(companion) == [(1, "Reply 1 to Hello.", True)]
    assert_sound(companion)


async def test_the_prompt_of_another_answer_does_not_hold_the_old_one(companion: Path) -> None:
    await talk(companion, "One.", "Two.", backend=counting())
    backend = counting(7)
    await again(companion, backend=backend)
    words = [message.content for message in backend.asked[0].messages]
    assert words[-1] == "Two."
    assert "Reply 1 to One." in words
    assert not any("Reply 2" in text for text in words)


async def test_further_up_a_branch_begins(companion: Path) -> None:
    await talk(companion, "One.", "Two.", "Three.", backend=counting())
    before = git(companion, "rev-parse", "main")
    with Workspace.open(companion) as workspace:
        plan = plan_regenerate(workspace, "2")
    assert plan.rewind is not None
    assert any("1 turn" in line for line in plan.describe())
    events = await again(companion, "2")
    assert git(companion, "rev-parse", "main") == before
    branch = git(companion, "branch", "--show-current").strip()
    assert branch.startswith("rewind-")
    assert any(isinstance(e, Notice) and "perdure switch main" in e.text for e in events)
    assert [turn.number for turn in life(companion)] == [0, 1, 2]
    assert rows(companion) == [(1, "Reply 2 to Two.", False), (2, "Reply 7 to Two.", True)]
    assert_sound(companion)

    backend = Scripted()
    (saved,) = await talk(companion, "On.", backend=backend)
    assert saved.turn_id.number == 1  # a conversation of its own: no id comes twice
    assert [m.content for m in backend.asked[0].messages][-2:] == ["Reply 7 to Two.", "On."]
    for _ in range(3):
        undo(companion)
    assert git(companion, "branch", "--show-current").strip() == "main"
    assert git(companion, "rev-parse", "main") == before
    assert_sound(companion)


async def test_nothing_came_and_all_is_as_it_was(companion: Path) -> None:
    await talk(companion, "One.", "Two.", backend=counting())
    before = git(companion, "for-each-ref", "refs/heads") + git(companion, "symbolic-ref", "HEAD")
    down = Scripted(failure=ConnectionRefused("refused"), fail_after=-1)
    for turn in ("", "1"):
        events = await again(companion, turn, down)
        assert isinstance(events[-1], Failed)
        assert events[-1].kept == "Everything is as it was before."
        assert "--resume" not in events[-1].next_step
        after = git(companion, "for-each-ref", "refs/heads") + git(
            companion, "symbolic-ref", "HEAD"
        )
        assert after == before
    await talk(companion, "Three.")
    assert [turn.number for turn in life(companion)] == [0, 1, 2, 1]
    assert_sound(companion)


async def test_a_cut_answer_is_kept_and_the_old_one_too(companion: Path) -> None:
    await talk(companion, "One.", backend=counting())
    cut = Scripted(failure=StreamCut("cut"), fail_after=2)
    await again(companion, backend=cut)
    (turn,) = [turn for turn in life(companion) if turn.number == 1]
    assert turn.replies[0].interrupted
    assert rows(companion)[0] == (1, "Reply 1 to One.", False)
    assert_sound(companion)


async def test_one_reply_at_a_time(companion: Path) -> None:
    await talk(companion, "One.")
    backend = Scripted(hold_after=2, step=3)
    session = await Session.open(companion, backends=[backend])
    running = asyncio.create_task(events_of(session.regenerate()))
    await backend.held.wait()
    with pytest.raises(TurnRunning):
        await events_of(session.regenerate())
    session.stop()
    await running
    with pytest.raises(UnknownTurn):
        await events_of(session.regenerate("99"))
    await session.close()
    assert [answer for answer, _, _ in rows(companion)] == [1, 2]


async def test_choose_swaps_the_last(companion: Path) -> None:
    await talk(companion, "One.", backend=counting())
    await again(companion)
    pick(companion, "@", 1)
    assert standing(companion) == [(1, "Reply 1 to One.")]
    assert rows(companion)[1] == (2, "Reply 7 to One.", False)
    assert git(companion, "log", "-1", "--format=%an %s") == "Ana edit: answer 1 to “One.”\n"
    with Workspace.open(companion) as workspace:
        with pytest.raises(CannotAct, match="already the one shown"):
            plan_choice(workspace, "@", 1)
        with pytest.raises(CannotAct, match="no answer 3"):
            plan_choice(workspace, "@", 3)
    undo(companion)
    assert standing(companion) == [(2, "Reply 7 to One.")]
    assert_sound(companion)


async def test_choose_further_up_begins_a_branch(companion: Path) -> None:
    await talk(companion, "One.", backend=counting())
    await again(companion)
    await talk(companion, "Two.", backend=counting(20))
    assert [turn.number for turn in life(companion)] == [0, 1, 2]
    pick(companion, "1", 1)
    assert git(companion, "branch", "--show-current").startswith("rewind-")
    assert [turn.number for turn in life(companion)] == [0, 1]
    assert standing(companion) == [(1, "Reply 1 to One.")]
    assert "Two." in git(companion, "show", "main")
    backend = Scripted()
    await talk(companion, "On.", backend=backend)
    assert "Reply 1 to One." in [m.content for m in backend.asked[0].messages]
    assert_sound(companion)


async def test_greetings_are_the_answers_to_turn_0(companion: Path) -> None:
    (companion / "persona/greetings/20-other.md").write_text("Well, hello there.\n")
    git(companion, "add", "-A")
    git(companion, "commit", "-qm", "persona: another greeting")
    session = await Session.open(companion, backends=[Scripted()])
    first, second = session.opening(), session.next_greeting()
    assert first is not None
    assert second is not None
    assert first.text != second.text
    await events_of(session.send("Hi."))
    assert session.next_greeting() is None
    assert life(companion)[0].replies[0].text == second.text

    before = git(companion, "rev-parse", "main")
    events = await events_of(session.regenerate("0"))
    await session.close()
    (greeted,) = [event for event in events if isinstance(event, Greeted)]
    assert greeted.reply.text != second.text
    assert git(companion, "rev-parse", "main") == before
    assert [turn.number for turn in life(companion)] == [0]
    listed = rows(companion, "0")
    assert sum(is_shown for _, _, is_shown in listed) == 1
    other = next(number for number, _, is_shown in listed if not is_shown)
    pick(companion, "0", other)
    assert [number for number, _, is_shown in rows(companion, "0") if is_shown] == [other]
    (saved,) = await talk(companion, "Now.")
    assert saved.turn_id.number == 1
    assert_sound(companion)


async def test_words_are_corrected_while_a_reply_is_written(companion: Path) -> None:
    """Another session's hand: its turn goes on in a conversation of its own, none is doubled."""
    await talk(companion, "One.", backend=counting())
    backend = Scripted(hold_after=1)
    session = await Session.open(companion, backends=[backend])
    running = asyncio.create_task(events_of(session.send("Two.")))
    await backend.held.wait()
    with Workspace.open(companion) as workspace:
        correct(workspace, find_words(workspace, "1"), "Une.")
    session.stop()
    await running
    backend.hold_after = None
    await events_of(session.send("Three."))
    await session.close()
    said = [turn.message.text for turn in life(companion) if turn.message]
    assert sorted(said) == ["Three.", "Two.", "Une."]
    heads = git(companion, "grep", "-h", "^continues: ", "HEAD", "--", "conversations")
    assert len(heads.splitlines()) == 1
    assert_sound(companion)


async def test_a_session_corrects_in_place_and_talks_on(companion: Path) -> None:
    session = await Session.open(companion, backends=[counting()])
    await events_of(session.send("One."))
    await session.act(lambda workspace: correct(workspace, find_words(workspace, "@"), "Une."))
    (saved,) = [e for e in await events_of(session.send("Two.")) if isinstance(e, Saved)]
    await session.close()
    assert saved.turn_id.number == 2
    assert_sound(companion)


async def test_an_answer_meets_a_turn_that_was_corrected_meanwhile(companion: Path) -> None:
    await talk(companion, "One.", backend=counting())
    backend = Scripted(hold_after=1)
    session = await Session.open(companion, backends=[backend])
    running = asyncio.create_task(events_of(session.regenerate()))
    await backend.held.wait()
    with Workspace.open(companion) as workspace:
        correct(workspace, find_words(workspace, "1"), "Une.")
    session.stop()
    await running
    await session.close()
    (turn,) = [turn for turn in life(companion) if turn.number == 1]
    assert turn.message is not None
    assert turn.message.text == "Une."
    assert [row[0] for row in rows(companion)] == [1, 2]
    assert_sound(companion)


async def test_a_branch_that_git_switched_meanwhile_keeps_the_answer(companion: Path) -> None:
    await talk(companion, "One.", backend=counting())
    git(companion, "branch", "other")
    backend = Scripted(hold_after=1)
    session = await Session.open(companion, backends=[backend])
    running = asyncio.create_task(events_of(session.regenerate()))
    await backend.held.wait()
    git(companion, "switch", "-q", "other")
    session.stop()
    await running
    await session.close()
    assert rows(companion) == [(1, "Reply 1 to One.", True)]
    git(companion, "switch", "-q", "main")
    assert [row[0] for row in rows(companion)] == [1, 2]
    assert_sound(companion)


async def test_an_answer_is_landed_beside_a_file_that_is_being_edited(companion: Path) -> None:
    await talk(companion, "One.", backend=counting())
    path = companion / git(companion, "ls-files", "conversations").strip()
    edited = path.read_text().replace("> One.", "> Une.")
    path.write_text(edited)
    await again(companion)
    assert path.read_text() == edited
    assert [row[0] for row in rows(companion)] == [1, 2]


async def test_a_past_prompt_is_rebuilt_from_its_commit(companion: Path) -> None:
    await talk(companion, "One.", "Two.", "Three.", backend=counting())
    with Workspace.open(companion) as workspace:
        exclude_turns(workspace, plan_exclude(workspace, "2"))
    await talk(companion, "Four.", backend=counting(20))
    await again(companion, backend=counting(30))
    with Workspace.open(companion) as workspace:
        exclude_turns(workspace, plan_exclude(workspace, "2", back=True))
        exclude_turns(workspace, plan_exclude(workspace, "1"))
    await talk(companion, "Five.")
    for rev in git(companion, "rev-list", "HEAD").split():
        facts = trailers(companion, rev)
        if "Prompt" in facts:
            assert replayed(companion, rev, facts) == facts["Prompt"], rev


def replayed(path: Path, rev: str, facts: dict[str, str]) -> str:
    """The hash of a prompt, from nothing but the tree of its commit and the trailers."""
    turn_id = TurnId.parse(facts["Turn"])
    with Repository.open(path, recover=False) as repo:
        transcript = Transcript(repo, rev)
        conversation = transcript.find(turn_id.conversation)
        assert conversation is not None
        excluded = read_excluded(repo, rev)
        past = thread(transcript, conversation, until=turn_id, excluded=excluded, keep=turn_id)
        last = past[-1].turn
        past[-1] = PastTurn(turn_id, Turn(last.number, last.message))
        companion = read_companion(repo, rev)
        inputs = prompt_inputs(companion, tuple(past))
        examples = int(facts.get("Examples", len(companion.persona.examples)))
        return assemble(inputs, Choice(TurnId.parse(facts["Window"]), examples)).digest


_KILLED = """
import asyncio, sys
from pathlib import Path
from perdure.chat.events import ReplyPiece
from perdure.chat.session import Session
from tests.speaking import Scripted

async def main() -> None:
    backend = Scripted(reply=lambda prompt: "Half of an answer", step=5, hold_after=2)
    session = await Session.open(Path(sys.argv[1]), backends=[backend])
    async for event in session.regenerate(sys.argv[2]):
        if isinstance(event, ReplyPiece):
            print(event.text, flush=True)

asyncio.run(main())
"""


def kill_while_it_answers(path: Path, turn: str) -> None:
    words = [sys.executable, "-c", _KILLED, str(path), turn]
    with started(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "Half \n"
        assert child.stdout.readline() == "of an\n"


@pytest.mark.parametrize("turn", ["", "1"])
async def test_kill_9_loses_neither_answer(companion: Path, turn: str) -> None:
    await talk(companion, "One.", "Two.", backend=counting())
    before = git(companion, "rev-parse", "main")
    await asyncio.to_thread(kill_while_it_answers, companion, turn)
    session = await Session.open(companion, backends=[Scripted()])
    assert any("alternatives" in notice.text for notice in session.notices)
    await session.close()
    number = 1 if turn else 2
    text = "Reply 1 to One." if turn else "Reply 2 to Two."
    assert rows(companion) == [(1, text, False), (2, "Half of an", True)]
    (found,) = [each for each in life(companion) if each.number == number]
    assert found.replies[0].interrupted
    if turn:
        assert git(companion, "rev-parse", "main") == before
    session = await Session.open(companion, backends=[Scripted()])
    assert not any("alternatives" in notice.text for notice in session.notices)
    await session.close()
    assert_sound(companion)
