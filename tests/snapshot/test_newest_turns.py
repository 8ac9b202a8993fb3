"""Turns counted back by the names of chunks are those that the whole transcript counts."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from perdure.actions.history.rewind import find_target
from perdure.companion.conversation.chunk import chunk_path, render_chunk
from perdure.companion.ids import ConversationId
from perdure.companion.turns import ChunkHead, Message, Reply, Turn
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.conversation.newest_turns import (
    NeedsTranscript,
    conversation_turns,
    turn_back,
)
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_names import find_turn, find_turn_at
from perdure.snapshot.errors import UnknownTurn
from perdure.snapshot.revisions.ahead import ahead

MIRA = Author("Mira", "mira@companion.invalid")
BEGIN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def commit(repo: Repository, message: str, **files: bytes | None) -> str:
    changes = [Change(path, data) for path, data in files.items()]
    return repo.commit(changes, message=message, author=MIRA, branch="main")


def chunk(talk: ConversationId, number: int, turns: list[int]) -> bytes:
    head = ChunkHead(talk, number, "Rain", ("Ana", "Mira"), started=BEGIN)
    said = [Turn(n, Message("Ana", f"{n}?", BEGIN), (Reply("Mira", "Yes.", BEGIN),)) for n in turns]
    return render_chunk(head, said)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Repository]:
    """Conversations of several chunks over some days; some were removed, one was moved by hand."""
    dice = random.Random(4)
    repo = create_repository(tmp_path / "mira", {"persona/a.md": b"Calm.\n"}, message="companion: x\n", author=MIRA)  # fmt: skip  # noqa: E501
    for each in range(12):
        at = BEGIN + timedelta(hours=9 * each)
        talk = ConversationId.begin(at, f"{dice.getrandbits(32):08x}")
        number = 1
        for part in range(1, dice.randint(2, 4)):
            turns = list(range(number, number + dice.randint(1, 4)))
            number = turns[-1] + 1
            # A long talk goes on after midnight, and after a flight to the west on the day before.
            day = (at + timedelta(days=dice.choice([0, 0, 1, -1]))).date()
            path = chunk_path(talk, part, day)
            if each == 7:
                path = path.replace("2026-03", "2024-01")
            commit(repo, f"turn: {number}\n", **{path: chunk(talk, part, turns)})
        if each in {3, 10}:
            commit(repo, "persona: note\n", **{"persona/a.md": f"{each}\n".encode()})
            commit(repo, "forget: it\n", **{path: None})
    yield repo
    repo.close()


def test_counting_back_is_what_the_transcript_counts(life: Repository) -> None:
    tips = [info.id for info in life.commits.log()][:12]
    for tip in tips:
        transcript = Transcript(life, tip)
        total = sum(len(transcript.turns(index)) for index in range(len(transcript.chunks)))
        for back in range(total):
            assert turn_back(life, tip, back) == find_turn(transcript, f"@-{back}")
        assert turn_back(life, tip, total) is None
        with pytest.raises(UnknownTurn):
            find_turn_at(life, tip, f"@-{total}")


def test_the_turns_of_a_conversation(life: Repository) -> None:
    for info in list(life.commits.log())[:12]:
        transcript = Transcript(life, info.id)
        for talk in Transcript(life, None).conversations():
            found = transcript.find(talk.id)
            places = (
                range(found.first_chunk, found.first_chunk + found.chunk_count) if found else ()
            )
            wanted = [turn for place in places for turn in transcript.turns(place)]
            assert conversation_turns(life, info.id, talk.id) == wanted


@pytest.mark.parametrize("why", ["one minute", "no index"])
def test_where_names_do_not_tell_the_transcript_is_asked(life: Repository, why: str) -> None:
    last = Transcript(life, None).chunks[-1].conversation
    if why == "one minute":
        other = ConversationId(f"{last.minute}-00000000")
        commit(life, "turn: 1\n", **{chunk_path(other, 1, BEGIN.date()): chunk(other, 1, [1, 2])})
    else:
        life.cache_dir.mkdir(parents=True, exist_ok=True)
        for path in life.cache_dir.iterdir():
            path.unlink()
        life.cache_dir.rmdir()
        life.cache_dir.write_text("in the way")
    tip = life.resolve("HEAD")
    with pytest.raises(NeedsTranscript):
        turn_back(life, tip, 0)
    transcript = Transcript(life, tip)
    for back in range(12):
        assert find_turn_at(life, tip, f"@-{back}") == find_turn(transcript, f"@-{back}")
    assert conversation_turns(life, tip, last) != []


def test_what_is_left_is_counted_alike_with_and_without_the_index(
    life: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    tip = life.resolve("HEAD")
    kept = [info.id for info in life.commits.log()]
    with suppress(FileNotFoundError):
        life.cache_dir.rename(life.cache_dir.with_name("away"))
    walked = [ahead(life, tip, [each]) for each in kept]
    assert life.timeline().only_in(tip, []) is None, "none is made for it"
    assert life.timeline().update(tip)
    monkeypatch.setattr("perdure.snapshot.revisions.ahead._FEW", 0)
    assert [ahead(life, tip, [each]) for each in kept] == walked
    assert walked[-1].turns > 10
    assert walked[-1].persona == 2


def test_a_whole_id_is_not_read_as_a_date(
    life: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grammar of dates takes 10 ms to import."""
    turn = find_turn_at(life, life.resolve("HEAD"), "@-1")
    monkeypatch.setitem(sys.modules, "perdure.snapshot.revisions.dates", None)
    assert find_target(life, str(turn)).turn == turn


def test_planning_a_rewind_imports_nothing_that_writes() -> None:
    writes = {
        "commit.writer", "worktree.checkout", "worktree.files", "index.file", "operations.operation"
    }  # fmt: skip
    script = (
        "import sys, perdure.actions.history.rewind\n"
        f"names = {{'perdure.git.' + each for each in {writes!r}}} | {{'msgspec'}}\n"
        "print(sorted(names & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
