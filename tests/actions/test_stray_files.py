"""What sync programs leave in a companion's folder: named once, neither committed nor read."""

from __future__ import annotations

from pathlib import Path

from perdure.actions.persona import persona_paths
from perdure.chat.turn.open import open_store
from perdure.git.repository.repository import Repository
from perdure.views.persona_check import check_companion
from tests.conftest import git

COPY = "10-who (Ana's conflicted copy 2026-01-01).md"


def said(companion: Path) -> list[str]:
    """What a session tells on the way to its first turn."""
    store, notices = open_store(companion)
    try:
        return [each.text for each in (*notices, *store.commit_outside())]
    finally:
        store.close()


def test_a_conflict_copy_is_named_once_and_never_committed(companion: Path) -> None:
    said(companion)
    before = git(companion, "rev-parse", "HEAD")
    (companion / "persona" / COPY).write_text("Another who.\n")
    (companion / "companion (1).yaml").write_text("name: Other\n")
    day = companion / "conversations/2026-01/01"
    day.mkdir(parents=True)
    (day / "x.sync-conflict-20260101-120000-ABCDEFG.md").write_text("Words.\n")
    told = said(companion)
    assert len(told) == 2
    assert "x.sync-conflict" in told[0]
    assert "persona/10-who.md" in told[0] or COPY in told[1]
    assert "companion (1).yaml" in told[1]
    assert said(companion) == []
    assert git(companion, "rev-parse", "HEAD") == before


def test_a_branch_copied_by_a_sync_program_is_told_with_a_way_to_keep_it(companion: Path) -> None:
    said(companion)
    commit = git(companion, "commit-tree", "-m", "elsewhere", "HEAD^{tree}").strip()
    stray = companion / ".git/refs/heads/main (conflicted copy 2026-01-01)"
    stray.write_text(f"{commit}\n")
    (told,) = said(companion)
    assert f"perdure branch rescued --at {commit[:10]}" in told
    assert said(companion) == []


def test_the_check_names_a_copy_and_passes_over_what_editors_leave(companion: Path) -> None:
    for name in (COPY, "#10-who.md#", "10-who.md~", "._10-who.md", ".#10-who.md", "4913"):
        (companion / "persona" / name).write_text("Another who.\n")
    found = [each for each in check_companion(companion).report.findings if each.code == "not-read"]
    ((path, what),) = [(each.path, each.what) for each in found]
    assert (path, "copy of persona/10-who.md" in what) == (f"persona/{COPY}", True)
    with Repository.open(companion) as repo:
        assert not any("10-who (" in path for path in persona_paths(repo))
