from __future__ import annotations

from collections.abc import Callable

import pytest

from perdure.git.operations.branches import branches
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
ANA = Author("Ana", "ana@example.org")
WHO = "persona/10-who.md"


def test_nothing_edited_nothing_found(repo: Repository) -> None:
    found = repo.edits.find(["persona", "lore", "companion.yaml"])
    assert (found.ready, found.held) == ([], [])


def test_edits_are_found_and_committed_apart(repo: Repository, sound: Callable[[], None]) -> None:
    (repo.path / WHO).write_bytes(b"I am somebody else.\n")
    (repo.path / "persona" / "20-voice.md").unlink()
    (repo.path / "persona" / "30-you.md").write_bytes(b"You.\n")
    (repo.path / "lore").mkdir()
    (repo.path / "lore" / "elsewhere.md").write_bytes(b"Not asked for.\n")
    found = repo.edits.find(["persona"])
    assert found.held == []
    assert found.ready == [
        Change(WHO, b"I am somebody else.\n"),
        Change("persona/20-voice.md", None),
        Change("persona/30-you.md", b"You.\n"),
    ]
    repo.commit(found.ready, message="persona: edited", author=ANA, branch="main")
    assert repo.edits.find(["persona"]).ready == []
    (repo.path / "lore" / "elsewhere.md").unlink()
    sound()


def test_an_edit_of_the_same_size_and_moment_is_found(repo: Repository) -> None:
    file = repo.path / WHO
    file.write_bytes(b"I am Ana..\n")
    assert [change.path for change in repo.edits.find(["persona"]).ready] == [WHO]


def test_what_is_staged_or_in_conflict_is_held(repo: Repository, git: Git) -> None:
    (repo.path / WHO).write_bytes(b"Staged.\n")
    git("add", WHO)
    (repo.path / "persona" / "20-voice.md").write_bytes(b"Not staged.\n")
    found = repo.edits.find(["persona"])
    assert found.held == [(WHO, "it is staged")]
    assert [change.path for change in found.ready] == ["persona/20-voice.md"]
    (repo.path / WHO).write_bytes(b"Staged, then edited.\n")
    assert repo.edits.find(["persona"]).held == [(WHO, "something else is staged for it")]


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
    found = repo.edits.find(["persona"])
    assert found.ready == []
    reasons = dict(found.held)
    assert reasons["persona/20-voice.md"] == f"a {operation} is not finished"


def test_a_detached_head_holds_everything(repo: Repository, git: Git) -> None:
    git("checkout", "-q", "--detach")
    (repo.path / WHO).write_bytes(b"Edited.\n")
    assert repo.state_of_work().detached
    assert repo.edits.find(["persona"]).held == [(WHO, "HEAD is detached")]
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
    found = repo.edits.find(["persona"])
    assert found.ready == []
    assert found.held == [("persona/secret.md", "it is not a regular file")]


def test_a_tracked_file_that_became_a_link_is_held(repo: Repository) -> None:
    (repo.path / WHO).unlink()
    (repo.path / WHO).symlink_to("/etc/passwd")
    assert repo.edits.find(["persona"]).held == [(WHO, "it is not a regular file")]


def test_a_folder_that_is_gone_is_not_taken_for_an_edit(repo: Repository) -> None:
    for path in (repo.path / "persona").iterdir():
        path.unlink()
    (repo.path / "persona").rmdir()
    found = repo.edits.find(["persona"])
    assert found.ready == []
    assert {reason for _, reason in found.held} == {"its whole folder is missing"}


def test_conflict_copies_are_no_edits_unless_they_are_tracked(repo: Repository, git: Git) -> None:
    sure = "persona/10-who.sync-conflict-20260101-120000-ABCDEFG.md"
    maybe = "persona/20-voice (1).md"
    own = ["persona/30-you (1).md", "persona/50-who 2.md"]
    for path in (sure, maybe, "persona/30-you (1).md"):
        (repo.path / path).write_bytes(b"A copy?\n")
    tracked = "persona/10-who 2.md"
    (repo.path / tracked).write_bytes(b"Mine.\n")
    git("add", tracked)
    git("commit", "-qm", "mine")
    (repo.path / tracked).write_bytes(b"Mine, edited.\n")
    (repo.path / "persona/50-who 2.md").write_bytes(b"No 50-who.\n")
    folder = repo.path / "persona" / "greetings (conflicted copy 2026-01-01)"
    folder.mkdir()
    (folder / "hello.md").write_bytes(b"Hello.\n")
    found = repo.edits.find(["persona"])
    assert [change.path for change in found.ready] == sorted([tracked, *own])
    assert {(each.path, each.original) for each in found.copies} == {
        (sure, WHO),
        (maybe, "persona/20-voice.md"),
        ("persona/greetings (conflicted copy 2026-01-01)/", "persona/greetings/"),
    }
    assert {change.path for change in repo.diff(None, None)} == {tracked, *own}


def test_conflict_copies_in_the_root_and_of_conversations_are_found(repo: Repository) -> None:
    (repo.path / "companion.yaml").write_bytes(b"name: Mira\n")
    for name in ("companion (1).yaml", "persona 2"):
        (repo.path / name).write_bytes(b"")
    (repo.path / ".gitignore").write_bytes(b"")
    (repo.path / ".gitignore (Ana's conflicted copy 2026-01-01)").write_bytes(b"")
    assert {each.path for each in repo.edits.copies()} == {
        "companion (1).yaml",
        "persona 2",
        ".gitignore (Ana's conflicted copy 2026-01-01)",
    }
    chunk = repo.path / "conversations/2026-01/01/x.sync-conflict-20260101-120000-ABCDEFG.md"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(b"")
    (found,) = repo.edits.copies("conversations")
    assert found.original == "conversations/2026-01/01/x.md"


def test_copies_that_git_ignores_are_not_told(repo: Repository) -> None:
    (repo.path / ".gitignore").write_bytes(b"*sync-conflict*\n")
    (repo.path / "persona/10-who.sync-conflict-20260101-120000-ABCDEFG.md").write_bytes(b"x")
    found = repo.edits.find(["persona"])
    assert (found.ready, found.copies) == ([], [])


def test_a_file_that_icloud_took_off_the_disk_is_not_taken_for_deleted(repo: Repository) -> None:
    (repo.path / WHO).rename(repo.path / "persona/.10-who.md.icloud")
    found = repo.edits.find(["persona"])
    assert found.ready == []
    assert "iCloud" in dict(found.held)[WHO]


def test_many_files_that_may_be_copies_are_compared_in_one_pass(repo: Repository) -> None:
    for number in range(3000):
        (repo.path / "persona" / f"n{number} (1).md").write_bytes(b"")
    assert len(repo.edits.find(["persona"]).ready) == 3000


def test_a_branch_that_a_sync_program_copied_is_no_branch(repo: Repository, git: Git) -> None:
    heads = repo.path / ".git" / "refs" / "heads"
    commit = git("rev-parse", "HEAD").strip()
    (heads / "main (Ana's conflicted copy 2026-01-01)").write_text(f"{commit}\n")
    assert [branch.name for branch in branches(repo)] == ["main"]
    assert repo.stray_refs() == {"main (Ana's conflicted copy 2026-01-01)": commit}
    assert git("branch", "--format=%(refname:short)", check=False).split() == ["main"]
