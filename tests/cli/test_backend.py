from __future__ import annotations

import json
from pathlib import Path

import pytest

from perdure.backends.store.catalogue import DEFAULT_MODEL
from tests.cli.conftest import Perdure
from tests.conftest import assert_sound, git


@pytest.fixture
def mira(perdure: Perdure, own_home: Path) -> Path:
    assert perdure("new", "Mira", "--template", "blank", "--user", "Ana").returncode == 0
    return own_home / "companions" / "mira"


def test_backends_are_added_ordered_and_shown(perdure: Perdure, mira: Path) -> None:
    added = perdure(
        "backend", "add", "ollama", "--model", "qwen3:14b", "--name", "local", "--no-check"
    )
    assert (added.returncode, added.stderr) == (0, "")
    assert perdure("backend", "use", "local", "rehearsal").returncode == 0
    rows = json.loads(perdure("backend", "list", "--offline", "--json").stdout)
    assert [(row["name"], row["order"]) for row in rows] == [("local", 1), ("rehearsal", 2)]
    shown = json.loads(perdure("backend", "show", "local", "--json").stdout)
    assert (shown["driver"], shown["model"]) == ("ollama", "qwen3:14b")
    assert git(mira, "log", "-2", "--format=%an %s").splitlines() == [
        "Ana backend: use local, then rehearsal",
        "Ana backend: add local",
    ]
    text = (mira / "companion.yaml").read_text()
    assert "backends: [local, rehearsal]" in text
    assert "#" in text
    assert_sound(mira)


def test_an_offline_backend_is_said_to_be_offline(perdure: Perdure, mira: Path) -> None:
    perdure("backend", "add", "ollama", "--model", "qwen3:14b", "--no-check")
    rows = json.loads(perdure("backend", "list", "--json").stdout)
    ollama = next(row for row in rows if row["name"] == "ollama")
    assert ollama["state"] == "offline"
    assert ollama["hosted"] is False


def test_a_secret_is_refused_and_a_missing_key_named(perdure: Perdure, mira: Path) -> None:
    key = "sk-ant-" + "api03-" + "Ab1_" * 8
    refused = perdure("backend", "add", "anthropic", "--model", "claude", "--key", key)
    assert refused.returncode == 1
    assert key not in refused.stderr
    assert "env:NAME" in refused.stderr
    words = ("--model", "claude", "--key", "env:NO_SUCH_KEY")
    failed = perdure("backend", "add", "anthropic", *words)
    assert failed.returncode == 1
    assert "--no-check" in failed.stderr
    assert git(mira, "rev-list", "--count", "HEAD").strip() == "1"
    assert perdure("backend", "add", "anthropic", *words, "--no-check").returncode == 0
    checked = perdure("backend", "check", "anthropic")
    assert checked.returncode == 1
    assert checked.stderr.count("\n") == 1
    assert "NO_SUCH_KEY" in checked.stderr
    rows = json.loads(perdure("backend", "list", "--json").stdout)
    assert next(row for row in rows if row["name"] == "anthropic")["key"] == "missing"
    assert key not in git(mira, "log", "-p")


def test_what_cannot_be_is_one_clear_line(perdure: Perdure, mira: Path) -> None:
    for words in (
        ("backend", "use", "nobody"),
        ("backend", "show", "nobody"),
        ("backend", "check", "nobody"),
        ("backend", "add", "embedded", "--model", DEFAULT_MODEL, "--name", "rehearsal"),
    ):
        done = perdure(*words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("perdure: ")
        assert done.stderr.count("\n") == 1
    assert git(mira, "status", "--porcelain") == ""


@pytest.mark.model
def test_check_makes_one_call_and_pin_accepts_what_runs(perdure: Perdure, mira: Path) -> None:
    checked = json.loads(perdure("backend", "check", "rehearsal", "--json").stdout)
    assert checked["reply"]
    assert checked["prompt_tokens_counted"] == checked["prompt_tokens_reported"]
    lock = next(iter(git(mira, "ls-files", "backends.lock").split()), "")
    assert lock == ""
    assert perdure("backend", "pin", "rehearsal").returncode == 0
    lock = git(mira, "ls-files", "backends.lock").strip()
    path = mira / lock
    path.write_text(path.read_text().replace("b179c9523d0e6a0f\n", "0000000000000000\n"))
    git(mira, "commit", "-qam", "backend: as if another model had been seen")
    rows = json.loads(perdure("backend", "list", "--json").stdout)
    assert rows[0]["state"] == "drift"
    assert perdure("backend", "pin", "rehearsal").returncode == 0
    assert json.loads(perdure("backend", "list", "--json").stdout)[0]["state"] == "reachable"
    assert_sound(mira)
