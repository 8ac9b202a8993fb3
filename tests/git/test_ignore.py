"""Ignore rules against `git check-ignore`, and rules that would take others for ever."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git.errors import HistoryError
from perdure.git.repository.repository import Repository
from perdure.git.wildmatch import Pattern
from perdure.git.worktree.files import WorkTree
from perdure.git.worktree.ignore import Ignored, RulesTrouble, parse_rules

_PIECES = r"""
a b c * ** ? / / **/ /** [a-c] [!a] [^b] [[:alpha:]] [[:foo:]] []a] [a \a \ ! # . é [a-] [\]]
[[:digit:][:upper:]] [b-a] A [--0] [[:] [a[:]b] **\/
"""
_ODD_NAMES = r"a b c ab abc .a é A 1 a] - #a !a ca [a \a a\ "
_ATOMS = st.sampled_from([*_PIECES.split(), " ", "\\ ", "\t", "\r"])
_PATTERNS = st.tuples(st.sampled_from(["", "", "", "!"]), st.lists(_ATOMS, max_size=6)).map(
    lambda found: found[0] + "".join(found[1])
)
_FILES = st.lists(_PATTERNS, max_size=5).map("\n".join)
_NAMES = st.sampled_from([*_ODD_NAMES.split(), "a b", "a ", "\t"])
_PATHS = st.lists(st.lists(_NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=30)


def ignored_by_git(work: Path, paths: list[str]) -> set[str]:
    said = subprocess.run(
        ["git", "-C", str(work), "check-ignore", "-z", "--no-index", "--stdin"],
        input="\0".join(paths).encode(),
        capture_output=True,
        check=False,
    )
    assert said.returncode in {0, 1}, said.stderr
    return {os.fsdecode(path) for path in said.stdout.split(b"\0") if path}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ignore")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    return path


@settings(max_examples=60)
@given(
    _FILES,
    _FILES,
    _FILES,
    _FILES,
    _PATHS,
    st.sampled_from(["true", "false"]),
    st.sampled_from(["\n", "\r\n", ""]),
)
def test_as_git_ignores(
    work: Path, top: str, a: str, ab: str, exclude: str, paths: list[str], case: str, end: str
) -> None:
    for there in sorted(work.iterdir()):
        if there.name != ".git":
            subprocess.run(["rm", "-rf", str(there)], check=True)
    for folder, text in (("", top), ("a", a), ("a/b", ab)):
        if text:
            (work / folder).mkdir(parents=True, exist_ok=True)
            (work / folder / ".gitignore").write_text(text + end, newline="")
    (work / ".git/info/exclude").write_text(exclude, newline="")
    subprocess.run(["git", "-C", str(work), "config", "core.ignorecase", case], check=True)
    made = []
    for path in dict.fromkeys(paths):
        try:
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).touch()
        except OSError:
            continue
        made.append(path)
    rules = Ignored(WorkTree(work, work / ".git"), work / ".git", folded=case == "true")
    ours = {path for path in made if rules.is_ignored(path, is_folder=(work / path).is_dir())}
    assert ours == ignored_by_git(work, made)


def test_the_users_own_file_comes_last(work: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.write_text("*.tmpx\n!kept.tmpy\n")
    (work / ".git/info/exclude").write_text("!b.tmpx\n")
    (work / ".gitignore").unlink(missing_ok=True)
    rules = Ignored(WorkTree(work, work / ".git"), work / ".git", own)
    assert [rules.is_ignored(name) for name in ("a.tmpx", "b.tmpx", "c")] == [True, False, False]
    own.unlink()
    own.mkdir()
    assert not Ignored(WorkTree(work, work / ".git"), work / ".git", own).is_ignored("a.tmpx")


_SLOW = [b"*?" * 2000 + b"x", b"*a" * 2000 + b"b", b"**/" * 1300 + b"x", b"a/**/" * 700 + b"x"]
_SLOW += [b"[a-z]*" * 600 + b"!", b"*/" * 2000 + b"x", b"*" * 4000 + b"x"]


@pytest.mark.parametrize("pattern", _SLOW, ids=lambda pattern: pattern[:12].decode())
def test_a_pattern_takes_one_step_a_byte(pattern: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: git's own way takes longer than the universe for some of these."""
    (rule,) = parse_rules(pattern)
    assert rule.pattern is not None
    steps = 0
    step = Pattern._step

    def counted(self: Pattern, byte: int) -> tuple[int, int]:
        nonlocal steps
        steps += 1
        return step(self, byte)

    monkeypatch.setattr(Pattern, "_step", counted)
    for name in (b"a" * 255, b"a/" * 2000 + b"a"):
        rule.matches(name)
    assert steps <= 255 + 4001


def test_rules_that_cannot_be_followed_hold_new_files_back(repo: Repository) -> None:
    def held(*, but: str) -> None:
        (repo.path / "persona/new.md").write_text("mine\n")
        edits = repo.edits.find(["persona"])
        assert edits.ready == []
        assert [but in reason for _, reason in edits.held] == [True]
        with pytest.raises(HistoryError, match="cannot be told from ignored ones"):
            repo.diff(None, None)

    place = repo.path / ".gitignore"
    place.write_bytes(b"x" * 5000)
    held(but="a line is longer than any path")
    place.write_bytes(b"x\n" * 200_000)
    held(but="too large")
    place.unlink()
    os.mkfifo(place)
    held(but="no regular file")
    place.unlink()
    place.symlink_to("/etc/passwd")
    held(but="no regular file")
    place.unlink()
    place.mkdir()
    assert [change.path for change in repo.edits.find(["persona"]).ready] == ["persona/new.md"]


def test_matching_ends_where_it_takes_too_long(repo: Repository) -> None:
    (repo.path / ".gitignore").write_text("".join(f"*{i}*{i}*\n" for i in range(5000)))
    (repo.path / "lore").mkdir()
    for number in range(40):
        (repo.path / "lore" / f"{'long-' * 20}{number}.md").write_text("x")
    rules = Ignored(WorkTree(repo.path, repo.state_dir), repo.git_dir)
    names = [f"lore/{'long-' * 20}{number}.md" for number in range(40)]
    with pytest.raises(RulesTrouble, match="too long"):
        list(map(rules.is_ignored, names))
    assert repo.edits.find(["lore"]).ready == []


def test_a_folder_that_is_a_link_is_not_walked(repo: Repository, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "id_rsa.md").write_text("key\n")
    for name in ("lore", "conversations", "memory"):
        (repo.path / name).symlink_to(secret)
    (repo.path / "assets").mkdir()
    (repo.path / "assets" / "inner").symlink_to(secret)
    found = repo.edits.find(["lore", "memory/facts", "conversations", "assets"])
    assert found.ready == []
    assert found.held == []
    assert repo.diff(None, None) == []
