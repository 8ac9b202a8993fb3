"""History as a user asks for it: log, show, diff and blame, run as commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.git.repository.repository import Author, Repository
from tests.cli.command import run_command
from tests.cli.conftest import Perdure
from tests.cli.test_commands import one_line_error
from tests.conftest import git
from tests.lives import make_life
from tests.pseudo_terminal import on_a_terminal

ANA = {"GIT_AUTHOR_NAME": "Ana", "GIT_COMMITTER_NAME": "Ana"}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of a life from 5 January 2026 on: 1,100 turns and two edits of the persona."""
    path = tmp_path_factory.mktemp("life") / "mira"
    make_life(path, 1100)
    return path


@pytest.fixture
def mira(grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that life, with a founding commit of that time, which the command is about."""
    git(tmp_path, "clone", "-q", "--no-hardlinks", str(grown), "mira")
    path = tmp_path / "mira"
    monkeypatch.setenv("PERDURE_COMPANION", str(path))
    monkeypatch.setenv("TZ", "UTC")
    return path


def commit(path: Path, message: str, at: str, *words: str) -> str:
    environ = dict(os.environ) | {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    subprocess.run(
        ["git", "-C", str(path), "commit", "-q", "-m", message, *words],
        env=environ,
        check=True,
    )
    return git(path, "rev-parse", "HEAD").strip()


def edit(path: Path, text: str, message: str, at: str) -> str:
    (path / "persona/20-voice.md").write_text(text)
    return commit(path, message, at, "-a")


def ids(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return [entry["commit"] for entry in json.loads(done.stdout)]


def test_the_end_of_a_shallow_clone_is_no_beginning(
    perdure: Perdure, grown: Path, tmp_path: Path
) -> None:
    """Its oldest commit has every file, and would pass for the one that made the persona."""
    git(tmp_path, "clone", "-q", "--depth=3", f"file://{grown}", "shallow")
    here = {"PERDURE_COMPANION": str(tmp_path / "shallow")}
    for words in (("log",), ("log", "--persona"), ("log", "--turns")):
        lines = perdure(*words, **here).stdout.splitlines()
        assert [("git fetch --unshallow" in line) for line in lines].count(True) == 1
        assert "git fetch --unshallow" in lines[-1]
    assert "unshallow" not in perdure("log", PERDURE_COMPANION=str(grown)).stdout


def test_kinds_paths_dates_and_texts_are_gits(perdure: Perdure, mira: Path) -> None:
    def same(ours: tuple[str, ...], gits: tuple[str, ...]) -> None:
        found = ids(perdure("log", "--all", "--json", *ours))
        assert found == git(mira, "log", "--format=%H", *gits).split()
        assert found

    same(("--turns",), ("--", "conversations"))
    same(("--persona",), ("--", "persona"))
    same(("--path", "persona/20-voice.md"), ("--", "persona/20-voice.md"))
    same(("persona", "--turns", "--persona"), ("--", "persona"))
    same(("--author", "ANA"), ("--author=Ana",))
    word = git(mira, "log", "-1", "--format=%s").split()[2]
    subjects = [line.split(" ", 1) for line in git(mira, "log", "--format=%H %s").splitlines()]
    expected = [oid for oid, subject in subjects if word.casefold() in subject.casefold()]
    assert ids(perdure("log", "--all", "--json", "--grep", word.upper())) == expected
    same(("--since", "2026-01-06", "--until", "2026-01-06"),
         ("--since=2026-01-06T00:00:00Z", "--until=2026-01-06T23:59:59Z"))  # fmt: skip
    assert perdure("log", "--memory", "--author", "nobody").stdout == ""


def test_pages_and_branches(perdure: Perdure, mira: Path) -> None:
    every = git(mira, "log", "--format=%H").split()
    turns = git(mira, "log", "--format=%H", "--", "conversations").split()
    assert ids(perdure("log", "--json", "-n", "5", "--skip", "7")) == every[7:12]
    assert ids(perdure("log", "--turns", "--json", "-n", "5", "--skip", "7")) == turns[7:12]
    assert len(perdure("log").stdout.splitlines()) == 30
    git(mira, "branch", "side", "HEAD~10")
    assert ids(perdure("log", "--branch", "side", "--json", "-n", "2")) == every[10:12]
    assert ids(perdure("log", "side", "--json", "-n", "2")) == every[10:12]
    assert ids(perdure("log", "HEAD~3", "--json", "-n", "1")) == every[3:4]
    assert perdure("log", "side", "-n", "1").stdout.startswith(every[10][:8])


def test_the_evolution_of_a_persona(perdure: Perdure, mira: Path) -> None:
    """One line a change: when, who, words, tokens, file, tag."""
    edit(mira, "# Voice\n\nShort and calm words.\n", "persona: calm", "2026-01-09T10:00:00Z")
    git(mira, "tag", "-a", "-m", "x", "before-the-move")
    (mira / "persona/10-who.md").write_text("I like the sea.\n")
    commit(mira, "persona: the sea", "2026-01-09T11:00:00Z", "-a",
           "--author=Mira <mira@companion.invalid>")  # fmt: skip
    edit(mira, "# Voice\n\nLong, calm words.\n", "persona: longer", "2026-01-09T12:00:00Z")
    head, longer, sea, calm = perdure("log", "--persona", "-n", "3").stdout.splitlines()
    assert "estimate" in head
    assert "2026-01-09 12:00  Ana (you)  +1 -2 words" in longer
    assert "20-voice.md  persona: longer" in longer
    assert "Mira (her)" in sea
    assert calm.endswith("persona: calm  [before-the-move]")
    changes = json.loads(perdure("log", "--persona", "--json").stdout)
    assert [change["commit"] for change in changes] == git(
        mira, "log", "--format=%H", "--", "persona"
    ).split()
    assert changes[0]["words_added"] == 1
    assert changes[0]["words_removed"] == 2
    assert changes[0]["by"] == "you"
    files = list((mira / "persona").rglob("*.md"))
    size = sum(-(-len(path.read_text()) * 25 // 100) for path in files)
    assert abs(changes[0]["tokens"] - size) <= 2 * len(files)
    assert changes[1]["files"] == ["persona/10-who.md"]
    again = json.loads(perdure("log", "--persona", "--json").stdout)
    assert again == changes


def test_a_rewound_line_and_a_merge(perdure: Perdure, mira: Path) -> None:
    """Only what the asked line came from is listed, whatever the index has seen before."""
    calm = edit(mira, "Calm.\n", "persona: calm", "2026-01-09T10:00:00Z")
    assert calm in ids(perdure("log", "--persona", "--json"))
    git(mira, "branch", "old")
    git(mira, "reset", "-q", "--hard", "HEAD~20")
    loud = edit(mira, "Loud.\n", "persona: loud", "2026-01-09T11:00:00Z")
    found = ids(perdure("log", "--persona", "--json"))
    assert loud in found
    assert calm not in found
    assert ids(perdure("log", "old", "--persona", "--json"))[0] == calm
    git(mira, "merge", "-q", "-s", "ours", "-m", "merge: old", "old")
    assert {loud, calm} <= set(ids(perdure("log", "--persona", "--json")))


def test_dates_name_the_tip_of_then(perdure: Perdure, mira: Path) -> None:
    before = git(
        mira, "rev-list", "-1", "--first-parent", "--before=2026-01-06T23:59:59Z", "HEAD"
    ).strip()
    assert ids(perdure("log", "2026-01-06", "--json", "-n", "1")) == [before]
    shown = json.loads(perdure("show", "2026-01-06 23:59", "--json").stdout)
    assert shown["commit"] == before
    expected = git(mira, "diff", "--name-only", before, "HEAD").split()
    found = json.loads(perdure("diff", "2026-01-06", "--json").stdout)
    assert [entry["path"] for entry in found] == expected
    one_line_error(perdure("log", "1999-01-01"), "before this history begins")
    one_line_error(perdure("log", "2999-01-01"), "in the future")
    one_line_error(perdure("log", "--since", "soonish"), "soonish", "3 weeks ago")
    one_line_error(perdure("diff", "soonish"), "soonish", "3 weeks ago", "HEAD~3", "@-3")


def test_show_a_turn_finds_its_commit(perdure: Perdure, mira: Path) -> None:
    for oid in git(
        mira, "log", "--format=%H", "--skip=500", "-n", "3", "--", "conversations"
    ).split():
        turn = git(mira, "show", "-s", "--format=%(trailers:key=Turn,valueonly)", oid).strip()
        assert json.loads(perdure("show", turn, "--json").stdout)["commit"] == oid
    assert ids(perdure("log", turn, "-n", "1", "--json")) == [oid]


def test_a_copied_trailer_is_not_believed(perdure: Perdure, mira: Path) -> None:
    """The commit that added the turn is named, not one that says so, earlier or later."""
    real = git(mira, "log", "-1", "--format=%H").strip()
    turn = git(mira, "show", "-s", "--format=%(trailers:key=Turn,valueonly)").strip()
    chunk = git(mira, "show", "--name-only", "--format=", real).strip()
    git(mira, "reset", "-q", "--hard", "HEAD~1")
    (mira / chunk).write_text((mira / chunk).read_text().replace("the", "then"))
    commit(mira, f"turn: forged\n\nTurn: {turn}", "2026-01-08T23:00:00Z", "-a")
    git(mira, "cherry-pick", "-X", "theirs", real)
    found = json.loads(perdure("show", turn, "--json").stdout)["commit"]
    assert found == git(mira, "rev-parse", "HEAD").strip()


def test_diff_by_words_and_languages(perdure: Perdure, mira: Path) -> None:
    first = edit(mira, "You are calm.\n她喜欢大海。\n", "persona: 1", "2026-01-09T10:00:00Z")
    edit(mira, "You are calm and kind.\n她喜欢高山。\n", "persona: 2", "2026-01-09T11:00:00Z")
    git(mira, "tag", "kinder")
    (mira / "persona/20-voice.md").write_text("You are kind.\n她喜欢高山。\n")
    shown = perdure("diff", first, "kinder", "persona/20-voice.md").stdout
    assert "You are calm{+ and kind+}.\n她喜欢[-大海-]{+高山+}。\n" in shown
    assert perdure("diff", f"{first}..kinder").stdout == shown
    assert "You are [-calm and -]kind.\n" in perdure("diff").stdout
    work = perdure("diff", "--work", first).stdout
    assert "You are [-calm-]{+kind+}.\n" in work
    (change,) = json.loads(perdure("diff", first, "kinder", "--json").stdout)
    assert change["pieces"][1] == ["come", " and kind"]
    assert "-You are calm.\n" in perdure("diff", "--lines", first, "kinder").stdout
    git(mira, "rm", "-q", "-f", "persona/20-voice.md")
    commit(mira, "persona: gone", "2026-01-09T12:00:00Z")
    assert "removed persona/20-voice.md" in perdure("diff", "kinder", "persona/20-voice.md").stdout


def test_paths_are_named_from_where_one_stands(mira: Path) -> None:
    def run(folder: Path, *words: str) -> str:
        done = run_command(*words, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    whole = run(mira, "log", "-n", "4")
    assert run(mira / "persona", "log", "-n", "4", "..") == whole
    voice = run(mira, "log", "persona/20-voice.md")
    assert voice == run(mira / "persona", "log", "20-voice.md") != whole
    assert run(mira, "log", ".gitignore").count("\n") == 1
    assert run(mira, "diff", "HEAD~1", ".") == run(mira, "diff", "HEAD~1") != ""


def test_a_huge_file_is_not_compared(perdure: Perdure, mira: Path) -> None:
    (mira / "assets").mkdir()
    (mira / "assets/book.txt").write_text("word " * 600_000)
    git(mira, "add", "assets")
    commit(mira, "companion: a book", "2026-01-09T10:00:00Z")
    shown = perdure("diff", "HEAD~1").stdout
    assert "too large to compare: 0 bytes before, 3,000,000 after" in shown
    assert len(shown) < 500


def on_terminal(*words: str, cwd: Path, **environ: str) -> str:
    """What a terminal is sent, with `less` as the pager that shows everything at once."""
    (cwd / "bin").mkdir(exist_ok=True)
    (cwd / "bin/less").write_text("#!/bin/sh\nexec cat\n")
    (cwd / "bin/less").chmod(0o755)
    command = [str(Path(sys.executable).with_name("perdure")), *words]
    environ = {"TERM": "xterm", "PAGER": str(cwd / "bin/less")} | environ
    with on_a_terminal(command, folder=cwd, size=(0, 0), environ=environ) as terminal:
        terminal.ended()
    return terminal.shown.decode()


def test_colours_on_a_terminal_and_marks_without(
    perdure: Perdure, mira: Path, tmp_path: Path
) -> None:
    (mira / "persona/20-voice.md").write_text("Old words.\n")
    commit(mira, "persona: old", "2026-01-09T10:00:00Z", "-a")
    (mira / "persona/20-voice.md").write_text("New words.\n")
    coloured = on_terminal("diff", cwd=tmp_path)
    assert "\x1b[31m\x1b[9mOld\x1b[0m\x1b[32m\x1b[1mNew\x1b[0m words." in coloured
    assert "[-" not in coloured.replace("\x1b[", "")
    plain = on_terminal("diff", cwd=tmp_path, NO_COLOR="1")
    assert "[-Old-]{+New+} words." in plain
    assert "\x1b" not in plain
    assert "[-Old-]{+New+} words." in on_terminal("diff", cwd=tmp_path, PAGER="cat")


def test_blame_names_commit_author_and_turn(perdure: Perdure, mira: Path) -> None:
    turn = git(mira, "show", "-s", "--format=%(trailers:key=Turn,valueonly)").strip()
    one = edit(mira, "First.\nSecond.\n", "persona: two lines", "2026-01-09T10:00:00Z")
    two = edit(mira, "First.\nMiddle.\nSecond.\n", f"persona: hers\n\nCaused-By: {turn}",
               "2026-01-09T11:00:00Z")  # fmt: skip
    git(mira, "mv", "persona/20-voice.md", "persona/25-voice.md")
    commit(mira, "persona: renamed", "2026-01-09T12:00:00Z")
    lines = json.loads(perdure("blame", "persona/25-voice.md", "--json").stdout)
    assert [line["commit"] for line in lines] == [one, two, one]
    assert [line["turn"] for line in lines] == [None, turn, None]
    assert [line["was_line"] for line in lines] == [1, 2, 2]
    assert lines[0]["path"] == "persona/20-voice.md"
    shown = perdure("blame", "25-voice.md:2").stdout
    assert f"{two[:8]}  2026-01-09 11:00  Ana  persona: hers  after turn {turn}" in shown
    assert shown.splitlines()[1].split() == ["2", "Middle."]
    assert len(json.loads(perdure("blame", "20-voice.md", "--at", one, "--json").stdout)) == 2
    one_line_error(perdure("blame", "25-voice.md:9"), "no line 9", "3 lines")
    one_line_error(perdure("blame", "nothing.md"), "nothing.md")
    (mira / "persona/25-voice.md").write_text("Other.\n")
    assert "uncommitted" in perdure("blame", "25-voice.md").stderr


def test_a_turn_that_is_not_there_causes_nothing(perdure: Perdure, mira: Path) -> None:
    edit(
        mira, "A.\n", "persona: a\n\nCaused-By: 2026-01-05-0800-ffffffff/3", "2026-01-09T10:00:00Z"
    )
    assert json.loads(perdure("blame", "20-voice.md", "--json").stdout)[0]["turn"] is None


def test_a_companion_without_a_commit_and_one_without_a_head(
    perdure: Perdure, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "new")
    (tmp_path / "new/companion.yaml").write_text("format: 1\n")
    where = str(tmp_path / "new") + "/"
    assert perdure("-c", where, "log", "--persona").stdout == ""
    one_line_error(perdure("-c", where, "diff"), "nothing to compare")
    one_line_error(perdure("-c", where, "blame", "persona/a.md"), "no commit yet")


def test_a_name_that_would_break_the_terminal_is_shown_harmlessly(
    perdure: Perdure, mira: Path
) -> None:
    repo = Repository.open(mira)
    author = Author("Ana\x1b[2J", "ana@example.invalid")
    from perdure.git.repository.repository import Change

    repo.commit([Change("persona/20-voice.md", b"x\x1b]0;evil\x07\n")],
                message="persona: \x1b[31m\n", author=author, branch="main")  # fmt: skip
    repo.close()
    for words in (
        ("log", "--persona"),
        ("diff", "HEAD~1"),
        ("blame", "20-voice.md"),
        ("show", "HEAD"),
    ):
        assert "\x1b" not in perdure(*words).stdout
