"""Talking to her as she was: a scratch branch, kept or dropped; the embedded model answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.actions.history.visit import begin_visit, current_visit, end_visit, plan_visit
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from tests.cli.conftest import Run
from tests.cli.terminal import on_terminal
from tests.cli.test_history import VOICE, edit, talk
from tests.cli.test_turns import tip
from tests.conftest import assert_sound, git
from tests.processes import started
from tests.speaking import Scripted


def branch(path: Path) -> str:
    return git(path, "branch", "--show-current").strip()


def heads(path: Path) -> list[str]:
    return git(path, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


@pytest.fixture
def changed(companion: Path) -> Path:
    """A companion whose voice was changed after her second turn."""
    talk(companion, "One.", "Two.")
    edit(companion, VOICE, "# Voice\n\nShout.\n", "persona: loud")
    talk(companion, "Three.")
    return companion


@pytest.mark.model
def test_say_at_a_turn_is_kept_under_a_name(changed: Path, run: Run) -> None:
    before = tip(changed)
    done = run("say", "--at", "@-1", "--keep", "then", "Who are you?", "--json")
    assert json.loads(done.stdout)["turn"]
    assert (branch(changed), tip(changed)) == ("main", before)
    assert heads(changed) == ["main", "then"]
    assert "Who are you?" in git(changed, "log", "-1", "--format=%s", "then")
    assert "Shout" not in git(changed, "show", f"then:{VOICE}")
    assert "perdure switch then" in done.stderr
    assert_sound(changed)
    run("undo", "--yes")
    assert branch(changed).startswith("visit-")
    run("redo", "--yes")
    assert branch(changed) == "main"
    run("undo", "--yes", "-n", "3")  # what was said takes its own commits along
    assert (branch(changed), heads(changed), tip(changed)) == ("main", ["main"], before)
    assert_sound(changed)


@pytest.mark.model
def test_plain_chat_at_a_date_or_revision_is_dropped(changed: Path, run: Run) -> None:
    before = tip(changed)
    done = run("chat", "--plain", "--at", "HEAD~2", "--drop", stdin="Hello there.\n")
    assert "as she was on" in done.stdout
    assert (branch(changed), tip(changed), heads(changed)) == ("main", before, ["main"])
    run("undo", "--yes")
    assert "Hello there." in git(changed, "log", "-1", "--format=%s")
    assert_sound(changed)
    run("chat", "--plain", "--at", "@-1", stdin="", code=1)
    run("switch", "main")
    # Nothing was said: nothing stays.
    run("chat", "--plain", "--at", "@-1", stdin="")
    assert [name for name in heads(changed) if name != "main"] == heads(changed)[1:2]
    assert_sound(changed)


@pytest.mark.model
def test_a_terminal_is_asked_whether_to_keep_it(changed: Path) -> None:
    words = ["chat", "--plain", "--at", "@-1"]
    done = on_terminal(words, [("Ana: ", "Hello."), ("Ana: ", "/quit"), ("Keep it", "n")], changed)
    assert done.code == 0, done.screen
    assert heads(changed) == ["main"]
    assert_sound(changed)


def test_what_cannot_be_is_refused(changed: Path, run: Run) -> None:
    before = tip(changed)
    run("say", "--drop", "x", code=2)
    run("say", "--at", "@-1", "--keep", "a", "--drop", "x", code=2)
    assert "nowhere" in run("say", "--at", "nowhere", "x", code=1).stderr
    assert "already" in run("say", "--at", "@-1", "--keep", "main", "x", code=1).stderr
    assert "last turn" in run("say", "--at", "@", "x", code=1).stderr
    git(changed, "switch", "-q", "--detach")
    assert "perdure switch" in run("say", "--at", "@-1", "x", code=1).stderr
    git(changed, "switch", "-q", "main")
    assert (tip(changed), heads(changed)) == (before, ["main"])


def test_an_edit_by_hand_stays_on_the_branch_where_it_was_made(changed: Path) -> None:
    (changed / VOICE).write_text("# Voice\n\nWhisper.\n")
    with Workspace.open(changed) as workspace:
        visit = begin_visit(workspace, plan_visit(workspace, "@-1"))
        assert "Shout" not in (changed / VOICE).read_text()
        assert "Whisper" not in (changed / VOICE).read_text()
        end_visit(workspace, visit)
    assert "Whisper" in (changed / VOICE).read_text()
    assert heads(changed) == ["main"]
    assert_sound(changed)


async def test_a_crash_in_a_visit_leaves_a_clear_state(changed: Path) -> None:
    before = tip(changed)
    words = [str(Path(sys.executable).with_name("perdure")), "chat", "--plain", "--at", "@-1"]
    pipe = subprocess.PIPE
    with started(words, folder=changed, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
    assert branch(changed).startswith("visit-")
    session = await Session.open(changed, backends=[Scripted()])
    assert any("perdure switch main" in notice.text for notice in session.notices)
    async for _ in session.send("Still there?"):
        pass
    await session.close()
    with Workspace.open(changed) as workspace:
        visit = current_visit(workspace.repo)
        assert visit is not None
        assert visit.back == "main"
        end_visit(workspace, visit, drop=True)
        assert current_visit(workspace.repo) is None
    assert (branch(changed), tip(changed), heads(changed)) == ("main", before, ["main"])
    assert_sound(changed)
