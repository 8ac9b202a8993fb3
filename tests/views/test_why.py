"""The prompt of any past turn, rebuilt from its commit and checked; and the one to come."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from perdure.backends.errors import StreamCut
from perdure.backends.protocol import PromptMessage
from perdure.chat.events import Greeted
from perdure.chat.session import Session
from perdure.companion.clock import now
from perdure.companion.ids import TurnId
from perdure.companion.memory.lore_patterns import compile_pattern, re2_search
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from perdure.snapshot.errors import UnknownTurn
from perdure.views.why.explain import Explanation, explain, shared_front
from tests.actions.test_answers import again, counting
from tests.chat.test_session import events_of, talk, trailers
from tests.conftest import git
from tests.speaking import Scripted
from tests.views.why_lives import BRANCHING, TODAY, check, live


def why(path: Path, turn: str = "", answer: int = 0) -> Explanation:
    with Repository.open(path, recover=False) as repo:
        wanted = TurnId.parse(turn or trailers(path)["Turn"])
        return explain(repo, wanted, answer=answer)


def write(path: Path, name: str, text: str) -> None:
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(text)


def amended(path: Path, old: str, new: str) -> None:
    message = git(path, "log", "-1", "--format=%B")
    assert old in message
    git(path, "commit", "-q", "--amend", "-m", message.replace(old, new))


def test_every_prompt_of_a_whole_life_is_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Branches, edits, races, failovers, two versions of the rules, with the cache gone."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "empty"))
    done = live(tmp_path / "mira", 40, seed=3)
    assert done["races"]
    told, wrong = check(tmp_path / "mira", 1000, seed=1)
    assert [str(each.turn) for each in wrong] == []
    assert {each.assembly for each in told} == {TODAY, TODAY + 1}
    kinds = {part.kind for each in told for part in each.parts}
    assert {"persona", "lore", "fact", "summary", "turn", "reminder", "time"} <= kinds


def test_every_prompt_on_many_lines_is_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "empty"))
    live(tmp_path / "mira", 24, seed=4, acts=BRANCHING)
    told, wrong = check(tmp_path / "mira", 1000, seed=1)
    assert [str(each.turn) for each in wrong] == []
    assert len(told) > 12


async def test_each_part_says_where_it_came_from_and_why(companion: Path) -> None:
    write(companion, "lore/river.md", "---\nkeys: [river]\n---\nThe river is {{user}}'s.\n")
    write(companion, "lore/always.md", "---\nconstant: yes\n---\nIt is winter.\n")
    write(companion, "memory/facts/people.md", "# people\n\n- Her sister is Eva. `pinned`\n")
    await talk(companion, "Hello.", "What about the river?")
    found = why(companion)
    assert found.verdict == "matches"
    by_source = {(part.kind, part.source): part for part in found.parts}
    river = by_source["lore", "lore/river.md"]
    assert (river.text, river.reason) == ("The river is Ana's.", "'river' was said")
    assert by_source["lore", "lore/always.md"].reason == "constant"
    fact = by_source["fact", "memory/facts/people.md"]
    assert (fact.text, fact.line, fact.reason) == (
        "Her sister is Eva.", 3, "pinned, said by the user",
    )  # fmt: skip
    assert by_source["turn", trailers(companion)["Turn"]].reason == "to be answered"
    assert all(part.tokens > 0 for part in found.parts)
    assert trailers(companion)["Lore"] == "river"
    system = found.messages[0]
    assert system.role == "system"
    assert "The river is Ana's." in system.content
    assert "Eva" not in system.content


async def test_an_answer_of_the_past_is_named_by_its_number(companion: Path) -> None:
    await talk(companion, "One.", backend=counting())
    write(companion, "persona/30-you.md", "# You\n\nLikes tea.\n")
    await again(companion, backend=counting(7))
    first, second = why(companion, answer=1), why(companion)
    assert (first.answer, second.answer) == (1, 2)
    assert {first.verdict, second.verdict} == {"matches"}
    assert first.rebuilt != second.rebuilt
    assert "Likes tea." in second.messages[0].content
    with pytest.raises(UnknownTurn, match="answer 3"):
        why(companion, answer=3)


async def test_what_has_no_prompt_says_so(companion: Path) -> None:
    cut = Scripted(failure=StreamCut("gone"), fail_after=-1)
    (saved,) = await talk(companion, "Hello?", backend=cut)
    found = why(companion, str(saved.turn_id))
    assert (found.verdict, found.answer) == ("no-prompt", 0)
    assert "no answer" in found.note
    greeting = why(companion, f"{saved.turn_id.conversation}/0")
    assert "greeting" in greeting.note
    session = await Session.open(companion, backends=[Scripted()])
    await events_of(session.resume())
    await session.close()
    assert why(companion).verdict == "matches"
    with pytest.raises(UnknownTurn):
        why(companion, f"{saved.turn_id.conversation}/9")


async def test_an_edited_turn_is_explained_by_what_was_said_then(companion: Path) -> None:
    from perdure.actions.turns.correct import correct, find_words
    from perdure.actions.workspace import Workspace

    await talk(companion, "Waht now?", "And then?")
    turn = trailers(companion)["Turn"]
    with Workspace.open(companion) as workspace:
        correct(workspace, find_words(workspace, "@-1"), "What now?")
        correct(workspace, find_words(workspace, "@"), "And?")
    found = why(companion, turn)
    assert found.verdict == "matches"
    assert [m.content for m in found.messages if m.role == "user"] == ["Waht now?", "And then?"]


async def test_a_changed_trailer_does_not_match_and_the_cause_is_said(companion: Path) -> None:
    await talk(companion, "Hello.")
    hash_then = trailers(companion)["Prompt"]
    amended(companion, hash_then, "0" * 32)
    found = why(companion)
    assert (found.verdict, found.recorded, found.rebuilt) == ("differs", "0" * 32, hash_then)
    assert "history was rewritten" in found.note


async def test_words_changed_behind_its_back_do_not_match(companion: Path) -> None:
    await talk(companion, "Hello.")
    (chunk,) = git(companion, "ls-files", "conversations").split()
    text = (companion / chunk).read_text()
    (companion / chunk).write_text(text.replace("> Hello.", "> Goodbye."))
    git(companion, "commit", "-qa", "--amend", "--no-edit")
    assert why(companion).verdict == "differs"


async def test_rules_of_a_newer_perdure_are_named(companion: Path) -> None:
    await talk(companion, "Hello.")
    amended(companion, "Assembly: 3", "Assembly: 99")
    found = why(companion)
    assert found.verdict == "differs"
    assert "version 99" in found.note
    assert "Update perdure" in found.note


async def test_a_shallow_clone_says_how_to_get_the_rest(companion: Path, tmp_path: Path) -> None:
    await talk(companion, "Hello.")
    clone = tmp_path / "clone"
    url = f"file://{companion}"
    words = ["git", "clone", "-q", "--depth", "1", url, str(clone)]
    subprocess.run(words, check=True)
    found = why(clone, trailers(companion)["Turn"])
    assert found.verdict == "differs"
    assert "git fetch --unshallow" in found.note


async def test_lore_that_timed_out_is_told_and_rebuilt_where_it_would_not(
    companion: Path, without_re2: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.prompt.lore.PATTERN_SECONDS", 0.02)
    write(companion, "lore/a.md", "---\nregex: yes\nkeys: /(b+)+c|\\.$/\n---\nThere is a lake.\n")
    write(companion, "lore/lake.md", "---\nkeys: lake\n---\nIt is deep.\n")
    session = await Session.open(companion, backends=[Scripted()])
    told = [
        [event.text for event in await events_of(session.send(text)) if isinstance(event, Notice)]
        for text in ("b" * 9_000 + ".", "And now?")
    ]
    await session.close()
    says = (
        "Left out of the prompt: lore/a.md: searching for its keys takes too long; it was given up"
    )
    assert [says in each for each in told] == [True, False]
    assert trailers(companion)["Lore-Timed-Out"] == "a"
    monkeypatch.setattr("perdure.companion.memory.lore_patterns._engine", lambda: re2_search)
    compile_pattern.cache_clear()
    found = why(companion)
    assert found.verdict == "matches"
    assert [(each.source, each.reason) for each in found.left_out if each.kind == "lore"] == [
        ("lore/a.md", "searching for its keys took too long")
    ]


async def test_a_missing_lore_file_is_named(companion: Path) -> None:
    write(companion, "lore/river.md", "---\nkeys: [river]\n---\nIt is wide.\n")
    await talk(companion, "The river?")
    amended(companion, "Lore: river", "Lore: sea")
    found = why(companion)
    assert "There is no lore entry lore/sea.md" in found.note


async def test_the_front_that_a_server_knows_is_told(companion: Path) -> None:
    await talk(companion, "Hello.", "And now?")
    found = why(companion)
    assert found.before == TurnId.parse(f"{str(found.turn).rsplit('/')[0]}/1")
    assert found.shared is not None
    assert 0.9 < found.shared < 1


def test_the_share_is_of_the_new_prompt() -> None:
    old = (PromptMessage("system", "abcd"), PromptMessage("user", "x"))
    assert shared_front(old, old) == 1
    assert shared_front(old, (PromptMessage("user", "abcd"),)) < 0.2
    assert shared_front((), ()) == 0


# Before it is sent


async def test_what_would_be_sent_is_what_is_sent(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.chat.reply.recall.WAIT", 60.0)
    monkeypatch.setattr("perdure.snapshot.conversation.merged_thread.MOST_TURNS", 0)
    write(companion, "lore/river.md", "---\nkeys: [river]\n---\nIt is wide.\n")
    backend = Scripted()
    await talk(companion, "My sister Eva paints boats in Porto.", "Nice weather.", backend=backend)
    session = await Session.open(companion, backends=[backend])
    session.new_conversation()
    before = git(companion, "rev-parse", "HEAD")
    told = await session.preview("Tell me of Eva's boats and the river.")
    assert git(companion, "rev-parse", "HEAD") == before
    assert told.verdict == "not-sent"
    (moment,) = [part for part in told.parts if part.kind == "recalled"]
    assert "paints boats in Porto" in moment.text
    assert moment.score is not None
    await events_of(session.send("Tell me of Eva's boats and the river."))
    await session.close()
    assert backend.asked[-1].messages == told.messages
    assert why(companion).verdict == "matches"
    assert trailers(companion)["Recalled"] == moment.source


async def test_a_preview_after_a_pause_begins_as_the_turn_will(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Scripted()
    session = await Session.open(companion, backends=[backend])
    await events_of(session.send("Good night."))
    tomorrow = now() + timedelta(days=1)
    for module in ("position", "store"):
        monkeypatch.setattr(f"perdure.chat.turn.{module}.now", lambda: tomorrow)
    told = await session.preview("Good morning.")
    greeted, *_ = await events_of(session.send("Good morning."))
    await session.close()
    assert isinstance(greeted, Greeted)
    assert greeted.reply.text in told.messages[-2].content
    assert backend.asked[-1].messages == told.messages


async def test_a_preview_counts_without_its_backend(companion: Path) -> None:
    away = Scripted(failure=StreamCut("no such server"), fail_after=-1, window=5000)
    session = await Session.open(companion, backends=[away])
    told = await session.preview("Hello?")
    await session.close()
    assert told.window == 5000
    assert "no such server" in told.note


async def test_a_broken_file_is_said_once_and_fails_no_turn(companion: Path) -> None:
    write(companion, "memory/facts/people.md", "# people\n\nnot a fact\n- Likes tea.\n")
    session = await Session.open(companion, backends=[Scripted()])
    first = await events_of(session.send("One."))
    second = await events_of(session.send("Two."))
    await session.close()
    told = [e.text for e in first if isinstance(e, Notice) and "Left out" in e.text]
    assert len(told) == 1
    assert "memory/facts/people.md:3:" in told[0]
    assert not [e for e in second if isinstance(e, Notice) and "Left out" in e.text]
    assert why(companion).verdict == "matches"
    assert any(part.text == "Likes tea." for part in why(companion).parts)
