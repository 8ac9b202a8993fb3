from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from perdure.backends.errors import ConnectionRefused, StreamCut
from perdure.chat.errors import NothingToAnswer, TurnRunning
from perdure.chat.events import (
    Event,
    Failed,
    Greeted,
    MessageKept,
    ReplyPiece,
    ReplyStarted,
    Saved,
)
from perdure.chat.session import Session
from perdure.companion.turns import Turn
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.conversation.transcript import Transcript
from tests.conftest import assert_sound, copied, git
from tests.speaking import Scripted


async def events_of(stream: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in stream]


async def talk(path: Path, *texts: str, backend: Scripted | None = None) -> list[Saved]:
    session = await Session.open(path, backends=[backend or Scripted()])
    try:
        saved = []
        for text in texts:
            saved += [e for e in await events_of(session.send(text)) if isinstance(e, Saved)]
        return saved
    finally:
        await session.close()


def life(path: Path) -> list[Turn]:
    with Repository.open(path, recover=False) as repo:
        transcript = Transcript(repo, "HEAD")
        return [turn for at in range(len(transcript.chunks)) for turn in transcript.turns(at)]


def trailers(path: Path, rev: str = "HEAD") -> dict[str, str]:
    text = git(path, "log", "-1", "--format=%(trailers:only,unfold)", rev)
    return dict(line.split(": ", 1) for line in text.splitlines() if line)


async def test_a_first_turn_is_one_commit_with_greeting_message_and_reply(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    opening = session.opening()
    assert opening is not None
    events = await events_of(session.send("Do you remember the river?"))
    await session.close()

    kinds = [type(event) for event in events if not isinstance(event, ReplyPiece)]
    assert kinds == [Greeted, MessageKept, ReplyStarted, Saved]
    assert "".join(e.text for e in events if isinstance(e, ReplyPiece)) == (
        "I heard: Do you remember the river?"
    )
    saved = events[-1]
    assert isinstance(saved, Saved)
    assert saved.commit == git(companion, "rev-parse", "main").strip()
    greeting, turn = life(companion)
    assert (greeting.number, greeting.replies[0].text) == (0, opening.text)
    assert turn == saved.turn
    assert git(companion, "log", "--format=%an <%ae> %s", "-1") == (
        "Mira <mira@companion.invalid> turn: Do you remember the river?\n"
    )
    changed = git(companion, "show", "--name-only", "--format=", "HEAD").split()
    assert [path.split("/")[0] for path in changed] == ["conversations"]
    assert_sound(companion)


async def test_trailers_say_what_the_tree_does_not(companion: Path) -> None:
    (saved,) = await talk(companion, "Hello.")
    facts = trailers(companion)
    assert facts["Turn"] == str(saved.turn_id)
    assert facts["Backend"] == "scripted"
    assert facts["Model"] == "script-1"
    assert facts["Fingerprint"] == "0123456789abcdef"
    assert facts["Assembly"] == "3"
    assert facts["Window"] == f"{saved.turn_id.conversation}/0"
    assert len(facts["Prompt"]) == 32
    assert facts["Tokens"].count("+") == 1
    assert "Base" not in facts


async def test_talk_goes_on_in_the_same_conversation_after_a_restart(companion: Path) -> None:
    first = await talk(companion, "One.", "Two.")
    backend = Scripted()
    (third,) = await talk(companion, "Three.", backend=backend)
    assert third.turn_id.conversation == first[0].turn_id.conversation
    assert [turn.number for turn in life(companion)] == [0, 1, 2, 3]
    said = [m.content for m in backend.asked[0].messages if m.role == "user"]
    assert said == ["One.", "Two.", "Three."]


async def test_a_new_conversation_has_a_greeting_of_its_own(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    await events_of(session.send("One."))
    first = session.info.conversation
    session.new_conversation()
    assert session.opening() is not None
    await events_of(session.send("Two."))
    assert session.info.conversation != first
    await session.close()
    assert [turn.number for turn in life(companion)] == [0, 1, 0, 1]
    with Repository.open(companion, recover=False) as repo:
        transcript = Transcript(repo, "main")
        heads = [transcript.head(at) for at in range(2)]
    assert [head.continues for head in heads if head] == [None, None]


async def test_stopping_keeps_the_part_that_came_marked_interrupted(companion: Path) -> None:
    backend = Scripted(reply=lambda _: "A long reply that is cut.", hold_after=2)
    session = await Session.open(companion, backends=[backend])
    seen: list[Event] = []
    async for event in session.send("Tell me all."):
        seen.append(event)
        if sum(isinstance(e, ReplyPiece) for e in seen) == 2:
            session.stop()
    await session.close()
    saved = seen[-1]
    assert isinstance(saved, Saved)
    (reply,) = saved.turn.replies
    assert (reply.text, reply.interrupted) == ("A long reply t"[:14], True)
    assert life(companion)[-1] == saved.turn
    assert int(trailers(companion)["Tokens"].partition("+")[2]) > 0, "nobody counted them"
    assert_sound(companion)


async def test_a_face_that_goes_away_in_mid_reply_loses_nothing(companion: Path) -> None:
    backend = Scripted(reply=lambda _: "Some words, then silence.", hold_after=1)
    session = await Session.open(companion, backends=[backend])
    stream = session.send("Hello?")
    async for event in stream:
        if isinstance(event, ReplyPiece):
            break
    assert isinstance(stream, AsyncGenerator)
    await stream.aclose()
    await session.close()
    last = life(companion)[-1]
    assert last.message is not None
    assert last.message.text == "Hello?"
    assert last.replies[0].interrupted
    assert_sound(companion)


async def test_a_dead_backend_keeps_the_message_and_resume_answers_it(companion: Path) -> None:
    dead = Scripted(failure=ConnectionRefused("nobody listens"), fail_after=-1)
    session = await Session.open(companion, backends=[dead])
    events = await events_of(session.send("Are you there?"))
    assert [type(e) for e in events[-2:]] == [Saved, Failed]
    assert life(companion)[-1].unanswered
    assert session.unanswered == "Are you there?"
    await session.close()
    assert_sound(companion)

    session = await Session.open(companion, backends=[Scripted()])
    assert session.unanswered == "Are you there?"
    (saved,) = [e for e in await events_of(session.resume()) if isinstance(e, Saved)]
    assert session.unanswered == ""
    with pytest.raises(NothingToAnswer):
        await events_of(session.resume())
    await session.close()
    turns = life(companion)
    assert [turn.number for turn in turns] == [0, 1]
    assert turns[1].replies[0].text == "I heard: Are you there?"
    assert saved.turn_id.number == 1
    assert_sound(companion)


async def test_a_stream_that_breaks_keeps_what_came(companion: Path) -> None:
    cut = Scripted(
        reply=lambda _: "Half of this arrives.", failure=StreamCut("the line broke"), fail_after=2
    )
    session = await Session.open(companion, backends=[cut])
    events = await events_of(session.send("Go on."))
    await session.close()
    saved, failed = events[-2:]
    assert isinstance(saved, Saved)
    assert isinstance(failed, Failed)
    assert saved.turn.replies[0].interrupted
    assert life(companion)[-1].replies[0].text == "Half of this a"[:14]


async def test_the_next_message_after_an_unanswered_one_carries_both(companion: Path) -> None:
    dead = Scripted(failure=ConnectionRefused("nobody listens"), fail_after=-1)
    await talk(companion, "First.", backend=dead)
    backend = Scripted()
    await talk(companion, "Second.", backend=backend)
    assert backend.asked[0].messages[-1].content == "First.\n\nSecond."


async def test_a_second_message_during_a_reply_is_refused(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted(hold_after=1)])
    async for event in session.send("One."):
        if isinstance(event, ReplyPiece):
            with pytest.raises(TurnRunning):
                await events_of(session.send("Two."))
            session.stop()
    await session.close()
    assert [t.message.text for t in life(companion) if t.message] == ["One."]


async def test_an_edit_made_in_an_editor_is_committed_apart_by_the_human(companion: Path) -> None:
    (companion / "persona/20-voice.md").write_text("# Voice\n\nSpeak plainly.\n")
    backend = Scripted()
    session = await Session.open(companion, backends=[backend])
    events = await events_of(session.send("Hello."))
    await session.close()
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == ["Your edit of 20-voice.md was committed on its own."]
    assert git(companion, "log", "-3", "--format=%an %s").splitlines() == [
        "Mira turn: Hello.",
        "Mira backend: scripted is first seen here, running 0123456789abcdef",
        "Ana persona: 20-voice.md: “Speak plainly.”",
    ]
    assert "Speak plainly." in backend.asked[0].messages[0].content
    assert_sound(companion)


async def test_a_broken_edit_is_held_named_and_not_used(companion: Path) -> None:
    text = (companion / "companion.yaml").read_text()
    (companion / "companion.yaml").write_text(text + "context: [\n")
    session = await Session.open(companion, backends=[Scripted()])
    events = await events_of(session.send("Hello."))
    await session.close()
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.level == "warning"
    assert "companion.yaml:" in notice.text
    assert isinstance(events[-1], Saved)
    assert git(companion, "status", "--porcelain") == " M companion.yaml\n"


def chunk_at_tip(path: Path) -> Path:
    """The file of the chunk that the last commit touched."""
    return path / git(path, "show", "--name-only", "--format=", "HEAD").strip()


async def test_a_chunk_that_a_hand_edits_is_not_appended_to(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    await events_of(session.send("One."))
    chunk = chunk_at_tip(companion)
    chunk.write_text(chunk.read_text().replace("> One.", "> One, mended."))
    events = await events_of(session.send("Two."))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert sum("was edited by hand" in text for text in told) == 1
    second = chunk_at_tip(companion)
    assert second != chunk
    assert "continues:" in second.read_text()
    assert not [e for e in await events_of(session.send("Three.")) if isinstance(e, Notice)]
    await session.close()
    git(companion, "commit", "-qam", "edit: a word")
    said = [turn.message.text for turn in life(companion) if turn.message]
    assert said == ["One, mended.", "Two.", "Three."]
    assert_sound(companion)


async def test_a_chunk_edited_while_the_reply_is_written_loses_no_turn(companion: Path) -> None:
    backend = Scripted()
    session = await Session.open(companion, backends=[backend])
    await events_of(session.send("One."))
    chunk = chunk_at_tip(companion)
    told = []
    async for event in session.send("Two."):
        if isinstance(event, Notice):
            told.append(event.text)
        if isinstance(event, ReplyStarted):
            chunk.write_text(chunk.read_text() + "> and a word more\n")
            git(companion, "add", "conversations")
            chunk.write_text(chunk.read_text().replace("One.", "Eins."))
    await session.close()
    git(companion, "commit", "-qam", "edit: a word")
    said = [turn.message.text for turn in life(companion) if turn.message]
    assert said == ["Eins.", "Two."]
    assert sum("was edited by hand while the reply was written" in text for text in told) == 1
    assert_sound(companion)


@pytest.mark.parametrize(
    ("path", "line", "why"),
    [
        ("persona/30-you.md", "The key is sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx.", "a key"),
        ("memory/facts/post.md", "- Ana reads ftp://ana:hunter2@example.org.", "a password"),
        ("lore/mill.md", "<<<<<<< main", "a merge conflict marker"),
    ],
)
async def test_an_edit_that_brings_what_git_must_not_keep_is_held(
    companion: Path, path: str, line: str, why: str
) -> None:
    file = companion / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("The first line.\n")
    git(companion, "add", "-A")
    git(companion, "commit", "-qm", "by hand")
    file.write_text(f"The first line.\n\n{line}\n")
    backend = Scripted()
    session = await Session.open(companion, backends=[backend])
    try:
        events = await events_of(session.send("Hello."))
    finally:
        await session.close()
    assert isinstance(events[-1], Saved)
    held = [e.text for e in events if isinstance(e, Notice) and e.text.startswith("Not committed")]
    assert [text for text in held if f"{path}:3: " in text and why in text] == held != []
    assert git(companion, "status", "--porcelain") == f" M {path}\n"
    assert line not in git(companion, "log", "-p", "--all", "--format=")
    assert line not in str(backend.asked)


async def test_what_git_keeps_already_does_not_hold_back_an_edit(companion: Path) -> None:
    """Whoever has committed it with git has decided."""
    file = companion / "persona/30-you.md"
    file.write_text("AKIAABCDEFGHIJKLMNOP\n<<<<<<< main\n")
    git(companion, "commit", "-qam", "by hand")
    file.write_text("AKIAABCDEFGHIJKLMNOP\n<<<<<<< main\nNothing more.\n")
    await talk(companion, "Hello.")
    assert git(companion, "status", "--porcelain") == ""


async def test_a_copied_companion_continues_in_a_conversation_of_its_own(
    companion: Path, tmp_path: Path
) -> None:
    (first,) = await talk(companion, "At home.")
    other = copied(companion, tmp_path / "copy")
    backend = Scripted()
    (second,) = await talk(other, "On the copy.", backend=backend)
    assert second.turn_id.conversation != first.turn_id.conversation
    with Repository.open(other, recover=False) as repo:
        transcript = Transcript(repo, "main")
        head = transcript.head(1)
    assert head is not None
    assert head.continues == first.turn_id
    said = [m.content for m in backend.asked[0].messages if m.role == "user"]
    assert said == ["At home.", "On the copy."]
    assert_sound(other)


async def test_a_second_session_at_the_same_time_opens_its_own_conversation(
    companion: Path,
) -> None:
    one = await Session.open(companion, backends=[Scripted()])
    await events_of(one.send("From one."))
    two = await Session.open(companion, backends=[Scripted()])
    await events_of(two.send("From two."))
    await events_of(one.send("From one again."))
    await two.close()
    await one.close()
    said = {turn.message.text for turn in life(companion) if turn.message}
    assert said == {"From one.", "From two.", "From one again."}
    with Repository.open(companion, recover=False) as repo:
        assert len(Transcript(repo, "main").conversations()) == 2
    assert_sound(companion)


async def test_a_damaged_chunk_is_never_appended_to(companion: Path) -> None:
    (first,) = await talk(companion, "One.")
    chunk = companion / git(companion, "ls-files", "conversations").strip()
    chunk.write_text(chunk.read_text().replace("> One.", "<<<<<<< ours\n> One."))
    git(companion, "commit", "-qam", "by hand")
    damaged = chunk.read_bytes()
    (second,) = await talk(companion, "Two.")
    assert chunk.read_bytes() == damaged
    assert second.turn_id.conversation != first.turn_id.conversation
    assert_sound(companion)


async def test_a_branch_switched_between_turns_is_followed_and_said(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    await events_of(session.send("On main."))
    git(companion, "checkout", "-qb", "softer")
    events = await events_of(session.send("On softer."))
    await session.close()
    assert "the conversation continues on softer" in next(
        e.text for e in events if isinstance(e, Notice)
    )
    assert git(companion, "log", "-1", "--format=%s", "softer") == "turn: On softer.\n"
    assert git(companion, "log", "-1", "--format=%s", "main") == "turn: On main.\n"
    assert_sound(companion)


async def test_a_branch_switched_during_a_reply_does_not_take_the_turn_along(
    companion: Path,
) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    async for event in session.send("For main."):
        if isinstance(event, ReplyStarted):
            git(companion, "checkout", "-qb", "other")
    await session.close()
    assert git(companion, "log", "-1", "--format=%s", "main") == "turn: For main.\n"
    assert "turn:" not in git(companion, "log", "--format=%s", "other")


async def test_with_a_detached_head_the_talk_goes_on_a_new_branch(companion: Path) -> None:
    git(companion, "checkout", "-q", "--detach")
    session = await Session.open(companion, backends=[Scripted()])
    branch = session.info.branch
    assert branch.startswith("chat-")
    await events_of(session.send("Where am I?"))
    await events_of(session.send("Still here."))
    await session.close()
    assert git(companion, "log", "-2", "--format=%s", branch).splitlines() == [
        "turn: Still here.",
        "turn: Where am I?",
    ]
    assert git(companion, "status", "--porcelain") == ""
    assert f"perdure switch {branch}" in session.notices[-1].text


async def test_with_a_detached_head_one_thing_said_after_another_is_one_talk(
    companion: Path,
) -> None:
    """Each in a process of its own, as `perdure say` does; beside another commit it is another."""
    await talk(companion, "On main.")
    git(companion, "checkout", "-q", "--detach", "HEAD~1")
    backend = Scripted()
    saved = [await talk(companion, text, backend=backend) for text in ("One.", "Two.", "Three.")]
    assert {each.branch for (each,) in saved} == {saved[0][0].branch}
    last = [message.content for message in backend.asked[-1].messages]
    assert [text for text in ("One.", "Two.", "Three.") if text in last] == [
        "One.",
        "Two.",
        "Three.",
    ]
    git(companion, "checkout", "-q", "main")
    git(companion, "checkout", "-q", "--detach")
    (elsewhere,) = await talk(companion, "Four.")
    assert elsewhere.branch != saved[0][0].branch
    assert git(companion, "status", "--porcelain") == ""
    assert_sound(companion)


async def test_a_commit_made_beside_a_reply_is_named_as_base(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted()])
    async for event in session.send("Hello."):
        if isinstance(event, ReplyStarted):
            base = git(companion, "rev-parse", "HEAD").strip()
            (companion / "persona/20-voice.md").write_text("# Voice\n\nLouder.\n")
            git(companion, "commit", "-qam", "persona: louder")
    await session.close()
    assert git(companion, "log", "-1", "--format=%s", "HEAD~1") == "persona: louder\n"
    assert trailers(companion)["Base"] == base
    assert_sound(companion)


async def test_what_was_left_out_is_said_once_and_recorded(companion: Path) -> None:
    backend = Scripted(window=2400)
    session = await Session.open(companion, backends=[backend])
    told, last = [], None
    for number in range(12):
        events = await events_of(session.send(f"{number} " + "a long message " * 20))
        told += [e.text for e in events if isinstance(e, Notice)]
        saved = events[-1]
        assert isinstance(saved, Saved)
        last = saved
    await session.close()
    assert any("no longer fit into the context window" in text for text in told)
    assert len(told) < 8
    assert last is not None
    assert trailers(companion)["Window"] != f"{last.turn_id.conversation}/0"


async def test_a_context_too_small_for_the_persona_is_said_with_numbers(companion: Path) -> None:
    session = await Session.open(companion, backends=[Scripted(window=64)])
    events = await events_of(session.send("Hello."))
    await session.close()
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert "tokens" in failed.what
    assert life(companion)[-1].unanswered


async def test_a_chunk_rolls_over_and_the_numbers_go_on(companion: Path) -> None:
    texts = [f"{number} " + "words " * 800 for number in range(7)]
    await talk(companion, *texts, backend=Scripted(reply=lambda _: "Yes."))
    with Repository.open(companion, recover=False) as repo:
        chunks = Transcript(repo, "main").chunks
    assert [ref.number for ref in chunks] == [1, 2, 3]
    assert len({ref.conversation for ref in chunks}) == 1
    assert [turn.number for turn in life(companion)] == list(range(8))
    assert [t.message.text for t in life(companion)[1:] if t.message] == texts
    assert_sound(companion)


async def test_a_bad_persona_change_is_reverted_with_git_and_the_talk_stays(
    companion: Path,
) -> None:
    await talk(companion, "Before.")
    (companion / "persona/20-voice.md").write_text("# Voice\n\nAnswer in capitals.\n")
    await talk(companion, "In between.")
    bad = git(companion, "log", "-1", "--format=%h", "--", "persona/20-voice.md").strip()
    git(companion, "revert", "--no-edit", bad)
    backend = Scripted()
    await talk(companion, "After.", backend=backend)
    assert "capitals" not in backend.asked[0].messages[0].content
    said = [turn.message.text for turn in life(companion) if turn.message]
    assert said == ["Before.", "In between.", "After."]
    assert_sound(companion)


async def test_the_talk_goes_on_after_git_packed_cloned_and_merged(
    companion: Path, tmp_path: Path
) -> None:
    await talk(companion, "One.")
    git(companion, "gc", "-q", "--prune=now")
    git(companion, "pack-refs", "--all")
    await talk(companion, "Two.")
    remote, elsewhere = tmp_path / "remote.git", tmp_path / "elsewhere"
    git(tmp_path, "clone", "-q", "--bare", str(companion), str(remote))
    git(tmp_path, "clone", "-q", str(remote), str(elsewhere))
    await talk(elsewhere, "Three, elsewhere.")
    git(elsewhere, "push", "-q", "origin", "main")
    await talk(companion, "Three, at home.")
    git(companion, "pull", "-q", "--no-rebase", "--no-edit", str(remote), "main")
    await talk(companion, "Four.")
    said = {turn.message.text for turn in life(companion) if turn.message}
    assert said == {"One.", "Two.", "Three, elsewhere.", "Three, at home.", "Four."}
    assert_sound(companion)


async def test_a_key_in_a_message_is_taken_out_before_it_is_sent_or_saved(companion: Path) -> None:
    key = "sk-ant-" + "api03-" + "Ab1_" * 8
    backend = Scripted(reply=lambda prompt: f"{prompt[-1].content} {key}")
    session = await Session.open(companion, backends=[backend])
    events = await events_of(session.send(f"My key is {key}, remember it."))
    await session.close()
    assert sum("key was removed" in e.text for e in events if isinstance(e, Notice)) == 2
    assert key not in backend.asked[0].messages[-1].content
    assert key not in git(companion, "log", "-p")
    last = life(companion)[-1]
    assert last.message is not None
    assert last.message.text == "My key is [key removed], remember it."
    assert "[key removed]" in last.replies[0].text


async def test_an_index_that_cannot_follow_is_said_once(companion: Path) -> None:
    index = companion / ".git/index"
    index.write_bytes(index.read_bytes()[:-1] + b"?")
    session = await Session.open(companion, backends=[Scripted()])
    first = await events_of(session.send("One."))
    second = await events_of(session.send("Two."))
    await session.close()
    told = [e.text for e in (*first, *second) if isinstance(e, Notice)]
    assert sum("git status is behind" in text for text in told) == 1
    said = [turn.message.text for turn in life(companion) if turn.message]
    assert said == ["One.", "Two."]
