"""A file of the persona in an editor: what is committed, and what stays in the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actions.hand_edits import commit_hand_edits
from perdure.actions.persona import CommittedEdit, begin_edit, find_file, finish_edit
from perdure.git.repository.repository import Author, Repository
from perdure.snapshot.errors import RequestProblem
from perdure.views.persona_check import check_companion
from tests.conftest import assert_sound, git


def edit(companion: Path, name: str, data: bytes, note: str = "") -> CommittedEdit | None:
    with Repository.open(companion) as repo:
        editing = begin_edit(repo, name)
        editing.place.write_bytes(data)
        return finish_edit(repo, editing, note)


def test_an_edit_is_one_commit_by_the_human(companion: Path) -> None:
    before = (companion / "persona/20-voice.md").read_bytes()
    done = edit(companion, "voice", before + b"Sing.\n", "she sings\nnow")
    assert done is not None
    assert (done.path, done.change.new) == ("persona/20-voice.md", (before + b"Sing.\n").decode())
    assert git(companion, "log", "-1", "--format=%an %s") == "Ana persona: she sings\n"
    assert git(companion, "show", "--format=", "--name-only") == "persona/20-voice.md\n"
    assert edit(companion, "Voice.md", before + b"Sing.\n") is None
    assert_sound(companion)


def test_a_new_file_begins_and_an_empty_one_is_none(companion: Path) -> None:
    assert edit(companion, "examples/40-new", b" \n") is None
    assert not (companion / "persona/examples/40-new.md").exists()
    assert edit(companion, "60-river", b"You love rivers.\n") is not None
    assert (
        git(companion, "log", "-1", "--format=%s")
        == "persona: added 60-river.md: “You love rivers.”\n"
    )
    assert_sound(companion)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"---\ndepth: four\n---\nhi\n", "depth must be a number"),
        (b"\xff\n", "not UTF-8"),
        (b"a\n<<<<<<< HEAD\nb\n", "conflict markers"),
        (b"sk-ant-api03-Q7vX2mN8pL4kJ6hG3fD5\n", "looks like a key"),
    ],
)
def test_what_cannot_be_committed_stays_in_the_folder(
    companion: Path, data: bytes, why: str
) -> None:
    head = git(companion, "rev-parse", "HEAD")
    with pytest.raises(RequestProblem, match=why) as raised:
        edit(companion, "reminder", data)
    assert "Q7vX2" not in str(raised.value)
    assert (companion / "persona/reminder.md").read_bytes() == data
    assert git(companion, "rev-parse", "HEAD") == head


def test_an_edit_that_a_session_has_committed_meanwhile(companion: Path) -> None:
    with Repository.open(companion) as repo:
        editing = begin_edit(repo, "voice")
        editing.place.write_bytes(b"Other words.\n")
        git(companion, "commit", "-qam", "persona: 20-voice.md")
        done = finish_edit(repo, editing)
    assert done is not None
    assert done.commit == git(companion, "rev-parse", "HEAD").strip()
    assert git(companion, "rev-list", "--count", "HEAD") == "2\n"


def test_names_of_files(companion: Path) -> None:
    with Repository.open(companion, recover=False) as repo:
        assert find_file(repo, "who") == "persona/10-who.md"
        assert find_file(repo, "persona/10-who.md") == "persona/10-who.md"
        assert find_file(repo, "greetings/20-toast") == "persona/greetings/20-toast.md"
        assert find_file(repo, "greetings/90-x") == "persona/greetings/90-x.md"
        for outside in ("../x", "persona/../../x", "old/x", ".hidden", ""):
            with pytest.raises(RequestProblem):
                find_file(repo, outside)
        for folder in ("greetings", "examples"):
            (companion / f"persona/{folder}/70-rain.md").write_text("Hi.\n")
        with pytest.raises(RequestProblem, match="may be"):
            find_file(repo, "rain")


def test_a_link_is_not_edited_nor_read(companion: Path, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("Your name is Secret.\n")
    (companion / "persona/50-link.md").symlink_to(tmp_path / "private")
    (companion / "persona/greetings/more").symlink_to(tmp_path)
    with pytest.raises(RequestProblem, match="is a link"), Repository.open(companion) as repo:
        begin_edit(repo, "50-link")
    findings = check_companion(companion).report.findings
    assert {(each.code, each.path) for each in findings} == {
        ("not-read", "persona/50-link.md"),
        ("not-read", "persona/greetings/more"),
    }


def test_a_check_sees_the_folder_or_a_commit(companion: Path) -> None:
    (companion / "persona/10-who.md").write_text("Your name is Iris.\n")
    settings = companion / "companion.yaml"
    settings.write_text(settings.read_text() + "tiem: off\n")
    codes = [each.code for each in check_companion(companion).report.findings]
    assert codes == ["name", "unknown-key"]
    assert check_companion(companion, "HEAD").report.findings == ()
    settings.write_text("name: [\n")
    [first, *_] = check_companion(companion).report.findings
    assert (first.code, first.path) == ("unreadable", "companion.yaml")


def test_the_window_is_the_manifests_else_the_one_last_seen(companion: Path) -> None:
    def window(more: str) -> tuple[int, bool]:
        (companion / "backends/rehearsal.yaml").write_text(more)
        [each] = check_companion(companion).windows
        return each.tokens, each.assumed

    assert window("driver: embedded\nmodel: smollm2-135m-instruct\n") == (8192, False)
    assert window("driver: ollama\nmodel: x\ncontext_window: 1024\n") == (1024, False)
    assert window("driver: ollama\nmodel: x\n") == (8192, True)
    assert window("driver: anthropic\nmodel: x\nkey: env:K\n") == (200_000, True)
    codes = {each.code for each in check_companion(companion).report.findings}
    assert codes == set()
    window("driver: ollama\nmodel: x\ncontext_window: 512\n")
    codes = {each.code for each in check_companion(companion).report.findings}
    assert "too-large" in codes


def test_a_broken_front_matter_is_held_before_a_turn(companion: Path) -> None:
    (companion / "persona/reminder.md").write_text("---\ndepth: four\n---\nhi\n")
    with Repository.open(companion) as repo:
        done = commit_hand_edits(repo, "main", Author("Ana", "ana@example.invalid"))
    assert done.committed == ()
    assert len(done.held) == 1
    assert "persona/reminder.md:2" in done.held[0]
