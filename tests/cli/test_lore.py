"""Lore is listed, made, tried out and taken back, as a shell does it; git is the second opinion."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from perdure.actions.errors import CannotAct
from perdure.actions.memory.lore import add_lore, change_lore, find_entry, list_lore, try_lore
from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from perdure.cli.root import root
from perdure.companion.errors import BadFile
from perdure.companion.memory.lore import LoreEntry
from perdure.errors import Problem
from tests.cli.conftest import Run
from tests.cli.terminal import on_terminal
from tests.conftest import assert_sound, git
from tests.speaking import Scripted


def write(path: Path, name: str, text: str, *, commit: bool = True) -> None:
    """An entry made by hand."""
    (path / "lore").mkdir(exist_ok=True)
    (path / "lore" / name).write_text(text)
    if commit:
        git(path, "add", "lore")
        git(path, "commit", "-qm", f"lore: {name}")


def test_an_entry_is_made_tried_changed_removed_and_brought_back(run: Run, companion: Path) -> None:
    add = run(
        "lore", "add", "river", "the Isar", "--also", "night", "--title", "The river",
        "--priority", "5", "--text", "-", stdin="It is loud at night, {{user}} says.\n",
    )  # fmt: skip
    assert "Added lore/the-river.md" in add.stdout
    assert git(companion, "show", "--stat=200", "--format=%an %s").split("\n")[0] == (
        "Ana lore: add the-river"
    )
    assert git(companion, "show", "HEAD:lore/the-river.md") == (
        "---\ntitle: The river\nkeys:\n  - river\n  - the Isar\nsecondary_keys:\n  - night\n"
        "priority: 5\n---\n\nIt is loud at night, {{user}} says.\n"
    )

    tried = json.loads(run("lore", "test", "the river", "at night", "--json").stdout)
    assert [(row["name"], row["key"]) for row in tried["triggered"]] == [("the-river", "river")]
    assert "No entry matches" in run("lore", "test", "the river").stdout

    run("lore", "edit", "river", "--priority", "9", "--key", "stream")
    changed = git(companion, "diff", "HEAD~1", "--", "lore")
    assert "+priority: 9" in changed
    assert "-  - the Isar" in changed

    run("lore", "remove", "The river")
    assert not (companion / "lore" / "the-river.md").exists()
    run("undo", "--yes")
    run("undo", "--yes")
    assert "the Isar" in (companion / "lore" / "the-river.md").read_text()
    listed = json.loads(run("lore", "list", "--json").stdout)
    (row,) = listed["entries"]
    assert row["changed_by"] == "Ana"
    assert row["commit"] == git(companion, "rev-parse", "HEAD").strip()
    assert row["tokens"] > 5
    shown = run("lore", "list").stdout
    assert "river, the Isar  and any: night" in shown
    assert "priority 5" in shown
    assert_sound(companion)


def test_what_is_broken_is_told_with_file_and_line_and_the_rest_works(
    run: Run, companion: Path
) -> None:
    write(companion, "good.md", "---\nkeys: river\n---\nLoud.\n")
    write(
        companion, "conflict.md", "---\nkeys: river\n---\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n"
    )
    write(companion, "key.md", "---\nregex: yes\nkeys:\n  - /(a/\n  - river\n---\nx\n")
    (companion / "lore" / "large.md").write_text("x" * 1_100_000)
    done = run("lore", "test", "river")
    assert "lore/conflict.md:4: a merge conflict marker; it is left out of prompts" in done.stderr
    assert "lore/key.md:4: /(a/: missing )" in done.stderr
    assert "lore/large.md: larger than 1024 KiB" in done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[:2]] == ["good", "key"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["add", "--text", "x"], 2, "give a KEY"),
        (["add", "a"], 2, "--text"),
        (["add", "a", "--text", "x", "--position", "middle"], 2, "--position"),
        (["add", "/a(/", "--regex", "--text", "x"], 1, "missing )"),
        (["add", "a", "--text", "<<<<<<< x"], 1, "conflict"),
        (["edit", "nobody", "--text", "x"], 1, "no lore 'nobody'"),
        (["edit", "nobody"], 2, "no terminal"),
        (["remove", "../companion"], 1, "no lore"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    companion: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, says: str
) -> None:
    monkeypatch.chdir(companion)
    before = git(companion, "rev-parse", "HEAD")
    done = CliRunner().invoke(root, ["lore", *words])
    problem = done.exception if isinstance(done.exception, Problem) else None
    assert done.exit_code == code
    assert says in (str(problem) if problem else done.output)
    assert git(companion, "rev-parse", "HEAD") == before
    assert git(companion, "status", "--porcelain") == ""


def test_an_editor_mends_a_broken_entry(companion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(companion, "river.md", "---\nkeys: [river\n---\nLoud.\n")
    monkeypatch.setenv("EDITOR", "sed -i 's/\\[river/[river]/'")
    ended = on_terminal(["lore", "edit", "river"], [], companion)
    assert (ended.code, "Changed lore/river.md" in ended.screen) == (0, True)
    assert git(companion, "log", "-1", "--format=%s").strip() == "lore: change river"
    assert "keys: [river]" in git(companion, "show", "HEAD:lore/river.md")


def test_edits_by_hand_count_at_once_and_are_committed_apart(run: Run, companion: Path) -> None:
    write(companion, "river.md", "---\n# mine\nkeys: river\n---\nLoud.\n")
    write(companion, "river.md", "---\n# mine\nkeys: bank\n---\nLoud.\n", commit=False)
    write(companion, "boat.md", "---\nkeys: boat\n---\nRed.\n", commit=False)
    with Workspace.open(companion) as workspace:
        trial = try_lore(workspace, ["the bank", "a boat"])
        assert [each.entry.name for each, _ in trial.kept] == ["boat", "river"]
        listed = list_lore(workspace)
        assert [row.last is None for row in listed.rows] == [True, False]
        assert len(listed.uncommitted) == 2
    run("lore", "edit", "river", "--order", "7")
    subjects = git(companion, "log", "-2", "--format=%s").splitlines()
    assert subjects == ["lore: change river", "lore: river.md, added boat.md: “keys: bank”"]
    assert git(companion, "show", "HEAD:lore/river.md") == (
        "---\n# mine\nkeys: bank\norder: 7\n---\n\nLoud.\n"
    )


def test_two_who_change_one_entry_do_not_overwrite_each_other(companion: Path) -> None:
    with Workspace.open(companion) as workspace:
        done = add_lore(workspace, LoreEntry("", ("river",), "Loud."))
        seen = find_entry(workspace, "river")
        change_lore(workspace, seen, LoreEntry(done.entry.path, ("river",), "Quiet."))
        with pytest.raises(CannotAct, match="changed in the meantime"):
            change_lore(workspace, seen, LoreEntry(done.entry.path, ("river",), "Dry."))
        second = add_lore(workspace, LoreEntry("", ("River",), "Another."))
        assert second.entry.path == "lore/river-2.md"
        with pytest.raises(BadFile, match="no keys"):
            add_lore(workspace, LoreEntry("", (), "Never."))
        write(companion, "river.md", "---\nkeys: x\n---\nx\n", commit=False)
        with pytest.raises(CannotAct, match="uncommitted edit"):
            change_lore(
                workspace,
                find_entry(workspace, "river.md"),
                LoreEntry(done.entry.path, ("a",), "b"),
            )


def test_the_cap_leaves_out_the_lowest_priority_and_says_so(run: Run, companion: Path) -> None:
    for name, priority in (("a", 1), ("b", 9), ("c", 5)):
        text = "word " * 300
        write(companion, f"{name}.md", f"---\nkeys: river\npriority: {priority}\n---\n{text}\n")
    done = run("lore", "test", "river", "--window", "8000")
    assert "a  “river”" in done.stdout
    assert "priority 1: no room" in done.stdout
    tried = json.loads(run("lore", "test", "river", "--window", "32000", "--json").stdout)
    assert len(tried["triggered"]) == 3


def test_the_model_hears_an_entry_when_it_is_spoken_of(companion: Path) -> None:
    write(companion, "river.md", "---\nkeys: river\n---\n{{user}} swam there.\n")
    backend = Scripted()

    async def talk() -> None:
        session = await Session.open(companion, backends=[backend])
        try:
            for text in ("Good morning", "Do you like the river?"):
                async for _ in session.send(text):
                    pass
        finally:
            await session.close()

    asyncio.run(talk())
    prompts = ["\n".join(m.content for m in request.messages) for request in backend.asked]
    assert "Ana swam there." not in prompts[0]
    assert "Ana swam there." in prompts[-1]
