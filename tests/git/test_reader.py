from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.git.errors import (
    DamagedRepository,
    NotARepository,
    UnknownRevision,
    UnsupportedRepository,
)
from perdure.git.repository.repository import Author, Change, FileChange, Repository

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")


def put(
    repo: Repository, path: str, text: str, branch: str = "main", start: str | None = None
) -> str:
    change = Change(path, text.encode())
    return repo.commit([change], message=f"{path}: {text}", author=MIRA, branch=branch, start=start)


@pytest.fixture
def grown(repo: Repository, git: Git) -> Repository:
    """Two lines merged by git, tags, links, a submodule, a program."""
    for number in range(4):
        put(repo, f"conversations/c{number % 2}.md", f"{number}\n" * (number + 1))
    put(repo, "lore/sea.md", "sea", branch="side", start="HEAD~2")
    git("merge", "-q", "--no-ff", "-m", "merge: side", "side")
    (repo.path / "link.md").symlink_to("/etc/passwd")
    (repo.path / "run.sh").write_text("true\n")
    (repo.path / "run.sh").chmod(0o755)
    git("add", "link.md", "run.sh")
    git("update-index", "--add", "--cacheinfo", f"160000,{repo.head().commit},module")
    git("commit", "-qm", "odd things")
    git("tag", "light", "HEAD~1")
    git("tag", "-a", "-m", "annotated", "heavy", "HEAD~1")
    return repo


@pytest.mark.parametrize(
    "rev",
    ["HEAD", "@", "main", "side", "refs/heads/side", "heads/side", "light", "heavy", "HEAD~1",
     "HEAD~3", "main~1^2", "HEAD^^", "heavy^{commit}", "heavy~1", "HEAD~0"],
)  # fmt: skip
def test_revisions_are_gits(grown: Repository, git: Git, rev: str) -> None:
    assert grown.resolve(rev) == git("rev-parse", f"{rev}^{{commit}}").strip()


def test_short_ids(grown: Repository, git: Git) -> None:
    tip = grown.head().commit
    assert tip is not None
    assert grown.resolve(tip) == grown.resolve(tip[:8]) == grown.resolve(tip[:8].upper()) == tip
    git("repack", "-adq")
    with Repository.open(grown.path) as again:
        assert again.resolve(tip[:8]) == tip


@pytest.mark.parametrize("rev", ["nobody", "HEAD~99", "HEAD^3", "0" * 40, "abcd", "a..b", "HEAD~x"])
def test_unknown_revisions(grown: Repository, rev: str) -> None:
    with pytest.raises(UnknownRevision):
        grown.resolve(rev)


def test_the_log_is_gits(grown: Repository, git: Git) -> None:
    expected = git("log", "--format=%H").split()
    assert sorted(info.id for info in grown.commits.log()) == sorted(expected)
    assert [info.id for info in grown.commits.log(limit=3, skip=1)] == expected[1:4]
    for paths in (["conversations"], ["lore"], ["conversations/c1.md", "persona"], ["nothing"]):
        expected = git("log", "--format=%H", "--", *paths).split()
        assert [info.id for info in grown.commits.log(paths=paths)] == expected
    assert len(grown.commit_info("HEAD~1").parents) == 2


def test_files_are_regular_files_only(grown: Repository) -> None:
    paths = [entry.path for entry in grown.files()]
    assert "run.sh" in paths
    assert not {"link.md", "module"} & set(paths)
    assert paths == sorted(paths)
    assert grown.read("link.md") is None
    assert grown.read("module/x") is None
    assert grown.read("persona") is None
    assert [e.path for e in grown.files("persona")] == ["persona/10-who.md", "persona/20-voice.md"]
    assert grown.names("") == sorted(
        [(".gitattributes", False), ("companion.yaml", False), ("conversations", True),
         ("link.md", False), ("lore", True), ("module", False), ("persona", True),
         ("run.sh", False)]
    )  # fmt: skip
    assert grown.names("no/such") == []


def test_a_programs_mode_is_kept(grown: Repository, git: Git) -> None:
    put(grown, "run.sh", "false\n")
    assert git("ls-tree", "HEAD", "run.sh").startswith("100755")
    assert git("status", "--porcelain", "run.sh") == ""
    assert (grown.path / "run.sh").stat().st_mode & 0o100


def test_differences(grown: Repository, git: Git) -> None:
    found = grown.diff("HEAD~4", "HEAD")
    expected = git("diff", "--name-only", "--no-renames", "HEAD~4", "HEAD").split()
    assert [change.path for change in found] == expected
    assert grown.diff("HEAD", "HEAD") == []
    only = grown.diff("main~4", "main", ["lore/"])
    assert [(c.path, c.old_oid) for c in only] == [("lore/sea.md", None)]
    assert grown.commits.changed("HEAD~1") == only
    root = grown.resolve(git("rev-list", "--max-parents=0", "HEAD").strip())
    assert {change.old_oid for change in grown.commits.changed(root)} == {None}


def test_difference_to_the_work_tree(repo: Repository, git: Git) -> None:
    (repo.path / "persona" / "10-who.md").write_bytes(b"Edited.\n")
    (repo.path / "persona" / "20-voice.md").unlink()
    (repo.path / "persona" / "30-new.md").write_bytes(b"New.\n")
    edited = git("hash-object", "persona/10-who.md").strip()
    new = git("hash-object", "persona/30-new.md").strip()
    assert repo.diff(None, None, ["persona"]) == [
        FileChange("persona/10-who.md", repo.oid("persona/10-who.md"), edited),
        FileChange("persona/20-voice.md", repo.oid("persona/20-voice.md"), None),
        FileChange("persona/30-new.md", None, new),
    ]


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)


def test_kinds_of_repositories_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="does not exist"):
        Repository.open(tmp_path / "none")
    with pytest.raises(NotARepository):
        Repository.open(tmp_path)
    run("git", "init", "-q", "--bare", tmp_path / "bare")
    with pytest.raises(UnsupportedRepository, match="bare"):
        Repository.open(tmp_path / "bare")
    run("git", "init", "-q", "--object-format=sha256", tmp_path / "sha256")
    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        Repository.open(tmp_path / "sha256")
    run("git", "init", "-q", tmp_path / "elsewhere")
    config = tmp_path / "elsewhere" / ".git" / "config"
    config.write_text("[core]\nrepositoryformatversion = 1\n[extensions]\nrefStorage = other\n")
    with pytest.raises(UnsupportedRepository, match="with other"):
        Repository.open(tmp_path / "elsewhere")


def test_a_missing_head_is_said_with_what_to_do(repo: Repository) -> None:
    (repo.git_dir / "HEAD").unlink()
    with pytest.raises(DamagedRepository) as caught:
        Repository.open(repo.path)
    assert "ref: refs/heads/main" in caught.value.next_step


def test_an_unborn_branch_is_begun(tmp_path: Path) -> None:
    run("git", "init", "-q", "-b", "main", tmp_path / "new")
    with Repository.open(tmp_path / "new") as repo:
        assert (repo.head().branch, repo.head().commit) == ("main", None)
        assert repo.files() == []
        assert list(repo.commits.log()) == []
        put(repo, "a.md", "a")
        assert [info.parents for info in repo.commits.log()] == [()]
    run("git", "-C", tmp_path / "new", "diff", "--exit-code", "HEAD")


def test_a_shallow_clone_ends_where_it_was_cut(grown: Repository, tmp_path: Path) -> None:
    run("git", "clone", "-q", "--depth=2", f"file://{grown.path}", tmp_path / "shallow")
    with Repository.open(tmp_path / "shallow") as repo:
        assert len(list(repo.commits.log())) == 2
        assert len(list(repo.commits.log(paths=["companion.yaml"]))) > 0
        put(repo, "a.md", "a")
    run("git", "-C", tmp_path / "shallow", "fsck", "--strict")


def test_a_linked_work_tree_shares_state(grown: Repository, git: Git, tmp_path: Path) -> None:
    git("worktree", "add", "-q", "-b", "walk", str(tmp_path / "walk"))
    with Repository.open(tmp_path / "walk") as repo:
        assert repo.git_dir == grown.git_dir
        assert repo.head().branch == "walk"
        put(repo, "a.md", "a", branch="walk")
        assert (tmp_path / "walk" / "a.md").read_text() == "a"
    done = subprocess.run(
        ["git", "-C", tmp_path / "walk", "status", "--porcelain"], check=True, capture_output=True
    )
    assert done.stdout == b""
    assert not (grown.path / "a.md").exists()


def test_identity_and_odd_configuration(
    repo: Repository, git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert repo.human() == Author("Ana", "ana@example.org")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME")
        monkeypatch.delenv(f"GIT_{role}_EMAIL")
    monkeypatch.delenv("EMAIL", raising=False)
    assert repo.human() is None
    users = tmp_path / "users"
    users.write_text("[user]\n\tname = Ben\n\temail = ben@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(users))
    assert repo.human() == Author("Ben", "ben@example.org")
    assert repo.odd_config() == []
    git("config", "user.name", "Local")
    git("config", "core.hooksPath", "/tmp/hooks")
    git("config", "filter.x.clean", "sh")
    git("config", "alias.x", "!sh")
    with Repository.open(repo.path) as again:
        assert again.human() == Author("Local", "ben@example.org")
        assert [key for _, key, _ in again.odd_config()] == [
            "alias.x", "core.hookspath", "filter.x.clean"
        ]  # fmt: skip
