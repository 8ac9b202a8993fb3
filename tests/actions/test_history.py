"""What an act on history means for the next turn: where it goes on, and what the prompt holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actions.errors import Archived, CannotAct
from perdure.actions.history.affected_turns import affected_turns
from perdure.actions.history.rewind import find_target, plan_rewind, rewind
from perdure.actions.history.undo import next_redo, next_undo, perform_step
from perdure.actions.workspace import Workspace
from perdure.chat.events import Saved
from perdure.chat.session import Session
from perdure.companion.conversation.chunk import chunk_path, render_chunk
from perdure.companion.ids import ConversationId, TurnId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from perdure.git.operations.branches import switch
from perdure.git.repository.repository import Repository
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.revisions.ahead import ahead, commits_ahead
from tests.conftest import assert_sound, git
from tests.lives import BEGIN, make_life
from tests.speaking import Scripted


async def talk(path: Path, *texts: str, dead: bool = False) -> tuple[list[TurnId], list[str]]:
    """Say some things; the turns, and the words of the last prompt."""
    backend = Scripted(reply=(lambda _: "") if dead else (lambda p: f"I heard: {p[-1].content}"))
    session = await Session.open(path, backends=[backend])
    try:
        saved = [
            event.turn_id
            for text in texts
            async for event in session.send(text)
            if isinstance(event, Saved)
        ]
        return saved, [message.content for message in backend.asked[-1].messages]
    finally:
        await session.close()


def begins_after(path: Path, turn: TurnId) -> TurnId | None:
    """The turn that the conversation of another goes on from."""
    with Repository.open(path, recover=False) as repo:
        transcript = Transcript(repo, "HEAD")
        found = transcript.find(turn.conversation)
        assert found is not None
        head = transcript.head(found.first_chunk)
        return head.continues if head else None


def edit(path: Path, name: str, text: str) -> str:
    (path / name).write_text(text)
    git(path, "add", "-A")
    git(path, "commit", "-qm", f"persona: {name}")
    return git(path, "rev-parse", "HEAD").strip()


@pytest.fixture
def life(tmp_path: Path) -> Path:
    """Two conversations that ended months ago."""
    path = tmp_path / "mira"
    make_life(path, 40)
    return path


async def test_a_rewind_goes_on_from_its_turn_however_long_ago(life: Path) -> None:
    with Workspace.open(life) as workspace:
        plan = plan_rewind(workspace, "@-30")
        rewind(workspace, plan)
    assert plan.ahead.turns == 30
    (turn,), prompt = await talk(life, "From here.")
    assert begins_after(life, turn) == plan.target.turn
    with Repository.open(life, recover=False) as repo:
        kept = Transcript(repo, "HEAD")
        dropped = Transcript(repo, "main")
    said, here = (
        {turn.message.text for at in range(len(t.chunks)) for turn in t.turns(at) if turn.message}
        for t in (dropped, kept)
    )
    assert len(said - here) == 30
    assert not {words for words in prompt if words in said - here}
    assert_sound(life)


async def test_going_away_and_back_changes_nothing_for_the_next_message(life: Path) -> None:
    with Workspace.open(life) as workspace:
        plan = plan_rewind(workspace, "@-30", "again")
        rewind(workspace, plan)
        switch(workspace.repo, "main", author=workspace.author)
        switch(workspace.repo, "again", author=workspace.author)
    (first, second), _ = await talk(life, "From here.", "And on.")
    assert begins_after(life, first) == plan.target.turn
    assert second == TurnId(first.conversation, 2)


async def test_after_an_undo_the_talk_goes_on_from_the_turn_before(life: Path) -> None:
    with Workspace.open(life) as workspace:
        before = find_target(workspace.repo, "@-1").turn
        perform_step(workspace, next_undo(workspace))
    (turn,), _ = await talk(life, "Anew.")
    assert begins_after(life, turn) == before
    with Workspace.open(life) as workspace, pytest.raises(CannotAct):
        plan_rewind(workspace, "@")


async def test_undo_and_redo_bring_the_same_conversation_back(companion: Path) -> None:
    await talk(companion, "One.", "Two.")
    with Workspace.open(companion) as workspace:
        step = next_undo(workspace)
        assert step.is_safe
        assert step.hidden.turns == 1
        perform_step(workspace, step)
        perform_step(workspace, next_redo(workspace))
    (turn,), prompt = await talk(companion, "Three.")
    assert "Two." in prompt
    assert turn.number in {1, 3}
    assert_sound(companion)


async def test_a_rewind_to_a_turn_that_was_answered_later_has_its_answer(companion: Path) -> None:
    await talk(companion, "One.")
    await talk(companion, "Are you there?", dead=True)
    session = await Session.open(companion, backends=[Scripted()])
    async for _ in session.resume():
        pass
    await session.close()
    await talk(companion, "Three.")
    with Workspace.open(companion) as workspace:
        plan = plan_rewind(workspace, "@-1")
        rewind(workspace, plan)
    _, prompt = await talk(companion, "Other.")
    assert "I heard: Are you there?" in prompt
    assert "Three." not in prompt


async def test_an_import_can_be_gone_on_from_in_its_middle(companion: Path) -> None:
    identity = ConversationId.begin(BEGIN, "0123abcd")
    head = ChunkHead(identity, 1, "Old", ("Ana", "Mira"), started=BEGIN)
    turns = [
        Turn(n, Message("Ana", f"Old {n}.", BEGIN), (Reply("Mira", f"Yes {n}.", BEGIN),))
        for n in range(1, 6)
    ]
    target = companion / chunk_path(identity, 1, BEGIN.date())
    target.parent.mkdir(parents=True)
    target.write_bytes(render_chunk(head, turns))
    git(companion, "add", "-A")
    git(companion, "commit", "-qm", "import: an old talk")
    with Workspace.open(companion) as workspace:
        plan = plan_rewind(workspace, f"{identity}/3")
        assert plan.later == 2
        rewind(workspace, plan)
    (turn,), prompt = await talk(companion, "And then?")
    assert begins_after(companion, turn) == TurnId(identity, 3)
    assert "Old 3." in prompt
    assert "Old 4." not in prompt
    assert_sound(companion)


async def test_places_are_found_by_turn_date_and_revision(life: Path) -> None:
    with Workspace.open(life) as workspace:
        last = find_target(workspace.repo, "@")
        assert last.turn is not None
        assert find_target(workspace.repo, "today") == last
        assert find_target(workspace.repo, str(last.turn)) == last
        assert find_target(workspace.repo, str(last.turn.number)) == last
        assert find_target(workspace.repo, last.turn.conversation.hex).turn == TurnId(
            last.turn.conversation, 1
        )
        assert find_target(workspace.repo, "HEAD~1") == find_target(workspace.repo, "@-1")
        assert find_target(workspace.repo, f"{BEGIN:%Y-%m-%d}") == last


async def test_turns_made_under_a_change_are_those_on_top_of_it(companion: Path) -> None:
    await talk(companion, "Before.")
    git(companion, "branch", "side")
    change = edit(companion, "persona/20-voice.md", "LOUD.\n")
    (under,), _ = await talk(companion, "Under it.")
    git(companion, "switch", "-q", "side")
    await talk(companion, "Beside it.")
    git(companion, "switch", "-q", "main")
    git(companion, "merge", "-q", "--no-edit", "side")
    (later,), _ = await talk(companion, "After both.")
    with Repository.open(companion, recover=False) as repo:
        tip = repo.resolve("HEAD")
        found = affected_turns(repo, repo.commits.parents(change), change, tip)
        listed = {info.id for info in commits_ahead(repo, tip, [change])}
        counted = ahead(repo, tip, [change])
    assert set(found) == {under, later}
    assert listed == set(git(companion, "rev-list", f"{change}..HEAD").split())
    assert counted.turns == 3


async def test_one_in_the_archive_is_not_talked_to(companion: Path) -> None:
    text = (companion / "companion.yaml").read_text()
    (companion / "companion.yaml").write_text(f"{text}archived: yes\n")
    with pytest.raises(Archived, match="archive --reopen"):
        await talk(companion, "Are you there?")
    (companion / "companion.yaml").write_text(text)
    turns, _ = await talk(companion, "Are you there?")
    assert len(turns) == 1
    assert_sound(companion)
