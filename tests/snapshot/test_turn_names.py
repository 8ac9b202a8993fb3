from __future__ import annotations

import pytest

from perdure.git.repository.repository import Repository
from perdure.snapshot.conversation.thread import thread
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.conversation.turn_names import find_turn
from perdure.snapshot.errors import UnknownTurn
from tests.lives import make_life


@pytest.fixture(scope="module")
def transcript(tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    path = tmp_path_factory.mktemp("life") / "mira"
    make_life(path, 300)
    return Transcript(Repository.open(path, recover=False), "main")


def test_turns_are_named_as_people_name_them(transcript: Transcript) -> None:
    last = transcript.last_conversation()
    assert last is not None
    everything = [
        (ref.conversation, turn.number)
        for at, ref in enumerate(transcript.chunks)
        for turn in transcript.turns(at)
    ]
    assert len(everything) == 300

    def named(name: str) -> tuple[object, int]:
        turn = find_turn(transcript, name)
        assert turn is not None
        return turn.conversation, turn.number

    assert named("@") == everything[-1]
    assert named("@-3") == everything[-4]
    assert named("@-299") == everything[0]
    assert named("7") == (last.id, 7)
    assert named(f"{last.id}/3") == (last.id, 3)
    assert named(f"{last.id.hex}/3") == (last.id, 3)
    assert named(f"{last.id}/3~1") == (last.id, 3)
    assert named("2026-01-05") == everything[0]
    for name in ("@-300", "999", "2027-01-01", f"{last.id.hex}/99", "2026-01"):
        with pytest.raises(UnknownTurn):
            find_turn(transcript, name)
    for name in ("HEAD", "main", "HEAD~3", "deadbeef"):
        assert find_turn(transcript, name) is None


def test_a_thread_is_bounded_and_in_order(transcript: Transcript) -> None:
    last = transcript.last_conversation()
    assert last is not None
    whole = thread(transcript, last)
    assert [past.id.number for past in whole] == list(range(1, len(whole) + 1))
    assert thread(transcript, last, most=5) == whole[-5:]


def test_reading_names_reads_no_chunk(transcript: Transcript) -> None:
    with Repository.open(transcript._repo.path, recover=False) as repo:
        fresh = Transcript(repo, "main")
        assert len(fresh.conversations()) == 12
        assert fresh.last_conversation() is not None
        assert not fresh._parsed
