"""The branch of a prompt is renamed or deleted while the reply is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.chat.events import (
    Event,
    ReplyStarted,
    Saved,
)
from perdure.chat.session import Session
from perdure.git.repository.repository import Repository
from perdure.notice import Notice
from tests.chat.test_session import events_of, talk
from tests.conftest import assert_sound, git
from tests.speaking import Scripted


def renamed(path: Path) -> None:
    git(path, "branch", "-m", "main", "trunk")


def renamed_twice(path: Path) -> None:
    git(path, "branch", "-m", "main", "trunk")
    git(path, "branch", "-m", "trunk", "stem")


def renamed_and_made_anew(path: Path) -> None:
    git(path, "branch", "-m", "main", "trunk")
    git(path, "branch", "main", "HEAD~1")


def renamed_from_elsewhere(path: Path) -> None:
    git(path, "checkout", "-q", "other")
    git(path, "branch", "-m", "main", "trunk")


def renamed_packed(path: Path) -> None:
    git(path, "pack-refs", "--all")
    git(path, "branch", "-m", "main", "trunk")
    git(path, "pack-refs", "--all")


def deleted(path: Path) -> None:
    git(path, "checkout", "-q", "other")
    git(path, "branch", "-D", "main")


def deleted_and_pruned(path: Path) -> None:
    deleted(path)
    git(path, "gc", "-q")


def deleted_without_leaving(path: Path) -> None:
    git(path, "update-ref", "-d", "refs/heads/main")


def deleted_detached(path: Path) -> None:
    git(path, "checkout", "-q", "--detach")
    git(path, "branch", "-D", "main")


def deleted_for_another_companion(path: Path) -> None:
    git(path, "checkout", "-q", "other")
    git(path, "rm", "-q", "companion.yaml")
    git(path, "commit", "-qm", "companion: gone here")
    git(path, "branch", "-D", "main")


def switched_to_its_heir(path: Path) -> None:
    git(path, "checkout", "-q", "-b", "heir")
    git(path, "branch", "-D", "main")


SCENES: list[tuple[Callable[[Path], None], str, str]] = [
    (renamed, "trunk", "main was renamed to trunk"),
    (renamed_twice, "stem", "main was renamed to stem"),
    (renamed_and_made_anew, "trunk", "main was renamed to trunk"),
    (renamed_from_elsewhere, "trunk", "main was renamed to trunk"),
    (renamed_packed, "trunk", "main was renamed to trunk"),
    (deleted, "main", "main was deleted"),
    (deleted_and_pruned, "main", "main was deleted"),
    (deleted_without_leaving, "main", "main was deleted"),
    (deleted_detached, "main", "main was deleted"),
    (deleted_for_another_companion, "main", "main was deleted"),
    (switched_to_its_heir, "heir", "main was deleted"),
]


@pytest.mark.parametrize(
    ("harm", "branch", "told"), SCENES, ids=[scene[0].__name__ for scene in SCENES]
)
async def test_the_turn_stands_on_what_was_said_before(
    companion: Path, harm: Callable[[Path], None], branch: str, told: str
) -> None:
    await talk(companion, "First.", "Second.")
    git(companion, "branch", "other", "HEAD~1")
    session = await Session.open(companion, backends=[Scripted()])
    before = git(companion, "rev-parse", "main").strip()
    events: list[Event] = []
    async for event in session.send("Under."):
        events.append(event)
        if isinstance(event, ReplyStarted):
            harm(companion)
    await session.close()
    (saved,) = [event for event in events if isinstance(event, Saved)]
    assert saved.branch == branch
    assert git(companion, "rev-parse", f"{branch}~1").strip() == before
    assert git(companion, "rev-parse", branch).strip() == saved.commit
    assert len(git(companion, "rev-list", "--max-parents=0", "--branches").split()) == 1
    assert [e.text for e in events if isinstance(e, Notice) and e.text.startswith(told)]
    if harm is not deleted_for_another_companion and harm is not deleted_without_leaving:
        await talk(companion, "Later.")
    assert git(companion, "status", "--porcelain") == ""


async def test_in_a_linked_work_tree(companion: Path, tmp_path: Path) -> None:
    await talk(companion, "First.")
    place = tmp_path / "linked"
    git(companion, "worktree", "add", "-q", "-b", "side", str(place))
    session = await Session.open(place, backends=[Scripted()])
    async for event in session.send("Under."):
        if isinstance(event, ReplyStarted):
            git(place, "branch", "-m", "side", "aside")
    saved = (await events_of(session.send("Later.")))[-1]
    await session.close()
    assert isinstance(saved, Saved)
    assert saved.branch == "aside"
    assert git(place, "log", "--format=%s", "-2", "aside").split("\n")[:2] == [
        "turn: Later.",
        "turn: Under.",
    ]


@pytest.mark.parametrize("harm", [renamed, deleted])
async def test_a_crash_after_it_finds_the_way_as_well(
    companion: Path, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(companion, "First.")
    git(companion, "branch", "other", "HEAD~1")
    before = git(companion, "rev-parse", "main").strip()

    def refused(*_: object, **__: object) -> str:
        raise OSError(5, "Input/output error")

    session = await Session.open(companion, backends=[Scripted()])
    with monkeypatch.context() as patch:
        async for event in session.send("Under."):
            if isinstance(event, ReplyStarted):
                harm(companion)
                patch.setattr("perdure.git.packs.small.PackWriter.write", refused)
    await session.close()
    session = await Session.open(companion, backends=[Scripted()])
    await session.close()
    branch = "trunk" if harm is renamed else "main"
    with Repository.open(companion) as repo:
        assert repo.commit_info(branch).subject == "turn: Under."
        assert repo.commit_info(branch).parents == (before,)


async def test_a_chunk_that_is_missing_in_the_folder_is_told_once(companion: Path) -> None:
    await talk(companion, "First.")
    (chunk,) = (companion / "conversations").rglob("*.md")
    session = await Session.open(companion, backends=[Scripted()])
    told: list[str] = []
    for text in ("Second.", "Third."):
        async for event in session.send(text):
            if isinstance(event, ReplyStarted):
                shutil.rmtree(companion / "conversations", ignore_errors=True)
            if isinstance(event, Notice):
                told.append(event.text)
    await session.close()
    name = str(chunk.relative_to(companion))
    (missing,) = [text for text in told if "is missing in the folder" in text]
    assert missing.endswith(f"git checkout -- {name}")
    git(companion, "checkout", "--", name)
    assert "> Third.\n" in chunk.read_text()
    assert_sound(companion)
