from __future__ import annotations

from collections.abc import Callable

import pytest

from perdure.history.repository import Author, Change, Repository

Git = Callable[..., str]
ANA = Author("Ana", "ana@example.org")
WHO = "persona/10-who.md"


def test_nothing_edited_nothing_found(repo: Repository) -> None:
    found = repo.outside_edits(["persona", "lore", "companion.yaml"])
    assert (found.ready, found.held) == ([], [])


def test_edits_are_found_and_committed_apart(repo: Repository, sound: Callable[[], None]) -> None:
    (repo.path / WHO).write_bytes(b"I am somebody else.\n")
    (repo.path / "persona" / "20-voice.md").unlink()
    (repo.path / "persona" / "30-you.md").write_bytes(b"You.\n")
    (repo.path / "lore").mkdir()
    (repo.path / "lore" / "elsewhere.md").write_bytes(b"Not asked for.\n")
    found = repo.outside_edits(["persona"])
    assert found.held == []
    assert found.ready == [
        Change(WHO, b"I am somebody else.\n"),
        Change("persona/20-voice.md", None),
        Change("persona/30-you.md", b"You.\n"),
    ]
    repo.commit(found.ready, message="persona: edited", author=ANA, branch="main")
    assert repo.outside_edits(["persona"]).ready == []
    (repo.path / "lore" / "elsewhere.md").unlink()
    sound()


def test_an_edit_of_the_same_size_and_moment_is_found(repo: Repository) -> None:
    file = repo.path / WHO
    file.write_bytes(b"I am Ana..\n")
    assert [change.path for change in repo.outside_edits(["persona"]).ready] == [WHO]


def test_what_is_staged_or_in_conflict_is_held(repo: Repository, git: Git) -> None:
    (repo.path / WHO).write_bytes(b"Staged.\n")
    git("add", WHO)
    (repo.path / "persona" / "20-voice.md").write_bytes(b"Not staged.\n")
    found = repo.outside_edits(["persona"])
    assert found.held == [(WHO, "it is staged")]
    assert [change.path for change in found.ready] == ["persona/20-voice.md"]
    (repo.path / WHO).write_bytes(b"Staged, then edited.\n")
    assert repo.outside_edits(["persona"]).held == [(WHO, "something else is staged for it")]


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick", "revert", "bisect"])
def test_an_open_operation_holds_everything(repo: Repository, git: Git, operation: str) -> None:
    git("checkout", "-qb", "side")
    (repo.path / WHO).write_bytes(b"Side.\n")
    git("commit", "-qam", "side")
    git("checkout", "-q", "main")
    (repo.path / WHO).write_bytes(b"Main.\n")
    git("commit", "-qam", "main")
    (repo.path / WHO).write_bytes(b"Later.\n")
    git("commit", "-qam", "later")
    words = {
        "merge": ["merge", "side"], "rebase": ["rebase", "side"],
        "cherry-pick": ["cherry-pick", "side"], "revert": ["revert", "HEAD~1"],
        "bisect": ["bisect", "start"],
    }  # fmt: skip
    git(*words[operation], check=False)
    (repo.path / "persona" / "20-voice.md").write_bytes(b"Edited meanwhile.\n")
    state = repo.state_of_work()
    assert state.open_operation == operation
    assert state.branch == "main"
    found = repo.outside_edits(["persona"])
    assert found.ready == []
    reasons = dict(found.held)
    assert reasons["persona/20-voice.md"] == f"a {operation} is not finished"


def test_a_detached_head_holds_everything(repo: Repository, git: Git) -> None:
    git("checkout", "-q", "--detach")
    (repo.path / WHO).write_bytes(b"Edited.\n")
    assert repo.state_of_work().detached
    assert repo.outside_edits(["persona"]).held == [(WHO, "HEAD is detached")]
    tip = repo.commit([Change("a.md", b"a")], message="t", author=ANA, branch="talk", start="HEAD")
    assert git("rev-parse", "talk").strip() == tip
    assert not (repo.path / "a.md").exists()


def test_links_scratch_and_ignored_files_are_no_edits(repo: Repository) -> None:
    (repo.path / "persona" / "secret.md").symlink_to("/etc/passwd")
    for name in ("10-who.md~", ".10-who.md.swp", "#x#", "private.md", "notes/a.md"):
        place = repo.path / "persona" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"x")
    (repo.path / ".gitignore").write_bytes(b"private.md\nnotes/\n")
    found = repo.outside_edits(["persona"])
    assert found.ready == []
    assert found.held == [("persona/secret.md", "it is not a regular file")]


def test_a_tracked_file_that_became_a_link_is_held(repo: Repository) -> None:
    (repo.path / WHO).unlink()
    (repo.path / WHO).symlink_to("/etc/passwd")
    assert repo.outside_edits(["persona"]).held == [(WHO, "it is not a regular file")]


def test_a_folder_that_is_gone_is_not_taken_for_an_edit(repo: Repository) -> None:
    for path in (repo.path / "persona").iterdir():
        path.unlink()
    (repo.path / "persona").rmdir()
    found = repo.outside_edits(["persona"])
    assert found.ready == []
    assert {reason for _, reason in found.held} == {"its whole folder is missing"}
