"""What two or three devices do to the same things, and all of it is on all of them."""

from __future__ import annotations

from pathlib import Path

from perdure.actions.sync.conflicts import open_conflicts
from perdure.git.repository.repository import Repository
from tests.conftest import git
from tests.rescue.devices import clone, edit, level, say, words

LINES = "a\nb\nc\nd\ne\nf\ng\nh\n"


def put(path: Path, file: str, text: str) -> None:
    """An edit that also lies in the folder."""
    edit(path, file, text)
    git(path, "checkout", "-q", "-f", "main")


def test_a_device_that_was_away_for_long(first: Path, place: Path, tmp_path: Path) -> None:
    second, third = clone(place, tmp_path / "second"), clone(place, tmp_path / "third")
    for number in range(3):
        say(first, f"first {number}")
        say(second, f"second {number}")
        level(place, first, second)
    say(third, "away 0", "away 1")
    say(first, "first again")
    level(place, third, first, second)
    for path in (first, second, third):
        for said in ("first 0", "second 2", "away 0", "away 1", "first again"):
            assert said in words(path)


def test_a_renamed_file_keeps_what_the_other_side_wrote(
    first: Path, second: Path, place: Path
) -> None:
    put(first, "persona/77-more.md", LINES)
    level(place, first, second)
    git(first, "mv", "persona/77-more.md", "persona/78-other.md")
    git(first, "commit", "-q", "-m", "persona: renamed")
    put(second, "persona/77-more.md", LINES.replace("h", "h, and more"))
    level(place, first, second)
    assert "h, and more" in git(first, "grep", "-h", "more", "main", "--", "persona")


def test_two_settings_that_two_devices_changed(first: Path, second: Path, place: Path) -> None:
    text = (first / "companion.yaml").read_text()
    hosted = text.replace("failover_to_hosted: no", "failover_to_hosted: yes")
    put(first, "companion.yaml", hosted)
    put(second, "companion.yaml", f"{text}sync: off\n")
    level(place, first, second)
    assert (first / "companion.yaml").read_text() == f"{hosted}sync: off\n"
    assert (second / "companion.yaml").read_text() == f"{hosted}sync: off\n"


def test_two_settings_that_two_devices_added_at_the_end(
    first: Path, second: Path, place: Path
) -> None:
    text = (first / "companion.yaml").read_text()
    put(first, "companion.yaml", f"{text}sync: off\n")
    put(second, "companion.yaml", f"{text}# For this talk.\nrecall: off\n")
    level(place, first, second)
    for path in (first, second):
        found = (path / "companion.yaml").read_text()
        assert found.startswith(text)
        assert "sync: off\n" in found
        assert "# For this talk.\nrecall: off\n" in found
        with Repository.open(path) as repo:
            assert open_conflicts(repo, "HEAD") == []
