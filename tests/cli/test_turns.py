"""Turns, branches joined, the past visited, as a shell does it; git is the second opinion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.terminal import on_terminal
from tests.cli.test_history import VOICE, edit, talk
from tests.conftest import assert_sound, git


def shown(run: Run, turn: str = "@") -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(run("show", turn, "--json").stdout)
    return found


def tip(path: Path) -> str:
    return git(path, "rev-parse", "HEAD").strip()


def test_edit_corrects_words_and_undo_brings_them_back(companion: Path, run: Run) -> None:
    talk(companion, "I live in Ghent.", "Where do I live?")
    before = tip(companion)
    record = json.loads(run("edit", "1", "I live in Bruges.", "--json").stdout)
    assert record["commit"] == tip(companion)
    assert git(companion, "log", "-1", "--format=%an %s") == "Ana edit: I live in Bruges.\n"
    assert "Bruges" in run("show", "1").stdout
    assert "Where do I live?" in run("show", "2").stdout
    assert "Ghent" in git(companion, "show", before)
    (prompt,) = talk(companion, "And now?")
    assert "I live in Bruges." in prompt
    assert not any("in Ghent." in words for words in prompt if words.startswith("I live"))
    # The one hand went on: no second conversation was begun.
    assert len(git(companion, "ls-files", "conversations").splitlines()) == 1
    assert_sound(companion)

    run("undo", "--yes", "-n", "2")
    assert tip(companion) == before
    assert "Ghent" in run("show", "1").stdout
    run("redo", "--yes")
    assert "Bruges" in run("show", "1").stdout
    assert_sound(companion)


def test_edit_takes_stdin_her_words_and_refuses_what_it_must(companion: Path, run: Run) -> None:
    talk(companion, "One.")
    run("edit", "@", "--reply", "-", stdin="She said\n\n# this\n")
    assert "# this" in run("show", "@").stdout
    assert "perdure aside" in run("edit", "@", "   ", code=1).stderr
    assert "like that already" in run("edit", "@", "One.", code=1).stderr
    assert "--reply" in run("edit", "0", "Hi.", code=1).stderr
    assert "terminal" in run("edit", "@", code=2).stderr
    path = companion / git(companion, "ls-files", "conversations").strip()
    path.write_text(path.read_text().replace("> One.", "> Une."))
    assert "uncommitted edit" in run("edit", "@", "Two.", code=1).stderr
    assert "> Une." in path.read_text()


def test_edit_opens_the_editor_on_a_terminal(
    companion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(companion, "Teh river.")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/Teh/The/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    done = on_terminal(["edit", "@"], [], companion)
    assert done.code == 0
    assert "Corrected" in done.screen
    assert git(companion, "log", "-1", "--format=%s") == "edit: The river.\n"
    assert_sound(companion)


def test_aside_keeps_turns_out_of_prompts_and_brings_them_back(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.", "Three.", "Four.")
    before = tip(companion)
    plan = json.loads(run("aside", "2..3", "--dry-run", "--json").stdout)
    assert [turn.rpartition("/")[2] for turn in plan["plan"]["turns"]] == ["2", "3"]
    assert tip(companion) == before
    run("aside", "2..3", "--reason", "A bad day.")
    files = git(companion, "show", "--name-only", "--format=%s", "HEAD").split("\n")
    assert files[0].startswith("aside: 2 turns")
    assert files[2].startswith("memory/aside/")
    (row,) = json.loads(run("aside", "--list", "--json").stdout)
    assert (row["reason"], row["words"]) == ("A bad day.", "Two.")
    assert "set aside" in run("show", "2").stdout
    assert "set aside" not in run("show", "4").stdout
    assert shown(run, "2")["aside"]

    (prompt,) = talk(companion, "Five.")
    assert "One." in prompt
    assert "Four." in prompt
    assert not any("Two." in words or "Three." in words for words in prompt)

    run("aside", "3", "--back")
    (prompt,) = talk(companion, "Six.")
    assert "Three." in prompt
    assert "Two." not in prompt
    assert "not set aside" in run("aside", "3", "--back", code=1).stderr
    run("aside", "2", "--back")
    assert json.loads(run("aside", "--list", "--json").stdout) == []
    assert_sound(companion)

    run("undo", "--yes")
    (prompt,) = talk(companion, "Seven.")
    assert "Two." not in prompt


def test_aside_reaches_over_conversations(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    (first,) = git(companion, "ls-files", "conversations").splitlines()
    run("revert", "--help")
    git(companion, "commit", "-q", "--allow-empty", "-m", "revert: x\n\nConversation: new")
    talk(companion, "Three.", "Four.")
    older = json.loads(run("show", "@-4", "--json").stdout)["turn"]
    plan = json.loads(run("aside", f"{older}..1", "--dry-run", "--json").stdout)["plan"]
    assert len(plan["turns"]) >= 1
    wide = json.loads(run("aside", f"{older}..@-1", "--json").stdout)["plan"]
    assert len(wide["files"]) == 2
    assert "before it starts" in run("aside", f"@-1..{older}", code=1).stderr
    assert first


def branch_with(path: Path, run: Run, name: str, voice: str, words: str) -> None:
    """A branch with another voice and a talk of its own; back on main afterwards."""
    run("branch", name)
    run("switch", name)
    edit(path, VOICE, voice, f"persona: {name}")
    talk(path, words)
    run("switch", "main")


def test_merge_unites_talk_and_undo_takes_it_back(companion: Path, run: Run) -> None:
    talk(companion, "One.")
    branch_with(companion, run, "side", "# Voice\n\nSoft.\n", "On the side.")
    talk(companion, "On main.")
    before = tip(companion)
    assert "1 turn" in run("merge", "side", "--dry-run").stdout
    assert tip(companion) == before
    assert "--yes" in run("merge", "side", code=2).stderr
    record = json.loads(run("merge", "side", "--yes", "--json").stdout)
    assert (record["plan"]["kind"], record["open"]) == ("merge", False)
    assert len(git(companion, "rev-parse", "HEAD^@").split()) == 2
    everything = git(companion, "grep", "-h", "^> ", "HEAD", "--", "conversations")
    assert "On the side." in everything
    assert "On main." in everything
    assert "Soft." in (companion / VOICE).read_text()
    assert_sound(companion)
    assert "already" in run("merge", "side").stdout
    talk(companion, "After it.")
    assert_sound(companion)
    run("undo", "--yes", "-n", "2")
    assert tip(companion) == before
    assert_sound(companion)
    run("redo", "--yes")
    assert "Soft." in (companion / VOICE).read_text()


@pytest.fixture
def torn(companion: Path, run: Run) -> Path:
    """A merge that is open: the voice was changed on both sides."""
    (companion / VOICE).write_text("# Voice\n\nWarm.\n")
    git(companion, "commit", "-qam", "persona: warm")
    talk(companion, "One.")
    branch_with(companion, run, "side", "# Voice\n\nSoft.\n", "On the side.")
    edit(companion, VOICE, "# Voice\n\nLoud.\n", "persona: loud")
    done = run("merge", "side", "--yes", code=3)
    assert "here:  Loud." in done.stdout
    assert "there: Soft." in done.stdout
    assert "perdure merge --continue" in done.stdout
    return companion


def test_a_conflict_is_shown_and_the_talk_goes_on_on_the_old_side(torn: Path, run: Run) -> None:
    text = (torn / VOICE).read_text()
    assert "<<<<<<<" in text
    assert "both modified" in git(torn, "status")
    state = json.loads(run("merge", "--json", code=3).stdout)
    assert [one["file"] for one in state["conflicts"]] == [VOICE]
    assert state["conflicts"][0]["sides"] == [{"here": "Loud.\n", "there": "Soft.\n"}]
    assert "merge of side into main is open" in run("merge", code=3).stdout
    (prompt,) = talk(torn, "In between.")
    assert any("Loud." in words for words in prompt)
    assert not any("Soft." in words or "<<<<" in words for words in prompt)
    assert (torn / VOICE).read_text() == text
    run("merge", "--continue", code=1)
    run("rewind", "@-1", "--yes", code=1)

    (torn / VOICE).write_text("# Voice\n\nLoud and soft.\n")
    run("merge", "--continue")
    assert len(git(torn, "rev-parse", "HEAD^@").split()) == 2
    everything = git(torn, "grep", "-h", "^> ", "HEAD", "--", "conversations")
    assert all(words in everything for words in ("One.", "On the side.", "In between."))
    assert_sound(torn)
    (prompt,) = talk(torn, "Now.")
    assert any("Loud and soft." in words for words in prompt)
    assert "no merge is open" in run("merge", "--continue", code=1).stderr


def test_an_open_merge_is_given_up_by_perdure_or_git(torn: Path, run: Run) -> None:
    run("merge", "--abort")
    assert "Loud." in (torn / VOICE).read_text()
    assert_sound(torn)
    run("merge", "side", "--yes", code=3)
    git(torn, "merge", "--abort")
    assert_sound(torn)
    talk(torn, "On.")
    assert_sound(torn)
    assert "No merge is open" in run("merge").stdout


def test_a_merge_that_git_concludes_is_concluded(torn: Path, run: Run) -> None:
    talk(torn, "In between.")
    (torn / VOICE).write_text("# Voice\n\nBoth.\n")
    git(torn, "add", VOICE)
    git(torn, "commit", "-qm", "merge: by git")
    assert_sound(torn)
    (prompt,) = talk(torn, "Now.")
    assert any("Both." in words for words in prompt)
    everything = git(torn, "grep", "-h", "^> ", "HEAD", "--", "conversations")
    assert all(w in everything for w in ("One.", "On the side.", "In between.", "Now."))
    assert_sound(torn)
    run("undo", "--yes")


def test_one_side_is_taken_whole(torn: Path, run: Run) -> None:
    assert "perdure merge --continue" in run("merge", "--theirs", VOICE).stdout
    run("merge", "--continue")
    assert (torn / VOICE).read_text() == "# Voice\n\nSoft.\n"
    assert_sound(torn)


def test_single_turns_are_changed_while_a_merge_is_open(torn: Path, run: Run) -> None:
    run("edit", "@", "On my side.")
    run("aside", "@")
    talk(torn, "In between.")
    run("chat", "--plain", "--at", "@-1", code=1)
    run("merge", "side", "--yes", code=1)
    assert "not finished" in run("regenerate", "@-1", "--yes", code=1).stderr
    assert git(torn, "rev-parse", "MERGE_HEAD")
    (torn / VOICE).write_text("# Voice\n\nBoth.\n")
    run("merge", "--continue")
    everything = git(torn, "grep", "-h", "^> ", "HEAD", "--", "conversations")
    assert all(words in everything for words in ("On my side.", "On the side.", "In between."))
    assert git(torn, "ls-files", "memory/aside")
    assert_sound(torn)


def test_without_a_branch_each_names_the_next_step(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    git(companion, "branch", "side")
    git(companion, "switch", "-q", "--detach")
    before = git(companion, "for-each-ref")
    for words in (
        ("regenerate",),
        ("regenerate", "1", "--yes"),
        ("choose", "0", "2", "--yes"),
        ("edit", "@", "Deux."),
        ("aside", "@"),
        ("merge", "side", "--yes"),
        ("say", "--at", "@-1", "x"),
    ):
        problem = run(*words, code=1).stderr
        assert "perdure" in problem, words
        assert "Traceback" not in problem
    assert git(companion, "for-each-ref") == before
    assert_sound(companion)


def test_edits_in_the_way_of_a_merge_are_named_and_stay(companion: Path, run: Run) -> None:
    talk(companion, "One.")
    branch_with(companion, run, "side", "# Voice\n\nSoft.\n", "On the side.")
    (companion / "notes.txt").write_text("mine")
    (companion / "companion.yaml").write_text("name: [broken\n")
    edit_stays = (companion / "companion.yaml").read_text()
    done = run("merge", "side", "--yes")
    assert "Merged" in done.stdout
    assert (companion / "companion.yaml").read_text() == edit_stays
    assert (companion / "notes.txt").read_text() == "mine"
    assert "Soft." in (companion / VOICE).read_text()


def test_two_corrections_of_the_same_words_are_both_shown(companion: Path, run: Run) -> None:
    """What is in no prompt and in no listing would be lost for all but git."""
    talk(companion, "I live in Gent.")
    run("branch", "side")
    run("edit", "@", "I live in Ghent.")
    run("edit", "@", "--reply", "In Ghent!")
    run("switch", "side")
    run("edit", "@", "I live in Bruges.")
    run("edit", "@", "--reply", "In Bruges!")
    run("switch", "main")
    run("merge", "side", "--yes")
    said = run("alternatives").stdout
    assert "I live in Ghent." in said.splitlines()[0]
    assert [line[0] for line in said.splitlines()[1:3]] == ["*", " "]
    assert "I live in Bruges." in said
    found = json.loads(run("alternatives", "--json").stdout)
    assert found["other_words"] == "I live in Bruges."
    run("edit", "@", found["other_words"])
    assert "I live in Bruges." in run("show", "@").stdout
    run("undo", "--yes")
    run("choose", "@", "2", "--yes")
    assert "In Bruges!" in run("show", "@").stdout
    assert "I live in Bruges." in run("alternatives").stdout
    assert_sound(companion)


@pytest.mark.model
def test_answers_from_the_shell(companion: Path, run: Run) -> None:
    """The embedded model answers once more; the rest of the words are its own business."""
    run("say", "Hello.", "--json")
    first = json.loads(run("alternatives", "--json").stdout)
    assert [row["number"] for row in first["answers"]] == [1]
    done = json.loads(run("regenerate", "--json").stdout)
    assert done["turn"] == first["turn"]
    rows = json.loads(run("alternatives", "@", "--json").stdout)["answers"]
    assert [(row["number"], row["stands"]) for row in rows] == [(1, False), (2, True)]
    assert rows[0]["replies"] == first["answers"][0]["replies"]
    record = json.loads(run("choose", "@", "1", "--json").stdout)
    assert record["plan"]["in_place"]
    assert record["done"]["commit"] == tip(companion)
    listed = run("alternatives").stdout.splitlines()
    assert listed[1].startswith("* 1")
    talk(companion, "More.")
    assert "--yes" in run("regenerate", "1", code=2).stderr
    assert "not the newest message" in run("choose", "1", "2", "--dry-run").stdout
    assert git(companion, "branch", "--show-current") == "main\n"
    run("choose", "1", "2", "--as", "other", "--yes")
    assert git(companion, "branch", "--show-current") == "other\n"
    run("undo", "--yes", "-n", "2")
    assert git(companion, "branch", "--show-current") == "main\n"
    assert_sound(companion)
