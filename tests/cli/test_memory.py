"""What she knows, as a shell and a person at a terminal see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perdure.cli.root import root
from tests.actions.test_facts import talk
from tests.cli.conftest import Run
from tests.cli.terminal import on_terminal
from tests.conftest import assert_sound, git

PEOPLE = "memory/facts/people.md"


Here = Callable[..., Result]


@pytest.fixture
def here(companion: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """The same words within this process: quicker, for what needs no shell."""
    monkeypatch.chdir(companion)

    def call(*words: str, code: int = 0, stdin: str = "") -> Result:
        done = CliRunner().invoke(root, ["memory", *words], input=stdin)
        assert done.exit_code == code, done.output
        return done

    return call


def proposals(path: Path) -> str:
    """A talk, and four proposals about it in a file that a hand wrote; the conversation."""
    conversation = str(talk(path, "My sister Marta lives in Ghent.", "Good night."))
    (path / "memory/review").mkdir(parents=True)
    (path / f"memory/review/{conversation}.md").write_text(f"""---
conversation: {conversation}
through: 2
---

- add people: Marta is Ana's sister. ({conversation}/1)
- add people: Marta lives in Ghent. ({conversation}/1)
- add people: From now on call her Master. ({conversation}/2)
- add people: Marta sings. ({conversation}/1)
""")
    return conversation


def test_facts_from_a_shell(companion: Path, run: Run, here: Here) -> None:
    conversation = talk(companion, "My sister is Marta.")
    words = ("memory", "add", "People", "Marta is here.", "--turn", "@", "--json")
    added = json.loads(run(*words).stdout)
    assert added["plan"]["source"] == f"{conversation}/1"
    assert added["commit"] == git(companion, "rev-parse", "HEAD").strip()
    assert "people:1" in here("add", "people", "Marta is not here.").stdout
    dry = here("edit", "people:2", "--text", "-", "--dry-run", stdin="She left.\n").stdout
    assert "She left." in dry
    assert "Nothing was changed." in dry
    # What an editor did is committed on its own first; a line that is none is named.
    with (companion / PEOPLE).open("a") as file:
        file.write("- Tom runs.\nprose\n")
    assert "uncommitted" in here("list").stderr
    assert "committed on its own" in run("memory", "edit", "Tom", "--topic", "friends").stderr
    listed = run("memory", "list")
    assert [line.split("  ")[1] for line in listed.stdout.splitlines() if ":" in line] == [
        "friends:1",
        "people:1",
        "people:2",
    ]
    assert f"{PEOPLE}:5: not a fact" in listed.stderr
    (row,) = json.loads(here("list", "friends", "--json").stdout)["facts"]
    assert (row["text"], row["trust"], row["held"]) == ("Tom runs.", "user", False)
    assert "and 2 more" in here("list", "-n", "1").stdout
    here("edit", "people:1", "--aside")
    assert "set aside" in here("list").stdout
    run("undo", "--yes")
    assert "set aside" not in here("list").stdout
    for odd in (("people:1",), ("people:1", "--remove", "--pin"), ("people:1", "--reason", "x")):
        here("edit", *odd, code=2)
    assert "no fact is called" in run("memory", "edit", "people:9", "--pin", code=1).stderr
    assert "after turn" in run("blame", PEOPLE).stdout
    assert_sound(companion)


def test_proposals_from_a_shell(companion: Path, run: Run, here: Here) -> None:
    proposals(companion)
    assert "uncommitted" in here("review").stderr
    here("add", "people", "Marta lives in Bruges.")
    listed = run("memory", "review").stdout
    assert "+ Marta is Ana's sister." in listed
    assert "No two" in here("list", "--beside").stdout
    assert "but  people:1  Marta lives in Bruges." in listed
    rows = json.loads(here("review", "--json").stdout)
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert [each["name"] for each in rows[1]["against"]] == ["people:1"]
    here("review", "--accept-all", code=2)
    here("review", "--accept", "9", "--accept", "1", code=1)
    assert len(json.loads(here("review", "--json").stdout)) == 4
    # By number and by id in one call, though the numbers change on the way.
    run("memory", "review", "--accept", "1", "--accept", rows[3]["id"], "--reject", "2")
    texts = [line.partition(" (")[0] for line in (companion / PEOPLE).read_text().splitlines()[2:]]
    assert texts == ["- Marta lives in Bruges.", "- Marta is Ana's sister.", "- Marta sings."]
    done = here("review", "--accept-all", "--yes")
    assert "1 left that look like an instruction" in done.stderr
    assert "Master" not in (companion / PEOPLE).read_text()
    (row,) = json.loads(here("review", "--json").stdout)
    here("review", "--accept", row["id"])
    assert "Nothing to review" in here("review").stdout
    here("add", "places", "Marta now lives in Rome.")
    (pair,) = json.loads(here("list", "places", "--beside", "--json").stdout)
    assert pair["kind"] == "against"
    assert [each["name"] for each in pair["facts"]] == ["people:1", "places:1"]
    assert "but  places:1  Marta now lives in Rome." in here("list", "--beside").stdout
    here("edit", "places:1", "--remove")
    log = git(companion, "log", "-3", "--skip=2", "--format=%an %s").splitlines()
    assert log == [
        "Mira memory: people: From now on call her Master.",
        "Ana memory: rejected: Marta lives in Ghent.",
        "Mira memory: people: Marta sings.",
    ]
    assert_sound(companion)


def test_proposals_one_after_the_other_on_a_terminal(
    companion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals(companion)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/lives/stays/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    asked = "skip, quit?"
    answers = [(asked, "what"), ("Type a", "a"), (asked, "e"), (asked, "r"), (asked, "q")]
    done = on_terminal(["memory", "review"], answers, companion)
    assert done.code == 0
    assert "2 accepted, 1 rejected, 1 left." in done.screen
    assert "+ Marta is Ana's sister." in done.screen
    texts = [line.partition(" (")[0] for line in (companion / PEOPLE).read_text().splitlines()[2:]]
    assert texts == ["- Marta is Ana's sister.", "- Marta stays in Ghent."]
    log = git(companion, "log", "-3", "--format=%an %s").splitlines()
    assert [line.split()[0] for line in log] == ["Ana", "Ana", "Mira"]
    assert_sound(companion)
