from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from perdure.git.errors import (
    CannotMerge,
    HistoryError,
    StillInConflict,
    TipMoved,
    Unfinished,
    UnsavedEdits,
)
from perdure.git.merge.merge import (
    abort_merge,
    conclude_merge,
    merge,
    open_merge,
    settle_conflict,
)
from perdure.git.merge.plan import plan_merge
from perdure.git.merge.sides import Resolver, ThreeWay
from perdure.git.merge.text import union_paths
from perdure.git.operations import branches
from perdure.git.refs.ancestry import Reach
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.undo import perform as undo

Git = Callable[..., str]
Sound = Callable[[], None]
MIRA = Author("Mira", "mira@companion.invalid")
BASE = {
    ".gitattributes": b"* -text\nmemory/facts/*.md merge=union\n",
    "persona/10-who.md": b"I am Mira.\nI like rivers.\nI am slow.\nI am kind.\nI am brief.\n",
    "persona/20-voice.md": b"Short sentences.\n",
    "memory/facts/a.md": b"# A\n\n- one\n",
    "lore/x.md": b"lore\n",
}


def put(repo: Repository, branch: str, files: Mapping[str, bytes | None]) -> str:
    changes = [Change(path, content) for path, content in files.items()]
    return repo.commit(changes, message=f"persona: on {branch}", author=MIRA, branch=branch)


@pytest.fixture
def two(repo: Repository) -> Repository:
    """A repository with a branch ``other`` and ``main`` checked out, both at one commit."""
    put(repo, "main", BASE)
    branches.start_branch(repo, "other", author=MIRA, switch_to=False)
    return repo


CLEAN_OURS = {
    "persona/10-who.md": BASE["persona/10-who.md"].replace(b"I am Mira", b"I'm Mira"),
    "memory/facts/a.md": b"# A\n\n- one\n- ours\n",
    "ours.md": b"ours\n",
}
CLEAN_THEIRS = {
    "persona/10-who.md": BASE["persona/10-who.md"].replace(b"brief", b"short"),
    "memory/facts/a.md": b"# A\n\n- one\n- theirs\n",
    "deep/theirs.md": b"theirs\n",
    "lore/x.md": None,
}
HARD_OURS = {"persona/20-voice.md": b"Long sentences.\n", "lore/x.md": b"changed\n"}
HARD_THEIRS = {**CLEAN_THEIRS, "persona/20-voice.md": b"No sentences.\n"}


def test_a_clean_merge_is_the_one_that_git_would_make(
    two: Repository, git: Git, sound: Sound
) -> None:
    put(two, "main", CLEAN_OURS)
    put(two, "other", CLEAN_THEIRS)
    git("branch", "copy")
    done = merge(two, "other", author=MIRA)
    assert done.plan.kind == "merge"
    assert done.operation is not None
    sound()
    git("switch", "-q", "copy")
    git("merge", "-q", "--no-edit", "other")
    assert (
        git("rev-parse", "copy^{tree}", "copy^1", "copy^2").split()
        == git("rev-parse", "main^{tree}", "main^1", "main^2").split()
    )
    git("switch", "-q", "main")
    undo.undo(two, author=MIRA)
    assert two.commit_info("main").subject == "persona: on main"
    sound()


def test_forward_and_nothing(two: Repository, sound: Sound) -> None:
    tip = put(two, "other", CLEAN_THEIRS)
    assert merge(two, "other", author=MIRA).plan.kind == "forward"
    assert two.head().commit == tip
    assert merge(two, "other", author=MIRA).plan.kind == "nothing"
    sound()


def opened(two: Repository) -> None:
    put(two, "main", HARD_OURS)
    put(two, "other", HARD_THEIRS)
    done = merge(two, "other", author=MIRA)
    assert done.operation is None
    assert {c.path: c.kind for c in done.plan.conflicts} == {
        "lore/x.md": "removed",
        "persona/20-voice.md": "text",
    }


def test_an_open_merge_is_the_one_that_git_would_leave(two: Repository, git: Git) -> None:
    put(two, "main", HARD_OURS)
    put(two, "other", HARD_THEIRS)
    git("merge", "other", check=False)
    wanted = [git("status", "--porcelain=v2"), git("ls-files", "-s")]
    text = (two.path / "persona/20-voice.md").read_bytes()
    git("merge", "--abort")
    merge(two, "other", author=MIRA)
    assert [git("status", "--porcelain=v2"), git("ls-files", "-s")] == wanted
    mine = (two.path / "persona/20-voice.md").read_bytes()
    assert mine == text.replace(b"<<<<<<< HEAD", b"<<<<<<< main")
    assert "Unmerged paths" in git("status")


def test_git_gives_an_open_merge_up(two: Repository, git: Git, sound: Sound) -> None:
    opened(two)
    git("merge", "--abort")
    assert open_merge(two) is None
    sound()


def test_git_concludes_an_open_merge(two: Repository, git: Git, sound: Sound) -> None:
    opened(two)
    put(two, "main", {"conversations/a.md": b"turn 1\n"})
    (two.path / "persona/20-voice.md").write_bytes(b"Sentences.\n")
    git("add", "-A")
    git("commit", "-q", "--no-edit")
    assert git("show", "HEAD:conversations/a.md") == "turn 1\n"
    assert git("show", "HEAD:deep/theirs.md") == "theirs\n"
    assert len(git("rev-parse", "HEAD^@").split()) == 2
    sound()


def test_we_give_an_open_merge_up(two: Repository, git: Git, sound: Sound) -> None:
    opened(two)
    put(two, "main", {"conversations/a.md": b"turn 1\n"})
    (two.path / "persona/20-voice.md").write_bytes(b"half edited\n")
    (two.path / "untracked.md").write_bytes(b"mine\n")
    abort_merge(two)
    assert git("status", "--porcelain") == "?? untracked.md\n"
    (two.path / "untracked.md").unlink()
    assert git("show", "HEAD:conversations/a.md") == "turn 1\n"
    sound()
    with pytest.raises(HistoryError, match="no merge"):
        abort_merge(two)


def test_giving_up_does_not_throw_edits_away(two: Repository) -> None:
    opened(two)
    (two.path / "deep/theirs.md").write_bytes(b"edited after the merge\n")
    with pytest.raises(UnsavedEdits, match="theirs"):
        abort_merge(two)
    assert open_merge(two) is not None


def test_what_is_left_between_marks_is_told(two: Repository, git: Git) -> None:
    """Also where git writes the common past in the middle; one place settled, one is left."""
    git("config", "merge.conflictStyle", "diff3")
    put(two, "main", {"persona/20-voice.md": b"Long.\n\n\n\nLoud.\n"})
    git("switch", "-qC", "other", "main~1")
    put(two, "other", {"persona/20-voice.md": b"No.\n\n\n\nSoft.\n"})
    git("switch", "-q", "main")
    git("merge", "other", check=False)
    file = two.path / "persona/20-voice.md"
    assert b"|||||||" in file.read_bytes()
    merging = open_merge(two)
    assert merging is not None
    (conflict,) = merging.conflicts
    ((ours, theirs),) = conflict.pairs
    assert ours.startswith(b"Long.")
    assert theirs.startswith(b"No.")
    assert b"|||||||" not in ours
    assert content(two, file, b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\nz\n") == ((b"x\n", b"y\n"),)
    assert content(two, file, b"<<<<<<< a\r\nx\r\n=======\r\n>>>>>>> b\r\n") == ((b"x\r\n", b""),)
    assert content(two, file, b"=======\nx\n>>>>>>> b\n") == ()


def content(two: Repository, file: Path, data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """What an open merge tells of a file with other words in it."""
    file.write_bytes(data)
    merging = open_merge(two)
    assert merging is not None
    (conflict,) = merging.conflicts
    assert conflict.settled is not bool(conflict.pairs)
    return conflict.pairs


def test_we_conclude_an_open_merge(two: Repository, git: Git, sound: Sound) -> None:
    opened(two)
    found = open_merge(two)
    assert found is not None
    assert found.theirs == two.resolve("other")
    assert {c.path: (c.gone, c.pairs) for c in found.conflicts} == {
        "lore/x.md": ("theirs", ()),
        "persona/20-voice.md": ("", ((b"Long sentences.\n", b"No sentences.\n"),)),
    }
    with pytest.raises(StillInConflict) as caught:
        conclude_merge(two, author=MIRA)
    assert caught.value.paths == ["lore/x.md", "persona/20-voice.md"]
    put(two, "main", {"conversations/a.md": b"turn 1\n"})
    (two.path / "persona/20-voice.md").write_bytes(HARD_OURS["persona/20-voice.md"])
    settle_conflict(two, "lore/x.md", None)
    with pytest.raises(HistoryError, match="not in conflict"):
        settle_conflict(two, "lore/x.md", b"x")
    (two.path / "deep/theirs.md").write_bytes(b"and a last word\n")
    conclude_merge(two, author=MIRA)
    assert two.read("lore/x.md") is None
    assert two.read("deep/theirs.md") == b"and a last word\n"
    assert two.read("conversations/a.md") == b"turn 1\n"
    assert two.read("persona/20-voice.md") == b"Long sentences.\n"
    assert two.commit_info("HEAD").parents[1] == two.resolve("other")
    sound()
    undo.undo(two, author=MIRA)
    assert two.read("lore/x.md") == b"changed\n"
    sound()


def test_a_turn_does_not_land_on_what_an_open_merge_has_staged(two: Repository) -> None:
    """Concluding the merge would take it out of the tip again."""
    put(two, "other", {"conversations/a.md": b"their turn\n"})
    opened(two)
    for path in ("conversations/a.md", "memory/facts/a.md", "persona/20-voice.md"):
        with pytest.raises(TipMoved, match=path):
            put(two, "main", {path: b"ours\n"})
    put(two, "other", {"conversations/a.md": b"on another branch it may\n"})


def test_what_stands_in_the_way_of_a_merge_is_said(two: Repository, git: Git) -> None:
    put(two, "main", HARD_OURS)
    put(two, "other", HARD_THEIRS)
    (two.path / "persona/20-voice.md").write_bytes(b"edited\n")
    with pytest.raises(UnsavedEdits, match="20-voice"):
        merge(two, "other", author=MIRA)
    git("checkout", "-q", "persona/20-voice.md")
    (two.path / "z.md").write_bytes(b"z\n")
    git("add", "z.md")
    with pytest.raises(UnsavedEdits, match=r"z\.md"):
        merge(two, "other", author=MIRA)
    git("rm", "-qf", "z.md")
    merge(two, "other", author=MIRA)
    with pytest.raises(Unfinished):
        merge(two, "other", author=MIRA)


def test_lines_without_a_common_past_are_not_merged(two: Repository, git: Git) -> None:
    tree = git("mktree", data=b"").strip()
    lone = git("commit-tree", "-m", "x", tree).strip()
    with pytest.raises(CannotMerge, match="in common"):
        merge(two, lone, author=MIRA)


def test_lines_that_crossed_are_merged_over_their_own_past(
    two: Repository, git: Git, sound: Sound
) -> None:
    put(two, "main", {"persona/10-who.md": BASE["persona/10-who.md"].replace(b"Mira", b"MIRA")})
    put(two, "other", {"persona/10-who.md": BASE["persona/10-who.md"].replace(b"brief", b"BRIEF")})
    first, second = two.resolve("main"), two.resolve("other")
    git("merge", "-q", "--no-edit", second)
    git("switch", "-q", "other")
    git("merge", "-q", "--no-edit", first)
    put(two, "other", {"persona/20-voice.md": b"theirs\n"})
    git("switch", "-q", "main")
    put(two, "main", {"memory/facts/a.md": b"# A\n\n- ours\n"})
    git("branch", "copy")
    reach = Reach(two.commit_info)
    bases = git("merge-base", "--all", "main", "other").split()
    assert sorted(reach.merge_bases(two.resolve("main"), two.resolve("other"))) == sorted(bases)
    assert len(bases) == 2
    assert merge(two, "other", author=MIRA).plan.conflicts == ()
    sound()
    git("switch", "-q", "copy")
    git("merge", "-q", "--no-edit", "other")
    assert git("rev-parse", "copy^{tree}") == git("rev-parse", "main^{tree}")


def test_files_that_need_more_than_lines_are_the_resolvers(two: Repository) -> None:
    put(two, "main", {"conversations/a.md": b"ours\n"})
    put(two, "other", {"conversations/a.md": b"theirs\n", "conversations/b.md": b"b\n"})
    seen: list[ThreeWay] = []

    def both(
        files: Sequence[ThreeWay], read: Callable[[str], ThreeWay]
    ) -> Mapping[str, bytes | None]:
        seen.extend(files)
        assert read("lore/x.md").ours == b"lore\n"
        found = {file.path: (file.ours or b"") + (file.theirs or b"") for file in files}
        return {**found, "conversations/c.md": b"new\n"}

    resolver = Resolver(lambda path: path.startswith("conversations/"), both)
    plan = plan_merge(two, "other", resolver=resolver)
    assert plan.conflicts == ()
    merge(two, "other", author=MIRA, resolver=resolver)
    assert [file.path for file in seen[:2]] == ["conversations/a.md", "conversations/b.md"]
    assert two.read("conversations/a.md") == b"ours\ntheirs\n"
    assert two.read("conversations/c.md") == b"new\n"


def test_union_is_for_the_paths_that_the_attributes_name() -> None:
    text = b"* -text\nmemory/facts/*.md merge=union\n# x merge=union\n*.log merge=union\n/y merge\n"
    is_union = union_paths(text)
    for path, wanted in {
        "memory/facts/a.md": True,
        "memory/facts/deep/a.md": False,
        "other/memory/facts/a.md": False,
        "deep/x.log": True,
        "y": False,
        "persona/a.md": False,
    }.items():
        assert is_union(path) == wanted, path
    assert not union_paths(b"*.md merge=union\na.md -merge\n")("a.md")
    # Such a row of stars would take `re` for ever.
    assert not union_paths(b"*a" * 1000 + b"b merge=union\n")("a" * 200)


OPENING = """
import os, sys
from perdure.git.repository.repository import *
from perdure.git.merge.merge import *
import {module} as module
owner = getattr(module, {owner!r})
inner, left = owner.{name}, {skip}
def dying(*given, **more):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    return inner(*given, **more)
repo = Repository.open(sys.argv[1])
mira = Author('Mira', 'mira@companion.invalid')
owner.{name} = dying
{act}
os._exit(3)
"""
CRASHES = [
    "perdure.git.worktree.checkout.Checkout.carry",
    "perdure.git.worktree.files.WorkTree.write",
    "perdure.git.worktree.merge_state.MergeState._write",
    "perdure.git.worktree.checkout.Checkout.index",
    "perdure.git.locks.GitLock.publish",
    "perdure.git.worktree.merge_state.MergeState._drop_intent",
]
ACTS = {
    "open": "merge(repo, 'other', author=mira)",
    "abort": "abort_merge(repo)",
    "conclude": "conclude_merge(repo, author=mira)",
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("function", CRASHES, ids=[name.rpartition(".")[2] for name in CRASHES])
def test_dying_while_a_merge_is_opened_given_up_or_concluded(
    two: Repository, git: Git, sound: Sound, act: str, function: str
) -> None:
    put(two, "main", HARD_OURS)
    put(two, "other", HARD_THEIRS)
    tip = two.resolve("main")
    if act != "open":
        merge(two, "other", author=MIRA)
    if act == "conclude":
        settle_conflict(two, "lore/x.md", b"kept\n")
        (two.path / "persona/20-voice.md").write_bytes(b"settled\n")
    two.close()
    module, owner, name = function.rsplit(".", 2)
    for skip in range(8):
        text = OPENING.format(module=module, owner=owner, name=name, skip=skip, act=ACTS[act])
        done = subprocess.run(
            [sys.executable, "-c", text, two.path], check=False, capture_output=True
        )
        assert done.returncode in {3, 9}, done.stderr.decode()
        with Repository.open(two.path) as again:
            assert again.recovery_trouble == ""
            assert not (again.state_dir / "operation.json").exists()
            is_open = open_merge(again) is not None
            moved = again.resolve("main") != tip
            if act == "open":
                assert not moved
                if is_open:
                    assert "UU persona/20-voice.md" in git("status", "--porcelain")
                    abort_merge(again)
                sound()
            elif not is_open:
                sound()
                assert moved == (act == "conclude")
                break
    else:
        assert act == "open"
