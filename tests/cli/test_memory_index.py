"""``perdure memory index``, as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from perdure.cli.root import root
from perdure.git.repository.repository import Repository
from perdure.recall import RecallIndex, RecallQuery
from perdure.recall.embedders import e5
from tests.recall.recall_eval import make_companion
from tests.recall.test_dense import FELINE, LIFE, Meanings


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_companion(tmp_path / "mira", LIFE).close()
    monkeypatch.setenv("PERDURE_COMPANION", str(tmp_path / "mira"))
    return tmp_path / "mira"


def test_words_are_read_where_there_is_no_model(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(e5, "installed", lambda: None)
    done = CliRunner().invoke(root, ["memory", "index"])
    assert (done.exit_code, done.output) == (0, "All messages can be found by their words.\n")


def test_meaning_is_read_to_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numpy")
    model = Meanings()
    monkeypatch.setattr(e5, "installed", lambda: model)
    assert "nothing that was said" in CliRunner().invoke(root, ["search", "cats"]).output
    done = CliRunner().invoke(root, ["memory", "index"])
    assert (done.exit_code, "by meaning" in done.output) == (0, True)
    assert FELINE[0] in CliRunner().invoke(root, ["search", "cats"]).output
    with Repository.open(path) as repo, RecallIndex.open(repo, embedder=model) as index:
        assert index.find("HEAD", RecallQuery("cats"))
