"""Acts on a history, as a shell does them; git is the second opinion."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from perdure.chat.session import Session
from tests.cli.conftest import Run
from tests.cli.terminal import on_terminal
from tests.conftest import assert_sound, git
from tests.speaking import Scripted

VOICE = "persona/20-voice.md"


def talk(path: Path, *texts: str) -> list[list[str]]:
    """Say some things; the words of each prompt."""
    backend = Scripted()

    async def all_of_it() -> None:
        session = await Session.open(path, backends=[backend])
        try:
            for text in texts:
                async for _ in session.send(text):
                    pass
        finally:
            await session.close()

    asyncio.run(all_of_it())
    return [[message.content for message in request.messages] for request in backend.asked]


def edit(path: Path, name: str, text: str, subject: str) -> str:
    """A change of a file by hand, committed with git; the commit."""
    (path / name).write_text(text)
    git(path, "add", "-A")
    git(path, "commit", "-qm", subject)
    return git(path, "rev-parse", "HEAD").strip()


def refs(path: Path) -> str:
    """All that an operation moves: HEAD, branches and tags."""
    head = git(path, "symbolic-ref", "HEAD")
    return head + git(
        path, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"
    )


def continued(path: Path) -> list[str]:
    """Turns that conversations at HEAD go on from."""
    lines = git(path, "grep", "-h", "^continues: ", "HEAD", "--", "conversations").splitlines()
    return [line.removeprefix("continues: ") for line in lines]


def test_rewind_goes_on_from_a_turn_and_leaves_the_old_line(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    then = git(companion, "rev-parse", "HEAD").strip()
    edit(companion, VOICE, "# Voice\n\nShout.\n", "persona: loud")
    talk(companion, "Three, and a secret.")
    before = refs(companion)

    assert run("rewind", "@-1", code=2).stdout == ""
    shown = run("rewind", "@-1", "--dry-run").stdout
    assert "1 turn, 1 change to persona or memory" in shown
    assert "“Two.”" in shown
    assert refs(companion) == before

    record = json.loads(run("rewind", "@-1", "--as", "quiet", "--yes", "--json").stdout)
    assert record["plan"]["left"]["turns"] == 1
    assert (record["plan"]["leaves"], record["operation"]["branch"]) == ("main", "quiet")
    assert git(companion, "rev-parse", "HEAD").strip() == then
    assert "Shout" not in (companion / VOICE).read_text()
    assert_sound(companion)

    (prompt,) = talk(companion, "Another way.")
    assert [words for words in prompt if words in {"One.", "Two.", "Another way."}] == [
        "One.",
        "Two.",
        "Another way.",
    ]
    assert not any("secret" in words or "Shout" in words for words in prompt)
    assert continued(companion) == [record["plan"]["turn"]]
    assert "secret" in git(companion, "show", "main")
    assert_sound(companion)


def test_a_generated_branch_name_carries_the_device_and_is_free(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    first = json.loads(run("rewind", "@-1", "--yes", "--json").stdout)["plan"]["branch"]
    talk(companion, "More.")
    second = json.loads(run("rewind", "@-1", "--yes", "--json").stdout)["plan"]["branch"]
    assert first.startswith("rewind-")
    assert len(first.split("-")) >= 5
    assert second == f"{first}-2"


def test_edits_by_hand_are_committed_before_a_rewind(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    (companion / VOICE).write_text("# Voice\n\nSoft.\n")
    done = run("rewind", "@-1", "--yes")
    assert "20-voice.md was committed" in done.stderr
    assert "Soft." in git(companion, "show", f"main:{VOICE}")
    assert "Soft." not in (companion / VOICE).read_text()
    assert_sound(companion)


REFUSED = [
    (("rewind", "@-99", "--yes"), "does not go back"),
    (("rewind", "nowhere", "--yes"), "nowhere"),
    (("rewind", "@", "--yes"), "already the last turn here"),
    (("rewind", "@-1", "--as", "main", "--yes"), "there is already a branch main"),
    (("rewind", "@-1", "--as", "a..b", "--yes"), "a..b"),
    (("switch", "nowhere"), "no branch nowhere"),
    (("branch", "main"), "there is already a branch main"),
    (("branch", "main", "--delete", "--yes"), "checked out"),
    (("branch", "x", "--at", "nowhere"), "nowhere"),
    (("tag", "no such", "@"), "no such"),
    (("tag", "gone", "--delete"), "no tag gone"),
    (("redo", "--yes"), "nothing to redo"),
    (("revert", "@"), "is part of a conversation"),
    (("restore", "conversations", "--at", "HEAD", "--yes"), "is part of a conversation"),
    (("merge", "gone", "--yes"), "perdure branch lists"),
    (("restore", "persona/none.md", "--at", "HEAD", "--yes"), "there is no persona/none.md"),
    (("archive", "--reopen"), "not in the archive"),
    (("archive", "-o", "inside", "--yes"), "inside the companion"),
    (("remove", "./", "--yes"), "was not typed"),
]


def test_what_cannot_be_done_is_one_line_and_changes_nothing(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    before = refs(companion)
    for words, said in REFUSED:
        done = run(*words, code=1)
        assert done.stderr.startswith("perdure: ")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
        assert refs(companion) == before
    assert_sound(companion)


def test_wrong_use_is_a_usage_error(companion: Path, run: Run) -> None:
    for words in (
        ("branch", "--delete"),
        ("branch", "x", "--at", "@", "--delete"),
        ("tag", "--delete"),
        ("undo", "-n", "0"),
        ("restore", "persona"),
        ("revert", "HEAD", "--then", "burn"),
    ):
        run(*words, code=2)


def test_branches_are_listed_begun_and_taken_away(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    run("branch", "early", "--at", "@-1")
    assert git(companion, "log", "-1", "--format=%s", "early") == "turn: One.\n"
    assert git(companion, "branch", "--show-current") == "main\n"
    rows = {row["name"]: row for row in json.loads(run("branch", "--json").stdout)}
    assert (rows["main"]["current"], rows["early"]["current"]) == (True, False)
    assert (rows["main"]["last_words"], rows["early"]["last_words"]) == ("Two.", "One.")
    assert "* main " in run("branch").stdout

    run("switch", "early")
    talk(companion, "Only here.")
    run("switch", "main")
    run("branch", "early", "--delete", code=2)
    assert "Only on that branch: 1 turn" in run("branch", "early", "--delete", "--yes").stdout
    assert "early" not in git(companion, "branch")
    run("undo")
    assert "Only here." in git(companion, "log", "-1", "--format=%s", "early")
    assert_sound(companion)


def test_a_switch_to_where_one_is_leaves_nothing_to_undo(companion: Path, run: Run) -> None:
    talk(companion, "One.")
    (companion / "lore").mkdir()
    (companion / "lore/mill.md").write_text("The mill.\n")
    assert "already" in run("switch", "main").stdout
    assert json.loads(run("switch", "main", "--json").stdout)["operation"] is None
    subjects = git(companion, "log", "-2", "--format=%s").splitlines()
    assert subjects == ["lore: added mill.md: “The mill.”", "turn: One."]
    assert "Takes back the change of the lore" in run("undo", "--dry-run").stdout


def test_a_revert_keeps_the_talk_and_later_edits_of_other_lines(companion: Path, run: Run) -> None:
    talk(companion, "One.")
    lines = ["# Voice", "", "Calm.", "", "Short.", "", "Kind.", ""]
    edit(companion, VOICE, "\n".join(lines), "persona: calm")
    loud = edit(companion, VOICE, "\n".join([*lines[:2], "LOUD.", *lines[3:]]), "persona: loud")
    talk(companion, "Two.", "Three.")
    edit(companion, VOICE, (companion / VOICE).read_text().replace("Kind", "Kinder"), "persona: k")
    talk(companion, "Four.")

    run("revert", loud, code=2)
    record = json.loads(run("revert", loud, "--yes", "--json").stdout)
    assert [turn.rpartition("/")[2] for turn in record["plan"]["turns"]] == ["2", "3", "4"]
    text = (companion / VOICE).read_text()
    assert "Calm." in text
    assert "Kinder." in text
    assert git(companion, "log", "-1", "--format=%an %s") == "Ana revert: persona: loud\n"
    assert f"This reverts commit {loud}." in git(companion, "log", "-1", "--format=%b")
    assert git(companion, "diff", "--stat", "HEAD~1", "--", "conversations") == ""
    assert_sound(companion)
    assert "nothing of" in run("revert", loud, "--yes", code=1).stderr


def test_turns_under_a_reverted_change_are_set_aside_and_undo_brings_both_back(
    companion: Path, run: Run
) -> None:
    talk(companion, "One.")
    loud = edit(companion, VOICE, "LOUD.\n", "persona: loud")
    talk(companion, "Two.", "Three.")
    before = git(companion, "rev-parse", "HEAD^{tree}")
    run("revert", loud, "--yes", "--then", "aside")
    (name,) = git(companion, "ls-files", "memory/aside").splitlines()
    assert "/2..3\n" in (companion / name).read_text()
    assert git(companion, "log", "-2", "--format=%s").splitlines() == [
        "aside: 2 turns",
        "revert: persona: loud",
    ]
    assert_sound(companion)
    run("undo", "-n", "2", "--yes")
    assert git(companion, "rev-parse", "HEAD^{tree}") == before
    # Set aside once, they are not offered again.
    run("redo", "-n", "2", "--yes")
    run("revert", "HEAD~1", "--yes")
    assert json.loads(run("revert", loud, "--dry-run", "--json").stdout)["plan"]["turns"] == []


def test_what_was_learned_under_a_reverted_change_is_named_and_set_aside_with_it(
    companion: Path, run: Run
) -> None:
    loud = edit(companion, VOICE, "LOUD.\n", "persona: loud")
    talk(companion, "I moved to Leeds.")
    run("memory", "add", "home", "Ana lives in Leeds.", "--turn", "@")
    run("memory", "add", "home", "Ana has a cat.")
    shown = run("revert", loud, "--dry-run").stdout
    assert "A fact was learned there: “Ana lives in Leeds.”." in shown
    assert "cat" not in shown
    stays = run("aside", "@", "--dry-run").stdout
    assert "“Ana lives in Leeds.”, learned from it, stays a fact" in stays
    run("revert", loud, "--yes", "--then", "aside")
    assert git(companion, "log", "-1", "--format=%s") == "aside: 1 turn and 1 fact\n"
    facts = json.loads(run("memory", "list", "--json").stdout)
    assert [row["aside"] for row in facts["facts"]] == [True, False]
    (words,) = talk(companion, "Where do I live?")
    assert not any("Leeds" in each for each in words)
    assert any("cat" in each for each in words)
    run("undo", "-n", "2", "--yes")
    assert_sound(companion)


def test_after_a_revert_a_new_conversation_can_begin(companion: Path, run: Run) -> None:
    loud = edit(companion, VOICE, "LOUD.\n", "persona: loud")
    talk(companion, "In the wrong voice.")
    run("revert", loud, "--yes", "--then", "new")
    first, second = talk(companion, "Hello again.", "And on.")
    # The old talk is none of the messages; she may remember it, in a record before the last one.
    assert "In the wrong voice." not in first + second
    assert first[-1].endswith("Hello again.")
    assert second[-1].endswith("And on.")
    assert_sound(companion)


def test_lines_that_were_changed_again_are_refused_with_both_commits(
    companion: Path, run: Run
) -> None:
    loud = edit(companion, VOICE, "LOUD.\n", "persona: loud")
    louder = edit(companion, VOICE, "LOUDER.\n", "persona: louder")
    said = run("revert", loud, "--yes", code=1).stderr
    assert loud[:10] in said
    assert louder[:10] in said


def test_merges_and_the_beginning_are_not_reverted(companion: Path, run: Run) -> None:
    git(companion, "checkout", "-qb", "side")
    edit(companion, "persona/60-side.md", "Side.\n", "persona: side")
    git(companion, "checkout", "-q", "main")
    edit(companion, "persona/70-main.md", "Main.\n", "persona: main")
    git(companion, "merge", "-q", "--no-edit", "side")
    assert "is a merge" in run("revert", "HEAD", "--yes", code=1).stderr
    assert "begins" in run("revert", "HEAD~2", "--yes", code=1).stderr


def test_files_come_back_as_they_were(companion: Path, run: Run) -> None:
    old = (companion / VOICE).read_text()
    run("tag", "before-the-move", "-m", "Before we moved.")
    git(companion, "rm", "-q", VOICE)
    edit(companion, "persona/60-new.md", "New.\n", "persona: other")
    talk(companion, "One.")
    run("restore", "persona", "--at", "before-the-move", code=2)
    shown = run("restore", "persona", "--at", "before-the-move", "--dry-run").stdout
    assert f"brings back {VOICE}" in shown
    assert "removes (it did not exist then) persona/60-new.md" in shown
    run("restore", "persona", "--at", "before-the-move", "--yes")
    assert (companion / VOICE).read_text() == old
    assert not (companion / "persona/60-new.md").exists()
    assert git(companion, "log", "-1", "--format=%s").startswith("persona: ")
    assert_sound(companion)


def test_an_edit_in_no_commit_is_never_restored_over(companion: Path, run: Run) -> None:
    edit(
        companion,
        "companion.yaml",
        (companion / "companion.yaml").read_text() + "time: date\n",
        "companion: time",
    )
    (companion / "companion.yaml").write_text("format: [broken\n")
    said = run("restore", "companion.yaml", "--at", "HEAD~1", "--yes", code=1).stderr
    assert "has an uncommitted edit" in said
    assert (companion / "companion.yaml").read_text() == "format: [broken\n"


def test_tags_are_named_listed_and_taken_away(companion: Path, run: Run) -> None:
    talk(companion, "One.")
    run("tag", "plain", "@")
    run("tag", "noted", "HEAD~1", "-m", "Why it matters.")
    assert git(companion, "cat-file", "-t", "plain").strip() == "commit"
    assert git(companion, "cat-file", "-t", "noted").strip() == "tag"
    assert git(companion, "tag", "-n1", "-l", "noted").split(maxsplit=1)[1] == "Why it matters.\n"
    rows = {row["name"]: row["message"] for row in json.loads(run("tag", "--json").stdout)}
    assert rows == {"plain": None, "noted": "Why it matters."}
    run("tag", "noted", "--delete")
    git(companion, "-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now")
    run("undo")
    assert "Why it matters." in git(companion, "tag", "-n1", "-l", "noted")
    assert_sound(companion)


def test_a_tag_and_a_branch_never_have_one_name(companion: Path, run: Run) -> None:
    """A `git push origin NAME`, which everybody types, is refused then."""
    talk(companion, "One.")
    assert "there is already a branch main" in run("tag", "main", code=1).stderr
    run("tag", "here")
    assert "there is already a tag here" in run("branch", "here", code=1).stderr
    talk(companion, "Two.")
    run("rewind", "@-1", "--as", "here", "--yes", code=1)
    assert git(companion, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags") == (
        "refs/heads/main\nrefs/tags/here\n"
    )


def test_undo_walks_back_over_everything_and_redo_forth(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    states = [refs(companion)]
    for words in (
        ("tag", "here"),
        ("branch", "side"),
        ("switch", "side"),
        ("rewind", "@-1", "--as", "again", "--yes"),
        ("branch", "side", "--delete", "--yes"),
        ("restore", VOICE, "--at", "here", "--yes"),
        ("tag", "here", "--delete"),
        ("switch", "main"),
    ):
        if words[0] == "restore":
            edit(companion, VOICE, "Other.\n", "persona: other")
            states.append(refs(companion))
        run(*words)
        states.append(refs(companion))
    for state in reversed(states[:-1]):
        run("undo", "--yes")
        assert refs(companion) == state
        assert_sound(companion)
    for state in states[1:]:
        run("redo", "--yes")
        assert refs(companion) == state
        assert_sound(companion)
    assert (
        "something new" in run("redo", code=1).stderr
        or "nothing to redo" in run("redo", code=1).stderr
    )


def test_undo_of_a_turn_says_what_it_takes_back(companion: Path, run: Run) -> None:
    """One act needs no question; its words have no hash."""
    talk(companion, "One.", "Two.")
    before = refs(companion)
    shown = run("undo", "--dry-run").stdout
    assert shown.splitlines()[0] == "Takes back your message “Two.” and her reply."
    assert git(companion, "rev-parse", "--short=7", "HEAD").strip() not in shown
    assert refs(companion) == before
    rows = json.loads(run("ops", "--json").stdout)
    assert [(row["what"], row["next"]) for row in rows[:2]] == [("Two.", "undo"), ("One.", None)]

    done = run("undo").stdout
    assert done.splitlines()[0] == "Undone: your message “Two.” and her reply."
    assert "perdure redo" in done
    assert run("ops").stdout.startswith("r ")
    rows = json.loads(run("ops", "--json").stdout)
    assert [row["next"] for row in rows] == ["redo", "undo", *[None] * (len(rows) - 2)]
    (prompt,) = talk(companion, "Two, said anew.")
    assert "One." in prompt
    assert "Two." not in prompt
    assert [turn.rpartition("/")[2] for turn in continued(companion)] == ["1"]
    assert_sound(companion)


def test_several_steps_are_named_before_they_are_taken(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.", "Three.")
    before = refs(companion)
    shown = run("undo", "-n", "2", "--dry-run").stdout
    assert "your message “Three.” and her reply" in shown
    assert "Then your message “Two.” and her reply." in shown
    assert refs(companion) == before
    run("undo", "-n", "2", code=2)
    assert len(json.loads(run("undo", "-n", "2", "--yes", "--json").stdout)["operations"]) == 2
    assert git(companion, "log", "-1", "--format=%s") == "turn: One.\n"
    run("redo", "-n", "9", "--yes")
    assert refs(companion) == before


def test_an_archived_companion_is_read_and_not_talked_to(
    companion: Path, run: Run, tmp_path: Path
) -> None:
    talk(companion, "The river is high.")
    git(companion, "branch", "side", "HEAD~1")
    copy = tmp_path / "copy"
    run("archive", "-o", str(copy), code=2)
    record = json.loads(run("archive", "-o", str(copy), "--yes", "--json").stdout)
    bundle = Path(record["copy"]["bundle"])
    git(companion, "bundle", "verify", "-q", str(bundle))
    git(tmp_path, "clone", "-q", str(bundle), "clone")
    assert_sound(tmp_path / "clone")
    assert refs(companion).replace("refs/heads/side", "") != refs(tmp_path / "clone")
    assert git(tmp_path / "clone", "tag") == f"{record['plan']['tag']}\n"
    (page,) = (copy / "reading").glob("20*/*.md")
    assert "The river is high." in page.read_text()

    said = run("say", "Are you there?", code=1).stderr
    assert "is archived" in said
    assert "perdure archive --reopen" in said
    assert run("log", "-n", "1").stdout
    run("archive", "--reopen")
    talk(companion, "Back again.")
    assert_sound(companion)


def test_a_companion_goes_to_the_trash_with_a_proven_copy_or_the_typed_name(
    companion: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    talk(companion, "One.")
    here = f"{companion}/"
    run("remove", here, "--yes", code=1)
    run("remove", here, "--typed", "mirror", code=1)
    run("archive", "-o", str(tmp_path / "copy"), "--yes")
    (tmp_path / "copy/mira.bundle").write_bytes(b"damaged")
    run("remove", here, "--yes", code=1)
    run("archive", "-o", str(tmp_path / "copy2"), "--yes")
    run("tag", "later")
    run("remove", here, "--yes", code=1)
    run("undo")
    assert json.loads(run("remove", here, "--dry-run", "--json").stdout)["plan"]["copy"]
    assert companion.exists()
    trash = Path(json.loads(run("remove", here, "--yes", "--json").stdout)["trash"])
    assert not companion.exists()
    assert_sound(trash)
    trash.rename(companion)
    run("tag", "later")
    run("remove", here, "--typed", "Mira")
    assert not companion.exists()


def test_a_terminal_is_asked(companion: Path) -> None:
    talk(companion, "One.", "Two.")
    before = refs(companion)
    no = on_terminal(("rewind", "@-1"), [("Rewind to @-1?", "n")], companion)
    assert "Nothing was changed" in no.screen
    assert refs(companion) == before
    loud = edit(companion, VOICE, "LOUD.\n", "persona: loud")
    talk(companion, "Three.")
    yes = on_terminal(("revert", loud), [("Revert this?", "y"), ("Choose", "aside")], companion)
    assert yes.code == 0
    assert git(companion, "log", "-1", "--format=%s") == "aside: 1 turn\n"
    asked = on_terminal(("undo", "-n", "2"), [("Undo 2 steps?", "y")], companion)
    assert asked.code == 0
    assert "Then the revert of “persona: loud”." in asked.screen
    assert_sound(companion)


@pytest.mark.parametrize(
    "words",
    [
        ["undo", "--yes"],
        ["rewind", "@", "--yes"],
        ["branch", "other"],
        ["tag", "now"],
        ["edit", "@", "Other words."],
        ["memory", "add", "food", "She likes toast."],
    ],
    ids=lambda words: words[0],
)
def test_a_companion_of_a_newer_format_is_only_read(
    companion: Path, run: Run, words: list[str]
) -> None:
    talk(companion, "Hello.")
    settings = companion / "companion.yaml"
    settings.write_text(settings.read_text().replace("format: 1", "format: 9  # of a newer one"))
    git(companion, "commit", "-qam", "companion: format 9")
    before = git(companion, "for-each-ref")
    done = run(*words, code=1)
    assert "companion.yaml:2: " in done.stderr
    assert "Update perdure" in done.stderr
    assert git(companion, "for-each-ref") == before
    for reading in (["ops"], ["branch"], ["tag"], ["log"], ["lore", "list"]):
        run(*reading)


def test_a_rewind_tells_that_no_remote_has_the_new_branch(companion: Path, run: Run) -> None:
    talk(companion, "One.", "Two.")
    assert "perdure push" not in run("rewind", "@-1", "--as", "alone", "--yes").stdout
    run("undo", "--yes")
    git(companion, "remote", "add", "backup", "ssh://example.invalid/mira.git")
    assert "perdure push" in run("rewind", "@-1", "--as", "apart", "--yes").stdout
