"""Folders that one was given: whose they are, and the links that may be planted in them."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure import child
from perdure.environment import child_environment
from perdure.git import layout
from perdure.git.errors import HistoryError, LinkInside, NotOwned, UnsupportedRepository
from perdure.git.operations.operation import RefMove, perform
from perdure.git.packs import background
from perdure.git.repository.lost_file import is_known
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
OTHER = 65534


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Every name below a folder, with the content of files and where links lead."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


def said(path: Path, text: bytes) -> None:
    with Repository.open(path) as repo:
        repo.commit(
            [Change("conversations/x.md", text)],
            message="turn: x",
            author=Author("Mira", "mira@companion.invalid"),
            branch="main",
        )


PLACES = (
    "HEAD", "index", "config", "packed-refs", "shallow",
    "logs", "logs/HEAD", "logs/refs/heads/main",
    "refs", "refs/heads", "refs/heads/main", "refs/heads/x", "refs/perdure",
    "objects", "objects/pack", "objects/info", "objects/ab", "info",
    "perdure", "perdure/cache", "perdure/cache/recall-1.sqlite", "perdure/state",
    "perdure/state/spare", "perdure/state/held", "perdure/state/journals", "perdure/state/leases",
    "perdure/state/commit.lock", "perdure/state/journals/1-a.journal",
    "perdure/state/operation.json", "perdure/state/level-main.json", "perdure/state/packs",
    "worktrees", "worktrees/w", "worktrees/w/HEAD", "MERGE_HEAD",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_link_inside_the_git_folder_is_refused(
    repo: Repository, tmp_path: Path, place: str
) -> None:
    """Wherever it is, nothing behind it is changed, and the error names it."""
    said(repo.path, b"one")
    outside = tmp_path / "outside"
    link = repo.git_dir / place
    if link.exists():
        shutil.copytree(link, outside / "there") if link.is_dir() else None
        outside.mkdir(exist_ok=True)
        shutil.rmtree(link) if link.is_dir() else shutil.copy(link, outside / "there")
        link.unlink(missing_ok=True)
    outside.mkdir(exist_ok=True)
    if not (outside / "there").exists():
        is_file = link.suffix or link.name.isupper() or link.name == "shallow"
        (outside / "there").write_bytes(b"precious") if is_file else (outside / "there").mkdir()
    if (outside / "there").is_dir():
        (outside / "there" / "thesis.txt").write_bytes(b"precious")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / "there")
    before = snapshot(outside)
    for recover in (True, False):
        with pytest.raises(LinkInside, match="follows none") as caught:
            Repository.open(repo.path, recover=recover)
        assert str(link) in caught.value.what
    assert snapshot(outside) == before


@pytest.mark.parametrize(
    "place", ["config", "HEAD", "index", "refs/heads/x", "perdure/state/packs"]
)
def test_a_pipe_inside_the_git_folder_is_not_waited_for(repo: Repository, place: str) -> None:
    (repo.git_dir / place).unlink(missing_ok=True)
    os.mkfifo(repo.git_dir / place)
    with pytest.raises(LinkInside, match="a pipe or a device"):
        Repository.open(repo.path)


def test_what_comes_up_after_the_opening_is_not_followed_either(
    repo: Repository, tmp_path: Path
) -> None:
    """A link planted beneath an open session: the reflog's line does not go through it."""
    said(repo.path, b"one")
    start_up = tmp_path / ".bashrc"
    start_up.write_bytes(b"# mine\n")
    (repo.git_dir / "logs" / "HEAD").unlink()
    (repo.git_dir / "logs" / "HEAD").symlink_to(start_up)
    mira = Author("Mira", "mira@companion.invalid")
    repo.commit([Change("a.md", b"x")], message="turn: y", author=mira, branch="main")
    assert start_up.read_bytes() == b"# mine\n"
    assert repo.read("a.md") == b"x"


@pytest.mark.parametrize(
    "place",
    [
        "logs", "logs/refs/heads", "refs/heads", "objects", "objects/pack", "perdure",
        "perdure/state", "perdure/state/held", "perdure/state/spare", "perdure/state/journals",
        "refs/heads/deep", "logs/refs/heads/deep",
    ],
)  # fmt: skip
def test_a_folder_that_becomes_a_link_beneath_an_open_session(
    repo: Repository, tmp_path: Path, place: str
) -> None:
    """A program that synchronises the folder may bring one at any moment."""
    mira = Author("Mira", "mira@companion.invalid")
    tip = repo.resolve("main")

    def turn(text: bytes) -> None:
        repo.commit([Change("a.md", text)], message="t", author=mira, branch="deep/one", start=tip)

    turn(b"one")
    outside = tmp_path / "outside"
    folder = repo.git_dir / place
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, outside)
    (outside / "thesis.txt").write_bytes(b"precious")
    shutil.rmtree(folder)
    folder.symlink_to(outside)
    before = snapshot(outside)
    # A reflog is no reason to fail a turn; what is needed for it is.
    can = contextlib.nullcontext() if place.endswith("logs/refs/heads/deep") else None
    with can or pytest.raises(LinkInside):
        turn(b"two")
    with can or pytest.raises(LinkInside):
        perform(repo, "branch", "x", [RefMove("refs/heads/deep/x", None, tip)], author=mira)
    assert snapshot(outside) == before


def test_links_above_the_git_folder_are_the_users_business(
    repo: Repository, tmp_path: Path
) -> None:
    (tmp_path / "linked").symlink_to(repo.path)
    said(tmp_path / "linked", b"one")
    apart = tmp_path / "apart"
    (repo.path / ".git").rename(apart)
    (repo.path / ".git").symlink_to(apart)
    said(repo.path, b"two")
    assert (repo.path / "conversations/x.md").read_bytes() == b"two"
    (repo.path / ".git").unlink()
    (repo.path / ".git").write_text(f"gitdir: {apart}\n")
    said(repo.path, b"three")
    assert (repo.path / "conversations/x.md").read_bytes() == b"three"


def test_links_that_are_gits_alone_are_left_alone(repo: Repository, tmp_path: Path) -> None:
    """Hooks kept elsewhere are common, and are nothing that perdure reads."""
    (repo.git_dir / "hooks").symlink_to(tmp_path)
    said(repo.path, b"one")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"gitdir: \0x", b"gitdir: " + b"x" * 5000, b"gitdir: .git", b"x" * 100_000],
    ids=itertools.count(),
)
def test_a_git_file_that_makes_no_sense(repo: Repository, content: bytes) -> None:
    shutil.rmtree(repo.path / ".git")
    (repo.path / ".git").write_bytes(content)
    with pytest.raises(HistoryError):
        Repository.open(repo.path)


@pytest.mark.parametrize(
    "content",
    [b"", b"..", b"\xff", b"a\0b", b"/", b"x" * 5000, b"x" * 100_000],
    ids=itertools.count(),
)
def test_a_commondir_that_leads_elsewhere(repo: Repository, tmp_path: Path, content: bytes) -> None:
    (repo.git_dir / "commondir").write_bytes(content or os.fsencode(tmp_path))
    with pytest.raises(HistoryError):
        Repository.open(repo.path)


def test_a_linked_work_tree_leads_back_or_is_none(
    repo: Repository, git: Git, tmp_path: Path
) -> None:
    git("worktree", "add", "-q", str(tmp_path / "w"), "-b", "w")
    (tmp_path / "victim").mkdir()
    with Repository.open(tmp_path / "w") as linked:
        here = linked.parts().layout
    main = layout.find(repo.path)
    assert layout.beside(main, "worktrees/w") == here
    assert layout.beside(here, ".") == main
    gitdir = repo.git_dir / "worktrees" / "w" / "gitdir"
    for own in ("worktrees/../..", "worktrees/x", "/etc", "..", "worktrees/w/..", "", "refs/heads"):
        assert layout.beside(main, own) is None
    gitdir.write_text(f"{tmp_path}/victim/.git\n")
    assert layout.beside(main, "worktrees/w") is None, "nothing there leads back"
    gitdir.write_bytes(b"\xff\0")
    assert layout.beside(main, "worktrees/w") is None


def test_a_git_folder_may_not_pick_a_common_one(repo: Repository, tmp_path: Path) -> None:
    """Only ``worktrees/NAME`` has one; anywhere else it would make another's history writable."""
    other = tmp_path / "other"
    shutil.copytree(repo.path, other)
    (other / ".git" / "commondir").write_text(str(repo.git_dir))
    with pytest.raises(UnsupportedRepository, match="no linked work tree"):
        Repository.open(other)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration of git that is empty."""
    place = tmp_path / "gitconfig"
    place.write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(place))
    return place


def gits_word(path: Path) -> bool:
    """Whether git itself opens the repository."""
    done = subprocess.run(
        ["git", "-C", str(path), "rev-parse", "HEAD"], capture_output=True, check=False
    )
    return done.returncode == 0


def ours(path: Path) -> bool:
    """Whether perdure opens it."""
    try:
        Repository.open(path).close()
    except NotOwned:
        return False
    return True


@as_root
@pytest.mark.parametrize("what", ["work", "git", "both", "file", "link"])
def test_a_folder_of_another_user_is_refused_as_git_does(
    repo: Repository, tmp_path: Path, protected: Path, what: str
) -> None:
    dot_git = repo.path / ".git"
    if what in {"file", "link"}:
        dot_git.rename(tmp_path / "apart")
        if what == "file":
            dot_git.write_text(f"gitdir: {tmp_path / 'apart'}\n")
        else:
            dot_git.symlink_to(tmp_path / "apart")
    given = {"work": [repo.path], "git": [dot_git], "both": [repo.path, dot_git]}
    for path in given.get(what, [dot_git]):
        os.chown(path, OTHER, OTHER, follow_symlinks=False)
    assert (ours(repo.path), gits_word(repo.path)) == (False, False)
    with pytest.raises(NotOwned, match=r"git config --global --add safe\.directory"):
        Repository.open(repo.path)
    # The way out that the error names opens it for both.
    subprocess.run(
        ["git", "config", "--global", "--add", "safe.directory", str(repo.path)], check=True
    )
    assert (ours(repo.path), gits_word(repo.path)) == (True, True)


@as_root
@pytest.mark.parametrize(
    ("values", "opens"),
    [
        (["*"], True),
        (["*", ""], False),
        (["", "*"], True),
        (["@"], True),
        (["@/"], True),
        (["@/../mira"], True),
        (["@/.git"], False),
        (["@@/*"], True),
        (["@@"], False),
        (["@@/mi"], False),
        (["mira"], False),
        (["~/mira"], True),
        (["~/link"], True),
        (["nonsense", "@"], True),
    ],
)
def test_safe_directories_are_read_as_git_reads_them(
    repo: Repository,
    tmp_path: Path,
    protected: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: list[str],
    opens: bool,  # noqa: FBT001
) -> None:
    os.chown(repo.path, OTHER, OTHER)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(repo.path)
    for value in values:
        full = value.replace("@@", str(tmp_path)).replace("@", str(repo.path))
        with protected.open("a") as file:
            file.write(f'[safe]\n\tdirectory = "{full}"\n')
    assert ours(repo.path) == opens
    if values[0] in {"*", "", "@", "mira", "@@", "@/.git"}:  # the rest is read so by newer git
        assert gits_word(repo.path) == opens


@as_root
def test_a_bare_repository_of_another_user_is_not_read(
    repo: Repository, git: Git, tmp_path: Path, protected: Path
) -> None:
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(repo.path), str(bare))
    assert is_known(bare, "companion.yaml")
    os.chown(bare, OTHER, OTHER)
    assert not is_known(bare, "companion.yaml")
    os.chown(bare, 0, 0)
    (bare / "refs" / "heads" / "x").symlink_to("/etc/passwd")
    assert not is_known(bare, "companion.yaml")


@as_root
def test_the_repositorys_own_word_counts_for_nothing(
    repo: Repository, protected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(repo.path, OTHER, OTHER)
    with (repo.git_dir / "config").open("a") as file:
        file.write("[safe]\n\tdirectory = *\n")
    assert not ours(repo.path)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    assert ours(repo.path)


@as_root
def test_root_through_sudo_is_also_who_called_it(
    repo: Repository, protected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(repo.path, OTHER, OTHER)
    os.chown(repo.git_dir, OTHER, OTHER)
    for value, opens in (("", False), ("x", False), ("1", False), (str(OTHER), True)):
        monkeypatch.setenv("SUDO_UID", value)
        assert (ours(repo.path), gits_word(repo.path)) == (opens, opens)


@as_root
def test_another_user_does_not_open_what_is_ours(repo: Repository, tmp_path: Path) -> None:
    """The same from the other side: a process that is not root."""
    script = (
        "import dulwich.config, os, pwd, sys\n"
        "from perdure.git.repository.repository import Repository\n"
        "from perdure.git.errors import NotOwned\n"
        f"os.setgroups([]); os.setgid({OTHER}); os.setuid({OTHER})\n"
        "try: Repository.open(sys.argv[1])\n"
        "except NotOwned as error: print(error)\n"
    )
    above = repo.path
    while above != above.parent and above != Path("/tmp"):
        above.chmod(0o755)
        above = above.parent
    done = subprocess.run(
        [sys.executable, "-c", script, str(repo.path)],
        capture_output=True, text=True, check=False, env={**os.environ, "HOME": "/"},
    )  # fmt: skip
    if "Permission denied" in done.stderr or "may not be read" in done.stderr:
        pytest.skip("the folder of this run is not to be reached by another user")
    assert "belongs to the user root, not to you" in done.stdout


def test_a_process_of_ours_gets_no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the background is started with, as it is told to the system."""
    for name in ("OPENAI_API_KEY", "MY_SECRET", "PERDURE_TOKEN", "XDG_TOKEN", "PYTHON_KEY"):
        monkeypatch.setenv(name, "sk-very-secret")
    given: list[dict[str, str]] = []

    def spawn(path: str, words: object, env: dict[str, str], **more: object) -> int:
        given.append(env)
        return 1

    monkeypatch.setattr(os, "posix_spawn", spawn)
    background.start(tmp_path)
    child.spawned.clear()
    assert given == [child_environment()]
    assert "sk-very-secret" not in given[0].values()
    assert given[0]["PATH"] == os.environ["PATH"]
    assert given[0]["PERDURE_HOME"] == os.environ["PERDURE_HOME"]
