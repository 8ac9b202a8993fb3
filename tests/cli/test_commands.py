from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from perdure.backends.store.catalogue import DEFAULT_MODEL
from tests.cli.conftest import Perdure
from tests.conftest import assert_sound, git


@pytest.fixture
def perdure(installed: Perdure) -> Perdure:
    return installed


@pytest.fixture
def mira(perdure: Perdure, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A companion made by the command, with a persona and replies short enough for a test."""
    monkeypatch.setenv("PERDURE_COMPANION", "mira")  # named, so that no command has to tell
    made = perdure("new", "Mira", "--template", "blank", "--user", "Ana")
    assert (made.returncode, made.stderr) == (0, "")
    path = own_home / "companions" / "mira"
    for file in [*(path / "persona").rglob("*.md")]:
        if file.name != "90-boundaries.md":
            file.unlink()
    (path / "persona/10-who.md").write_text("# Who\n\nYou are {{char}}.\n")
    (path / "persona/90-boundaries.md").write_text("# Boundaries\n\nYou are an AI.\n")
    manifest = path / "backends/rehearsal.yaml"
    manifest.write_text(
        f"driver: embedded\nmodel: {DEFAULT_MODEL}\n"
        "context_window: 1024\nparameters: {max_tokens: 12, seed: 7}\n"
    )
    git(path, "add", "-A")
    git(path, "commit", "-qm", "persona: shorter")
    return path


def test_new_makes_a_sound_repository_and_says_where(perdure: Perdure, own_home: Path) -> None:
    done = perdure("new", "Mira", "--template", "journal")
    path = own_home / "companions" / "mira"
    assert done.returncode == 0
    assert str(path) in done.stdout
    assert "rehearsal voice" in done.stdout
    assert_sound(path)
    assert (path / "persona/90-boundaries.md").is_file()
    assert path.stat().st_mode & 0o077 == 0
    again = perdure("new", "Mira")
    assert again.returncode == 1
    assert again.stderr.count("\n") == 1


@pytest.mark.model
def test_say_streams_a_reply_and_commits_the_turn(perdure: Perdure, mira: Path) -> None:
    done = perdure("say", "Hello there.")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
    assert git(mira, "log", "-1", "--format=%an %s") == "Mira turn: Hello there.\n"
    shown = json.loads(perdure("show", "@", "--json").stdout)
    assert shown["replies"][0]["text"].strip() == done.stdout.strip()
    assert shown["trailers"]["Fingerprint"] == "b179c9523d0e6a0f"
    assert_sound(mira)
    record = json.loads(perdure("say", "-", "--json", stdin="From a pipe.\n").stdout)
    assert record["turn"].endswith("/2")
    assert record["failed"] is None


@pytest.mark.model
def test_chat_without_a_terminal_reads_lines_and_prints_replies(
    perdure: Perdure, mira: Path
) -> None:
    done = perdure("chat", "mira", stdin="Hi.\n/status\n/nothing\n/new\nAnd again.\n")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"Mira on main, through rehearsal: {DEFAULT_MODEL} (a small rehearsal voice)"
    assert sum(line.startswith("Mira: ") for line in lines) == 2
    assert any("there is no command /nothing" in line for line in lines)
    assert "\x1b" not in done.stdout
    assert git(mira, "log", "-2", "--format=%s").splitlines() == ["turn: And again.", "turn: Hi."]
    assert_sound(mira)


def test_a_missing_model_is_one_line_and_the_message_is_kept(perdure: Perdure, mira: Path) -> None:
    empty = str(mira.parent.parent / "no-models")
    done = perdure("say", "Are you there?", PERDURE_MODELS=empty)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "perdure models pull" in done.stderr
    shown = perdure("show", "@")
    assert "Are you there?" in shown.stdout
    assert "unanswered" in shown.stdout
    assert_sound(mira)


def test_a_model_file_with_the_wrong_checksum_is_refused(
    perdure: Perdure, mira: Path, tmp_path: Path
) -> None:
    (tmp_path / "smollm2-135m-instruct.q4_1.gguf").write_bytes(b"GGUF but not that one")
    done = perdure("say", "Hello?", PERDURE_MODELS=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "SHA-256" in done.stderr
    assert git(mira, "log", "-1", "--format=%s") == "turn: Hello?\n"


def test_log_shows_kinds_and_json(perdure: Perdure, mira: Path) -> None:
    lines = perdure("log").stdout.splitlines()
    assert [line.split("  ", 3)[-1] for line in lines] == [
        "persona: shorter",
        "companion: Mira begins, from the template blank",
    ]
    only = json.loads(perdure("log", "--persona", "-n", "1", "--json").stdout)
    assert [entry["subject"] for entry in only] == ["persona: shorter"]
    assert perdure("log", "--turns").stdout == ""
    assert perdure("log", "companion.yaml").stdout.count("\n") == 1


def test_diff_by_lines_and_by_words(perdure: Perdure, mira: Path) -> None:
    (mira / "persona/10-who.md").write_text("# Who\n\nYou are {{char}}, and calm.\n")
    lines = perdure("diff", "--lines").stdout
    assert "-You are {{char}}.\n+You are {{char}}, and calm.\n" in lines
    assert "You are {{char}}{+, and calm+}." in perdure("diff").stdout
    back = json.loads(perdure("diff", "HEAD~1", "HEAD", "persona/10-who.md", "--json").stdout)
    assert [entry["path"] for entry in back] == ["persona/10-who.md"]
    assert perdure("show", "HEAD").stdout.startswith("commit ")


def test_boundaries_are_missed_once_and_added_by_one_command(perdure: Perdure, mira: Path) -> None:
    git(mira, "rm", "-q", "persona/90-boundaries.md")
    git(mira, "commit", "-qm", "persona: no boundaries")
    empty = str(mira.parent.parent / "no-models")
    first = perdure("say", "One.", PERDURE_MODELS=empty)
    second = perdure("say", "Two.", PERDURE_MODELS=empty)
    assert first.stderr.count("add-boundaries") == 1
    assert "add-boundaries" not in second.stderr
    assert perdure("persona", "add-boundaries").returncode == 0
    assert "AI" in (mira / "persona/90-boundaries.md").read_text()
    assert git(mira, "log", "-1", "--format=%an %s") == "Ana persona: add boundaries\n"
    assert perdure("persona", "add-boundaries").returncode == 1
    assert_sound(mira)


def test_lists_templates_and_completion(perdure: Perdure, mira: Path) -> None:
    listed = json.loads(perdure("list", "--json").stdout)
    assert [(entry["name"], entry["path"]) for entry in listed] == [("Mira", str(mira))]
    names = {entry["name"] for entry in json.loads(perdure("templates", "--json").stdout)}
    assert {"friend", "mentor", "journal", "tutor", "storyteller", "blank"} <= names
    assert {"friend-zh", "journal-zh"} <= names
    for shell in ("bash", "zsh", "fish"):
        assert "_PERDURE_COMPLETE" in perdure("completion", shell).stdout
    offered = perdure(
        _PERDURE_COMPLETE="bash_complete", COMP_WORDS="perdure chat m", COMP_CWORD="2"
    )
    assert "mira" in offered.stdout


def one_line_error(done: object, *words: str) -> None:
    """Exit code 1, one line on stderr, the words in it, no traceback."""
    assert getattr(done, "returncode", None) == 1
    stderr = getattr(done, "stderr", "")
    assert stderr.startswith("perdure: ")
    assert stderr.count("\n") == 1
    assert "Traceback" not in stderr
    for word in words:
        assert word in stderr


def test_bad_input_is_one_clear_line(perdure: Perdure, mira: Path, tmp_path: Path) -> None:
    one_line_error(perdure("-c", "nobody", "log"), "nobody", "mira")
    one_line_error(perdure("new", "../evil"), "'/'")
    one_line_error(perdure("new", "a\x1b[2Jb"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    one_line_error(perdure("new", "Other", "--at", str(tmp_path / "full")))
    assert (tmp_path / "full" / "file").read_text() == "mine"
    (tmp_path / "plain").mkdir()
    git(tmp_path / "plain", "init", "-q")
    for words in (["say", "Hi."], ["backend", "list"], ["chat", "--plain"]):
        one_line_error(perdure("-c", f"{tmp_path}/plain", *words), "plain", "perdure new NAME")
    one_line_error(perdure("new", ""), "the name is empty")
    one_line_error(perdure("new", "Other", "--template", "nothing"), "nothing", "friend")
    one_line_error(perdure("show", "no-such-thing"), "no-such-thing")
    one_line_error(perdure("show", "@"), "nothing has been said yet", "perdure say")
    (mira / "persona/reminder.md").write_text("---\ndepth: [\n---\nBe kind.\n")
    git(mira, "add", "persona")
    git(mira, "commit", "-qm", "broken by hand")
    broken = perdure("say", "Hi.")
    one_line_error(broken, "persona/reminder.md:2", "perdure log persona/reminder.md")
    assert perdure("say").returncode == 2
    assert perdure("log", "-n", "0").returncode == 2
    assert perdure("frobnicate").returncode == 2


def test_broken_settings_in_the_last_commit_name_file_and_line(
    perdure: Perdure, mira: Path
) -> None:
    good = (mira / "companion.yaml").read_text()
    (mira / "companion.yaml").write_text(f"{good}time: sometimes\n")
    git(mira, "commit", "-qam", "companion: odd")
    one_line_error(perdure("say", "Hi."), "companion.yaml:")
    (mira / "companion.yaml").write_text(good.replace("format: 1", "format: 9"))
    git(mira, "commit", "-qam", "companion: newer")
    one_line_error(perdure("say", "Hi."), "format 9")
    assert perdure("log", "-n", "1").returncode == 0


def test_a_control_sequence_in_a_message_never_reaches_the_terminal(
    perdure: Perdure, mira: Path
) -> None:
    empty = str(mira.parent.parent / "no-models")
    perdure("say", "look \x1b]52;c;aGk=\x07 here \u202e", PERDURE_MODELS=empty)
    for words in (("show", "@"), ("log",), ("diff", "HEAD~1", "HEAD"), ("list",)):
        shown = perdure(*words).stdout
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "\u202e" not in shown
    assert "look" in perdure("show", "@").stdout


def test_debug_shows_the_traceback(perdure: Perdure, mira: Path) -> None:
    done = perdure("--debug", "show", "no-such-thing")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_difference_is_headed_by_its_first_changed_line(perdure: Perdure, mira: Path) -> None:
    file = mira / "persona/10-who.md"
    file.write_text("# Who\n\nYou are {{char}}.\n\nOne.\nTwo.\nThree.\nFour.\nFive.\n")
    git(mira, "commit", "-qam", "longer")
    file.write_text("# Who\n\nYou were {{char}}.\n\nOne.\nTwo.\nThree.\nFour.\nSix.\n")
    lines = perdure("diff").stdout.splitlines()
    assert [line for line in lines if line.startswith("@@")] == ["@@ line 3 @@", "@@ line 9 @@"]
    assert lines[lines.index("@@ line 3 @@") + 2] == "You [-are-]{+were+} {{char}}."


def test_nothing_found_says_so_beside_the_output(perdure: Perdure, mira: Path) -> None:
    for words in (["diff"], ["log", "--grep", "no such words"], ["log", "--memory", "-n", "5"]):
        done = perdure(*words)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith("Nothing")
        assert json.loads(perdure(*words, "--json").stdout) == []
    same = perdure("restore", "persona", "--at", "HEAD", "--yes")
    assert (same.returncode, "the same now" in same.stderr) == (0, True)
    as_json = perdure("restore", "persona", "--at", "HEAD", "--yes", "--json")
    assert json.loads(as_json.stdout) == {"plan": None, "commits": []}


def test_a_name_that_holds_a_key_is_refused_without_repeating_it(
    perdure: Perdure, mira: Path
) -> None:
    key = "sk-proj-" + "Ab1d" * 8
    before = git(mira, "for-each-ref")
    for words in (
        ["branch", key],
        ["branch", f"x/{key}"],
        ["tag", key],
        ["rewind", "@", "--as", key],
    ):
        done = perdure(*words)
        one_line_error(done)
        assert key not in done.stdout + done.stderr
        assert "looks like a key" in done.stderr
    assert git(mira, "for-each-ref") == before
    assert perdure("tag", "kept", "HEAD", "-m", f"before {key}").returncode == 0
    assert "before [key removed]" in git(mira, "cat-file", "-p", "refs/tags/kept")


def test_json_holds_no_orders_to_a_terminal_and_loses_nothing(perdure: Perdure, mira: Path) -> None:
    text = "\x1b]0;t\x07 \x7f\x9b31m \x90q\x9c \u202egnp.exe\u2066 \u2028é 字\n"
    (mira / "persona/20-odd.md").write_text(text)
    shown = perdure("diff", "--json").stdout
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", shown)
    (change,) = json.loads(shown)
    assert change["new"] == text
    assert "é 字" in shown


def test_a_traceback_holds_no_orders_to_a_terminal_and_no_key(perdure: Perdure, mira: Path) -> None:
    key = "sk-proj-" + "Ab1d" * 8
    done = perdure("--debug", "show", f"\x1b]0;owned\x07\x9b31m {key}")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stderr)
    assert key not in done.stderr
