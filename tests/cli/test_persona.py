"""The persona from the shell: shown, checked, changed in an editor, and the change undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Perdure
from tests.cli.terminal import on_terminal
from tests.conftest import git


def test_check_says_what_and_ends_with_three(perdure: Perdure, companion: Path) -> None:
    which = ("-c", str(companion))
    clean = perdure(*which, "persona", "check")
    assert (clean.returncode, clean.stderr) == (0, "")
    assert "Nothing found." in clean.stdout
    assert "a window of 8,192" in clean.stdout

    key = "sk-ant-api03-Q7vX2mN8pL4kJ6hG3fD5"
    (companion / "persona/10-who.md").write_text(f"# Who\n\nYour name is Iris. {key}\n")
    (companion / "persona/90-boundaries.md").unlink()
    done = perdure(*which, "persona", "check")
    assert done.returncode == 3
    assert "problem  persona/10-who.md:3\n  the companion is called Iris here" in done.stdout
    assert "→ perdure persona add-boundaries" in done.stdout
    assert "2 problems, 1 advice" in done.stdout
    assert key not in done.stdout + done.stderr

    report = json.loads(perdure(*which, "persona", "check", "--json").stdout)
    assert [each["code"] for each in report["findings"]] == ["secret", "name", "boundaries"]
    assert report["smallest"] == "rehearsal"
    assert perdure(*which, "persona", "check", "--at", "HEAD").returncode == 0
    assert perdure(*which, "persona", "check", "--at", "nowhere").returncode == 1


def test_edit_in_an_editor_and_undo(
    perdure: Perdure, companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = ("-c", str(companion))
    monkeypatch.setenv("EDITOR", "sed -i s/toast/cake/")
    monkeypatch.delenv("VISUAL", raising=False)
    done = on_terminal((*which, "persona", "edit", "who", "-m", "cake"), (), companion)
    assert done.code == 0
    assert "changed persona/10-who.md" in done.screen
    assert "Committed." in done.screen
    assert git(companion, "log", "-1", "--format=%an %s") == "Ana persona: cake\n"
    shown = json.loads(perdure(*which, "persona", "show", "10-who", "--json").stdout)
    assert "cake" in shown["files"][0]["text"]
    assert "a friend of Ana" in shown["files"][0]["text"]
    before = perdure(*which, "persona", "show", "--at", "HEAD~1").stdout
    assert "stand by the toast" in before
    assert "greetings/" not in before
    assert perdure(*which, "undo").returncode == 0
    assert "toast" in (companion / "persona/10-who.md").read_text()
    assert perdure(*which, "persona", "edit", "who").returncode == 2, "no terminal"


def test_an_edit_that_puts_text_between_two_rules_is_told(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", r"sed -i '1i ---\nmood: calm\n---'")
    monkeypatch.delenv("VISUAL", raising=False)
    done = on_terminal(("-c", str(companion), "persona", "edit", "who"), (), companion)
    assert done.code == 0
    assert "left out of the prompt: mood" in " ".join(done.screen.split())
    assert "Committed." in done.screen


def test_text_between_two_rules_is_told_to_be_left_out(perdure: Perdure, companion: Path) -> None:
    which = ("-c", str(companion))
    rules = companion / "persona/15-rules.md"
    rules.write_text("---\nmood: calm\nvoice: low\n---\n\nYou keep bees.\n")
    shown = perdure(*which, "persona", "show", "15-rules")
    assert "You keep bees." in shown.stdout
    assert (
        "persona/15-rules.md:2: it is between two rules (---) and is left out of the prompt: "
        "mood, voice. Put an empty line above the first rule"
    ) in shown.stdout
    record = json.loads(perdure(*which, "persona", "show", "--json").stdout)
    assert [(each["path"], each["line"]) for each in record["left_out"]] == [
        ("persona/15-rules.md", 2)
    ]
    done = perdure(*which, "persona", "check")
    assert (done.returncode, "advice  persona/15-rules.md:2" in done.stdout) == (3, True)
    rules.write_text("\n" + rules.read_text())
    shown = perdure(*which, "persona", "show")
    assert "mood: calm" in shown.stdout
    assert "left out of the prompt" not in shown.stdout
    assert perdure(*which, "persona", "check").returncode == 0
