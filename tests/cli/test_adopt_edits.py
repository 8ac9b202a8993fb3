"""`perdure adopt`: what is in no commit of a folder comes along, or is said to stay there."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.actions.companion.adopt import adopting
from perdure.git.repository.repository import Repository
from tests.cli.command import run_command
from tests.cli.handed_folder import Adopt, adopt, handed, place
from tests.conftest import git

__all__ = ["adopt", "handed", "place"]

Edit = Callable[[Path], object]


def to_folder(folder: Path) -> None:
    (folder / "persona" / "30-you.md").unlink()
    (folder / "persona" / "30-you.md" / "old").mkdir(parents=True)
    (folder / "persona" / "30-you.md" / "old" / "new.md").write_text("Words.")


def to_file(folder: Path) -> None:
    shutil.rmtree(folder / "persona" / "greetings")
    (folder / "persona" / "greetings").write_text("Words.")


def to_link(folder: Path) -> None:
    (folder / "persona" / "30-you.md").unlink()
    (folder / "persona" / "30-you.md").symlink_to("/etc/passwd")


def a_socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder / "persona")
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("x.md")
    finally:
        os.chdir(here)


def huge(folder: Path) -> None:
    with (folder / "persona" / "x.md").open("wb") as file:
        file.truncate(10 << 30)


def write(path: str, data: bytes = b"Words.") -> Edit:
    def edit(folder: Path) -> None:
        file = Path(os.fsdecode(os.fsencode(folder / path)))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    return edit


def staged(path: str, *, then: bytes | None) -> Edit:
    def edit(folder: Path) -> None:
        (folder / path).write_text("Staged words.")
        git(folder, "add", path)
        if then is None:
            (folder / path).unlink()
        else:
            (folder / path).write_bytes(then)

    return edit


TAKEN: dict[str, tuple[Edit, list[str]]] = {
    "an edit": (write("persona/30-you.md"), [" M persona/30-you.md"]),
    "a new file": (write("persona/x.md"), ["?? persona/x.md"]),
    "new talk": (write("conversations/2026-01/02/x.md"), ["?? conversations/2026-01/02/x.md"]),
    "bytes that are no UTF-8": (write("persona/x.md", b"\xff\xfe"), ["?? persona/x.md"]),
    "a name that is no UTF-8": (write("persona/x\udcff.md"), ['?? "persona/x\\377.md"']),
    "a newline in a name": (write("persona/a\nb.md"), ['?? "persona/a\\nb.md"']),
    "a file that became a folder": (
        to_folder,
        [" D persona/30-you.md", "?? persona/30-you.md/old/new.md"],
    ),
    "something else was staged before": (
        staged("persona/x.md", then=b"Words."),
        ["?? persona/x.md"],
    ),
    "staged": (staged("persona/x.md", then=b"Staged words."), ["?? persona/x.md"]),
}


@pytest.mark.parametrize(("edit", "status"), TAKEN.values(), ids=list(TAKEN))
def test_an_edit_comes_along(
    edit: Edit, status: list[str], handed: Path, place: Path, adopt: Adopt
) -> None:
    edit(handed)
    said = adopt("--yes")
    assert "taken as edits by hand" in said
    assert git(place, "status", "--porcelain", "-uall").splitlines() == status


def test_a_folder_that_became_a_file_comes_along(handed: Path, place: Path, adopt: Adopt) -> None:
    to_file(handed)
    assert "taken as edits by hand: persona/greetings." in adopt("--yes")
    assert (place / "persona" / "greetings").read_text() == "Words."


LEFT: dict[str, tuple[Edit, str]] = {
    "removed": (
        lambda folder: (folder / "persona" / "30-you.md").unlink(),
        "persona/30-you.md: it is missing there, and comes as it was committed",
    ),
    "a link": (to_link, "persona/30-you.md: it is a link"),
    "a pipe": (lambda folder: os.mkfifo(folder / "persona" / "x.md"), "persona/x.md: it is a pipe"),
    "a socket": (a_socket, "persona/x.md: it is a pipe, a socket"),
    "huge": (huge, "persona/x.md: it has more than 16 MiB"),
    "a program": (
        lambda folder: (folder / "persona" / "30-you.md").chmod(0o755),
        "persona/30-you.md: whether it may be run stays as it was committed",
    ),
    "staged and then edited": (
        staged("persona/x.md", then=b"Words."),
        "persona/x.md: what is staged for it is neither in a commit nor in the file",
    ),
    "staged and then removed": (
        staged("persona/x.md", then=None),
        "persona/x.md: what is staged for it is neither in a commit nor in the file",
    ),
    "a name for nobody": (write("persona/git~1"), "persona/git~1: no file may have this name"),
    "a hidden folder": (
        write("persona/.old/x.md"),
        "persona/.old/: a folder that begins",
    ),
    "other people's files": (
        lambda folder: [write("notes.txt")(folder), write("photos/a.jpg")(folder)],
        "No companion's, and stays there: notes.txt, photos/.",
    ),
    "no index that can be read": (
        lambda folder: (folder / ".git" / "index").write_bytes(b"DIRC" + bytes(99)),
        "git's index: it cannot be read, so that nothing staged is known",
    ),
    "a stash": (
        lambda folder: [write("persona/30-you.md")(folder), git(folder, "stash", "-q")],
        "Leaves out refs/stash: what was stashed is on no branch.",
    ),
}


@pytest.mark.parametrize(("edit", "says"), LEFT.values(), ids=list(LEFT))
def test_what_stays_there_is_said(
    edit: Edit, says: str, handed: Path, place: Path, adopt: Adopt
) -> None:
    edit(handed)
    assert says in adopt("--yes")
    assert (place / "persona" / "30-you.md").is_file()
    git(place, "fsck", "--full", "--strict")


def test_a_merge_in_conflict_is_said_and_its_marks_do_not_come(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    git(handed, "switch", "-qc", "theirs")
    for branch in ("theirs", "main"):
        git(handed, "switch", "-q", branch)
        (handed / "persona" / "30-you.md").write_text(f"Words of {branch}.\n")
        git(handed, "commit", "-qam", "persona: words")
    with pytest.raises(Exception, match="merge"):
        git(handed, "merge", "-q", "theirs")
    said = adopt("--yes")
    assert "persona/30-you.md: a merge there is in conflict about it." in said
    assert "A merge is not finished there" in said
    assert (place / "persona" / "30-you.md").read_text() == "Words of main.\n"


def test_a_rebase_that_is_open_is_said(handed: Path, place: Path, adopt: Adopt) -> None:
    git(handed, "-c", "sequence.editor=sed -i 1ibreak", "rebase", "-qi", "--root")
    assert "A rebase is not finished there" in adopt("--yes")


def test_other_work_trees_are_said_and_their_commits_come(
    handed: Path, place: Path, adopt: Adopt, tmp_path: Path
) -> None:
    git(handed, "worktree", "add", "-q", str(tmp_path / "w"), "--detach")
    git(tmp_path / "w", "commit", "-q", "--allow-empty", "-m", "by itself")
    assert "Edits in its other work trees were not looked at: w." in adopt("--yes")
    assert git(place, "log", "-1", "--format=%s", "was-checked-out-w").strip() == "by itself"


def test_edits_of_a_branch_without_a_companion_stay_there(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    git(handed, "switch", "-q", "--orphan", "notes")
    git(handed, "commit", "-q", "--allow-empty", "-m", "notes")
    write("persona/x.md")(handed)
    assert "persona/x.md: it is an edit on a branch without a companion." in adopt("--yes")
    assert not (place / "persona" / "x.md").exists()


def test_what_was_left_is_data_too(handed: Path, adopt: Adopt) -> None:
    to_link(handed)
    write("notes.txt")(handed)
    plan = json.loads(adopt("--dry-run", "--json"))["plan"]
    assert plan["others"] == ["notes.txt"]
    assert {row["name"] for row in plan["left_out"]} == {"persona/30-you.md"}


def test_edits_in_place_of_what_was_committed_are_committed_by_the_next_message(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    to_folder(handed)
    to_file(handed)
    adopt("--yes")
    done = run_command("persona", "show", "-c", str(place), cwd=place)
    assert done.returncode == 0, done.stderr
    with Repository.open(place) as repo:
        found = repo.edits.find(["persona"])
    assert {change.path for change in found.ready} >= {"persona/30-you.md/old/new.md"}


def test_what_may_not_be_read_is_said(
    handed: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the system's answer is put in its place."""
    write("persona/shut.md")(handed)
    write("lore/shut/x.md")(handed)
    real = os.open

    def shut(path: object, *more: object, **named: object) -> int:
        if str(path).startswith("shut"):
            raise PermissionError(13, "Permission denied")
        return real(path, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", shut)
    with adopting(handed, place) as adoption:
        pass
    why = "it cannot be read: Permission denied"
    assert adoption.edits.left == [("lore/shut/", why), ("persona/shut.md", why)]
