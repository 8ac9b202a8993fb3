"""Talk while git goes through the commits of the branch; afterwards no turn is off it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from perdure.chat.events import ReplyStarted, Saved
from perdure.chat.session import Session
from perdure.git import layout
from perdure.notice import Notice
from tests.chat.test_session import events_of, talk
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

VOICE = "persona/20-voice.md"


def tried(path: Path, *words: str, editor: str = "true") -> bool:
    """git, which may stop in the middle."""
    env = {**os.environ, "GIT_SEQUENCE_EDITOR": editor, "GIT_EDITOR": "true"}
    done = subprocess.run(["git", "-C", path, *words], env=env, capture_output=True, check=False)

    return done.returncode == 0


def edited(path: Path, line: str) -> None:
    (path / VOICE).write_text(f"{(path / VOICE).read_text()}\n{line}\n")
    git(path, "commit", "-qam", f"persona: {line}")


def texts(path: Path, rev: str = "HEAD") -> str:
    names = git(path, "ls-tree", "-r", "--name-only", rev, "--", "conversations").split()
    return "\n".join(git(path, "show", f"{rev}:{name}") for name in names)


def stop_in_rebase(path: Path) -> None:
    assert tried(path, "rebase", "-i", "HEAD~3", editor="sed -i -e 1s/^pick/edit/")


def drop_in_rebase(path: Path) -> None:
    editor = "sed -i -e 1s/^pick/edit/ -e 2s/^pick/drop/"
    assert tried(path, "rebase", "-i", "HEAD~3", editor=editor)


def stop_in_picks(path: Path) -> None:
    git(path, "checkout", "-qb", "other", "HEAD~2")
    for line in ("Elsewhere one.", "Elsewhere two."):
        edited(path, line)
    git(path, "checkout", "-q", "main")
    assert not tried(path, "cherry-pick", "main..other")


def stop_in_reverts(path: Path) -> None:
    edited(path, "Later.")
    assert not tried(path, "revert", "--no-edit", "HEAD~1", "HEAD~2")


def stop_in_am(path: Path) -> None:
    git(path, "checkout", "-qb", "other", "HEAD~2")
    edited(path, "Elsewhere one.")
    git(path, "format-patch", "-q", "-1", "-o", str(path.parent / "patches"))
    git(path, "checkout", "-q", "main")
    (patch,) = (path.parent / "patches").iterdir()
    assert not tried(path, "am", str(patch))


def abort(path: Path) -> None:
    words = {"rebase-merge": "rebase", "rebase-apply": "am"}
    known = [word for folder, word in words.items() if (path / ".git" / folder).exists()]
    revert = (path / ".git/REVERT_HEAD").exists()
    git(path, *(known or ["revert" if revert else "cherry-pick"]), "--abort")


def go_on(path: Path) -> None:
    git(path, "rebase", "--continue")


def settle_and_go_on(path: Path) -> None:
    for number in range(9):
        if tried(path, "cherry-pick", "--continue"):
            return
        (path / VOICE).write_text(f"# Voice\n\nSettled {number}.\n")
        git(path, "add", VOICE)


def skip(path: Path) -> None:
    for _ in range(9):
        if not (path / ".git/sequencer").exists():
            return
        picks = (path / ".git/CHERRY_PICK_HEAD").exists()
        tried(path, "cherry-pick", "--skip" if picks else "--continue")


def leave(path: Path) -> None:
    git(path, "rebase", "--quit")
    git(path, "checkout", "-qf", "main")


SCENES = [
    (stop_in_rebase, abort),
    (stop_in_rebase, go_on),
    (stop_in_rebase, leave),
    (drop_in_rebase, go_on),
    (stop_in_picks, abort),
    (stop_in_picks, settle_and_go_on),
    (stop_in_picks, skip),
    (stop_in_reverts, abort),
    (stop_in_am, abort),
]


@pytest.mark.parametrize(
    ("begin", "end"), SCENES, ids=[f"{a.__name__}-{b.__name__}" for a, b in SCENES]
)
@pytest.mark.parametrize("face", ["chat", "say"])
async def test_every_turn_is_on_the_branch_afterwards(
    companion: Path, begin: Callable[[Path], None], end: Callable[[Path], None], face: str
) -> None:
    await talk(companion, "First.")
    for number in range(2):
        edited(companion, f"Line {number}.")
    session = await Session.open(companion, backends=[Scripted()])
    told: list[str] = []

    async def say(text: str) -> str:
        if face == "say":
            (saved,) = await talk(companion, text)
            return saved.branch
        events = await events_of(session.send(text))
        told.extend(event.text for event in events if isinstance(event, Notice))
        (saved,) = [event for event in events if isinstance(event, Saved)]
        return saved.branch

    assert await say("Before.") == "main"
    begin(companion)
    stands = git(companion, "rev-parse", "main")
    aside = {await say("While one."), await say("While two.")}
    assert len(aside) == 1
    assert next(iter(aside)).startswith("chat-")
    assert git(companion, "rev-parse", "main") == stands, "the branch is left alone"
    end(companion)
    assert await say("After.") == "main"
    await session.close()
    for text in ("First.", "Before.", "While one.", "While two.", "After."):
        assert f"> {text}\n" in texts(companion), text
    assert git(companion, "for-each-ref", "refs/heads/chat-*", "refs/worktree") == ""
    if face == "chat":
        assert sum("the conversation continues on a separate branch" in text for text in told) == 1
        assert "What was said while git was at work is now on main." in told
    assert git(companion, "status", "--porcelain") == ""
    assert_sound(companion)


async def test_what_a_rebase_dropped_does_not_come_back(companion: Path) -> None:
    await talk(companion, "First.")
    for line in ("Keep.", "Secret."):
        edited(companion, line)
    secret = git(companion, "rev-parse", "HEAD").strip()
    editor = "sed -i -e 1s/^pick/edit/ -e 2s/^pick/drop/"
    assert tried(companion, "rebase", "-i", "HEAD~2", editor=editor)
    await talk(companion, "While.")
    go_on(companion)
    await talk(companion, "After.")
    assert "> While.\n" in texts(companion)
    assert "Secret." not in (companion / VOICE).read_text()
    assert secret not in git(companion, "rev-list", "main").split()
    assert_sound(companion)


async def test_what_waits_is_said_until_a_branch_is_checked_out(companion: Path) -> None:
    for number in range(2):
        edited(companion, f"Line {number}.")
    assert tried(companion, "rebase", "-i", "HEAD~2", editor="sed -i -e 1s/^pick/edit/")
    (saved,) = await talk(companion, "While.")
    git(companion, "rebase", "--quit")
    for _ in range(2):
        session = await Session.open(companion, backends=[Scripted()])
        await session.close()
        assert [
            n.text for n in session.notices if f"What was said on {saved.branch} waits" in n.text
        ]
    (later,) = await talk(companion, "Still aside.")
    assert later.branch == saved.branch
    git(companion, "checkout", "-qf", "main")
    session = await Session.open(companion, backends=[Scripted()])
    await session.close()
    assert session.info.branch == "main"
    assert "> While.\n" in texts(companion)
    assert "> Still aside.\n" in texts(companion)


async def test_a_rebase_that_begins_under_a_reply(companion: Path) -> None:
    for number in range(2):
        edited(companion, f"Line {number}.")
    session = await Session.open(companion, backends=[Scripted()])
    async for event in session.send("Under."):
        if isinstance(event, ReplyStarted):
            assert tried(companion, "rebase", "-i", "HEAD~2", editor="sed -i -e 1s/^pick/edit/")
    git(companion, "rebase", "--abort")
    assert "> Under.\n" not in texts(companion)
    await session.look_again()
    assert "> Under.\n" in texts(companion)
    await session.close()
    assert_sound(companion)


async def test_a_turn_that_slipped_in_comes_back_after_the_abort(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It landed between git's look at the branch and the mark of the rebase."""
    for number in range(2):
        edited(companion, f"Line {number}.")
    assert tried(companion, "rebase", "-i", "HEAD~2", editor="sed -i -e 1s/^pick/edit/")
    with monkeypatch.context() as patch:
        patch.setattr("perdure.git.worktree.sync.rewritten_branch", lambda *_: None)
        real = layout.state_of_work
        patch.setattr(
            layout, "state_of_work", lambda *told: replace(real(*told), is_rewriting=False)
        )
        git(companion, "symbolic-ref", "HEAD", "refs/heads/main")
        await talk(companion, "Slipped.")
    git(companion, "rebase", "--abort")
    assert "Slipped." not in texts(companion)
    for _ in range(2):
        session = await Session.open(companion, backends=[Scripted()])
        await session.close()
        assert "> Slipped.\n" in texts(companion)
    assert git(companion, "status", "--porcelain") == ""
    assert_sound(companion)
