"""What git's own housekeeping does to a companion's packs, and that perdure carries on after it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import perdure
from perdure.git.maintenance.verify import check
from perdure.git.packs import background, repack, small
from perdure.git.packs.repack import Repacking
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "SMALL_LIMIT", 4)
    monkeypatch.setattr(repack, "JOINED_LIMIT", 2)
    monkeypatch.setattr(repack, "FAN", 2)
    monkeypatch.setattr(repack, "STEP_PACKS", 2)
    monkeypatch.setattr(background, "JOINED_LIMIT", 1000)


def say(repo: Repository, count: int, *, first: int = 0) -> dict[str, bytes]:
    said: dict[str, bytes] = {}
    for number in range(first, first + count):
        path = f"conversations/chunk-{number // 10}.md"
        said[path] = (repo.read(path) or b"") + b"turn %d\n" % number
        change = Change(path, said[path])
        repo.commit([change], message=f"turn: {number}", author=MIRA, branch="main")
    return said


def work(repo: Repository) -> list[str]:
    return list(Repacking(repo.git_dir).steps())


HOUSEKEEPING = [
    ["gc", "-q"],
    ["gc", "-q", "--prune=now"],
    ["gc", "-q", "--aggressive", "--prune=now"],
    ["repack", "-adfq"],
    ["repack", "-dq", "--geometric=2", "--write-midx"],
    ["repack", "-adbq"],
    ["pack-refs", "--all"],
    ["prune"],
    ["multi-pack-index", "write"],
    ["commit-graph", "write", "--reachable", "--changed-paths"],
    ["maintenance", "run", "--quiet"],
    ["maintenance", "run", "--quiet", "--task=loose-objects", "--task=incremental-repack"],
]


@pytest.mark.parametrize("words", HOUSEKEEPING, ids=" ".join)
def test_perdure_goes_on_after_it(
    repo: Repository, git: Git, sound: Callable[[], None], words: list[str]
) -> None:
    """The open repository and a new one read and commit; background packing finds its way."""
    say(repo, 17)
    assert work(repo)
    said = say(repo, 7, first=17)
    git(*words)
    assert {path: repo.read(path) for path in said} == said
    said |= say(repo, 9, first=24)
    work(repo)
    with Repository.open(repo.path) as again:
        assert {path: again.read(path) for path in said} == said
        assert sum(1 for _ in again.commits.log()) == 34
        say(again, 9, first=33)
        work(again)
    sound()
    assert check(repo.git_dir).findings == []


def test_the_users_own_gc_makes_the_packs_no_larger(repo: Repository, git: Git) -> None:
    say(repo, 121)
    work(repo)

    def size() -> int:
        found = (repo.git_dir / "objects" / "pack").glob("*.pack")
        return sum(path.stat().st_size for path in found)

    before = size()
    git("gc", "-q")
    assert size() <= before


def test_a_shallow_clone_is_talked_in_and_packed(repo: Repository, tmp_path: Path) -> None:
    say(repo, 17)
    place = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=5", f"file://{repo.path}", place], check=True)
    with Repository.open(place) as shallow:
        say(shallow, 20, first=17)
        assert work(shallow)
        assert sum(1 for _ in shallow.commits.log()) == 25
    done = subprocess.run(
        ["git", "-C", place, "fsck", "--full", "--strict"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""


def test_a_clone_that_borrows_objects_is_packed_without_them(
    repo: Repository, tmp_path: Path
) -> None:
    say(repo, 17)
    place = tmp_path / "borrowing"
    subprocess.run(["git", "clone", "-q", "--shared", repo.path, place], check=True)
    with Repository.open(place) as borrowing:
        said = say(borrowing, 20, first=17)
        assert work(borrowing)
        assert {path: borrowing.read(path) for path in said} == said
    assert check(place / ".git").is_sound


def test_a_linked_work_tree_shares_packs_and_lists(
    repo: Repository, git: Git, tmp_path: Path, sound: Callable[[], None]
) -> None:
    say(repo, 5)
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    with Repository.open(tmp_path / "side") as side:
        assert side.git_dir == repo.git_dir
        for number in range(20):
            side.commit([Change("side.md", b"x" * number)], message="t", author=MIRA, branch="side")
        say(repo, 5, first=5)
        assert work(side)
        assert side.read("side.md") == b"x" * 19
    sound()


def test_a_partial_clone_says_what_it_lacks(repo: Repository, git: Git, tmp_path: Path) -> None:
    say(repo, 17)
    git("config", "uploadpack.allowFilter", "true")
    place = tmp_path / "partial"
    words = ["git", "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo.path}"]
    subprocess.run([*words, place], check=True)
    report = check(place / ".git")
    assert report.is_sound, "git promises these objects, and fetches them"


# dulwich's ways of writing that lose data (docs/architecture.md)

_MODULES = {
    "porcelain", "gc", "maintenance", "filter_branch", "worktree", "commit_graph", "fsck", "stash",
    "merge", "rebase", "reftable",
}  # fmt: skip
_NAMES = {
    "WorkTree", "garbage_collect", "prune", "prune_unreachable_objects", "repack",
    "pack_loose_objects", "maybe_auto_gc", "run_maintenance", "maintenance_run",
    "write_commit_graph",
    "filter_branch", "fsck", "do_commit", "get_worktree", "locked_index",
}  # fmt: skip


def _dulwich_uses(tree: ast.Module) -> set[str]:
    """Parts of dulwich that a module imports or names, as far as names tell."""
    used: set[str] = set()
    has_dulwich = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dulwich":
            has_dulwich = True
            used.update((node.module or "").split(".")[1:])
            used.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "dulwich":
                    has_dulwich = True
                    used.update(alias.name.split(".")[1:])
        elif isinstance(node, ast.Attribute):
            used.add(f".{node.attr}")
    return {name.removeprefix(".") for name in used} if has_dulwich else set()


def test_the_guard_sees_what_it_guards_against() -> None:
    bad = "from dulwich.repo import Repo\nRepo('.').get_worktree().commit()\nimport dulwich.gc\n"
    assert _dulwich_uses(ast.parse(bad)) >= {"repo", "Repo", "get_worktree", "gc"}
    assert _dulwich_uses(ast.parse("x.prune()")) == set()


def test_nothing_that_dulwich_does_badly_is_used() -> None:
    root = Path(perdure.__file__).parent
    for path in root.rglob("*.py"):
        used = _dulwich_uses(ast.parse(path.read_text("utf-8")))
        assert not used & (_MODULES | _NAMES), f"{path.relative_to(root)}: {used}"
