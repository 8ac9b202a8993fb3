"""A process is killed at each change that it makes to the disk, and the next one goes on.

While it joins what was said beside a rebase, keeps the words of a folder from elsewhere, moves away
what is no state, or saves a turn: nothing is lost, nothing stands twice, nothing is left over.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from perdure.chat.session import Session
from tests.chat.test_beside_rebase import edited, go_on, tried
from tests.chat.test_recovery import crash
from tests.chat.test_session import events_of, life, talk
from tests.conftest import as_its_own, assert_sound, git
from tests.processes import started
from tests.speaking import Scripted

_CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


async def say(path: Path, text: str = "") -> None:
    session = await Session.open(path, backends=[Scripted()])
    if text:
        await events_of(session.send(text))
    await session.close()


def end_at(step: int, path: Path, text: str) -> NoReturn:
    """Open, and say something, in a process that ends before its n-th change."""
    left = step

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT
        if event in _CHANGES or writes:
            left -= 1
            if left < 0:
                os._exit(9)

    code = 1
    try:
        sys.addaudithook(hook)
        asyncio.run(say(path, text))
        code = 0
    finally:
        os._exit(code)


def fork_at_each_line() -> None:
    """A process that has imported all and has no threads: so it is safe, and quick, to fork."""
    for line in sys.stdin:
        step, path, text = json.loads(line)
        child = os.fork()
        if not child:
            end_at(step, Path(path), text)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


@pytest.fixture
def killed_at() -> Iterator[Callable[[int, Path, str], bool]]:
    """Open, and say something, and die before the n-th change; whether it came."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "tests.chat.test_killed_openings"]
    with started(command, stdin=pipe, stdout=pipe) as process:

        def killed_at(step: int, path: Path, text: str) -> bool:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([step, str(path), text]) + "\n")
            process.stdin.flush()
            ended = process.stdout.readline()
            assert ended in {"0\n", "9\n"}
            return ended == "9\n"

        yield killed_at


async def given_up(path: Path) -> None:
    assert tried(path, "rebase", "-i", "HEAD~2", editor="sed -i -e 1s/^pick/edit/")
    await talk(path, "Beside.")
    git(path, "rebase", "--abort")


async def rewritten(path: Path) -> None:
    editor = "sed -i -e 1s/^pick/edit/ -e 2s/^pick/drop/"
    assert tried(path, "rebase", "-i", "HEAD~2", editor=editor)
    await talk(path, "Beside.")
    go_on(path)


async def from_elsewhere(path: Path) -> None:
    crash(path, "prepare_turn", "Half of it", "Beside.")
    (path / ".git/perdure/state/mark").write_text("0" * 32 + "\n")


async def no_state(path: Path) -> None:
    await talk(path, "Beside.")
    for name in ("held", "spare", "leases"):
        place = path / ".git/perdure/state" / name
        shutil.rmtree(place, ignore_errors=True)
        place.write_text("no folder")


async def a_turn(path: Path) -> None:
    await talk(path, "Beside.")


@pytest.mark.parametrize(
    ("before", "text", "stride"),
    [
        (given_up, "", 5),
        (rewritten, "", 5),
        (from_elsewhere, "", 2),
        (no_state, "", 2),
        (a_turn, "Under.", 3),
    ],
)
async def test_the_next_process_goes_on(
    companion: Path,
    tmp_path: Path,
    before: Callable[[Path], Awaitable[None]],
    text: str,
    stride: int,
    killed_at: Callable[[int, Path, str], bool],
) -> None:
    """Every few changes; ``PERDURE_STRIDE=1`` takes each."""
    stride = int(os.environ.get("PERDURE_STRIDE", stride))
    await talk(companion, "First.")
    for number in range(2):
        edited(companion, f"Line {number}.")
    await before(companion)
    step = stride - 1
    while True:
        place = tmp_path / f"cut-{step}" / "mira"
        place.parent.mkdir()
        subprocess.run(["cp", "-a", companion, place], check=True)
        if before is not from_elsewhere:
            as_its_own(place)
        was_killed = killed_at(step, place, text)
        await say(place, "Afterwards.")
        said = [turn.message.text for turn in life(place) if turn.message]
        assert sorted({*said} - {"Under."}) == ["Afterwards.", "Beside.", "First."], (step, said)
        assert len(said) == len(set(said)), (step, said)
        assert git(place, "for-each-ref", "refs/heads/chat-*", "refs/worktree") == "", step
        assert not list((place / ".git/objects/pack").glob("*.keep")), step
        assert_sound(place)
        shutil.rmtree(place.parent)
        if not was_killed:
            break
        step += stride
    assert step > 5


if __name__ == "__main__":
    fork_at_each_line()
