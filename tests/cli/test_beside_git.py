"""The command where git has left the folder in an odd state, and the ways back that it names."""

from __future__ import annotations

from pathlib import Path

from perdure.chat.events import ReplyStarted, Saved
from perdure.chat.session import Session
from perdure.notice import Notice
from tests.chat.test_session import events_of, talk
from tests.cli.conftest import Perdure
from tests.conftest import assert_sound, git
from tests.speaking import Scripted


async def test_a_branch_without_a_commit_is_left_again(companion: Path, perdure: Perdure) -> None:
    """`git checkout --orphan` under a reply: the way back works."""
    await talk(companion, "First.")
    session = await Session.open(companion, backends=[Scripted()])
    async for event in session.send("Under."):
        if isinstance(event, ReplyStarted):
            git(companion, "checkout", "-q", "--orphan", "fresh")
    events = await events_of(session.send("Later."))
    await session.close()
    told = [event.text for event in events if isinstance(event, Notice)]
    assert any("The branch fresh is checked out now but has no commit yet" in it for it in told)
    assert [event.branch for event in events if isinstance(event, Saved)] == ["main"]
    said = perdure("-c", str(companion), "say", "Hello.")
    assert said.returncode == 1
    assert said.stderr.rstrip().endswith("&& git switch main")
    assert "perdure switch main goes there" in said.stderr
    assert perdure("-c", str(companion), "switch", "main").returncode == 0
    assert_sound(companion)


async def test_a_branch_without_a_commit_keeps_what_is_staged_there(
    companion: Path, perdure: Perdure
) -> None:
    await talk(companion, "First.")
    git(companion, "checkout", "-q", "--orphan", "fresh")
    (chunk,) = (companion / "conversations").rglob("*.md")
    chunk.write_text(chunk.read_text().replace("First.", "Mended."))
    git(companion, "add", "-A")
    done = perdure("-c", str(companion), "switch", "main")
    assert done.returncode == 1
    assert "would be overwritten" in done.stderr
    assert "Mended." in chunk.read_text()
