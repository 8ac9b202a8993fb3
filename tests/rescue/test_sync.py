"""Two devices and a place between them: everything on both, nothing forced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perdure.git.errors import HistoryError
from perdure.git.wire.errors import RemoteProblem
from tests.cli.command import run_command
from tests.conftest import assert_sound, git
from tests.rescue.devices import add_backup, clone, edit, level, refs, say, sync, words


def test_a_push_sends_branches_tags_and_kept_lines(companion: Path, place: Path) -> None:
    say(companion, "one", "two")
    git(companion, "branch", "side", "HEAD~1")
    git(companion, "tag", "-a", "-m", "a note", "one", "HEAD~1")
    add_backup(companion, place)
    result = sync(companion, takes=False)
    assert result.is_level
    assert refs(place) == refs(companion)
    assert git(place, "fsck", "--full", "--strict") == ""
    assert sync(companion, takes=False).sent == {}


def test_a_clone_is_the_companion_and_goes_on(first: Path, second: Path) -> None:
    assert refs(second) == refs(first)
    assert_sound(second)
    say(second, "from the second")
    sync(second)
    sync(first)
    assert "from the second" in words(first)
    assert refs(first) == refs(second)
    assert_sound(first)


def test_talk_on_both_is_on_both(first: Path, second: Path, place: Path) -> None:
    say(first, "said at home")
    say(second, "said on the way")
    sync(first)
    result = sync(second)
    assert result.merged == ["refs/heads/main"]
    sync(first)
    assert refs(first) == refs(second) == refs(place)
    for path in (first, second):
        assert "said at home" in words(path)
        assert "said on the way" in words(path)
        assert_sound(path)


def test_a_push_alone_sends_nothing_over_what_is_new_there(
    first: Path, second: Path, place: Path
) -> None:
    say(first, "said at home")
    sync(first)
    before = refs(place)
    say(second, "said on the way")
    result = sync(second, takes=False)
    assert list(result.waits) == ["refs/heads/main"]
    assert refs(place) == before
    assert "said at home" not in words(second)


def test_a_branch_taken_away_goes_there_and_on_the_other_device(
    first: Path, second: Path, place: Path
) -> None:
    git(first, "branch", "side")
    git(first, "switch", "-q", "side")
    say(first, "only on the side")
    git(first, "switch", "-q", "main")
    sync(first)
    sync(second)
    tip = git(first, "rev-parse", "side").strip()
    git(first, "branch", "-q", "-D", "side")
    sync(first)
    assert "refs/heads/side" not in refs(place)
    sync(second)
    assert "refs/heads/side" not in refs(second)
    for path in (place, second):
        assert refs(path)[f"refs/perdure/kept/{tip}"] == tip
    assert "only on the side" in words(second, tip)


def test_the_line_of_the_first_branch_that_is_deleted_is_kept_there(
    first: Path, place: Path
) -> None:
    git(first, "switch", "-q", "-c", "side")
    say(first, "only on the side")
    git(first, "switch", "-q", "main")
    sync(first)
    tip = git(first, "rev-parse", "side").strip()
    assert run_command("branch", "side", "--delete", "--yes", cwd=first).returncode == 0
    sync(first)
    assert "refs/heads/side" not in refs(place)
    assert refs(place)[f"refs/perdure/kept/{tip}"] == tip


def test_a_branch_that_moved_meanwhile_stays(first: Path, second: Path, place: Path) -> None:
    git(first, "branch", "side")
    sync(first)
    sync(second)
    git(second, "switch", "-q", "side")
    say(second, "more on the side")
    sync(second)
    git(first, "branch", "-q", "-D", "side")
    sync(first)
    assert refs(first)["refs/heads/side"] == refs(place)["refs/heads/side"]
    assert "more on the side" in words(first, "side")


def test_a_place_that_went_back_pauses_and_either_side_can_count(
    first: Path, second: Path, place: Path, tmp_path: Path
) -> None:
    say(first, "one more", "and another")
    sync(first)
    git(place, "update-ref", "refs/heads/main", "main~1")
    before = refs(first), refs(place)
    result = sync(first)
    assert result.pause is not None
    assert "went back" in result.pause.reason
    assert (refs(first), refs(place)) == before
    assert sync(first, keep="here").is_level
    assert refs(place) == refs(first)
    git(place, "update-ref", "refs/heads/main", "main~1")
    tip = refs(first)["refs/heads/main"]
    assert sync(first, keep="there").is_level
    assert refs(first)["refs/heads/main"] == git(place, "rev-parse", "main").strip()
    assert tip in refs(first).values()
    assert tip in refs(place).values()


def test_the_list_says_why_a_sync_is_paused(
    first: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_HOME", str(first.parent))
    say(first, "one more", "and another")
    sync(first)
    git(place, "update-ref", "refs/heads/main", "main~1")
    pause = sync(first).pause
    assert pause is not None
    said = run_command("list", cwd=first).stdout
    assert f"sync with origin is paused: {pause.reason}" in said
    rows = json.loads(run_command("list", "--json", cwd=first).stdout)
    paused = {row["path"]: row["paused"] for row in rows}
    assert paused[str(first)] == {"origin": pause.reason}
    sync(first, keep="here")
    assert "paused" not in run_command("list", cwd=first).stdout


def test_a_persona_restored_to_before_a_file_goes_to_the_other_device(
    first: Path, second: Path, place: Path
) -> None:
    git(first, "tag", "good")
    edit(first, "persona/97-more.md", "She hums.\n")
    say(first, "with the new persona")
    sync(first)
    sync(second)
    done = run_command("restore", "persona", "memory", "--at", "good", "--yes", cwd=second)
    assert done.returncode == 0, done.stderr
    assert sync(second).pause is None
    assert sync(first).pause is None
    level(place, first, second)
    assert not (first / "persona/97-more.md").exists()
    assert "with the new persona" in words(second)
    # What it had then, and is gone all the same, is asked about.
    git(second, "rm", "-q", "persona/20-voice.md")
    commit = git(second, "rev-parse", "good").strip()
    git(second, "commit", "-q", "-m", f"persona: less\n\nRestored from commit {commit}.")
    assert sync(second).pause is not None


def test_a_place_with_another_companion_is_left_alone(
    companion: Path, first: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "other.git")
    git(tmp_path, "init", "-q", "-b", "main", "stranger")
    git(tmp_path / "stranger", "commit", "-q", "--allow-empty", "-m", "something else")
    git(tmp_path / "stranger", "push", "-q", str(other), "main")
    add_backup(first, other, "other")
    before = refs(other)
    result = sync(first, "other")
    assert result.pause is not None
    assert "no commit in common" in result.pause.reason
    assert refs(other)["refs/heads/main"] == before["refs/heads/main"]


@pytest.mark.parametrize("keep", ["here", "there"])
def test_a_side_that_lost_the_persona_is_not_followed_unasked(
    first: Path, second: Path, keep: str
) -> None:
    git(second, "rm", "-q", "persona/10-who.md")
    git(second, "commit", "-q", "-m", "persona: less")
    git(second, "push", "-q", "origin", "main")
    result = sync(first)
    assert result.pause is not None
    assert "10-who.md" in result.pause.reason
    assert (first / "persona/10-who.md").exists()
    assert sync(first, keep=keep).is_level  # type: ignore[arg-type]
    assert (first / "persona/10-who.md").exists() == (keep == "here")
    sync(second, keep=keep)  # type: ignore[arg-type]
    assert refs(first) == refs(second)


def test_what_is_lost_here_is_not_sent_unasked(first: Path, place: Path) -> None:
    before = refs(place)
    git(first, "rm", "-q", "-r", "conversations")
    git(first, "commit", "-q", "-m", "edit: all gone")
    result = sync(first)
    assert result.pause is not None
    assert "lost" in result.pause.reason
    assert refs(place) == before


def test_edits_by_hand_are_committed_before_what_comes(first: Path, second: Path) -> None:
    edit(second, "persona/20-voice.md", "She hums.\n")
    sync(second)
    (first / "persona/10-who.md").write_text("She is Mira, and tall.\n")
    sync(first)
    assert (first / "persona/20-voice.md").read_text() == "She hums.\n"
    assert git(first, "show", "HEAD:persona/10-who.md") == "She is Mira, and tall.\n"
    assert_sound(first)


def test_a_newer_format_waits_and_the_talk_goes_on(first: Path, second: Path) -> None:
    text = (second / "companion.yaml").read_text()
    (second / "companion.yaml").write_text(text.replace("format: 1", "format: 2"))
    git(second, "commit", "-qam", "companion: from the future")
    git(second, "push", "-q", "origin", "main")
    result = sync(first)
    assert "newer" in result.waits["refs/heads/main"]
    say(first, "we talk on")
    assert "we talk on" in words(first)


def test_a_place_that_is_gone_is_named(first: Path, place: Path) -> None:
    place.rename(place.with_name("elsewhere"))
    with pytest.raises(RemoteProblem, match="nothing there"):
        sync(first)


def test_an_empty_place_has_no_companion(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    with pytest.raises(HistoryError, match="empty"):
        clone(tmp_path / "empty.git", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_place_whose_head_names_no_branch_clones(
    first: Path, place: Path, tmp_path: Path
) -> None:
    (place / "HEAD").write_text("ref: refs/heads/trunk\n")
    path = clone(place, tmp_path / "again")
    assert git(path, "branch", "--show-current").strip() == "main"
    say(path, "still here")
    assert_sound(path)


def test_a_link_from_elsewhere_waits_and_the_other_branches_do_not(
    first: Path, second: Path
) -> None:
    git(second, "branch", "side")
    (second / "persona/link.md").symlink_to("20-voice.md")
    git(second, "add", "persona/link.md")
    identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    git(second, *identity, "commit", "-qm", "persona: a link")
    git(second, "push", "-q", "origin", "main", "side")
    say(first, "meanwhile")
    result = sync(first)
    assert "is a link or a submodule" in result.waits["refs/heads/main"]
    assert "refs/heads/side" in refs(first)
    assert "meanwhile" in words(first)
    assert_sound(first)


def test_a_tag_that_was_moved_on_both_sides_is_said_and_stays_on_both(
    first: Path, second: Path
) -> None:
    git(first, "tag", "best", "HEAD~1")
    git(second, "tag", "best", "HEAD")
    sync(first)
    here = git(second, "rev-parse", "best")
    result = run_command("sync", cwd=second)
    assert result.returncode == 0
    assert "The tag best names one thing here and another on origin" in result.stdout
    assert git(second, "rev-parse", "best") == here
    assert "another on origin" not in run_command("sync", cwd=first).stdout


def test_keys_that_one_place_may_not_get_keep_no_other_from_its_push(
    companion: Path, place: Path, tmp_path: Path
) -> None:
    edit(companion, "persona/60-more.md", "The key is " + "sk-ant-" + "api03-" + "Ab1_" * 8)
    add_backup(companion, place, "second")
    assert run_command("push", "second", "--yes", cwd=companion).returncode == 0
    say(companion, "said later")
    edit(companion, "persona/61-more.md", "And " + "sk-ant-" + "api03-" + "Cd2_" * 8)
    add_backup(companion, tmp_path / "new.git", "first")
    result = run_command("push", cwd=companion)
    assert result.returncode == 1
    assert "Nothing was sent to first" in result.stderr
    assert "To second: main" in result.stdout
    assert refs(place) == refs(companion)
    assert not refs(tmp_path / "new.git")


def test_a_place_with_broken_objects_keeps_no_other_from_its_turn(
    first: Path, second: Path, place: Path, tmp_path: Path
) -> None:
    say(second, "said on the way")
    sync(second)
    broken = tmp_path / "broken.git"
    git(tmp_path, "clone", "-q", "--mirror", "--no-hardlinks", str(place), str(broken))
    add_backup(first, broken, "broken")
    for pack in broken.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-2000] + bytes(2000))
    result = run_command("sync", cwd=first)
    assert result.returncode == 1
    assert f"the repository in {broken} is damaged" in result.stderr
    assert "said on the way" in words(first)
    assert refs(place) == refs(first)


@pytest.mark.parametrize("command", ["push", "sync", "backup"])
def test_what_was_edited_by_hand_is_backed_up(first: Path, place: Path, command: str) -> None:
    (first / "persona/10-who.md").write_text("She is Mira, and tall.\n")
    result = run_command(command, cwd=first)
    assert result.returncode == (3 if command == "backup" else 0)
    assert "Your edit of 10-who.md was committed" in result.stderr
    assert git(place, "show", "main:persona/10-who.md") == "She is Mira, and tall.\n"
    assert git(first, "status", "--porcelain") == ""


def test_an_edit_that_cannot_be_read_stays_and_the_rest_is_pushed(first: Path, place: Path) -> None:
    say(first, "said later")
    (first / "companion.yaml").write_text("name: [\n")
    result = run_command("push", cwd=first)
    assert "companion.yaml" in result.stderr
    assert refs(place) == refs(first)
    assert (first / "companion.yaml").read_text() == "name: [\n"
