"""A turn whose commit has a tree that git never writes: every way back to it refuses beforehand.

The tip has a clean tree again; the odd one is in the past, on a branch, or of a turn whose other
answers are wanted.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from perdure.actions.history import branch, rewind, undo
from perdure.actions.history.merge import merge_branch, plan_branch_merge
from perdure.actions.history.restore import plan_restore
from perdure.actions.history.revert import plan_revert
from perdure.actions.history.visit import begin_visit, plan_visit
from perdure.actions.persona import begin_edit, finish_edit
from perdure.actions.turns import answers, correct, regenerate
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from perdure.chat.turn.side_branch import join_sides
from perdure.companion.clock import now
from perdure.errors import Problem
from perdure.git.errors import HistoryError
from perdure.git.operations import branches
from perdure.git.operations.side_branch import mark
from perdure.git.repository.repository import Repository
from tests.chat.test_session import events_of
from tests.conftest import git
from tests.git.test_hostile_trees import (
    BLOB,
    FILE,
    FOLDER,
    LINK,
    MODULE,
    commit,
    put,
    rows_of,
    seen,
    set_ref,
    tree,
    with_entry,
)
from tests.speaking import Scripted

Odd = Callable[[Repository, str], str]
"""The root tree that is made of a clean one."""


def entry(*way: bytes, mode: bytes = FILE) -> Odd:
    return lambda repo, clean: with_entry(repo, clean, way, mode)


def raw(*rows: tuple[bytes, bytes], first: bool = False) -> Odd:
    """Entries in an order, or of a number, that git never writes."""

    def made(repo: Repository, clean: str) -> str:
        blob = put(repo, b"blob", BLOB)
        inner = tree(repo, [(FILE, b"x", blob)])
        more = [(mode, name, inner if mode == FOLDER else blob) for mode, name in rows]
        known = rows_of(repo, clean)
        listed = [*more, *known] if first else [*known, *more]
        body = b"".join(m + b" " + name + b"\0" + bytes.fromhex(oid) for m, name, oid in listed)
        return put(repo, b"tree", body)

    return made


REFUSED: dict[str, Odd] = {
    "up": entry(b"..", b"..", b"mine"),
    "empty": entry(b""),
    "slash": entry(b"../../mine"),
    "git": entry(b".git", b"hooks", b"post-checkout"),
    "short": entry(b"GIT~1", b"config"),
    "ignorable": entry(".g\u200cit".encode(), b"config"),
    "stream": entry(b".git::$INDEX_ALLOCATION", b"config"),
    "inside": entry(b"persona", b"..", b"..", b"mine"),
    "link": entry(b"mine", mode=LINK),
    "module": entry(b"mine", mode=MODULE),
    "no mode": entry(b"mine", mode=b"0"),
    "unsorted": raw((FILE, b"..")),
}
ALLOWED: dict[str, Odd] = {
    "twice": raw((FILE, b"mine"), (FILE, b"mine")),
    "unsorted": raw((FILE, b"aaa"), first=False),
    "file and folder": raw((FILE, b"mine"), (FOLDER, b"mine"), first=True),
}
"""What may be written, inside the folder and nowhere else."""


@dataclass
class Life:
    path: Path
    repo: Repository
    odd: str
    """The commit of the turn whose tree is odd."""
    before: dict[str, str]

    def workspace(self) -> Workspace:
        return Workspace(self.repo)


async def say(path: Path, text: str) -> None:
    session = await Session.open(path, backends=[Scripted()])
    try:
        await events_of(session.send(text))
    finally:
        await session.close()


async def made(companion: Path, odd: Odd) -> tuple[str, dict[str, str]]:
    """Three turns; the second, with two answers, has the odd tree. The branch `odd` ends there."""
    await say(companion, "The first.")
    with Repository.open(companion) as repo:
        tip = repo.resolve("main")
        set_ref(repo, "main", commit(repo, odd(repo, repo.commit_info(tip).tree), tip))
        start = seen(repo)
    await say(companion, "The second.")
    session = await Session.open(companion, backends=[Scripted()])
    await events_of(session.regenerate("@"))
    await session.close()
    with Repository.open(companion) as repo:
        now_there = seen(repo)
        assert outside_talk(now_there) == outside_talk(start)
        turn = repo.resolve("main")
        clean = rows_of(repo, repo.commit_info(f"{turn}~3").tree)
        talk = [row for row in rows_of(repo, repo.commit_info(turn).tree) if row[1] in TALK]
        root = tree(repo, [*(row for row in clean if row[1] not in TALK), *talk])
        set_ref(repo, "odd", turn)
        set_ref(repo, "main", commit(repo, root, turn, says="persona: tidy"))
        (repo.git_dir / "index").unlink()
        git(companion, "reset", "-q")
    await say(companion, "The third.")
    return turn, now_there


TALK = {b"conversations", b"alternatives"}


def outside_talk(files: dict[str, str]) -> dict[str, str]:
    talk = ("/conversations/", "/alternatives/")
    return {name: value for name, value in files.items() if not any(map(name.__contains__, talk))}


@pytest.fixture
async def life(companion: Path, request: pytest.FixtureRequest) -> AsyncIterator[Life]:
    odd, _ = await made(companion, request.param)
    with Repository.open(companion) as repo:
        yield Life(companion, repo, odd, seen(repo))


refused = pytest.mark.parametrize("life", REFUSED.values(), ids=REFUSED.keys(), indirect=True)
some = pytest.mark.parametrize(
    "life",
    [REFUSED[name] for name in ("up", "slash", "git", "inside", "link", "module")],
    indirect=True,
)
few = pytest.mark.parametrize("life", [REFUSED["up"], REFUSED["git"]], indirect=True)


@refused
def test_every_way_back_refuses_before_a_plan_and_before_edits_are_taken(life: Life) -> None:
    tip = life.repo.resolve("main")
    (life.path / "persona/10-who.md").write_text("I am Mira, and this is being written.\n")
    life.before = seen(life.repo)
    workspace = life.workspace()
    doors: dict[str, Callable[[], object]] = {
        "rewind": lambda: rewind.plan_rewind(workspace, life.odd),
        "rewind to the turn": lambda: rewind.plan_rewind(workspace, "@-1"),
        "visit": lambda: begin_visit(workspace, plan_visit(workspace, "@-1")),
        "choose": lambda: answers.plan_choice(workspace, "@-1", 1),
        "regenerate": lambda: regenerate.plan_regenerate(workspace, "@-1"),
        "switch": lambda: branch.check_out_branch(workspace, "odd"),
        "start": lambda: branches.start_branch(life.repo, "x", life.odd, author=workspace.author),
    }
    for name, door in doors.items():
        with pytest.raises(HistoryError) as error:
            door()
        assert "nothing was changed" in str(error.value).lower(), name
    assert life.repo.resolve("main") == tip
    assert seen(life.repo) == life.before


@some
def test_merge_restore_and_revert_refuse_or_leave_it_out(life: Life) -> None:
    workspace = life.workspace()
    tip = life.repo.resolve("main")
    side = life.repo.commit_info(tip).parents[0]
    aside = commit(life.repo, life.repo.commit_info(life.odd).tree, f"{side}", says="persona: x")
    set_ref(life.repo, "side", aside)
    (life.path / "persona/10-who.md").write_text("I am Mira, and this is being written.\n")
    before = seen(life.repo)
    for act in (
        lambda: plan_branch_merge(workspace, "side"),
        lambda: merge_branch(workspace, "side"),
        lambda: plan_restore(workspace, [""], life.odd, "then"),
        lambda: plan_revert(workspace, life.repo.commit_info(f"{life.odd}~2").id),
    ):
        with pytest.raises(Problem, match=r"(?i)nothing was changed"):
            act()
    assert seen(life.repo) == before
    assert life.repo.resolve("main") == tip


@few
def test_a_side_branch_of_such_a_tree_is_told_and_not_joined(life: Life) -> None:
    tip = life.repo.resolve("main")
    root = life.repo.commit_info(life.odd).tree
    set_ref(life.repo, "side", commit(life.repo, root, tip, says="turn: x"))
    mark(life.repo, "side", tip)
    before = seen(life.repo)
    told = join_sides(life.repo, life.workspace().author)
    assert any("not on main yet" in notice.text for notice in told)
    assert (seen(life.repo), life.repo.resolve("main")) == (before, tip)


@few
def test_undo_to_such_a_tree_refuses_before_it_asks(life: Life) -> None:
    """The tip itself brought the clean tree."""
    workspace = life.workspace()
    clean = life.repo.commit_info("main").tree
    set_ref(life.repo, "main", commit(life.repo, clean, life.odd, says="persona: tidy"))
    before = seen(life.repo)
    with pytest.raises(HistoryError, match="may not be written"):
        undo.next_undo(workspace)
    assert seen(life.repo) == before


@few
def test_a_plan_of_a_killed_process_that_would_write_it_is_put_away(life: Life) -> None:
    """As if it had been decided by a version that knew no such rule."""
    repo = life.repo
    branches.tag(repo, "here", author=life.workspace().author, at=now())
    op, tip = repo.resolve("refs/perdure/ops"), repo.resolve("main")
    plan = {
        "version": 1,
        "op": op,
        "log": None,
        "moves": [["refs/heads/main", tip, life.odd]],
        "before": ["main", tip],
        "after": ["main", life.odd],
        "accepted": {},
        "done": [],
        "own": ".",
        "boot": "",
        "locks": [],
    }
    (repo.state_dir / "operation.json").write_text(json.dumps(plan))
    before = seen(repo)
    with Repository.open(life.path) as again:
        assert "may not be written to the disk" in again.recovery_trouble
        assert again.resolve("main") == tip
    assert not (repo.state_dir / "operation.json").exists()
    assert seen(repo) == before


@few
async def test_words_of_such_a_turn_are_corrected_and_the_persona_is_edited(life: Life) -> None:
    workspace = life.workspace()
    words = correct.find_words(workspace, "@-1")
    correct.correct(workspace, words, "The second, corrected.")
    begun = begin_edit(life.repo, "who")
    (life.path / begun.path).write_text("I am Mira. I like the river.\n")
    finish_edit(life.repo, begun)
    assert outside_talk(seen(life.repo)).keys() == outside_talk(life.before).keys()


@pytest.mark.parametrize("odd", ALLOWED.values(), ids=ALLOWED.keys())
async def test_other_odd_trees_write_inside_the_folder_and_nowhere_else(
    companion: Path, odd: Odd
) -> None:
    await made(companion, odd)
    with Repository.open(companion) as repo:
        before = seen(repo)
        workspace = Workspace(repo)
        with contextlib.suppress(HistoryError):
            rewind.rewind(workspace, rewind.plan_rewind(workspace, "@-1"))
        after = seen(repo)
        changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
        inside = f"{companion.name}/"
        assert all(name.startswith(inside) for name in changed), changed
        in_git = {name for name in changed if name.startswith(f"{inside}.git/")}
        assert in_git <= {f"{inside}.git/HEAD"}
