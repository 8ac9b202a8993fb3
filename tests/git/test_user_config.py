"""The user's own git configuration: what git itself makes of it, and no file that never ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git.config import user as user_config
from perdure.git.config.user import human, users_ignored
from perdure.git.objects.commit import Author


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a repository in ``desk/mira`` and no configuration yet."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(["git", "init", "-q", str(home / "desk" / "mira")], check=True)
    return home


def of_git(home: Path, key: str) -> str:
    words = ["git", "-C", str(home / "desk" / "mira"), "config", "--get", key]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def of_us(home: Path, section: str, key: str) -> str:
    try:
        value = user_config.read_user_config(home / "desk" / "mira" / ".git").get(
            (section.encode(),), key.encode()
        )
    except KeyError:
        return ""
    return value.decode()


@pytest.mark.parametrize(
    "condition",
    [
        "gitdir:~/desk/",
        "gitdir:~/desk/mira/.git",
        "gitdir:~/desk/mira",
        "gitdir:~/other/",
        "gitdir:mira/",
        "gitdir:mira/.git",
        "gitdir:desk/**/.git",
        "gitdir:**/d*k/",
        "gitdir:**/d/",
        "gitdir:~/DESK/",
        "gitdir/i:~/DESK/",
        "gitdir:desk",
        "gitdir:HOME/linked/",
        "onbranch:nowhere",
        "unknown:x",
    ],
)
def test_an_identity_for_some_folders_is_the_one_that_git_takes(home: Path, condition: str) -> None:
    (home / "linked").symlink_to(home / "desk")
    condition = condition.replace("HOME", str(home))
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ana\n\temail = ana@home.invalid\n"
        f'[includeIf "{condition}"]\n\tpath = at-desk\n'
    )
    (home / "at-desk").write_text('[user]\n\temail = "ana@desk.invalid" ; there\n')
    assert of_us(home, "user", "email") == of_git(home, "user.email")
    known = human({}, home / "desk" / "mira" / ".git")
    assert known == Author("Ana", of_git(home, "user.email"))


def test_the_stronger_file_counts_as_in_git(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config/git/config").write_text("[user]\n\tname = Two\n\temail = two@x.invalid\n")
    (home / "system").write_text("[user]\n\tname = Three\n[core]\n\texcludesFile = ~/three\n")
    monkeypatch.delenv("GIT_CONFIG_NOSYSTEM")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(home / "system"))
    assert of_us(home, "user", "name") == of_git(home, "user.name") == "Two"
    assert users_ignored() == home / "three"
    (home / ".gitconfig").write_text("[user]\n\tname = One\n[include]\n\tpath = more\n")
    (home / "more").write_text("[user]\n\tname = \\\n More\n")
    assert of_us(home, "user", "name") == of_git(home, "user.name") == "More"
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Now")
    assert of_us(home, "user", "name") == of_git(home, "user.name") == "Now"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    assert of_us(home, "user", "email") == of_git(home, "user.email") == ""


def test_the_users_own_ignore_file_is_where_git_looks(home: Path) -> None:
    assert users_ignored() == home / ".config/git/ignore"


def test_no_file_is_waited_for_and_none_is_read_without_end(home: Path) -> None:
    os.mkfifo(home / "pipe")
    (home / "large").write_bytes(b"[user]\n" + b"#" * user_config.MOST_BYTES)
    (home / "round").write_text("[include]\n\tpath = round\n\tpath = .gitconfig\n")
    (home / "broken").write_text("[user\n")
    own = home / ".gitconfig"
    for name in ("pipe", "/dev/zero", "large", "nowhere", "desk", "round"):
        own.write_text(f"[include]\n\tpath = {name}\n[user]\n\tname = Ana\n")
        assert of_us(home, "user", "name") == "Ana", name
    own.write_text("[include]\n\tpath = broken\n[user]\n\tname = Ana\n")
    assert of_us(home, "user", "name") == ""
    own.unlink()
    own.symlink_to(home / "pipe")
    assert of_us(home, "user", "name") == ""


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_whatever_a_file_says_breaks_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    own = tmp_path_factory.mktemp("home") / "config"
    own.write_bytes(b"[user]\n\tname = Ana\n" + data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GIT_CONFIG_GLOBAL", str(own))
        user_config.read_user_config(Path("/x/.git"))
