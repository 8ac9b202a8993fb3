"""Remotes in git's configuration: written so that git reads the very same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.git.config.repository import pairs
from perdure.git.errors import HistoryError
from perdure.git.remotes import settings
from perdure.git.remotes.settings import (
    add_remote,
    clean_address,
    find_remote,
    list_remotes,
    remove_remote,
)
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Repository
from perdure.git.wire.address import UrlSecret
from tests.conftest import git

AUTHOR = Author("Mira", "mira@companion.invalid")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return create_repository(
        tmp_path / "mira", {"companion.yaml": b"format: 1\n"}, message="begin\n", author=AUTHOR
    )


def test_git_reads_what_is_written(repo: Repository) -> None:
    url = 'https://example.invalid/a "b" # c;d\\e.git'
    add_remote(repo, "backup", url)
    assert git(repo.path, "remote", "get-url", "backup").strip() == url
    assert find_remote(repo, "backup").url == url
    assert git(repo.path, "config", "branch.main.remote").strip() == "backup"
    assert git(repo.path, "config", "branch.main.merge").strip() == "refs/heads/main"


def test_a_plain_push_of_git_sends_all_that_a_sync_sends(repo: Repository, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "backup.git")
    add_remote(repo, "backup", str(tmp_path / "backup.git"))
    git(repo.path, "branch", "side")
    git(repo.path, "tag", "one")
    tip = git(repo.path, "rev-parse", "HEAD").strip()
    git(repo.path, "update-ref", f"refs/perdure/kept/{tip}", tip)
    git(repo.path, "push", "-q", "backup")
    there = git(tmp_path / "backup.git", "for-each-ref", "--format=%(refname)").split()
    assert there == [
        "refs/heads/main", "refs/heads/side", f"refs/perdure/kept/{tip}", "refs/tags/one"
    ]  # fmt: skip


def test_a_password_in_an_address_is_taken_out(repo: Repository) -> None:
    add_remote(repo, "one", "https://example.org/one.git")
    config = repo.git_dir / "config"
    url = '"https://ana:hid#den@example.org/x \\"y\\".git" ; mine'
    more = f'[remote "two"] url = {url}\n\tpushURL=\\\n{url}\n[user]\n\tname = Ana\n'
    config.write_text(config.read_text() + more)
    before = git(repo.path, "config", "--local", "--list")
    remote = find_remote(repo, "two")
    assert remote.url == 'https://ana@example.org/x "y".git'
    assert remote.secret == UrlSecret("ana", "hid#den")
    assert "hid" not in repr(remote)
    clean_address(repo, remote)
    assert "hid" not in config.read_text()
    after = git(repo.path, "config", "--local", "--list")
    assert after == before.replace(":hid#den@", "@")
    assert find_remote(repo, "two").secret is None


def test_removing_one_leaves_the_others_and_what_people_wrote(repo: Repository) -> None:
    config = repo.git_dir / "config"
    config.write_text(config.read_text() + "# mine\n[user]\n\tname = Ana\n")
    add_remote(repo, "one", "/tmp/one.git")
    add_remote(repo, "two", "/tmp/two.git")
    before = git(repo.path, "config", "--local", "--list")
    add_remote(repo, "three", "/tmp/three.git")
    remove_remote(repo, "three")
    assert git(repo.path, "config", "--local", "--list") == before
    assert "# mine" in config.read_text()
    remove_remote(repo, "one")
    assert [each.name for each in list_remotes(repo)] == ["two"]
    assert "branch.main.remote" not in git(repo.path, "config", "--local", "--list")


@pytest.mark.parametrize("name", ["", "-x", "a/b", "../x", "a b", "x.lock", "a\nb", "a.."])
def test_odd_names_are_refused(repo: Repository, name: str) -> None:
    with pytest.raises(HistoryError):
        add_remote(repo, name, "/tmp/x.git")


def test_names_that_git_would_not_take_are_no_remotes(repo: Repository) -> None:
    """What a folder of others has in its configuration becomes the name of a file here."""
    config = repo.git_dir / "config"
    names = ["../../../x", "/x", "a/../x", ".", "..", "a//x", "-x", "a/b", "é", ""]
    rows = "".join(f'[remote "{name}"]\n\turl = /media/x\n' for name in names)
    config.write_text(config.read_text() + rows)
    assert [each.name for each in list_remotes(repo)] == ["a/b", "é"]


def test_the_same_name_twice_is_refused(repo: Repository) -> None:
    add_remote(repo, "one", "/tmp/one.git")
    with pytest.raises(HistoryError, match="already"):
        add_remote(repo, "one", "/tmp/two.git")
    assert find_remote(repo, "one").url == "/tmp/one.git"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(str.strip).filter(bool))
def test_every_value_is_read_back(value: str) -> None:
    text = f'[remote "x"]\n\turl = {settings._quoted(value)}\n'
    assert list(pairs(text)) == [("remote.x.url", value)]
