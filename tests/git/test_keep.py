"""git's own repacking at the moment when objects are written and no ref reaches them yet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from perdure.git import disk
from perdure.git.commit.transaction import Mover
from perdure.git.errors import Busy, NotCarriedOut
from perdure.git.merge.merge import conclude_merge, merge, settle_conflict
from perdure.git.operations.annotated_tags import tag_with_note
from perdure.git.operations.branches import start_branch, switch
from perdure.git.packs import keep, small
from perdure.git.refs.refs import Refs
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal
from perdure.git.worktree.merge_state import MergeState
from perdure.git.worktree.sync import WorktreeSync
from tests.processes import started

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")
HOUSEKEEPING = ["repack -adq", "gc -q --prune=now", "repack -Adq", "prune --expire=now"]


def turn(repo: Repository, number: int, journal: Journal | None = None) -> str:
    path = f"conversations/c-{number}.md"
    change = Change(path, b"turn %d\n" % number)
    return repo.commit([change], message="turn: x", author=MIRA, branch="main", journal=journal)


def marks(repo: Repository) -> list[str]:
    return [path.name for path in (repo.git_dir / "objects" / "pack").glob("*.keep")]


@pytest.fixture(params=HOUSEKEEPING)
def just_before(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, git: Git
) -> Callable[[object, str], None]:
    """Lets git put its house in order, once, just before a method is entered."""

    def arrange(owner: object, name: str) -> None:
        method = getattr(owner, name)
        ran: list[str] = []

        def first(*args: object, **named: object) -> object:
            if not ran:
                ran.append(git(*request.param.split()))
            return method(*args, **named)

        monkeypatch.setattr(owner, name, first)

    return arrange


def test_a_turn_is_there(
    repo: Repository, sound: Callable[[], None], just_before: Callable[[object, str], None]
) -> None:
    turn(repo, 1)
    just_before(WorktreeSync, "lock_index")
    turn(repo, 2, Journal.begin(repo, {}))
    assert repo.read("conversations/c-2.md") == b"turn 2\n"
    assert marks(repo) == []
    sound()


def test_an_operation_is_there(
    repo: Repository, sound: Callable[[], None], just_before: Callable[[object, str], None]
) -> None:
    just_before(Mover, "carry_out")
    start_branch(repo, "side", author=MIRA)
    turn(repo, 1)
    assert marks(repo) == []
    sound()


def test_a_tag_is_there(
    repo: Repository, sound: Callable[[], None], just_before: Callable[[object, str], None]
) -> None:
    just_before(Mover, "carry_out")
    tag_with_note(repo, "v1", None, "note", author=MIRA, at=repo.commit_info("HEAD").at)
    assert marks(repo) == []
    sound()


def _two_sides(repo: Repository, path: str) -> None:
    repo.commit([Change("lore/a.md", b"a\n")], message="l", author=MIRA, branch="main")
    start_branch(repo, "side", author=MIRA, switch_to=False)
    repo.commit([Change("lore/a.md", b"here\n")], message="l", author=MIRA, branch="main")
    repo.commit([Change(path, b"there\n")], message="l", author=MIRA, branch="side")


def test_a_merge_is_there(
    repo: Repository, sound: Callable[[], None], just_before: Callable[[object, str], None]
) -> None:
    _two_sides(repo, "lore/b.md")
    just_before(Mover, "carry_out")
    assert merge(repo, "side", author=MIRA).operation is not None
    assert repo.read("lore/b.md") == b"there\n"
    assert marks(repo) == []
    sound()


def test_an_open_merge_is_there(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    just_before: Callable[[object, str], None],
) -> None:
    _two_sides(repo, "lore/a.md")
    just_before(MergeState, "open")
    assert merge(repo, "side", author=MIRA).operation is None
    just_before(MergeState, "settle")
    settle_conflict(repo, "lore/a.md", b"both\n")
    assert git("show", ":lore/a.md") == "both\n"
    just_before(Mover, "carry_out")
    conclude_merge(repo, author=MIRA)
    assert marks(repo) == []
    sound()


def test_what_is_decided_and_not_carried_out_is_kept(
    repo: Repository, git: Git, sound: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _two_sides(repo, "lore/b.md")

    def held(*_: object) -> None:
        raise Busy("git holds a lock", "", "")

    with monkeypatch.context() as patch:
        patch.setattr(Mover, "_follow", held)
        with pytest.raises(NotCarriedOut):
            merge(repo, "side", author=MIRA)
    assert marks(repo)
    git("gc", "-q", "--prune=now")
    turn(repo, 1)
    assert repo.read("lore/b.md") == b"there\n"
    assert marks(repo) == []
    sound()


def test_what_a_turn_begins_on_is_written_again(
    repo: Repository,
    git: Git,
    sound: Callable[[], None],
    just_before: Callable[[object, str], None],
) -> None:
    """The branch of the prompt is gone, and nothing but the turn to come needs its commits."""
    start_branch(repo, "side", author=MIRA)
    for number in range(3):
        path = f"conversations/{number}/s.md"
        base = repo.commit([Change(path, b"x")], message="t", author=MIRA, branch="side")
    git("checkout", "-q", "main")
    git("branch", "-D", "side")
    git("update-ref", "-d", "refs/perdure/ops")
    git("reflog", "expire", "--expire=now", "--all")
    just_before(Refs, "prepare")
    change = Change("conversations/2/s.md", b"xy")
    repo.commit([change], message="t", author=MIRA, branch="again", start=base)
    assert git("show", "again:conversations/0/s.md") == "x"
    sound()


_OWNER = """
import os, sys
from pathlib import Path
from perdure.git.packs.keep import Keep
keep = Keep(Path(sys.argv[1]), "pack-" + "ab" * 20)
os.write(1, b"kept\\n")
sys.stdin.read()
"""


def test_only_what_a_dead_owner_kept_is_swept(repo: Repository) -> None:
    folder = repo.git_dir / "objects" / "pack"
    users = {"pack-1.keep": b"", "pack-2.keep": b"receive-pack 12 on here\n"}
    for name, content in users.items():
        (folder / name).write_bytes(content)
    words = [sys.executable, "-c", _OWNER, str(folder)]
    with started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "kept\n"
        Repository.open(repo.path).close()
        assert len(marks(repo)) == 3, "he lives"
    Repository.open(repo.path).close()
    assert sorted(marks(repo)) == sorted(users)
    assert {name: (folder / name).read_bytes() for name in users} == users


def test_a_kept_pack_waits_in_the_list(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, sound: Callable[[], None]
) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 3)
    folder = repo.git_dir / "objects" / "pack"
    turn(repo, 0)
    kept = (repo.state_dir / "packs").read_text().splitlines()[-1].partition(" ")[2]
    mark = folder / f"{kept}.keep"
    mark.touch()
    for number in range(1, 8):
        turn(repo, number)
    assert kept in small.read_list(repo.state_dir / "packs", folder).packs
    mark.unlink()
    for number in range(8, 12):
        turn(repo, number)
    assert not (folder / f"{kept}.pack").exists(), "it was joined with the others"
    sound()


def test_a_mark_goes_where_the_pack_could_not_be_written(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("perdure.git.disk.sync_folder", full)
        with pytest.raises(Exception, match="disk is full"):
            turn(repo, 1)
    assert marks(repo) == []
    assert not keep.are_left(repo.git_dir / "objects" / "pack")
    switch(repo, "main", author=MIRA)


def test_git_prunes_no_unfinished_pack(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[..., None] = disk.write_file

    def then_prune(*args: object, **named: object) -> None:
        write(*args, **named)
        git("prune", "--expire=now")

    monkeypatch.setattr(disk, "write_file", then_prune)
    turn(repo, 1)
    assert repo.read("conversations/c-1.md") == b"turn 1\n"
