"""Companions that an older perdure wrote: every prompt is rebuilt, to its recorded hash.

They are kept as bundles, made by the code of their time (tests/fixtures/companions/README.md).
"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from perdure.git.repository.repository import Repository
from perdure.views.why.explain import explain
from tests.views.why_lives import recorded

FOLDER = Path(__file__).parent.parent / "fixtures/companions"
PROMPTS = {
    "renamed": {1: 2, 2: 7},
    "ruled": {1: 1, 2: 5},
    "merged": {2: 13},
    "short-of-room": {2: 24},
    "odd-files": {2: 4},
    "remembers": {2: 8},
    "lived": {1: 8, 2: 36},
}
"""How many turns of each version a companion has."""


def opened(name: str, folder: Path) -> Path:
    """A clone of a kept companion, with all its branches."""
    path = folder / name
    bundle = FOLDER / f"{name}.bundle"
    words = ["git", "clone", "-q", "--mirror", str(bundle), str(path / ".git")]
    subprocess.run(words, check=True)
    for words in (["config", "core.bare", "false"], ["reset", "-q", "--hard"]):
        subprocess.run(["git", "-C", str(path), *words], check=True)
    return path


@pytest.mark.parametrize("name", PROMPTS)
def test_every_prompt_is_what_it_was(name: str, tmp_path: Path) -> None:
    path = opened(name, tmp_path)
    with Repository.open(path, recover=False) as repo:
        told = [
            explain(repo, turn, answer=answer, start=tip) for tip, turn, answer in recorded(path)
        ]
    assert [(str(each.turn), each.note) for each in told if each.verdict != "matches"] == []
    assert Counter(each.assembly for each in told) == PROMPTS[name]


def test_every_bundle_is_looked_at() -> None:
    assert {path.stem for path in FOLDER.glob("*.bundle")} == set(PROMPTS)
