"""Refs in git's tables become files at the first write: all of them, whatever happens meanwhile."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from perdure.git import disk as disk_module
from perdure.git.commit import conversion
from perdure.git.config import repository as config
from perdure.git.errors import Busy, DamagedRepository, HistoryError, UnsupportedRepository
from perdure.git.locks import GitLock
from perdure.git.operations import branches
from perdure.git.refs.table_stack import is_in_tables
from perdure.git.remotes.settings import add_remote, remove_remote
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.wire.folder import FolderTransport
from perdure.git.wire.transport import Advertised, PushOrder
from tests.conftest import as_its_own, assert_sound, git, no_room
from tests.git.conftest import FILES
from tests.git.table_writer import into_tables, table
from tests.git.test_recovery import Disk
from tests.git.test_reftable import unpacked
from tests.git.wire.histories import history, outgoing, tip
from tests.newer_git import NewerGit, newer_git

__all__ = ["newer_git"]

MIRA = Author("Mira", "mira@companion.invalid")
CALLS = ("link", "rename", "replace", "unlink", "mkdir", "rmdir", "fsync", "write")
STRIDE = int(os.environ.get("STRIDE", "4"))
"""Steps from one death to the next: 1 for a long run by hand."""
LISTED = ("for-each-ref", "--format=%(refname) %(objectname) %(symref)")


def say(repo: Repository, text: str = "hello") -> str:
    change = Change("conversations/2026-11/30/a.md", text.encode())
    return repo.commit([change], message=f"turn: {text}", author=MIRA, branch="main")


def write_nothing(repo: Repository) -> None:
    """What each write begins with."""
    with repo.writer.exclusive("writing"):
        pass


def logs(path: Path) -> dict[str, bytes]:
    folder = path / ".git/logs"
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in files}


def stash(path: Path, text: str) -> None:
    (path / "persona/10-who.md").write_text(text)
    git(path, "stash", "-q")


@pytest.fixture
def files(repo: Repository) -> Path:
    """A repository with all kinds of refs, in files."""
    path = repo.path
    say(repo, "one")
    say(repo, "two")
    repo.close()
    git(path, "branch", "elsewhere", "HEAD~1")
    git(path, "branch", "deep/er/branch")
    git(path, "tag", "-a", "-m", "before", "before", "HEAD~1")
    git(path, "tag", "light")
    git(path, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(path, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git(path, "update-ref", "refs/perdure/kept/x", "HEAD~1")
    stash(path, "first")
    stash(path, "second")
    git(path, "pack-refs", "--all")
    return path


@pytest.fixture
def tables(files: Path) -> Path:
    """The same, in a table."""
    into_tables(files)
    return files


def check_converted(path: Path, refs: str, reflogs: dict[str, bytes]) -> None:
    """Everything is in files, as plain git sees them, and nothing is left of tables."""
    git_dir = path / ".git"
    assert not is_in_tables(git_dir)
    assert git(path, *LISTED) == refs
    assert {name: logs(path)[name] for name in reflogs} == reflogs
    assert_sound(path)
    left = [each.relative_to(git_dir).as_posix() for each in git_dir.rglob("*")]
    odd = re.compile(r"reftable|converted|\.new|perdure/state/held/.")
    assert [name for name in left if odd.search(name)] == []
    assert [name for name in left if name.endswith(".lock")] == ["perdure/state/commit.lock"]


def test_the_first_commit_makes_files_of_all_refs(files: Path) -> None:
    refs, reflogs, tip = git(files, *LISTED), logs(files), git(files, "rev-parse", "HEAD").strip()
    into_tables(files)
    with Repository.open(files) as repo:
        assert repo.keeps_refs_in_tables()
        assert repo.head().commit == tip
        commit = say(repo, "three")
        assert not repo.keeps_refs_in_tables()
        assert repo.resolve("main~1") == tip
    git(files, "update-ref", "refs/heads/main", tip, commit)
    git(files, "reset", "-q", "--hard")
    for name in ("HEAD", "refs/heads/main"):
        assert logs(files)[name].startswith(reflogs.pop(name))
    check_converted(files, refs, reflogs)
    assert git(files, "stash", "list").count("WIP on main") == 2
    assert "repositoryformatversion = 0" in (files / ".git/config").read_text()


def test_the_first_operation_does_too(tables: Path) -> None:
    with Repository.open(tables) as repo:
        branches.start_branch(repo, "again", "HEAD~1", author=MIRA, switch_to=True)
        assert repo.head().branch == "again"
    assert git(tables, "symbolic-ref", "HEAD") == "refs/heads/again\n"
    assert_sound(tables)


def test_an_open_reader_and_an_open_writer_follow(tables: Path) -> None:
    with Repository.open(tables) as reader, Repository.open(tables) as other:
        before = reader.parts().refs.names("refs/")
        with Repository.open(tables) as writer:
            commit = say(writer, "three")
        assert reader.resolve("main") == commit
        assert reader.parts().refs.names("refs/") == before | {"refs/heads/main": commit}
        say(other, "four")
    assert_sound(tables)


def test_a_new_remote_may_be_the_first_change(tables: Path) -> None:
    """It is added to the settings as they are after the conversion."""
    with Repository.open(tables) as repo:
        add_remote(repo, "backup", "/media/backup/mira.git")
        assert repo.head().branch == "main"
    assert "reftable" not in (tables / ".git/config").read_text()
    assert git(tables, "remote", "get-url", "backup") == "/media/backup/mira.git\n"
    with Repository.open(tables) as repo:
        remove_remote(repo, "backup")
    assert git(tables, "remote") == ""
    assert_sound(tables)


# The settings


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "[core]\n repositoryformatversion = 1\n[extensions]\n refstorage = reftable\n# mine\n",
            "[core]\n repositoryformatversion = 0\n[extensions]\n# mine\n",
        ),
        (
            "[extensions]\nrefStorage=Reftable\n\tnoop = 1\n[core]\nrepositoryformatversion = 1\n",
            "[extensions]\n\tnoop = 1\n[core]\nrepositoryformatversion = 1\n",
        ),
        (
            '[ExtensionS] refstorage = "reftable" ; so\r\n[core] repositoryFormatVersion = 1\r\n',
            "[ExtensionS]\n[core] repositoryFormatVersion = 0\r\n",
        ),
    ],
)
def test_only_the_lines_about_tables_change(before: str, after: str) -> None:
    assert config.with_refs_in_files(before) == after


def test_settings_that_are_written_oddly_are_left_alone(tables: Path) -> None:
    path = tables / ".git/config"
    odd = path.read_text().replace("refstorage =", "refstorage = \\\n")
    path.write_text(odd)
    with Repository.open(tables) as repo, pytest.raises(UnsupportedRepository, match="unusual"):
        say(repo)
    assert path.read_text() == odd
    assert is_in_tables(tables / ".git")


# What keeps it from happening


def test_git_that_is_writing_refs_is_waited_for(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "LOCK_WAIT", 0.05)
    lock = tables / ".git/reftable/tables.list.lock"
    lock.touch()
    with Repository.open(tables) as repo:
        with pytest.raises(Busy):
            say(repo)
        assert lock.exists()
        lock.unlink()
        (tables / ".git/config.lock").touch()
        with pytest.raises(Busy):
            say(repo)
        (tables / ".git/config.lock").unlink()
        assert not lock.exists()
        say(repo)
    assert_sound(tables)


def test_a_table_that_comes_without_the_lock_is_noticed(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = conversion._write_files
    folder = tables / ".git/reftable"

    def beside(*given: Any) -> None:
        write(*given)
        (folder / "2.ref").write_bytes(table({b"refs/heads/late": b"ab" * 20}))
        (folder / "tables.list").write_text("1.ref\n2.ref\n")

    with Repository.open(tables) as repo:
        with monkeypatch.context() as patch:
            patch.setattr(conversion, "_write_files", beside)
            with pytest.raises(Busy, match="another program"):
                say(repo)
        assert (tables / ".git/refs/heads").is_file()
        (folder / "tables.list").write_text("1.ref\n")
        say(repo)
    assert_sound(tables)


def test_other_work_trees_are_named(tables: Path) -> None:
    (tables / ".git/worktrees/studio").mkdir(parents=True)
    with Repository.open(tables) as repo:
        for write in (repo.keeps_refs_in_tables, lambda: say(repo)):
            with pytest.raises(UnsupportedRepository, match="studio"):
                write()
    assert is_in_tables(tables / ".git")


@pytest.mark.parametrize(
    "refs",
    [
        {b"HEAD": b"ref: refs/heads/main", b"refs/../../x": b"ab" * 20},
        {b"HEAD": b"ref: refs/heads/main", b"config": b"ab" * 20},
        {b"HEAD": b"ref: refs/heads/main", b"MERGE_HEAD": b"ab" * 20},
        {b"HEAD": b"ref: refs/heads/main\nevil"},
        {b"refs/heads/main": b"ab" * 20},
    ],
)
def test_what_no_file_can_hold_is_refused(tables: Path, refs: dict[bytes, bytes]) -> None:
    (tables / ".git/reftable/1.ref").write_bytes(table(refs))
    with Repository.open(tables) as repo, pytest.raises(DamagedRepository):
        write_nothing(repo)
    assert (tables / ".git/refs/heads").is_file()
    assert (tables / ".git/config").read_text().count("reftable") == 1


def test_refs_of_an_earlier_try_do_not_come_back(tables: Path) -> None:
    git_dir = tables / ".git"
    (git_dir / "refs/remotes/gone").mkdir(parents=True)
    (git_dir / "refs/remotes/gone/HEAD").write_text("ref: refs/remotes/gone/main\n")
    (git_dir / "logs/refs").mkdir(parents=True)
    (git_dir / "logs/refs/old").write_text("line\n")
    (git_dir / "packed-refs").write_text(f"{'ab' * 20} refs/heads/old\n")
    (git_dir / "CHERRY_PICK_HEAD").write_text("ab" * 20 + "\n")
    with Repository.open(tables) as repo:
        say(repo, "three")
    assert "old" not in git(tables, *LISTED)
    assert "gone" not in git(tables, *LISTED)
    assert not (git_dir / "logs/refs/old").exists()
    assert not (git_dir / "CHERRY_PICK_HEAD").exists()
    assert_sound(tables)


def test_a_full_disk_leaves_the_tables_as_they_were(tables: Path) -> None:
    with Repository.open(tables) as repo:
        refs = repo.parts().refs.names("refs/")
        with no_room(), pytest.raises(HistoryError):
            say(repo)
        assert is_in_tables(tables / ".git")
        assert repo.parts().refs.names("refs/") == refs
    with Repository.open(tables) as again:
        assert (tables / ".git/refs/heads").is_file()
        say(again)
    assert_sound(tables)


# Crashes


def steps_until_death(path: Path, most: int) -> int:
    """Write in a process that is gone before it changes the disk once more than ``most`` times.

    Returns:
        How many changes it made: fewer where it came to its end.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        made = 0

        def ended(code: int) -> NoReturn:
            _write(write, made.to_bytes(4))
            os._exit(code)

        def counting(inner: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **more: Any) -> Any:
                nonlocal made
                if made == most:
                    ended(9)
                made += 1
                return inner(*given, **more)

            return call

        _write = os.write
        try:
            repo = Repository.open(path)
            for name in CALLS:
                setattr(os, name, counting(getattr(os, name)))
            write_nothing(repo)
            ended(3)
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in {3, 9}
    return int.from_bytes(said)


def copies(path: Path, to: Path) -> Iterator[Path]:
    """One copy after the other, each with the mark of its own folder."""
    number = 0
    while True:
        yield as_its_own(Path(shutil.copytree(path, to / f"copy-{number}", symlinks=True)))
        number += 1


def test_dying_at_every_step_leaves_tables_or_files(files: Path, tmp_path: Path) -> None:
    refs, reflogs = git(files, *LISTED), logs(files)
    names = dict(row.split(" ")[:2] for row in refs.splitlines())
    into_tables(files)
    with Repository.open(files) as repo:
        repo.state.own()
    seen = set()
    for step, path in zip(itertools.count(0, STRIDE), copies(files, tmp_path), strict=False):
        made = steps_until_death(path, step)
        seen.add(is_in_tables(path / ".git"))
        with Repository.open(path, recover=False) as reading:
            assert reading.parts().refs.names("refs/") == names
            assert reading.head().branch == "main"
        with Repository.open(path) as again:
            assert again.recovery_trouble == ""
            # What was not decided is taken back, for a git that converts the folder itself.
            assert (path / ".git/refs/heads").is_file() == is_in_tables(path / ".git")
            write_nothing(again)
        check_converted(path, refs, reflogs)
        shutil.rmtree(path)
        if made < step:
            break
    assert seen == {True, False}
    assert step > 60


@pytest.mark.parametrize("entries", [False, True])
def test_a_power_cut_at_any_step_leaves_tables_or_files(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, entries: bool
) -> None:
    refs, reflogs = git(files, *LISTED), logs(files)
    into_tables(files)
    with Repository.open(files) as repo:
        repo.state.own()
        disk = Disk(files)
        cuts: list[Path] = []

        def cut() -> None:
            place = tmp_path / f"cut-{len(cuts)}"
            disk.after_the_cut(place, entries=entries)
            cuts.append(place)

        with disk.watch(monkeypatch), monkeypatch.context() as patch:
            for owner, name in (
                (disk_module, "replace_file"), (disk_module, "sync_folder"), (GitLock, "publish"),
                (conversion, "_write"), (conversion, "_tidy"), (conversion, "_drop_mark"),
                (shutil, "rmtree"),
            ):  # fmt: skip
                inner = getattr(owner, name)

                def stepping(
                    *args: object, _inner: Callable[..., object] = inner, **more: object
                ) -> object:
                    cut()
                    return _inner(*args, **more)

                patch.setattr(owner, name, stepping)
            write_nothing(repo)
        cut()
    assert len(cuts) > 20
    monkeypatch.setattr("perdure.git.state.fields.boot", lambda: "another start")
    seen = set()
    for place in cuts:
        seen.add(is_in_tables(place / ".git"))
        with Repository.open(as_its_own(place)) as again:
            assert again.recovery_trouble == ""
            write_nothing(again)
        check_converted(place, refs, reflogs)
    assert seen == {True, False}


def test_locks_whose_twins_a_power_cut_took_are_broken(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Repository.open(tables) as repo:
        repo.state.own()
    folders = copies(tables, tmp_path)
    step = steps_until_death(next(folders), 10**6)
    path = next(folders)
    while steps_until_death(path, step) and not (path / ".git/config.lock").exists():
        path, step = next(folders), step - 1
    assert (path / ".git/reftable/tables.list.lock").exists()
    for twin in (path / ".git/perdure/state/held").iterdir():
        twin.unlink()
    monkeypatch.setattr(conversion, "LOCK_WAIT", 0.01)
    monkeypatch.setattr("perdure.git.state.fields.boot", lambda: "another start")
    with Repository.open(path) as again:
        assert again.recovery_trouble == ""
        say(again)
    assert_sound(path)


# Beside a git that knows tables


@pytest.fixture
def by_git(newer_git: NewerGit, tmp_path: Path) -> Path:
    """A clone with 2,000 branches, made by a git whose default is reftable."""
    newer_git(tmp_path, "init", "-q", "-b", "main", "origin")
    origin = tmp_path / "origin"
    for name, data in FILES.items():
        (origin / name).parent.mkdir(exist_ok=True)
        (origin / name).write_bytes(data)
    newer_git(origin, "add", ".")
    newer_git(origin, "commit", "-q", "-m", "companion: begin")
    newer_git(origin, "tag", "-a", "-m", "before", "before")
    newer_git(tmp_path, "clone", "-q", "--ref-format=reftable", "origin", "clone")
    path = tmp_path / "clone"
    assert is_in_tables(path / ".git")
    rows = "".join(f"create refs/heads/elsewhere/{n} HEAD\n" for n in range(2000))
    newer_git(path, "update-ref", "--stdin", data=rows)
    newer_git(path, "commit", "-q", "--allow-empty", "-m", "more")
    newer_git(path, "branch", "-D", "elsewhere/7")
    return path


def test_a_clone_by_a_newer_git_becomes_one_for_every_git(
    newer_git: NewerGit, by_git: Path
) -> None:
    refs = newer_git(by_git, *LISTED)
    reflog = newer_git(by_git, "reflog", "--all", "--format=%gD %H %gs %gd")
    old = subprocess.run(
        ["git", "-C", by_git, "status"], check=False, capture_output=True, text=True
    )
    assert old.returncode == 0 or "refstorage" in old.stderr
    with Repository.open(by_git) as repo:
        write_nothing(repo)
    assert git(by_git, *LISTED) == newer_git(by_git, *LISTED) == refs
    assert newer_git(by_git, "reflog", "--all", "--format=%gD %H %gs %gd") == reflog
    newer_git(by_git, "refs", "verify", "--strict")
    assert_sound(by_git)
    # And back, as often as anybody likes.
    newer_git(by_git, "refs", "migrate", "--ref-format=reftable")
    with Repository.open(by_git) as repo:
        say(repo)
    assert git(by_git, *LISTED).count("\n") == refs.count("\n")
    assert_sound(by_git)


def test_dying_with_two_thousand_refs(newer_git: NewerGit, by_git: Path, tmp_path: Path) -> None:
    """At steps all over the way; `test_dying_at_every_step` goes through each of a short one."""
    refs = newer_git(by_git, *LISTED)
    with Repository.open(by_git) as repo:
        repo.state.own()
    folders = copies(by_git, tmp_path)
    total = steps_until_death(next(folders), 10**6)
    seen = set()
    for step in (12, total // 3, *range(total - 20, total, 1 + STRIDE)):
        path = next(folders)
        steps_until_death(path, step)
        in_tables = is_in_tables(path / ".git")
        seen.add(in_tables)
        assert newer_git(path, *LISTED) == refs
        if not in_tables:
            assert git(path, *LISTED) == refs
        with Repository.open(path) as again:
            assert again.recovery_trouble == ""
            write_nothing(again)
        assert git(path, *LISTED) == refs
        assert_sound(path)
        shutil.rmtree(path)
    assert seen == {True, False}


def test_a_git_that_waits_for_the_table_fails_and_nothing_is_lost(
    newer_git: NewerGit, by_git: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began before, knows the tables, and gets their lock when they are gone."""
    write, waiting = conversion._write_files, []

    def beside(*given: Any) -> None:
        waiting.append(
            subprocess.Popen(
                ["git", "-C", by_git, "-c", "reftable.lockTimeout=-1",
                 "update-ref", "refs/heads/late", "HEAD"],
                env=newer_git.env, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        write(*given)

    monkeypatch.setattr(conversion, "_write_files", beside)
    refs = newer_git(by_git, *LISTED)
    with Repository.open(by_git) as repo:
        write_nothing(repo)
    with waiting[0] as late:
        late.communicate()
    said = git(by_git, *LISTED)
    assert (late.returncode == 0) == ("refs/heads/late" in said)
    assert set(refs.splitlines()) <= set(said.splitlines())
    assert not (by_git / ".git/reftable").exists()


def test_a_remote_in_a_folder_becomes_files_at_the_first_push(
    newer_git: NewerGit, tmp_path: Path
) -> None:
    newer_git(tmp_path, "init", "-q", "--bare", "-b", "main", "--ref-format=reftable", "there")
    there = tmp_path / "there"
    here = history(tmp_path / "here", 3)
    transport = FolderTransport(there)
    assert transport.advertised() == Advertised({}, "refs/heads/main")
    told: list[str] = []
    new = outgoing(here, [tip(here)], [])
    result = transport.push(lambda _: PushOrder({"refs/heads/main": tip(here)}, new), told.append)
    assert result.refused == {}
    assert "table" in told[0]
    assert git(there, *LISTED) == newer_git(there, *LISTED) == f"refs/heads/main {tip(here)} \n"
    newer_git(there, "refs", "migrate", "--ref-format=reftable")
    assert FolderTransport(there).advertised().refs == {"refs/heads/main": tip(here)}


def test_the_stack_that_git_wrote_becomes_the_files_that_git_makes_of_it(tmp_path: Path) -> None:
    """Compared with what `git refs migrate` did: packed-refs and reflogs."""
    path = tmp_path / "mira"
    git(tmp_path, "init", "-q", "mira")
    git_dir = path / ".git"
    shutil.rmtree(git_dir / "refs/heads")
    unpacked("stack", git_dir)
    said = (git_dir / "packed-refs").read_text()
    (git_dir / "config").write_text(
        "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n"
    )
    with Repository.open(path) as repo:
        write_nothing(repo)
    ours = [row for row in (git_dir / "packed-refs").read_text().splitlines() if row[0] != "#"]
    assert ours == [row for row in said.splitlines() if row[0] not in "#^"]
    assert (git_dir / "refs/remotes/origin/HEAD").read_text() == "ref: refs/remotes/origin/main\n"
    assert (git_dir / "ORIG_HEAD").exists()
    text = b"".join(
        f"# {name}\n".encode() + content for name, content in sorted(logs(path).items())
    )
    assert text == (git_dir / "logs.txt").read_bytes()
