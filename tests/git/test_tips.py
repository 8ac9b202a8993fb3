"""The merge by sync: one commit, whoever makes it, whatever is checked out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git.errors import NoCommonCommit
from perdure.git.merge.sides import Resolver
from perdure.git.merge.text import merge_lists
from perdure.git.merge.tips import (
    SYNC_AUTHOR,
    TipMerge,
    conflict_paths,
    merged_tips,
    path_as_value,
    path_from,
    tip_conflicts,
)
from perdure.git.operations import branches
from perdure.git.operations.operation import perform
from perdure.git.refs.refs import RefMove
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository

Git = Callable[..., str]
Sound = Callable[[], None]
MIRA = Author("Mira", "mira@companion.invalid")
PLAIN = Resolver(lambda _: False, lambda _files, _read: {})
AT = datetime(2026, 11, 22, 18, 3, tzinfo=timezone(timedelta(hours=1)))
BASE: Mapping[str, bytes] = {
    ".gitattributes": b"* -text\nmemory/facts/*.md merge=union\n",
    "persona/10-who.md": b"I am Mira.\nI like rivers.\nI am slow.\nI am kind.\nI am brief.\n",
    "persona/20-voice.md": b"Short sentences.\n",
    "memory/facts/a.md": b"# A\n\n- one\n- two\n",
    "lore/x.md": b"lore\n",
    "asset.png": b"\x89PNG\0base",
}


def put(repo: Repository, branch: str, files: Mapping[str, bytes | None], minutes: int = 0) -> str:
    changes = [Change(path, content) for path, content in files.items()]
    at = AT + timedelta(minutes=minutes)
    said = f"persona: on {branch}"
    return repo.commit(changes, message=said, author=MIRA, branch=branch, at=at)


@pytest.fixture
def two(repo: Repository) -> Repository:
    """A repository with ``here`` and ``there`` at one commit, and ``main`` checked out."""
    put(repo, "main", BASE)
    for name in ("here", "there"):
        branches.start_branch(repo, name, author=MIRA, switch_to=False)
    return repo


def merged(repo: Repository, one: str = "here", other: str = "there") -> TipMerge:
    """The merge of two branches, kept on a branch of its own."""
    tips = repo.resolve(one), repo.resolve(other)
    with merged_tips(repo, *tips, resolver=PLAIN) as found:
        ref = "refs/heads/met"
        old = repo.resolve("met") if "met" in {b.name for b in branches.branches(repo)} else None
        perform(repo, "sync", "met", [RefMove(ref, old, found.commit)], author=MIRA)
    return found


def files(repo: Repository, rev: str = "met") -> dict[str, bytes]:
    return {entry.path: repo.blob(entry.oid) for entry in repo.files("", rev)}


def test_two_devices_make_the_same_commit(two: Repository, tmp_path: Path, sound: Sound) -> None:
    put(two, "here", {"persona/10-who.md": BASE["persona/10-who.md"][:-1] + b"!\n"}, 5)
    put(two, "there", {"lore/x.md": None, "deep/new.md": b"new\n"}, 9)
    one = merged(two)
    assert one.kind == "merge"
    assert merged(two, "there", "here").commit == one.commit
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "-q", str(two.path), str(copy)], check=True)
    subprocess.run(["git", "-C", str(copy), "config", "user.name", "Bo"], check=True)
    with (
        Repository.open(copy) as other,
        merged_tips(other, two.resolve("there"), two.resolve("here"), resolver=PLAIN) as elsewhere,
    ):
        assert elsewhere.commit == one.commit
    info = two.commit_info(one.commit)
    assert info.author == info.committer == SYNC_AUTHOR
    assert info.at == info.committed_at == AT + timedelta(minutes=9)
    assert info.at.utcoffset() == AT.utcoffset()
    assert info.parents == tuple(sorted((two.resolve("here"), two.resolve("there"))))
    assert info.subject == "merge: changes from two devices"
    assert set(files(two)) == {*BASE, "companion.yaml", "deep/new.md"} - {"lore/x.md"}
    sound()


def test_what_is_behind_only_moves_on(two: Repository) -> None:
    new = put(two, "there", {"lore/x.md": b"more\n"})
    old = two.resolve("here")
    with merged_tips(two, old, new, resolver=PLAIN) as found:
        assert (found.kind, found.commit) == ("forward", new)
    for one, other in ((new, old), (old, old)):
        with merged_tips(two, one, other, resolver=PLAIN) as found:
            assert (found.kind, found.commit) == ("nothing", one)


def test_nothing_in_common_is_an_error_of_its_own(two: Repository, git: Git) -> None:
    tree = git("rev-parse", "here^{tree}").strip()
    lone = git("commit-tree", tree, "-m", "founding: another").strip()
    with (
        pytest.raises(NoCommonCommit),
        merged_tips(two, two.resolve("here"), lone, resolver=PLAIN),
    ):
        pass


def test_conflicting_lines_are_those_of_the_later_change_and_the_rest_merges(
    two: Repository, sound: Sound
) -> None:
    who = BASE["persona/10-who.md"]
    older = put(two, "here", {"persona/10-who.md": who.replace(b"slow", b"quick")}, 5)
    put(two, "here", {"lore/y.md": b"later, and about something else\n"}, 50)
    newer = put(
        two,
        "there",
        {"persona/10-who.md": who.replace(b"slow", b"calm").replace(b"I am Mira", b"I'm Mira")},
        9,
    )
    found = merged(two)
    assert files(two)["persona/10-who.md"] == who.replace(b"slow", b"calm").replace(
        b"I am Mira", b"I'm Mira"
    )
    assert files(two)["lore/y.md"]
    info = two.commit_info(found.commit)
    assert conflict_paths(info) == ("persona/10-who.md",)
    (conflict,) = found.conflicts
    assert tip_conflicts(two, info, resolver=PLAIN) == (conflict,)
    assert (conflict.kind, conflict.kept, conflict.other) == ("text", newer, older)
    assert conflict.hunks == ((b"I am calm.\n", b"I am quick.\n"),)
    sound()


def test_what_one_side_took_away_and_the_other_changed_stays(two: Repository) -> None:
    put(two, "here", {"lore/x.md": None}, 9)
    put(two, "there", {"lore/x.md": b"changed\n"}, 5)
    (conflict,) = merged(two).conflicts
    assert (conflict.path, conflict.kind) == ("lore/x.md", "removed")
    assert files(two)["lore/x.md"] == b"changed\n"


def test_files_that_are_no_text_are_taken_as_a_whole(two: Repository) -> None:
    put(two, "here", {"asset.png": b"\x89PNG\0here"}, 9)
    put(two, "there", {"asset.png": b"\x89PNG\0there"}, 5)
    (conflict,) = merged(two).conflicts
    assert (conflict.path, conflict.kind) == ("asset.png", "whole")
    assert files(two)["asset.png"] == b"\x89PNG\0here"


def test_lines_that_cannot_be_read_together_are_taken_from_one_side(two: Repository) -> None:
    picky = Resolver(
        lambda _: False, lambda _files, _read: {}, lambda _, data: data.count(b"!") < 2
    )
    who = BASE["persona/10-who.md"]
    put(two, "here", {"persona/10-who.md": who.replace(b"Mira.", b"Mira!")}, 9)
    put(two, "there", {"persona/10-who.md": who.replace(b"brief.", b"brief!")}, 5)
    tips = two.resolve("here"), two.resolve("there")
    with merged_tips(two, *tips, resolver=picky) as found:
        (conflict,) = found.conflicts
        assert conflict.kind == "whole"
        assert two.read("persona/10-who.md", found.commit) == who.replace(b"Mira.", b"Mira!")


def test_facts_are_sets_of_lines(two: Repository) -> None:
    put(two, "here", {"memory/facts/a.md": b"# A\n\n- one\n- both\n- here\n"})
    put(two, "there", {"memory/facts/a.md": b"# A\n\n- one\n- two\n- there\n- both\n"})
    found = merged(two)
    assert found.conflicts == ()
    lines = files(two)["memory/facts/a.md"].decode().splitlines()
    assert sorted(lines[2:]) == ["- both", "- here", "- one", "- there"]


ITEMS = st.lists(st.sampled_from([b"- %d" % number for number in range(6)]), unique=True)


@given(ITEMS, ITEMS, ITEMS)
def test_no_item_comes_twice_or_comes_back(
    base: list[bytes], ours: list[bytes], theirs: list[bytes]
) -> None:
    texts = [b"".join(line + b"\n" for line in sorted(lines)) for lines in (base, ours, theirs)]
    found = merge_lists(*texts).splitlines()
    gone = (set(base) - set(ours)) | (set(base) - set(theirs))
    assert set(found) == (set(ours) | set(theirs)) - gone
    assert len(found) == len(set(found))


def test_modes_links_and_submodules_come_along(two: Repository, git: Git, sound: Sound) -> None:
    def plumb(branch: str, *entries: str) -> None:
        env = {**os.environ, "GIT_INDEX_FILE": str(two.path / ".git/scratch")}
        run = ["git", "-C", str(two.path)]
        subprocess.run([*run, "read-tree", branch], env=env, check=True)
        for entry in entries:
            subprocess.run(
                [*run, "update-index", "--add", "--cacheinfo", entry], env=env, check=True
            )
        made = subprocess.run([*run, "write-tree"], env=env, check=True, capture_output=True)
        tree = made.stdout.decode().strip()
        commit = git("commit-tree", tree, "-p", branch, "-m", "companion: odd").strip()
        git("update-ref", f"refs/heads/{branch}", commit)

    voice = git("rev-parse", "here:persona/20-voice.md").strip()
    target = git("hash-object", "-w", "--stdin", data=b"20-voice.md").strip()
    other = git("hash-object", "-w", "--stdin", data=b"10-who.md").strip()
    sub = two.resolve("here")
    plumb("here", f"100755,{voice},persona/20-voice.md", f"120000,{target},persona/link.md")
    plumb("there", f"160000,{sub},module", f"120000,{other},persona/link.md")
    put(two, "there", {"persona/20-voice.md": b"Long sentences.\n"})
    found = merged(two)
    assert [each.path for each in found.conflicts] == ["persona/link.md"]
    lines = [row.split("\t") for row in git("ls-tree", "-r", "met").splitlines()]
    rows = {path: entry for entry, path in lines}
    assert rows["persona/20-voice.md"].startswith("100755 ")
    assert rows["module"] == f"160000 commit {sub}"
    assert rows["persona/link.md"].startswith("120000 ")
    sound()


def test_a_folder_stays_where_the_other_side_has_a_file(two: Repository, sound: Sound) -> None:
    put(two, "here", {"notes": b"a file\n"})
    put(two, "there", {"notes/a.md": b"a\n", "notes/b.md": b"b\n"})
    (conflict,) = merged(two).conflicts
    assert (conflict.path, conflict.kind) == ("notes", "folder")
    assert {path for path in files(two) if path.startswith("notes")} == {"notes/a.md", "notes/b.md"}
    info = two.commit_info("met")
    assert tip_conflicts(two, info, resolver=PLAIN) == (conflict,)
    sound()


def test_a_folder_that_went_makes_room_for_a_file(two: Repository, sound: Sound) -> None:
    put(two, "here", {"lore/x.md": None, "lore": b"a file\n"})
    put(two, "there", {"persona/20-voice.md": b"Long.\n"})
    assert merged(two).conflicts == ()
    assert files(two)["lore"] == b"a file\n"
    sound()


def test_a_path_in_a_trailer_reads_back() -> None:
    for path in ("persona/a.md", "ünï/語.md", ' a"b', '"a', "a\nb: c", "a\udcff", "a ", "x\\y"):
        assert path_from(path_as_value(path)) == path
    assert path_from('"broken') is None
    assert path_from('"') is None
    assert path_from("[") == "["


@given(st.text(min_size=1))
def test_any_path_reads_back(path: str) -> None:
    assert path_from(path_as_value(path)) == path


def test_what_stands_below_an_item_goes_and_comes_with_it() -> None:
    one, two, three = (b"- add a: %d\n    > said %d\n" % (n, n) for n in (1, 2, 3))
    assert merge_lists(one, b"", one + two) == two
    assert merge_lists(b"", one + two, two + three + one) == one + two + three
    changed = one.replace(b"said", b"really said")
    assert merge_lists(one, b"", changed) == changed


# Any history

NAMES = ("persona/a.md", "memory/facts/a.md", "lore/x.md", "bin", "lore")
LINE = st.sampled_from([b"- one\n", b"- two\n", b"three\n", b"four\n", b"\n", b"five"])
CONTENT = st.lists(LINE, max_size=5).map(b"".join) | st.just(b"\0bin") | st.none()
STEP = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(NAMES) | st.just("merge"),
    CONTENT,
    st.sampled_from(["a", "b", "c"]),
    st.integers(-3, 3),
)


class Devices:
    """Three branches of one repository, each as a device would have it."""

    def __init__(self, repo: Repository) -> None:
        self.repo = repo
        self.tips = dict.fromkeys("abc", repo.resolve("HEAD"))
        for device, tip in self.tips.items():
            self.move(device, None, tip)

    def move(self, device: str, old: str | None, new: str) -> None:
        perform(self.repo, "sync", device, [RefMove(f"refs/heads/{device}", old, new)], author=MIRA)
        self.tips[device] = new

    def sync(self, device: str, other: str) -> None:
        ours, theirs = self.tips[device], self.tips[other]
        with merged_tips(self.repo, theirs, ours, resolver=PLAIN) as swapped:
            pass
        with merged_tips(self.repo, ours, theirs, resolver=PLAIN) as found:
            assert found.commit == swapped.commit
            assert found.conflicts == swapped.conflicts
            if found.commit != ours:
                self.move(device, ours, found.commit)

    def edit(self, device: str, name: str, content: bytes | None, minutes: int) -> None:
        there = {entry.path for entry in self.repo.files("", device)}
        change: dict[str, bytes | None] = {name: content}
        if content is not None:
            # A file and a folder cannot have one name.
            change |= {path: None for path in there if path.startswith(f"{name}/")}
            change |= {path: None for path in there if name.startswith(f"{path}/")}
        change = {p: c for p, c in change.items() if c is not None or p in there}
        if change:
            self.tips[device] = put(self.repo, device, change, minutes)


@settings(max_examples=25)
@given(st.lists(STEP, min_size=1, max_size=14))
def test_after_any_schedule_one_more_sync_makes_tips_equal(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bytes | None, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any") / "mira"
    with create_repository(folder, BASE, message="founding: Mira", author=MIRA) as repo:
        devices = Devices(repo)
        for device, name, content, other, minutes in steps:
            if name == "merge":
                devices.sync(device, other)
            else:
                devices.edit(device, name, content, minutes)
        for other in "bccb":
            devices.sync("a", other)
            devices.sync(other, "a")
        assert len(set(devices.tips.values())) == 1
        for info in repo.commits.log(rev=devices.tips["a"]):
            found = tip_conflicts(repo, info, resolver=PLAIN)
            assert tuple(each.path for each in found) == conflict_paths(info)
        problems = subprocess.run(
            ["git", "-C", str(folder), "fsck", "--full", "--strict"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert problems.returncode == 0, problems.stderr
