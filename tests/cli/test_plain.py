"""The talk in plain lines: how they are read, and what is done between them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from perdure.actions.companion.sync_policy import set_sync_policy
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from perdure.cli.chat.plain import PlainChat
from perdure.cli.input.stdin import TypedLines
from perdure.companion.clock import now
from perdure.git.remotes.record import Pause, read_record, write_record
from perdure.views import proof
from tests.background import idle
from tests.cli.terminal import on_terminal
from tests.cli.test_conflicts import BASE, edit
from tests.cli.test_history import VOICE
from tests.conftest import assert_sound, git
from tests.devices import meet
from tests.rescue.devices import add_backup, refs, sync
from tests.speaking import Scripted

RIVER = "My sister Ruth lives by the river, and it was loud tonight."
Say = Callable[[bytes], int]


@pytest.fixture
def pipe() -> Iterator[tuple[TypedLines, Say, Callable[[], None]]]:
    """Lines from a pipe; what writes to it, and what ends it."""
    read, write = os.pipe()
    ends = {read, write}

    def end() -> None:
        ends.discard(write)
        os.close(write)

    yield TypedLines(read), lambda data: os.write(write, data), end
    for each in ends:
        os.close(each)


async def all_of(lines: TypedLines) -> list[str]:
    found = []
    while (line := await lines.next()) is not None:
        found.append(line)
    return found


def test_lines_come_one_by_one_however_they_were_written(
    pipe: tuple[TypedLines, Say, Callable[[], None]],
) -> None:
    lines, write, end = pipe
    write("one\nzwei ü\r\n\nthe la".encode())
    write(b"st")
    end()
    assert asyncio.run(all_of(lines)) == ["one", "zwei ü", "", "the last"]


def test_a_line_that_is_no_text_does_not_take_the_next_one_along(
    pipe: tuple[TypedLines, Say, Callable[[], None]],
) -> None:
    lines, write, end = pipe
    write(b"\xff\xfe\ngood\n")
    end()

    async def read() -> None:
        with pytest.raises(UnicodeDecodeError):
            await lines.next()
        assert await all_of(lines) == ["good"]

    asyncio.run(read())


def test_the_loop_goes_on_while_nothing_is_typed(
    pipe: tuple[TypedLines, Say, Callable[[], None]],
) -> None:
    """What the line waits for is itself done on the loop: reading must not hold it up."""
    lines, write, _ = pipe

    async def read() -> str | None:
        asyncio.get_running_loop().call_soon(write, b"at last\n")
        return await lines.next()

    assert asyncio.run(read()) == "at last"


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    """A plain file cannot be watched for more."""
    (tmp_path / "talk.txt").write_bytes(b"one\ntwo")
    fd = os.open(tmp_path / "talk.txt", os.O_RDONLY)
    try:
        assert asyncio.run(all_of(TypedLines(fd))) == ["one", "two"]
    finally:
        os.close(fd)


class Typist(TypedLines):
    """Types these lines; each time, whatever goes on in the background ends before."""

    def __init__(self, session: Session, texts: list[str]) -> None:
        super().__init__(-1)
        self._session = session
        self._texts = iter(texts)

    async def next(self) -> str | None:
        await idle(self._session)
        return next(self._texts, None)


def test_summaries_are_written_between_lines_and_told_after_the_next(
    companion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with asyncio.Runner() as runner:
        session = runner.run(Session.open(companion, backends=[Scripted()]))
        typed = [RIVER, RIVER, "/new", "Hello again.", "/quit"]
        try:
            code = PlainChat(session, runner, Typist(session, typed)).run()
        finally:
            runner.run(session.close())
    assert code == 0
    subjects = git(companion, "log", "--format=%s").splitlines()
    assert [each.partition(":")[0] for each in subjects[:2]] == ["turn", "memory"]
    said = capsys.readouterr().out
    written, answer = said.index("was summarised"), said.index("I heard: Hello again.")
    assert said.index("starts a new conversation") < written < answer
    assert said.count("was summarised") == 1
    assert_sound(companion)


def test_what_was_written_before_the_end_is_told(
    companion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with asyncio.Runner() as runner:
        session = runner.run(Session.open(companion, backends=[Scripted()]))
        try:
            PlainChat(session, runner, Typist(session, [RIVER, RIVER, "/new"])).run()
        finally:
            runner.run(session.close())
    assert "was summarised" in capsys.readouterr().out.splitlines()[-1]


def typed(path: Path, *lines: str) -> int:
    """A chat in which these lines are typed."""
    with asyncio.Runner() as runner:
        session = runner.run(Session.open(path, backends=[Scripted()]))
        try:
            return PlainChat(session, runner, Typist(session, list(lines))).run()
        finally:
            runner.run(session.close())


def test_sync_backup_and_drill_are_done_between_two_lines(
    companion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place.git"
    typed(companion, "/backup", "/drill")
    assert capsys.readouterr().out.count("perdure remote add backup ADDRESS") == 2
    add_backup(companion, place)
    typed(companion, "one thing", "/backup", "/drill deep", "/drill", "/sync", "/sync nowhere")
    said = capsys.readouterr().out
    steps = (
        "To origin: main: 1 turn", "No restore is proven.", "perdure drill --speak",
        "A restore from origin works (full", "Restore proven ",
        "origin has everything already", "nowhere",
    )  # fmt: skip
    places = [said.index(step) for step in steps]
    assert places == sorted(places)
    assert refs(companion) == refs(place)


def test_the_status_says_how_backups_are(
    companion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also at the start, where something is wrong with them."""
    typed(companion, "/status")
    assert "restore" not in capsys.readouterr().out
    add_backup(companion, tmp_path / "place.git")
    sync(companion)
    edit(companion, {"persona/30-more.md": "Hums.\n"}, "Ana", "08:00")
    capsys.readouterr()
    typed(companion, "/status")
    said = capsys.readouterr().out
    assert "note: 1 change on no remote, oldest " in said
    assert "perdure remote list says more" in said
    assert "backup: 1 change on no remote, oldest " in said
    assert "No restore is proven, 1 change on no remote" in said
    with Workspace.open(companion) as workspace:
        set_sync_policy(workspace, "when quiet")
        record = read_record(workspace.repo, "origin", str(tmp_path / "place.git"))
        pause = Pause("it wants a password")
        write_record(workspace.repo, "origin", msgspec.structs.replace(record, pause=pause))
    typed(companion, "/status")
    assert "sync with origin is paused: it wants a password" in capsys.readouterr().out


def test_what_stands_open_between_devices_is_listed(
    companion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(companion, {VOICE: BASE}, "Ana", "08:00")
    there = tmp_path / "there"
    git(companion, "clone", "-q", ".", str(there))
    edit(there, {VOICE: BASE.replace("Warm.", "Warmer.")}, "Bo", "09:00")
    edit(companion, {VOICE: BASE.replace("Warm.", "Cool.")}, "Ana", "10:00")
    typed(companion, "/conflicts")
    assert "Nothing was changed differently" in capsys.readouterr().out
    meet(companion, there)
    typed(companion, "/conflicts")
    said = capsys.readouterr().out
    assert "Cool." in said
    assert "Warmer." in said
    assert "perdure conflicts --settle" in said


def test_a_sync_is_offered_when_a_remote_is_added(companion: Path, tmp_path: Path) -> None:
    """Enter takes it, and it is a setting then; an answer of no changes nothing."""
    done = on_terminal(
        ("remote", "add", "one", str(tmp_path / "one.git")), [("leave it?", "n")], companion
    )
    assert done.code == 0
    assert "sync" not in (companion / "companion.yaml").read_text()
    done = on_terminal(
        ("remote", "add", "two", str(tmp_path / "two.git")), [("leave it?", "")], companion
    )
    assert "sync: when quiet" in (companion / "companion.yaml").read_text()
    done = on_terminal(("remote", "add", "three", str(tmp_path / "three.git")), [], companion)
    assert done.code == 0


def test_who_has_no_copy_elsewhere_is_told_seldom(
    companion: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A week after the first conversation, once, and again three months later."""
    word = "only here. To keep a copy elsewhere: perdure remote add backup ADDRESS"
    typed(companion, "one thing", "/quit")
    begun = now()
    told = []
    for days in (0, 3, 8, 9, 60, 99, 100):
        at = begun + timedelta(days=days)
        monkeypatch.setattr(proof, "now", lambda at=at: at)
        capsys.readouterr()
        typed(companion, "/quit")
        told += [days] * capsys.readouterr().out.count(word)
    assert told == [8, 99]
    add_backup(companion, companion.parent / "place.git")
    monkeypatch.setattr(proof, "now", lambda: begun + timedelta(days=400))
    typed(companion, "/quit")
    assert word not in capsys.readouterr().out
