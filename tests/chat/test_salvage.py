"""Words in a folder from elsewhere, or in a journal that makes no sense, are kept as text."""

from __future__ import annotations

import json
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.chat.turn.open import open_store
from perdure.companion.turns import Turn
from perdure.git.layout import find
from perdure.git.state import mark
from tests.chat.test_recovery import crash, reopened
from tests.chat.test_session import life, talk
from tests.conftest import assert_sound, git

FOREIGN = "in a separate conversation"


def texts(path: Path) -> list[tuple[str, list[str]]]:
    return [
        (turn.message.text if turn.message else "", [reply.text for reply in turn.replies])
        for turn in life(path)
        if turn.number
    ]


def chunks(path: Path) -> list[str]:
    return git(path, "ls-files", "conversations").split()


async def test_a_data_folder_that_cannot_be_written_is_told(
    companion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is not known again; words are kept all the same, and it is not called a copy."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "perdure").write_text("a file")
    await talk(companion, "One.")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    crash(companion, "prepare_turn", "Two, half", "And two?")
    for _ in range(2):
        first, *_rest = await reopened(companion)
        assert "cannot be written, so perdure cannot recognise this folder again" in first
        assert "XDG_DATA_HOME" in first
    assert ("And two?", ["Two, half"]) in texts(companion)
    assert_sound(companion)


async def test_what_was_being_said_when_a_folder_was_copied(
    companion: Path, tmp_path: Path
) -> None:
    """In the copy it stands in a conversation of its own; in the folder, where it was said."""
    await talk(companion, "One.")
    crash(companion, "prepare_turn", "Two, half", "And two?")
    draft = companion / ".git" / "perdure" / "state" / "draft.txt"
    draft.write_text("And th\x1b]52;c;eA==\x07 three \U0001f469\u200d\U0001f680")
    subprocess.run(["cp", "-a", companion, tmp_path / "copy"], check=True)
    copy = tmp_path / "copy"
    first, second = await reopened(copy)
    assert "This folder is a copy" in first
    assert FOREIGN in second
    assert texts(copy)[-1] == ("And two?", ["Two, half"])
    assert len(chunks(copy)) == len(chunks(companion)) + 1
    here = copy / ".git" / "perdure" / "state" / "draft.txt"
    assert here.read_text() == "And th]52;c;eA== three \U0001f469\u200d\U0001f680"
    assert await reopened(copy) == []
    assert_sound(copy)
    (told,) = await reopened(companion)
    assert "cut off is committed now" in told
    assert len(chunks(companion)) == 1
    assert draft.exists()
    git(companion, "fetch", "-q", str(copy), "main")
    git(companion, "merge", "-q", "FETCH_HEAD")


async def test_a_strangers_journal_decides_nothing(companion: Path, tmp_path: Path) -> None:
    """Not the branch, not the chunk, not the turn, not where the talk goes on."""
    await talk(companion, "One.")
    crash(companion, "prepare_turn", "From afar", "Hello!")
    git(companion, "branch", "other")
    state = companion / ".git" / "perdure" / "state"
    (state / "mark").write_text("f" * 32 + "\n")
    (journal,) = (state / "journals").glob("*.journal")
    line = journal.read_bytes().split(b"\n")[0].split(b" ", 2)
    record = json.loads(line[2])
    record["begin"] |= {"branch": "other", "title": "\x1b[2J", "participants": [3], "number": -1}
    write(journal, record, {"text": "From afar"})
    first, second = await reopened(companion)
    assert "comes from somebody else" in first
    assert FOREIGN in second
    assert texts(companion)[-1] == ("Hello!", ["From afar"])
    assert git(companion, "rev-parse", "other") != git(companion, "rev-parse", "main")
    assert git(companion, "log", "--oneline", "main..other") == ""
    assert_sound(companion)


async def test_a_whole_reply_in_a_copied_folder_is_whole(companion: Path, tmp_path: Path) -> None:
    """Its end tells what it says; the pieces before it may have been taken back."""
    await talk(companion, "One.")
    crash(companion, "prepare_turn", "Two, half", "And two?")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", companion, copy], check=True)
    (journal,) = (copy / ".git" / "perdure" / "state" / "journals").glob("*.journal")
    line = journal.read_bytes().split(b"\n")[0].split(b" ", 2)
    end = {"text": "Two, whole.", "interrupted": False}
    write(journal, json.loads(line[2]), {"text": "Two, ha"}, {"end": end})
    await reopened(copy)
    (reply,) = life(copy)[-1].replies
    assert (reply.text, reply.interrupted) == ("Two, whole.", False)


def write(journal: Path, *records: object) -> None:
    lines = []
    for record in records:
        body = json.dumps(record).encode()
        lines.append(b"0123abcd %08x %s\n" % (zlib.crc32(body), body))
    journal.write_bytes(b"".join(lines))


HEADER = {
    "branch": "main",
    "conversation": "2026-11-22-1803-9f3a77c0",
    "number": 4,
    "title": "One",
    "participants": ["Ana", "Mira"],
    "continues": "",
    "joins": [],
    "begins": False,
    "answers": False,
    "again": False,
    "speaker": "Mira",
    "message": {"speaker": "Ana", "text": "Words of hers", "at": "2026-11-22T18:03:00+01:00"},
    "greeting": None,
}
odd: st.SearchStrategy[object] = (
    st.none() | st.integers() | st.text(max_size=5) | st.just("\ud800") | st.just([{}])
)


@settings(
    max_examples=max(15, settings().max_examples // 3),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(set(HEADER) - {"message"})), odd, max_size=3),
    gone=st.sets(st.sampled_from(sorted(set(HEADER) - {"message"})), max_size=2),
    said=st.fixed_dictionaries({"speaker": odd, "text": st.just("Words of hers"), "at": odd}),
    end=st.none() | st.dictionaries(st.sampled_from(["text", "at", "backend"]), odd, max_size=2),
)
def test_any_header_in_an_own_journal(
    companion: Path,
    changes: dict[str, object],
    gone: set[str],
    said: dict[str, object],
    end: object,
) -> None:
    """No internal error, the words are committed, and the next open has nothing left to do."""
    open_store(companion)[0].close()
    header = {key: value for key, value in HEADER.items() if key not in gone} | changes
    journals = find(companion).state / "journals"
    journals.mkdir(exist_ok=True)
    record = {"begin": header | {"message": said}, "boot": "", "recent": []}
    write(journals / "7-x.journal", record, {"text": "Half a reply"}, {"end": end})
    before = words_of(companion)
    store, _ = open_store(companion)
    store.close()
    assert mark.set_aside(find(companion)) == []
    assert list(journals.glob("7-x.journal")) == []
    assert words_of(companion) == before + 1 or header.get("answers") or header.get("again")
    assert_sound(companion)


def words_of(path: Path) -> int:
    """How often the words stand in the life."""
    with_words: list[Turn] = [
        turn for turn in life(path) if turn.message and turn.message.text == "Words of hers"
    ]
    return len(with_words)


@pytest.mark.parametrize("files", [{"remembered.json": b'{"main x": {"summary": "no"}}'},
                                   {"remembered.json": b"[" * 100_000, "archived.json": b"[3]"},
                                   {"confirmed-backends.json": b"[" * 100_000},
                                   {"draft.txt": b"\xff\xfe"}])  # fmt: skip
async def test_any_bytes_in_what_a_session_remembers(
    companion: Path, files: dict[str, bytes]
) -> None:
    await talk(companion, "One.")
    for name, data in files.items():
        (companion / ".git" / "perdure" / "state" / name).write_bytes(data)
    assert await reopened(companion) == []
    await talk(companion, "Two.")
    assert_sound(companion)
