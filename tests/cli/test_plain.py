"""The talk in plain lines: how they are read, and what is done between them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perdure.chat.session import Session
from perdure.cli.chat.plain import PlainChat
from perdure.cli.input.stdin import TypedLines
from tests.background import idle
from tests.conftest import assert_sound, git
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
