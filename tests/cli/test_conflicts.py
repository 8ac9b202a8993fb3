"""What two devices changed differently: listed, chosen, taken back, as a shell does it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from perdure.actions.sync.conflicts import open_conflicts
from perdure.git.repository.repository import Repository
from tests.cli.conftest import Run
from tests.cli.terminal import on_terminal
from tests.cli.test_history import VOICE
from tests.conftest import assert_sound, git
from tests.devices import meet
from tests.rescue.devices import add_backup, clone, sync

BASE = "# Voice\n\nWarm.\n\nSlow.\n\nKind.\n"


def edit(path: Path, files: dict[str, str | None], who: str, at: str) -> None:
    for name, text in files.items():
        if text is None:
            (path / name).unlink()
        else:
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text(text)
    git(path, "add", "-A")
    date = f"2026-11-22T{at}:00+01:00"
    subprocess.run(
        ["git", "-C", str(path), "-c", f"user.name={who}", "-c", "user.email=a@example.org",
         "commit", "-qm", "persona: by hand"],
        env={"PATH": "/usr/bin:/bin", "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
        check=True,
    )  # fmt: skip


@pytest.fixture
def other(companion: Path, tmp_path: Path) -> Path:
    """Another device that has changed the voice in two places and taken a file away."""
    edit(companion, {VOICE: BASE, "lore/x.md": "---\nkeys: [x]\n---\nX.\n"}, "Ana", "08:00")
    path = tmp_path / "other"
    subprocess.run(["git", "clone", "-q", str(companion), str(path)], check=True)
    words = BASE.replace("Warm.", "Warmer.").replace("Kind.", "Kinder.")
    edit(path, {VOICE: words, "lore/x.md": None}, "Bo", "09:00")
    words = BASE.replace("Warm.", "Cool.").replace("Kind.", "Strict.")
    edit(companion, {VOICE: words, "lore/x.md": "---\nkeys: [x]\n---\nY.\n"}, "Ana", "10:00")
    meet(companion, path)
    return path


def voice(path: Path) -> str:
    return (path / VOICE).read_text()


@pytest.mark.usefixtures("other")
def test_both_versions_are_listed_with_who_and_when(companion: Path, run: Run) -> None:
    assert "Cool." in voice(companion)
    done = run("conflicts", code=3)
    for words in ("in use: Ana, 2026-11-22 10:00", "other: Bo, 2026-11-22 09:00", "    Warmer."):
        assert words in done.stdout
    found = json.loads(run("conflicts", VOICE, "--json", code=3).stdout)["conflicts"]
    (one,) = found
    assert [(each["line"], each["kept"], each["other"]) for each in one["places"]] == [
        (3, "Cool.\n", "Warmer.\n"),
        (7, "Strict.\n", "Kinder.\n"),
    ]
    assert "just one" in run("conflicts", "--keep", "--both", code=2).stderr
    assert "terminal" in run("conflicts", "--settle", code=2).stderr


@pytest.mark.usefixtures("other")
def test_the_other_words_are_taken_by_a_commit_that_undo_takes_back(
    companion: Path, run: Run
) -> None:
    before = voice(companion)
    done = run("conflicts", VOICE.rpartition("/")[2], "--take-other")
    assert f"Settled {VOICE}" in done.stdout
    assert voice(companion) == BASE.replace("Warm.", "Warmer.").replace("Kind.", "Kinder.")
    assert git(companion, "log", "-1", "--format=%an %s") == "Ana persona: settle 20-voice.md\n"
    assert VOICE in git(companion, "log", "-1", "--format=%(trailers:key=Settles)")
    assert VOICE not in run("conflicts", code=3).stdout
    run("undo", "--yes")
    assert voice(companion) == before
    assert VOICE in run("conflicts", code=3).stdout
    assert_sound(companion)


def test_keeping_is_known_on_the_other_device_too(companion: Path, other: Path, run: Run) -> None:
    run("conflicts", "--keep")
    assert run("conflicts").stdout.startswith("Nothing was changed differently")
    meet(other, companion)
    assert git(other, "rev-parse", "main") == git(companion, "rev-parse", "main")
    run("undo", "--yes", "-n", "2")
    assert VOICE in run("conflicts", code=3).stdout
    assert_sound(companion)


@pytest.mark.usefixtures("other")
def test_an_edit_of_the_lines_settles_them(companion: Path, run: Run) -> None:
    words = "New first line.\n" + voice(companion).replace("Cool.", "Cooler.")
    edit(companion, {VOICE: words}, "Ana", "11:00")
    (one,) = json.loads(run("conflicts", VOICE, "--json", code=3).stdout)["conflicts"]
    assert [(each["line"], each["kept"]) for each in one["places"]] == [(8, "Strict.\n")]
    run("conflicts", VOICE, "--both")
    assert voice(companion) == words.replace("Strict.\n", "Strict.\nKinder.\n")


@pytest.mark.usefixtures("other")
def test_a_file_that_was_taken_away_goes_or_stays(companion: Path, run: Run) -> None:
    assert "whole" in run("conflicts", "lore/x.md", "--both", code=1).stderr
    run("conflicts", "lore/x.md", "--take-other")
    assert not (companion / "lore/x.md").exists()
    run("conflicts", "lore/x.md")


@pytest.mark.usefixtures("other")
def test_places_are_chosen_one_by_one_on_a_terminal(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "sed -i -e 1d -e s/Kinder/Kindest/")
    answers = [("uit", "s"), ("uit", "o"), ("uit", "e")]
    done = on_terminal(("conflicts", "--settle"), answers, companion)
    assert voice(companion) == BASE.replace("Warm.", "Warmer.").replace("Kind.", "Kindest.")
    assert done.code == 3
    done = on_terminal(("conflicts", "--settle"), [("uit", "k")], companion)
    assert done.code == 0
    assert_sound(companion)


@pytest.mark.parametrize("answers", ["ks", "bs", "kq", "sk"])
def test_a_place_that_was_chosen_is_settled_while_another_stays_open(
    companion: Path, other: Path, answers: str
) -> None:
    words = voice(companion)
    done = on_terminal(
        ("conflicts", VOICE, "--settle"), [("uit", each) for each in answers], companion
    )
    assert "but for 1 place" in done.screen
    both = "Cool.\nWarmer.\n" if "b" in answers else "Cool.\n"
    assert voice(companion) == words.replace("Cool.\n", both)
    meet(other, companion)
    for path in (companion, other):
        with Repository.open(path) as repo:
            (left,) = [
                each for each in open_conflicts(repo, repo.resolve("HEAD")) if each.path == VOICE
            ]
            (place,) = left.hunks
            assert place.kept == (b"Cool.\n" if answers == "sk" else b"Strict.\n")
    assert on_terminal(("conflicts", VOICE, "--settle"), [("uit", "k")], companion).code == 0
    assert_sound(companion)


def test_nothing_to_settle(companion: Path, run: Run) -> None:
    assert "Nothing was changed differently" in run("conflicts").stdout
    assert run("conflicts", "--keep").stdout.startswith("Nothing")
    assert companion.exists()


@pytest.mark.usefixtures("other")
def test_the_list_of_companions_counts_them(
    companion: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_HOME", str(companion.parent))
    git(companion, "remote", "add", "origin", "nowhere")
    assert "3 places differ between your devices" in run("list").stdout
    rows = {row["path"]: row["conflicts"] for row in json.loads(run("list", "--json").stdout)}
    assert rows[str(companion)] == 3
    run("conflicts", "--keep")
    assert "differ" not in run("list").stdout


@pytest.mark.usefixtures("other")
def test_an_index_of_the_history_answers_the_same(companion: Path, run: Run) -> None:
    before = run("conflicts", "--json", code=3).stdout
    run("conflicts", VOICE, "--keep")
    with Repository.open(companion) as repo:
        assert repo.timeline().update(repo.resolve("HEAD"))
        assert repo.timeline().is_indexed
    (left,) = json.loads(run("conflicts", "--json", code=3).stdout)["conflicts"]
    assert left["file"] == "lore/x.md"
    run("undo", "--yes")
    assert run("conflicts", "--json", code=3).stdout == before


@pytest.mark.usefixtures("other")
def test_a_choice_that_is_reverted_is_open_again(companion: Path, run: Run) -> None:
    run("conflicts", VOICE, "--take-other")
    run("revert", "HEAD", "--yes")
    assert VOICE in run("conflicts", code=3).stdout


def test_a_sync_says_how_many_places_differ(companion: Path, tmp_path: Path, run: Run) -> None:
    edit(companion, {VOICE: BASE}, "Ana", "08:00")
    add_backup(companion, tmp_path / "place.git")
    run("sync", "--yes")
    there = clone(tmp_path / "place.git", tmp_path / "there")
    edit(there, {VOICE: BASE.replace("Warm.", "Warmer.")}, "Bo", "09:00")
    sync(there)
    edit(companion, {VOICE: BASE.replace("Warm.", "Cool.")}, "Ana", "10:00")
    said = run("sync", "--yes").stdout
    assert "1 place differs between your devices. To see both: perdure conflicts" in said
    run("conflicts", "--keep")
    assert "differ" not in run("sync", "--yes").stdout
    sync(there)
    assert git(there, "rev-parse", "main") == git(companion, "rev-parse", "main")
