"""What a commit of edited files is called: what changed, in its subject."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.actions.subjects import Edit, changed_words, describe_edits, edit_subject
from perdure.chat.turn.open import open_store
from perdure.terminal.sanitise import sanitise
from tests.conftest import git

OLD = b"# Voice\n\nYou speak softly, in short sentences, and never raise your voice.\n\nYou joke.\n"


def edit(new: bytes | None, old: bytes | None = OLD, path: str = "persona/20-voice.md") -> Edit:
    return Edit(path, old, new)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (OLD.replace(b"You joke", b"You talk like a pirate"), "“You talk like a pirate.”"),
        (OLD + b"\n- Never whisper.\n", "“Never whisper.”"),
        (b"# A new title\n" + OLD.partition(b"\n")[2], "“A new title”"),
        (OLD.replace(b"raise your voice", b"shout at all"), "“…shout at all.”"),
        (OLD.replace(b"softly", b"loudly"), "“You speak loudly, in short sentences, and never…”"),
        (OLD.replace(b"\n\nYou joke.", b""), "without “You joke.”"),
        (OLD.replace(b"\n", b"\r\n"), ""),
        (OLD + b"\n\n", ""),
        (OLD + b"\xff", ""),
        (OLD + b"My key is sk-proj-" + b"a1" * 20 + b"\n", "“My key is [key removed]”"),
        (OLD + "你总是轻声说话，从不大声喊叫。\n".encode(), "“你总是轻声说话，从不大声喊叫。”"),
        (OLD + b"\x1b]0;owned\x07Stop\xe2\x80\xae here.\n", None),
    ],
)
def test_the_first_changed_words_are_quoted(new: bytes, words: str | None) -> None:
    found = changed_words(edit(new))
    if words is not None:
        assert found == words
    assert sanitise(found) == found
    assert "\u202e" not in found


def test_additions_and_deletions_are_called_so() -> None:
    away = Edit("persona/90-boundaries.md", b"You are an AI.\n", None)
    new = Edit("persona/30-you.md", None, b"# You\n\nYou like tea.\n")
    assert edit_subject([away]) == "removed 90-boundaries.md"
    assert describe_edits([away]) == "Your deletion of 90-boundaries.md was committed on its own."
    assert edit_subject([new]) == "added 30-you.md: “You like tea.”"
    assert describe_edits([new]) == "Your addition of 30-you.md was committed on its own."
    changed = edit(OLD + b"Shout.\n")
    assert edit_subject([changed, away, new]) == (
        "20-voice.md, added 30-you.md, removed 90-boundaries.md: “Shout.”"
    )
    assert describe_edits([changed, away]) == (
        "Your edit of 20-voice.md and deletion of 90-boundaries.md were committed on their own."
    )
    many = [edit(OLD + b"x\n", path=f"lore/{name}.md") for name in "abcde"]
    assert edit_subject(many) == "a.md, b.md and 3 more: “x”"


@given(st.binary(max_size=60), st.binary(max_size=60), st.text(max_size=80))
def test_any_edit_has_a_subject_of_one_short_line(old: bytes, new: bytes, name: str) -> None:
    made = edit_subject([Edit(f"persona/{name}", old, new)])
    assert "\n" not in made
    assert len(made) < 150
    assert sanitise(made) == made


def said(companion: Path) -> list[str]:
    store, _ = open_store(companion)
    try:
        return [each.text for each in store.commit_outside()]
    finally:
        store.close()


def test_the_log_of_the_persona_tells_what_changed(companion: Path) -> None:
    voice = companion / "persona/20-voice.md"
    voice.write_text(voice.read_text() + "\nYou talk like a pirate.\n")
    assert said(companion) == ["Your edit of 20-voice.md was committed on its own."]
    boundaries = companion / "persona/90-boundaries.md"
    boundaries.unlink()
    told_of = said(companion)
    assert told_of[0] == "Your deletion of 90-boundaries.md was committed on its own."
    assert "perdure persona add-boundaries" in told_of[1]
    (companion / "README.md").unlink()
    assert said(companion) == ["Your deletion of README.md was committed on its own."]
    log = git(companion, "log", "-3", "--format=%s").splitlines()
    assert log == [
        "companion: removed README.md",
        "persona: removed 90-boundaries.md",
        "persona: 20-voice.md: “You talk like a pirate.”",
    ]


def test_a_folder_that_vanished_is_one_line_with_the_way_back(companion: Path) -> None:
    for path in sorted((companion / "persona").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (companion / "persona").rmdir()
    (line,) = said(companion)
    assert line.endswith(
        "persona/ is missing. To bring it back, in her folder: git checkout -- persona"
    )
    git(companion, "checkout", "--", "persona")
    assert said(companion) == []


def test_what_is_staged_is_one_line_with_the_next_step(companion: Path) -> None:
    git(companion, "mv", "persona/20-voice.md", "persona/21-voice.md")
    lines = said(companion)
    assert len(lines) <= 2
    assert all("commit it with git" in line for line in lines)
