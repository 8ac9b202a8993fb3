"""Plans and their outcome in words: what was said, and when; no ids, no hashes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.actions.errors import CannotAct
from perdure.actions.history import branch, revert, rewind, tag
from perdure.actions.history.undo import list_operations
from perdure.actions.memory import exclude
from perdure.actions.turns import answers, correct, regenerate
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from tests.conftest import git
from tests.speaking import Scripted

_ID = re.compile(r"\d{4}-\d\d-\d\d-\d{4}-[0-9a-f]{8}|\b(?=[a-f]*\d)[0-9a-f]{7,40}\b")
_WHEN = r"\(\d+ \w{3} \d{4} \d\d:\d\d\)"


async def _talk(path: Path, *texts: str) -> None:
    session = await Session.open(path, backends=[Scripted()])
    for text in texts:
        async for _ in session.send(text):
            pass
    await session.close()


@pytest.fixture
async def talked(companion: Path) -> Path:
    """Three turns, a change of the persona before the last two; the last one answered twice."""
    await _talk(companion, "the weir")
    (companion / "persona" / "20-voice.md").write_text("Loud.\n")
    git(companion, "commit", "-qam", "persona: loud")
    await _talk(companion, "the mill", "the hill")
    session = await Session.open(companion, backends=[Scripted(reply=lambda _prompt: "other")])
    async for _ in session.regenerate("@"):
        pass
    await session.close()
    return companion


def _said(path: Path, plan: Callable[[Workspace], list[str]]) -> str:
    with Workspace.open(path) as workspace:
        said = "\n".join(plan(workspace))
    assert not _ID.search(said), said
    return said


async def test_plans(talked: Path) -> None:
    said = _said(talked, lambda workspace: exclude.plan_exclude(workspace, "2").describe())
    assert re.search(f"Kept out of prompts: “the mill” {_WHEN}\\.", said)
    said = _said(talked, lambda workspace: exclude.plan_exclude(workspace, "1..3").describe())
    assert re.search(f"3 turns, from “the weir” {_WHEN} to “the hill” {_WHEN}", said)
    said = _said(talked, lambda workspace: rewind.plan_rewind(workspace, "1").describe())
    assert "“the weir”" in said
    said = _said(talked, lambda workspace: regenerate.plan_regenerate(workspace, "1").describe())
    assert "not the newest message" in said
    said = _said(talked, lambda workspace: answers.plan_choice(workspace, "3", 1).describe())
    assert "Shows answer 1 to “the hill”" in said
    loud = git(talked, "log", "-1", "--format=%H", "--", "persona").strip()
    said = _said(talked, lambda workspace: revert.plan_revert(workspace, loud).describe())
    assert re.search(f"Takes back “persona: loud” {_WHEN}", said)
    assert re.search(f"2 turns, “the mill” {_WHEN} and “the hill” {_WHEN}", said)


async def test_what_was_done(talked: Path) -> None:
    with Workspace.open(talked) as workspace:
        assert list_operations(workspace)[0].words == "another answer to “the hill”"
        rewind.rewind(workspace, rewind.plan_rewind(workspace, "1"))
    with Workspace.open(talked) as workspace:
        listed = [row.words for row in list_operations(workspace)]
    assert not [each for each in listed if _ID.search(each)]
    assert listed[0].startswith("to “the weir”, on rewind-")


async def test_names_of_acts_end_whole(talked: Path) -> None:
    """Where a hash was taken out, nothing dangles; words in quotes are not quoted again."""
    with Workspace.open(talked) as workspace:
        tag.tag(workspace, "before", workspace.tip)
        branch.begin_branch(workspace, "side", "@")
        assert [row.words for row in list_operations(workspace)[:2]] == ["side", "before"]
        words = correct.find_words(workspace, "2")
        assert words.named == "your words “the mill”"
        with pytest.raises(CannotAct, match="“the mill” read like that already"):
            correct.correct(workspace, words, "the mill")
        reply = correct.find_words(workspace, "3", reply=True)
        assert reply.named == "answer 2 to “the hill”"
