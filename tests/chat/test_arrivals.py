"""Two devices: what came is said once, and the next prompt has the last words of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actions.history.revert import plan_revert, revert
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from tests.chat.test_merged_thread import asked, cloned, pull, say
from tests.chat.test_session import events_of
from tests.conftest import assert_sound, git
from tests.devices import meet
from tests.speaking import Scripted

VOICE = "persona/20-voice.md"


def edit(path: Path, text: str, who: str = "Ana", file: str = VOICE) -> None:
    place = path / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    git(path, "add", "-A")
    identity = ["-c", f"user.name={who}", "-c", f"user.email={who.lower()}@example.org"]
    git(path, *identity, "commit", "-qm", "persona: by hand")


async def opened(path: Path) -> list[str]:
    """What a session says when it opens."""
    session = await Session.open(path, backends=[Scripted()])
    await session.close()
    return [notice.text for notice in session.notices]


def came(texts: list[str]) -> list[str]:
    return [text for text in texts if text.startswith("From another device")]


@pytest.fixture
async def two(companion: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two devices that have begun together, and gone on apart."""
    edit(companion, "# Voice\n\nWarm.\n")
    await say(companion, "We begin.")
    there = cloned(companion, tmp_path / "there")
    await opened(there)
    await say(companion, "Desk one.", "Desk two.")
    await say(there, "Lap one.", "Lap two.", "Lap three.")
    return companion, there


async def test_both_devices_hear_both_after_a_sync(two: tuple[Path, Path]) -> None:
    here, there = two
    meet(here, there)
    meet(there, here)
    assert git(here, "rev-parse", "main") == git(there, "rev-parse", "main")
    for path in two:
        backend, told = await say(path, f"After, {path.name}.")
        assert {"Desk two.", "Lap three."} < set(asked(backend))
        assert [text for text in told if "both" in text]
        assert_sound(path)
    meet(here, there)
    meet(there, here)
    for path in reversed(two):
        backend, _ = await say(path, "And on.")
        words = asked(backend)
        assert {"After, mira.", "After, there."} < set(words)
        assert len(words) == len(set(words))


async def test_a_branch_that_met_while_another_was_checked_out(two: tuple[Path, Path]) -> None:
    here, there = two
    for path in two:
        git(path, "branch", "aside", "main~1")
        git(path, "switch", "-q", "aside")
    meet(here, there)
    meet(there, here)
    for path in two:
        git(path, "switch", "-q", "main")
        backend, told = await say(path, "After.")
        assert {"Desk two.", "Lap three."} < set(asked(backend))
        assert [text for text in told if "both" in text]
        assert_sound(path)


async def test_what_came_is_said_once_in_one_line(two: tuple[Path, Path]) -> None:
    here, there = two
    edit(there, "# Voice\n\nWarmer.\n")
    edit(there, "# Ana\n\n- Lives in Ghent.\n", file="memory/facts/ana.md")
    assert came(await opened(here)) == []
    meet(here, there)
    told = await opened(here)
    assert came(told) == [
        "From another device: 3 turns, 1 change to the persona (20-voice.md), 1 fact."
    ]
    assert came(await opened(here)) == []
    assert came((await say(here, "After."))[1]) == []
    meet(there, here)
    assert came((await say(there, "After."))[1]) == []  # what opening said is in the session's


async def test_a_pull_is_told_like_a_sync_and_an_author_who_is_new(two: tuple[Path, Path]) -> None:
    here, there = two
    edit(there, "# Voice\n\nStrange.\n", "Eve")
    pull(here, there)
    (told,) = came(await opened(here))
    assert "by Eve <eve@example.org>, new here" in told
    edit(there, "# Voice\n\nStranger.\n", "Eve")
    pull(here, there, "--rebase")
    (told,) = came(await opened(here))
    assert "Eve" not in told


async def test_a_chat_that_is_open_tells_it_before_the_next_reply(two: tuple[Path, Path]) -> None:
    here, there = two
    session = await Session.open(here, backends=[Scripted()])
    await events_of(session.send("Still here."))
    meet(here, there)
    told = [getattr(event, "text", "") for event in await events_of(session.send("After."))]
    assert len(came(told)) == 1
    meet(here, there)
    assert await session.look_again() is None
    await session.close()


async def test_nothing_is_said_of_what_was_done_here(companion: Path) -> None:
    await say(companion, "We begin.")
    git(companion, "switch", "-qc", "side")
    await say(companion, "On the side.")
    git(companion, "switch", "-q", "main")
    edit(companion, "# Voice\n\nLoud.\n")
    await opened(companion)
    git(companion, "merge", "-q", "--no-edit", "side")
    assert came(await opened(companion)) == []


async def test_places_that_differ_are_told_once(two: tuple[Path, Path]) -> None:
    here, there = two
    edit(here, "# Voice\n\nCool.\n")
    edit(there, "# Voice\n\nHot.\n")
    meet(here, there)
    told = [text for text in await opened(here) if "perdure conflicts" in text]
    assert len(told) == 1
    assert told[0].startswith("1 place in the persona differs between your devices; ")
    assert not [text for text in await opened(here) if "perdure conflicts" in text]
    meet(there, here)
    assert [text for text in await opened(there) if "perdure conflicts" in text] == told


@pytest.mark.parametrize("number", range(4))
async def test_a_conversation_that_was_to_begin_begins_after_a_sync_too(
    companion: Path, tmp_path: Path, number: int
) -> None:
    edit(companion, "# Voice\n\nWarm.\n")
    await say(companion, "We begin.")
    there = cloned(companion, tmp_path / "there")
    with Workspace.open(companion) as workspace:
        rev = git(companion, "log", "-1", "--format=%H", "--", VOICE).strip()
        revert(workspace, plan_revert(workspace, rev), "new")
    edit(there, f"- {number}\n", file="memory/facts/a.md")
    meet(companion, there)
    assert git(companion, "rev-list", "--count", "--merges", "HEAD") == "1\n"
    backend, _ = await say(companion, "Afresh.")
    assert asked(backend) == ["Afresh."]
