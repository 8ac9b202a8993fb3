"""Which branch is checked out where a companion has come from elsewhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from perdure.companion.clock import now
from perdure.git.repository.create import create_repository, fresh_repository
from perdure.git.repository.repository import Author, Change
from perdure.snapshot.companion import best_branch
from perdure.snapshot.errors import NotACompanion

MIRA = Author("Mira", "mira@companion.invalid")
BEGIN = now()


def made(place: Path, branches: dict[str, str], *, head: str | None) -> str:
    """The best of some branches with one file each, the last one the newest."""
    at, tip = BEGIN, None
    with fresh_repository(place) as fresh:
        for name, file in branches.items():
            at += timedelta(minutes=1)
            tip = fresh.repo.commit(
                [Change(each, b"format: 1\n" if each == file else None) for each in (YAML, OTHER)],
                message=f"begin {name}",
                author=MIRA,
                branch=name,
                at=at,
                start=tip,
            )
        return best_branch(fresh.repo, head)


YAML, OTHER = "companion.yaml", "notes.md"


@pytest.mark.parametrize(
    ("branches", "head", "best"),
    [
        ({"trunk": YAML, "main": YAML}, "refs/heads/trunk", "trunk"),
        ({"trunk": YAML, "main": YAML}, "trunk", "trunk"),
        ({"main": YAML, "newer": YAML}, "refs/heads/gone", "main"),
        ({"master": YAML, "newer": YAML}, None, "master"),
        ({"older": YAML, "newer": YAML}, None, "newer"),
        ({"older": YAML, "newer": OTHER, "main": OTHER}, "main", "older"),
        ({"main": OTHER, "newer": OTHER}, None, "main"),
        ({"older": OTHER, "newer": OTHER}, "gone", "newer"),
    ],
)
def test_the_named_branch_else_the_usual_one_else_the_newest(
    tmp_path: Path, branches: dict[str, str], head: str | None, best: str
) -> None:
    assert made(tmp_path / "mira", branches, head=head) == best


def test_no_branch_is_no_companion(tmp_path: Path) -> None:
    with pytest.raises(NotACompanion, match="there is no branch"):
        made(tmp_path / "mira", {}, head="main")


def test_a_companion_in_place_is_on_its_best_branch(tmp_path: Path) -> None:
    files = {YAML: b"format: 1\n"}
    with create_repository(tmp_path / "mira", files, message="begin", author=MIRA) as repo:
        assert best_branch(repo, repo.head().branch) == "main"
