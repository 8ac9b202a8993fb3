from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from perdure.git import disk as disk_module
from perdure.git.commit.transaction import Mover
from perdure.git.errors import (
    BadPath,
    Busy,
    CheckedOutElsewhere,
    HistoryError,
    NotCarriedOut,
    NothingToUndo,
    RefElsewhere,
    StorageFull,
    Unfinished,
    UnknownRevision,
    UnsavedEdits,
)
from perdure.git.locks import GitLock
from perdure.git.operations import branches, operation
from perdure.git.operations.operation import RefMove, perform
from perdure.git.refs.refs import Head, Refs
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal
from perdure.git.undo import perform as undo
from perdure.git.undo import plan as undo_plan
from perdure.git.worktree.checkout import Checkout
from perdure.git.worktree.files import WorkTree
from tests.conftest import as_its_own
from tests.git.test_recovery import Disk

Git = Callable[..., str]
Sound = Callable[[], None]
MIRA = Author("Mira", "mira@companion.invalid")
OPS = "refs/perdure/ops"


def turn(repo: Repository, number: int, branch: str = "main") -> str:
    """Append to one chunk, and now and then make another file or take one away."""
    changes = [Change("conversations/2026-11/22/a.md", b"turn\n" * number)]
    if number % 3 == 0:
        changes.append(Change(f"memory/facts/{number}.md", b"- a fact\n"))
    if number == 5:
        changes.append(Change("memory/facts/3.md", None))
    return repo.commit(changes, message=f"turn: {number}", author=MIRA, branch=branch)


@pytest.fixture
def life(repo: Repository) -> Repository:
    """Six turns on main."""
    for number in range(1, 7):
        turn(repo, number)
    return repo


def tree_of(git: Git, rev: str) -> str:
    return git("rev-parse", f"{rev}^{{tree}}").strip()


# Beginning and switching


def test_a_branch_begins_in_the_past_and_the_work_tree_follows(
    life: Repository, git: Git, sound: Sound
) -> None:
    done = branches.start_branch(life, "before", "HEAD~3", author=MIRA)
    assert life.head() == Head("before", life.resolve("main~3"))
    assert git("symbolic-ref", "HEAD").strip() == "refs/heads/before"
    assert (life.path / "memory/facts/3.md").exists()
    assert not (life.path / "memory/facts/6.md").exists()
    sound()
    assert done.after.branch == "before"
    branches.switch(life, "main", author=MIRA)
    assert (life.path / "memory/facts/6.md").exists()
    sound()
    assert git("rev-parse", "--abbrev-ref", "@{-1}").strip() == "before"
    git("switch", "-q", "-")
    assert life.head().branch == "before"


def test_git_reads_the_index_as_its_own_after_a_switch(life: Repository, git: Git) -> None:
    # A file as young as the index would rightly be marked as one that git must read again.
    for path in git("ls-files").splitlines():
        os.utime(life.path / path, (1_700_000_000, 1_700_000_000))
    git("update-index", "--refresh")
    branches.start_branch(life, "before", "HEAD~5", author=MIRA)
    assert git("diff-files", "--name-only") == "", "stats are right: git reads no file again"
    assert git("write-tree").strip() == tree_of(git, "before")


def test_a_turn_lands_on_a_branch_begun_and_leaves_the_other_alone(
    life: Repository, git: Git, sound: Sound
) -> None:
    tip = life.head().commit
    branches.start_branch(life, "again", "HEAD~2", author=MIRA)
    turn(life, 9, "again")
    assert git("rev-parse", "main").strip() == tip
    assert git("rev-list", "--count", "main..again").strip() == "1"
    sound()


EDITS: list[tuple[str, Callable[[Path, Git], object]]] = [
    ("you edited it", lambda path, _: path.write_bytes(b"mine\n")),
    ("something else is staged", lambda path, git: (path.write_bytes(b"m\n"), git("add", "-A"))),
    ("you deleted it", lambda path, _: path.unlink()),
]


@pytest.mark.parametrize(("reason", "edit"), EDITS, ids=[row[0] for row in EDITS])
def test_edits_where_the_two_differ_are_refused_by_name(
    life: Repository, git: Git, reason: str, edit: Callable[[Path, Git], object]
) -> None:
    path = life.path / "conversations/2026-11/22/a.md"
    edit(path, git)
    before, status = life.head(), git("status", "--porcelain")
    with pytest.raises(UnsavedEdits, match=r"a\.md") as caught:
        branches.start_branch(life, "before", "HEAD~3", author=MIRA)
    assert reason in str(caught.value) or reason == "something else is staged"
    assert caught.value.next_step
    assert (life.head(), git("status", "--porcelain")) == (before, status)
    assert git("for-each-ref", OPS) == ""
    assert not (life.state_dir / "operation.json").exists()


def test_an_untracked_file_in_the_way_is_refused_and_others_come_along(
    life: Repository, git: Git
) -> None:
    (life.path / "notes.txt").write_bytes(b"mine\n")
    (life.path / "persona/10-who.md").write_bytes(b"edited, the same on both\n")
    branches.start_branch(life, "before", "HEAD~5", author=MIRA)
    assert git("status", "--porcelain").split() == ["M", "persona/10-who.md", "??", "notes.txt"]
    (life.path / "memory/facts").mkdir(parents=True)
    (life.path / "memory/facts/6.md").write_bytes(b"mine\n")
    with pytest.raises(UnsavedEdits, match=r"6\.md"):
        branches.switch(life, "main", author=MIRA)
    assert (life.path / "memory/facts/6.md").read_bytes() == b"mine\n"


def test_folders_and_files_of_one_name_change_places(
    repo: Repository, git: Git, sound: Sound
) -> None:
    repo.commit([Change("x", b"a file\n")], message="m", author=MIRA, branch="main")
    branches.start_branch(repo, "folder", author=MIRA)
    repo.commit([Change("x", None)], message="m", author=MIRA, branch="folder")
    repo.commit([Change("x/y", b"deep\n")], message="m", author=MIRA, branch="folder")
    branches.switch(repo, "main", author=MIRA)
    assert (repo.path / "x").read_bytes() == b"a file\n"
    sound()
    branches.switch(repo, "folder", author=MIRA)
    assert (repo.path / "x/y").read_bytes() == b"deep\n"
    sound()
    (repo.path / "x/z").write_bytes(b"mine\n")
    with pytest.raises(UnsavedEdits):
        branches.switch(repo, "main", author=MIRA)
    assert (repo.path / "x/z").read_bytes() == b"mine\n"


def test_nothing_is_written_through_a_link(repo: Repository, tmp_path: Path) -> None:
    branches.start_branch(repo, "more", author=MIRA)
    repo.commit([Change("out/a.md", b"x\n")], message="m", author=MIRA, branch="more")
    branches.switch(repo, "main", author=MIRA)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (repo.path / "out").symlink_to(elsewhere)
    with pytest.raises(UnsavedEdits):
        branches.switch(repo, "more", author=MIRA)
    assert list(elsewhere.iterdir()) == []


def test_programs_stay_programs(repo: Repository, git: Git, sound: Sound) -> None:
    (repo.path / "run.sh").write_bytes(b"echo\n")
    (repo.path / "run.sh").chmod(0o755)
    git("add", "-A")
    git("commit", "-qm", "companion: a program")
    branches.start_branch(repo, "before", "HEAD~1", author=MIRA)
    assert not (repo.path / "run.sh").exists()
    branches.switch(repo, "main", author=MIRA)
    assert (repo.path / "run.sh").stat().st_mode & 0o100
    sound()


def test_an_open_merge_or_another_work_tree_is_refused(
    life: Repository, git: Git, tmp_path: Path
) -> None:
    branches.start_branch(life, "other", "HEAD~2", author=MIRA, switch_to=False)
    git("worktree", "add", "-q", str(tmp_path / "there"), "other")
    with pytest.raises(CheckedOutElsewhere, match="there"):
        branches.switch(life, "other", author=MIRA)
    with pytest.raises(CheckedOutElsewhere):
        branches.drop_branch(life, "other", author=MIRA)
    with Repository.open(tmp_path / "there") as linked, pytest.raises(CheckedOutElsewhere):
        branches.switch(linked, "main", author=MIRA)
    (life.git_dir / "MERGE_HEAD").write_text(life.resolve("other"))
    with pytest.raises(Unfinished, match="merge"):
        branches.start_branch(life, "third", "HEAD~1", author=MIRA)


def test_an_operation_in_a_linked_work_tree(
    life: Repository, git: Git, sound: Sound, tmp_path: Path
) -> None:
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"), "HEAD~2")
    with Repository.open(tmp_path / "side") as linked:
        branches.start_branch(linked, "deeper", "HEAD~2", author=MIRA)
        done = subprocess.run(
            ["git", "-C", linked.path, "status", "--porcelain", "-b"],
            capture_output=True, check=True,
        )  # fmt: skip
        assert done.stdout == b"## deeper\n"
        undo.undo(linked, author=MIRA)
        assert linked.head().branch == "side"
    sound()


def test_bad_names_and_places_are_refused(life: Repository, git: Git) -> None:
    branches.start_branch(life, "a/b", author=MIRA, switch_to=False)
    for name in ("a/b", "a", "a/b/c", "-x", "x..y", "HEAD"):
        with pytest.raises(BadPath):
            branches.start_branch(life, name, author=MIRA)
    with pytest.raises(UnknownRevision):
        branches.switch(life, "nowhere", author=MIRA)
    with pytest.raises(UnknownRevision):
        branches.start_branch(life, "x", "nothing", author=MIRA)
    with pytest.raises(HistoryError, match="checked out"):
        branches.drop_branch(life, "main", author=MIRA)
    wrong = RefMove("refs/heads/a/b", life.resolve("HEAD~1"), life.resolve("HEAD"))
    with pytest.raises(RefElsewhere):
        perform(life, "move", "x", [wrong], author=MIRA)
    assert life.free_branch("a") == "a-2"
    assert git("branch", "--format=%(refname:short)").split() == ["a/b", "main"]


def test_a_packed_branch_and_an_annotated_tag_go_and_come_back(
    life: Repository, git: Git, sound: Sound
) -> None:
    branches.start_branch(life, "old", "HEAD~1", author=MIRA, switch_to=False)
    git("tag", "-a", "-m", "a state", "state", "HEAD~2")
    git("tag", "light", "HEAD~3")
    git("pack-refs", "--all")
    was = git("rev-parse", "state", "old").split()
    gone = [RefMove("refs/tags/state", was[0], None), RefMove("refs/heads/old", was[1], None)]
    perform(life, "clean", "both", gone, author=MIRA)
    assert git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags").split() == [
        "refs/heads/main",
        "refs/tags/light",
    ]
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "-q", "--prune=now")
    undo.undo(life, author=MIRA)
    assert git("rev-parse", "state", "old").split() == was
    sound()


# The log of operations


def test_everything_that_was_hidden_outlives_gits_own_gc(life: Repository, git: Git) -> None:
    tip = life.resolve("main")
    branches.start_branch(life, "again", "HEAD~4", author=MIRA)
    mine = turn(life, 9, "again")
    branches.switch(life, "main", author=MIRA)
    branches.drop_branch(life, "again", author=MIRA)
    move = RefMove("refs/heads/main", tip, life.resolve("main~2"))
    perform(life, "rewind", "two back", [move], author=MIRA)
    git("reflog", "expire", "--expire=now", "--all")
    git("gc", "-q", "--prune=now")
    life.close()
    with Repository.open(life.path) as again:
        for commit in (tip, mine):
            assert again.commit_info(commit).subject.startswith("turn:")
    assert git("fsck", "--full", "--strict") == ""


def test_the_list_has_operations_and_plain_commits_newest_first(life: Repository) -> None:
    branches.tag(life, "before-the-move", "HEAD~1", author=MIRA)
    listed = operation.operations(life)
    assert [(entry.kind, entry.is_commit) for entry in listed][:3] in (
        [("tag", False), ("turn", True), ("turn", True)],
        [("turn", True), ("tag", False), ("turn", True)],
    )
    assert len(listed) == 8
    assert operation.operations(life, 4) == listed[:4]
    (tag,) = [entry for entry in listed if entry.kind == "tag"]
    assert tag.moves == (RefMove("refs/tags/before-the-move", None, life.resolve("HEAD~1")),)
    assert tag.device
    assert tag.author == MIRA


def test_a_clone_has_no_log(life: Repository, git: Git, tmp_path: Path) -> None:
    branches.tag(life, "x", author=MIRA)
    git("clone", "-q", "--no-local", str(life.path), str(tmp_path / "clone"))
    with Repository.open(tmp_path / "clone") as clone:
        assert all(entry.is_commit for entry in operation.operations(clone))


# Undo and redo


def state(repo: Repository, git: Git) -> tuple[str, str, str]:
    assert git("status", "--porcelain") == ""
    return (
        git("symbolic-ref", "HEAD"),
        tree_of(git, "HEAD"),
        git("for-each-ref", "--format=%(refname) %(tree)", "refs/heads", "refs/tags"),
    )


def acts(repo: Repository) -> Iterator[None]:
    """A day: each step is one thing that undo takes back."""
    yield
    turn(repo, 7)
    yield
    branches.start_branch(repo, "again", "HEAD~3", author=MIRA)
    yield
    turn(repo, 8, "again")
    yield
    turn(repo, 9, "again")
    yield
    branches.tag(repo, "state", author=MIRA)
    yield
    branches.switch(repo, "main", author=MIRA)
    yield
    repo.commit([Change("persona/20-voice.md", b"Long ones.\n")], message="persona: x",
                author=MIRA, branch="main")  # fmt: skip
    yield
    branches.drop_branch(repo, "again", author=MIRA)
    yield


@pytest.mark.parametrize("pushed", [False, True])
def test_undo_walks_back_and_redo_walks_forth_over_a_whole_day(
    life: Repository, git: Git, sound: Sound, *, pushed: bool
) -> None:
    states = []
    for _ in acts(life):
        states.append(state(life, git))
        if pushed:
            git("update-ref", "refs/remotes/origin/main", "main")
    for wanted in reversed(states[:-1]):
        said = undo_plan.plan_undo(life).sentences
        undo.undo(life, author=MIRA)
        assert state(life, git) == wanted, said
        life.close()
    sound()
    for wanted in states[1:]:
        undo.redo(life, author=MIRA)
        assert state(life, git) == wanted
    with pytest.raises(NothingToUndo):
        undo_plan.plan_redo(life)
    for wanted in reversed(states[:-1]):
        undo.undo(life, author=MIRA)
        assert state(life, git) == wanted
    if pushed:
        assert git("rev-list", "main..origin/main") == "", "what was pushed was never taken away"
    git("gc", "-q", "--prune=now")
    sound()


def test_the_first_commit_is_not_undone(repo: Repository) -> None:
    with pytest.raises(NothingToUndo, match="begins"):
        undo.undo(repo, author=MIRA)


def test_something_new_after_an_undo_ends_the_way_forth(life: Repository, git: Git) -> None:
    undo.undo(life, author=MIRA)
    turn(life, 20)
    with pytest.raises(NothingToUndo, match="something new"):
        undo.redo(life, author=MIRA)
    undo.undo(life, author=MIRA)
    assert tree_of(git, "HEAD") == tree_of(git, "HEAD@{0}")
    assert life.commit_info("HEAD").subject == "turn: 5"


def test_undo_refuses_where_git_has_moved_what_it_would_put_back(
    life: Repository, git: Git
) -> None:
    branches.start_branch(life, "again", "HEAD~1", author=MIRA)
    git("reset", "-q", "--hard", "HEAD~2")
    with pytest.raises(RefElsewhere) as caught:
        undo_plan.plan_undo(life)
    assert caught.value.next_step
    git("reset", "-q", "--hard", "main~1")
    undo.undo(life, author=MIRA)
    assert life.head().branch == "main"


@pytest.mark.parametrize("seconds", [0, 1])
def test_what_is_said_after_git_has_switched_goes_before_an_operation_of_that_second(
    life: Repository, git: Git, seconds: int
) -> None:
    git("branch", "side")
    done = perform(
        life, "tag", "now", [RefMove("refs/tags/now", None, life.resolve("main"))],
        author=MIRA, at=datetime(2099, 11, 22, 18, 3, 12, tzinfo=UTC),
    )  # fmt: skip
    git("switch", "-q", "side")
    change = Change("conversations/2026-11/22/a.md", b"turn\n" * 7)
    said = life.commit(
        [change], message="turn: 7", author=MIRA, branch="side",
        at=done.at + timedelta(seconds=seconds),
    )  # fmt: skip
    assert undo_plan.plan_undo(life).entry.id == said
    undo.undo(life, author=MIRA)
    assert undo_plan.plan_undo(life).entry.id == done.id


def test_a_branch_that_a_remote_knows_goes_and_its_words_are_kept(
    life: Repository, git: Git
) -> None:
    branches.start_branch(life, "again", "HEAD~1", author=MIRA)
    turn(life, 11, "again")
    git("update-ref", "refs/remotes/origin/again", "again")
    undo.undo(life, author=MIRA)
    assert life.commit_info("again").subject == "revert: undo turn: 11"
    tip = life.resolve("again")
    plan = undo_plan.plan_undo(life)
    assert any("on the remote too" in line for line in plan.sentences)
    undo.undo(life, plan, author=MIRA)
    assert life.head().branch == "main"
    assert git("branch", "--list", "again") == ""
    assert git("merge-base", "--is-ancestor", tip, "refs/perdure/ops") == ""
    undo.redo(life, author=MIRA)
    assert life.resolve("again") == tip


def test_a_plan_that_is_old_is_refused(life: Repository) -> None:
    plan = undo_plan.plan_undo(life)
    turn(life, 12)
    with pytest.raises(RefElsewhere):
        undo.undo(life, plan, author=MIRA)


def test_an_undone_turn_is_not_landed_again_by_the_session_that_said_it(
    life: Repository, git: Git, sound: Sound
) -> None:
    with Repository.open(life.path) as session:
        journal = Journal.begin(session, {"turn": 7})
        session.commit(
            [Change("conversations/2026-11/22/a.md", b"turn\n" * 7)],
            message="turn: 7", author=MIRA, branch="main", journal=journal,
        )  # fmt: skip
        undo.undo(life, author=MIRA)
        session.commit([Change("b.md", b"x")], message="m", author=MIRA, branch="main")
        assert session.read("conversations/2026-11/22/a.md") == b"turn\n" * 6
    sound()


# Crashes

STEPS = [
    ("perdure.git.packs.small.PackWriter.write", False),
    ("perdure.git.refs.refs.Refs.prepare_head", False),
    ("perdure.git.worktree.checkout.Checkout.survey", False),
    ("perdure.git.refs.refs.Refs.hold", False),
    ("perdure.git.commit.transaction.Mover._write_intent", False),
    ("perdure.git.refs.refs.Refs.publish", False),
    ("perdure.git.refs.refs.Refs.sync_folder", True),
    ("perdure.git.commit.transaction.Mover._follow", True),
    ("perdure.git.worktree.checkout.Checkout.carry", True),
    ("perdure.git.worktree.files.WorkTree.remove", True),
    ("perdure.git.worktree.files.WorkTree.write", True),
    ("perdure.git.worktree.checkout.Checkout.index", True),
    ("perdure.git.refs.refs.Refs.remove", True),
    ("perdure.git.commit.transaction.Mover._log", True),
    ("perdure.git.commit.transaction.Mover._drop_intent", True),
]
SCRIPT = """
import os, sys
from perdure.git.repository.repository import *
from perdure.git.operations.operation import *
import {module} as module
owner = getattr(module, {owner!r})
inner, left = owner.{name}, {skip}
def dying(*given, **more):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    return inner(*given, **more)
repo = Repository.open(sys.argv[1])
mira = Author('Mira', 'mira@companion.invalid')
owner.{name} = dying
old, gone = repo.resolve('main'), repo.resolve('gone')
start = repo.resolve('main~4')
perform(repo, 'rewind', 'four back', [
    RefMove('refs/heads/again', None, start),
    RefMove('refs/heads/gone', gone, None),
    RefMove('refs/tags/here', None, old),
], author=mira, head='again')
os._exit(3)
"""


def die(repo: Repository, function: str, skip: int = 0) -> int:
    module, owner, name = function.rsplit(".", 2)
    text = SCRIPT.format(module=module, owner=owner, name=name, skip=skip)
    done = subprocess.run([sys.executable, "-c", text, repo.path], check=False, capture_output=True)
    assert done.returncode in {3, 9}, done.stderr.decode()
    return done.returncode


def is_done(repo: Repository, git: Git) -> bool:
    """Whether the operation was carried out; neither half is an error."""
    refs = git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags").split()
    branch = git("symbolic-ref", "--short", "HEAD").strip()
    if branch == "main":
        assert refs == ["refs/heads/gone", "refs/heads/main"]
    else:
        assert (branch, refs) == (
            "again",
            ["refs/heads/again", "refs/heads/main", "refs/tags/here"],
        )
    return branch == "again"


@pytest.mark.parametrize(("function", "done"), STEPS, ids=[row[0][16:] for row in STEPS])
def test_dying_at_any_step_leaves_all_of_it_or_nothing(
    life: Repository, git: Git, sound: Sound, function: str, *, done: bool
) -> None:
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    git("pack-refs", "--all")
    life.close()
    assert die(life, function) == 9
    with Repository.open(life.path) as again:
        assert again.recovery_trouble == ""
        assert is_done(again, git) == done
        assert not list(again.git_dir.rglob("*.lock")) or list(again.git_dir.rglob("*.lock")) == [
            again.state_dir / "commit.lock"
        ]
        assert not (again.state_dir / "operation.json").exists()
        sound()
        if done:
            undo.undo(again, author=MIRA)
            assert again.resolve("gone") == again.resolve("main~1")
        turn(again, 30)
    sound()


def test_dying_at_every_single_lock_and_file(life: Repository, git: Git, sound: Sound) -> None:
    """Not only at the first call of a function: at each one."""
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    life.close()
    seen = set()
    for function in (
        "locks.GitLock.publish",
        "locks.GitLock.take",
        "worktree.files.WorkTree.write",
    ):
        for skip in range(12):
            code = die(life, f"perdure.git.{function}", skip)
            with Repository.open(life.path) as again:
                done = is_done(again, git)
                seen.add(done)
                sound()
                if done:
                    undo.undo(again, author=MIRA)
            if code == 3:
                break
        else:
            pytest.fail("never came to its end")
    assert seen == {True, False}


def test_a_crash_in_the_recovery_is_met_by_the_same_rules(
    life: Repository, git: Git, sound: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    life.close()
    die(life, "perdure.git.commit.transaction.Mover._follow")

    class Stop(BaseException):
        pass

    def stop(*_: object, **__: object) -> None:
        raise Stop

    for owner, name in ((WorkTree, "write"), (GitLock, "publish"), (Mover, "_drop_intent")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, stop)
            with pytest.raises(Stop):
                Repository.open(life.path)
    with Repository.open(life.path) as again:
        assert is_done(again, git)
    sound()


def test_a_session_that_is_open_finishes_what_another_process_left(
    life: Repository, git: Git, sound: Sound
) -> None:
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    die(life, "perdure.git.worktree.checkout.Checkout.carry")
    turn(life, 31)
    assert is_done(life, git)
    assert life.commit_info("main").subject == "turn: 31"
    sound()


def test_what_git_moved_after_the_crash_stays(life: Repository, git: Git) -> None:
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    life.close()
    die(life, "perdure.git.commit.transaction.Mover._follow")
    for lock in life.git_dir.rglob("*.lock"):
        if lock.name != "commit.lock":
            lock.unlink()
    git("branch", "-qf", "gone", "main~3")
    with Repository.open(life.path) as again:
        assert again.recovery_trouble == ""
        assert again.resolve("gone") == again.resolve("main~3")
        assert again.head().branch == "again"
        with pytest.raises(RefElsewhere, match="gone"):
            undo_plan.plan_undo(again)
    assert git("status", "--porcelain") == ""


def test_a_full_disk_after_the_decision_is_told_as_that(
    life: Repository, git: Git, sound: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    back = RefMove("refs/heads/back", None, life.resolve("main~2"))
    with monkeypatch.context() as patch:
        patch.setattr(Refs, "publish", full)
        with pytest.raises(StorageFull):
            perform(life, "rewind", "two back", [back], author=MIRA, head="back")
        patch.undo()
        assert life.head().branch == "main"
        patch.setattr(Checkout, "carry", full)
        with pytest.raises(NotCarriedOut, match="the disk is full") as raised:
            perform(life, "rewind", "two back", [back], author=MIRA, head="back")
    assert "not repeat" in raised.value.next_step
    put = [Change("a.md", b"a\n")]
    life.commit(put, message="memory: a", author=MIRA, branch="back", expect={"a.md": None})
    assert git("log", "--format=%s", "-2", "back").split("\n")[0] == "memory: a"
    assert life.head().branch == "back"
    assert life.commit_info("back").parents == (back.new,)
    sound()


def test_no_operation_takes_the_place_of_one_that_is_not_finished(
    life: Repository, git: Git, sound: Sound
) -> None:
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    life.close()
    die(life, "perdure.git.commit.transaction.Mover._follow")
    lock = life.git_dir / "index.lock"
    lock.unlink()
    lock.write_bytes(b"somebody else's")
    with Repository.open(life.path) as again:
        assert "index.lock" in again.recovery_trouble
        tag = RefMove("refs/tags/now", None, again.resolve("main"))
        with pytest.raises(Busy, match=r"index\.lock"):
            perform(again, "tag", "now", [tag], author=MIRA)
        lock.unlink()
        perform(again, "tag", "now", [tag], author=MIRA)
        git("tag", "-d", "now")
        assert is_done(again, git)
    sound()


def test_an_index_that_cannot_be_read_waits_for_its_mending(
    life: Repository, git: Git, sound: Sound
) -> None:
    """Neither an open nor a turn is kept back by an operation that cannot be finished yet."""
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    life.close()
    die(life, "perdure.git.commit.transaction.Mover._follow")
    index = life.git_dir / "index"
    whole = index.read_bytes()
    index.write_bytes(b"no index")
    with Repository.open(life.path) as again:
        assert "not an index" in again.recovery_trouble
        change = Change("a.md", b"a\n")
        again.commit([change], message="t", author=MIRA, branch="side", start="main")
        assert again.read("a.md", "side") == b"a\n"
        again.close()
    git("branch", "-qD", "side")
    index.write_bytes(whole)
    with Repository.open(life.path) as again:
        assert again.recovery_trouble == ""
        assert is_done(again, git)
    sound()


@pytest.mark.parametrize("entries", [False, True])
def test_a_power_cut_at_any_step_leaves_all_of_it_or_nothing(
    life: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, entries: bool
) -> None:
    branches.start_branch(life, "gone", "HEAD~1", author=MIRA, switch_to=False)
    life.close()
    disk = Disk(life.path)
    cuts: list[Path] = []

    def cut() -> None:
        place = tmp_path / f"cut-{len(cuts)}"
        disk.after_the_cut(place, entries=entries)
        cuts.append(place)

    with disk.watch(monkeypatch), monkeypatch.context() as patch:
        for owner, name in (
            (Refs, "prepare"), (Refs, "hold"), (Refs, "publish"), (disk_module, "replace_file"),
            (Refs, "remove"), (Mover, "_write_intent"), (Mover, "_follow"), (GitLock, "publish"),
            (WorkTree, "write"), (WorkTree, "remove"), (Mover, "_log"), (Mover, "_drop_intent"),
        ):  # fmt: skip
            inner = getattr(owner, name)

            def stepping(
                *args: object, _inner: Callable[..., object] = inner, **more: object
            ) -> object:
                cut()
                return _inner(*args, **more)

            patch.setattr(owner, name, stepping)
        perform(
            life, "rewind", "four back",
            [
                RefMove("refs/heads/again", None, life.resolve("main~4")),
                RefMove("refs/heads/gone", life.resolve("gone"), None),
                RefMove("refs/tags/here", None, life.resolve("main")),
            ],
            author=MIRA, head="again",
        )  # fmt: skip
    cut()
    assert len(cuts) > 15
    monkeypatch.setattr("perdure.git.state.fields.boot", lambda: "another start")
    seen = set()
    for place in cuts:

        def run(*words: str, at: Path = place) -> str:
            done = subprocess.run(["git", "-C", at, *words], check=False, capture_output=True)
            return done.stdout.decode() + done.stderr.decode()

        with Repository.open(as_its_own(place)) as again:
            assert again.recovery_trouble == ""
            seen.add(is_done(again, run))
            assert run("status", "--porcelain") == ""
            turn(again, 40)
        said = run("fsck", "--full", "--strict").splitlines()
        assert [line for line in said if "dangling" not in line] == []
    assert seen == {True, False}
    assert is_done(life, lambda *words: run(*words, at=life.path))
