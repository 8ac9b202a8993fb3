from __future__ import annotations

import hashlib
import random
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perdure.git.errors import DamagedRepository
from perdure.git.objects.new_objects import new_commits
from perdure.git.packs import outgoing as module
from perdure.git.packs.incoming import IncomingPack
from perdure.git.packs.join import Join
from perdure.git.packs.outgoing import OutgoingPack, outgoing, slices, whole_store
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Repository
from tests.conftest import git
from tests.lives import make_life


def as_file(pack: OutgoingPack) -> bytes:
    """A pack as it goes over the wire."""
    rows = list(pack.entries)
    assert len(rows) == pack.count
    data = b"PACK" + struct.pack(">LL", 2, pack.count) + b"".join(entry for _, entry in rows)
    return data + hashlib.sha1(data, usedforsecurity=False).digest()


def index_pack(path: Path, data: bytes) -> None:
    """Give a pack to git, which completes it and looks at every object."""
    subprocess.run(
        ["git", "-C", str(path), "index-pack", "--fix-thin", "--stdin", "--strict"],
        input=data,
        check=True,
        capture_output=True,
    )


def pushed(source: Path, target: Path, new: list[str], known: list[str]) -> int:
    """Send some commits to a bare repository, which then has all that they need."""
    with Repository.open(source, recover=False) as repo:
        data = as_file(outgoing(repo.parts(), new, known))
    if not target.exists():
        subprocess.run(["git", "init", "-q", "--bare", target], check=True)
    index_pack(target, data)
    for number, tip in enumerate(new):
        git(target, "update-ref", f"refs/tags/got-{number}", tip)
    subprocess.run(
        ["git", "-C", target, "fsck", "--full", "--strict", "--connectivity-only"],
        check=True,
        capture_output=True,
    )
    return len(data)


def gits_own(source: Path, new: str, *known: str) -> int:
    """Bytes that git would send."""
    words = ["pack-objects", "--thin", "--revs", "--stdout", "--delta-base-offset", "-q"]
    done = subprocess.run(
        ["git", "-C", source, *words],
        input="\n".join([new, *(f"^{each}" for each in known), ""]).encode(),
        check=True,
        capture_output=True,
    )
    return len(done.stdout)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("life") / "mira"
    make_life(path, 600)
    return path


@pytest.mark.parametrize("turns", [1, 10, 100])
def test_a_push_is_no_larger_than_gits(life: Path, tmp_path: Path, turns: int) -> None:
    tip, old = git(life, "rev-parse", "main", f"main~{turns}").split()
    first = pushed(life, tmp_path / "bare", [old], [])
    assert first < 2 * gits_own(life, old, git(life, "rev-parse", "main~599").strip())
    assert pushed(life, tmp_path / "bare", [tip], [old]) <= 1.1 * gits_own(life, tip, old)


def test_only_what_is_new_is_found(life: Path) -> None:
    tip, old = git(life, "rev-parse", "main", "main~10").split()
    named = git(life, "rev-list", "--objects", tip, f"^{old}").splitlines()
    with Repository.open(life, recover=False) as repo:
        pack = outgoing(repo.parts(), [tip], [old, "0" * 39 + "1"])
        assert {oid.hex() for oid, _ in pack.entries} == {line[:40] for line in named}
        assert outgoing(repo.parts(), [old], [tip]).count == 0


def test_every_branch_and_an_annotated_tag_go_along(life: Path, tmp_path: Path) -> None:
    git(life, "tag", "-f", "-a", "-m", "a day", "day", "main~5")
    tips = git(life, "for-each-ref", "--format=%(objectname)", "refs/heads", "refs/tags").split()
    pushed(life, tmp_path / "bare", tips, [])
    counted = len(git(life, "rev-list", "--objects", *tips).splitlines())
    assert f"in-pack: {counted}" in git(tmp_path / "bare", "count-objects", "-v")
    with Repository.open(life, recover=False) as repo:
        assert outgoing(repo.parts(), tips, tips).count == 0


def test_a_merge_sends_nothing_that_either_side_has(tmp_path: Path) -> None:
    path = tmp_path / "mira"
    make_life(path, 60)
    git(path, "checkout", "-q", "-b", "side", "main~20")
    (path / "persona" / "new.md").write_text("I like rain.\n" * 50)
    git(path, "add", "persona/new.md")
    git(path, "commit", "-q", "-m", "persona: rain")
    git(path, "checkout", "-q", "main")
    git(path, "merge", "-q", "--no-edit", "side")
    tip, one, two = git(path, "rev-parse", "main", "main^1", "main^2").split()
    with Repository.open(path, recover=False) as repo:
        kinds = [
            repo.parts().store.read(oid.hex())[0]
            for oid, _ in outgoing(repo.parts(), [tip], [one, two]).entries
        ]
    assert sorted(kinds) == [b"commit", b"tree"]


@settings(max_examples=20)
@example(["a/b/1", "d/4", "back"], 0)
@given(
    st.lists(st.sampled_from(["a/b/1", "a/b/2", "a/c/3", "d/4", "merge", "back"]), max_size=9),
    st.integers(0, 9),
)
def test_nothing_is_missing_where_a_tree_comes_back(words: list[str], since: int) -> None:
    """A tree that two commits have is new in the older one, with all that the newer one shares."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "here"
        git(path.parent, "init", "-q", "-b", "main", "here")
        for number, word in enumerate(["d/4", *words]):
            begun = number > 0
            if word == "merge" and begun:
                first = git(path, "rev-list", "--max-parents=0", "HEAD").strip()
                tree = git(path, "rev-parse", "HEAD^{tree}").strip()
                tip = git(path, "commit-tree", "-p", "HEAD", "-p", first, "-m", "both", tree)
                git(path, "reset", "-q", "--hard", tip.strip())
            elif word == "back" and begun:
                git(path, "read-tree", "-u", "--reset", "HEAD~1" if number > 1 else "HEAD")
                git(path, "commit", "-q", "--allow-empty", "-m", "back")
            else:
                file = path / (word if "/" in word else "d/4")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{number % 3}\n")
                git(path, "add", "-A")
                git(path, "commit", "-q", "--allow-empty", "-m", str(number))
        line = git(path, "rev-list", "--first-parent", "main").split()
        old = line[-1 - min(since, len(line) - 1)]
        pushed(path, path.parent / "bare", [old], [])
        pushed(path, path.parent / "bare", [line[0]], [old])


def test_slices_are_fast_forwards_of_about_a_size(life: Path, tmp_path: Path) -> None:
    tip = git(life, "rev-parse", "main").strip()
    most = 60_000
    with Repository.open(life, recover=False) as repo:
        assert slices(repo.parts(), tip, []) == [tip]
        cuts = slices(repo.parts(), tip, [], most)
    assert len(cuts) > 4
    assert cuts[-1] == tip
    line = git(life, "rev-list", "--first-parent", "--reverse", tip).split()
    places = [line.index(cut) for cut in cuts]
    assert places == sorted(places)
    known: list[str] = []
    for cut in cuts:
        assert pushed(life, tmp_path / "bare", [cut], known) < 1.5 * most
        known = [cut]


def packed(life: Path, tmp_path: Path) -> Path:
    """A copy in two packs of deltas, and with the newest turns in a pack of whole objects."""
    path = tmp_path / "packed"
    run("git", "clone", "-q", "--no-hardlinks", "--single-branch", life, path)
    git(path, "reset", "-q", "--hard", "main~300")
    git(path, "reflog", "expire", "--expire=all", "--all")
    git(path, "update-ref", "-d", "refs/remotes/origin/main")
    git(path, "repack", "-adfq")
    for end, flags in (("main~20", []), ("main", ["--window=0"])):
        run("git", "-C", life, "push", "-q", path, f"{end}:refs/heads/step")
        git(path, "reset", "-q", "--hard", "step")
        git(path, "repack", "-dfq", *flags)
    return path


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)


@pytest.mark.parametrize("old", [None, "main~40", "main~310"])
def test_many_entries_are_copied_as_they_are_stored(
    life: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str | None
) -> None:
    path = packed(life, tmp_path)
    tip = git(path, "rev-parse", "main").strip()
    known = [git(path, "rev-parse", old).strip()] if old else []
    for each in known:
        pushed(path, tmp_path / "bare", [each], [])
    monkeypatch.setattr(module, "_MANY", 100)
    copies: list[int] = []

    def join(*given: Any) -> Join:
        made = Join(*given)
        copies.append(made.count)
        return made

    monkeypatch.setattr(module, "Join", join)
    sent = pushed(path, tmp_path / "bare", [tip], known)
    assert copies[0] > 100
    theirs = git(path, "rev-list", "--objects", tip, *(f"^{each}" for each in known))
    assert copies[0] < len(theirs.splitlines())
    assert sent < 1.4 * gits_own(path, tip, *known)


def test_a_whole_store_is_sent_as_it_is_stored(life: Path, tmp_path: Path) -> None:
    path = packed(life, tmp_path)
    # Deltas in both directions, named by place and by id, over packs that overlap, and a loose one.
    for back, words in ((90, ("--delta-base-offset",)), (40, ()), (300, ("--window=50",))):
        git(
            path,
            "pack-objects",
            "-q",
            "--revs",
            "--no-reuse-delta",
            *words,
            str(path / ".git" / "objects" / "pack" / "pack"),
            data=f"main~{back}\n",
        )
    git(path, "hash-object", "-w", "--stdin", data="nothing needs this")
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare"], check=True)
    with Repository.open(path, recover=False) as repo:
        index_pack(tmp_path / "bare", b"".join(whole_store(repo.parts().store)))
    every = ("cat-file", "--batch-all-objects", "--batch-check")
    assert git(tmp_path / "bare", *every) == git(path, *every)


def test_entries_of_a_broken_pack_are_not_copied(
    life: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mira"
    run("git", "clone", "-q", "--no-hardlinks", "--single-branch", life, path)
    git(path, "repack", "-adfq")
    (pack,) = (path / ".git" / "objects" / "pack").glob("*.pack")
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)
    monkeypatch.setattr(module, "_MANY", 100)
    with Repository.open(path, recover=False) as repo:
        tip = git(path, "rev-parse", "main").strip()
        with pytest.raises(DamagedRepository):
            list(outgoing(repo.parts(), [tip], []).entries)


def test_a_pack_that_is_not_thin_stands_alone(life: Path, tmp_path: Path) -> None:
    tip, old = git(life, "rev-parse", "main", "main~10").split()
    with Repository.open(life, recover=False) as repo:
        data = as_file(outgoing(repo.parts(), [tip], [old], thin=False))
    file = tmp_path / "alone.pack"
    file.write_bytes(data)
    run("git", "index-pack", file)


def test_a_remote_that_names_a_hundred_thousand_refs_costs_little(life: Path) -> None:
    tip, old = git(life, "rev-parse", "main", "main~1").split()
    strangers = [f"{each:040x}" for each in range(100_000)]
    with Repository.open(life, recover=False) as repo:
        looks: list[int] = []
        store = repo.parts().store
        rescan = store.rescan
        store.rescan = lambda: looks.append(1) or rescan()  # type: ignore[func-returns-value,method-assign]
        assert outgoing(repo.parts(), [tip], [*strangers, old]).count == 6
    assert len(looks) < 5


def test_a_small_push_onto_a_long_history_looks_at_no_index(
    life: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tip, old = git(life, "rev-parse", "main", "main~10").split()

    def looked(*_: object) -> None:
        raise AssertionError("the whole index of a pack was read")

    monkeypatch.setattr("perdure.git.objects.pack.PackFile.rows", looked)
    with Repository.open(life, recover=False) as repo:
        assert slices(repo.parts(), tip, [old], 200_000) == [tip]
        assert len(list(outgoing(repo.parts(), [tip], [old]).entries)) == 60


def test_a_commit_larger_than_a_slice_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "mira"
    make_life(path, 30)
    (path / "picture.bin").write_bytes(random.Random(1).randbytes(200_000))
    git(path, "add", "picture.bin")
    git(path, "commit", "-q", "-m", "a picture")
    (path / "after.md").write_text("after\n")
    git(path, "add", "after.md")
    git(path, "commit", "-q", "-m", "after")
    tip, picture, before = git(path, "rev-parse", "main", "main~1", "main~2").split()
    with Repository.open(path, recover=False) as repo:
        assert slices(repo.parts(), tip, [], 100_000)[-3:] == [before, picture, tip]


def test_known_commits_with_wrong_clocks_are_still_known() -> None:
    # The known tip says 1970; what it stands on comes by first, and is taken back.
    times = {"new": 90, "base": 80, "older": 70, "oldest": 60, "known": 0}
    parents = {"new": ["base"], "known": ["base"], "base": ["older"], "older": ["oldest"]}
    found = new_commits(lambda c: (times[c], parents.get(c, [])), ["new"], ["known"])
    assert found == {"new": ["base"]}


def test_what_is_taken_away_and_comes_back_stands_on_no_delta_of_itself(tmp_path: Path) -> None:
    """As by undo and redo: the file as the other side has it is sent again, beside a later one."""
    git(tmp_path, "init", "-q", "-b", "main", "here")
    path = tmp_path / "here"
    text = "".join(f"line {number} of something long enough\n" for number in range(200))
    for number, content in enumerate((text, f"{text}more\n", text, f"{text}more still\n")):
        (path / "a.md").write_text(content)
        git(path, "add", "a.md")
        git(path, "commit", "-q", "-m", f"edit: {number}")
    git(tmp_path, "clone", "-q", "--bare", str(path), "there.git")
    there = tmp_path / "there.git"
    tips = git(path, "rev-list", "main").split()
    git(there, "update-ref", "refs/heads/main", tips[-1])
    with Repository.open(path, recover=False) as repo:
        data = as_file(outgoing(repo.parts(), [tips[0]], [tips[-1]]))
    with create_repository(
        tmp_path / "third", {"b.md": b"b\n"}, message="begin\n", author=Author("M", "m@x")
    ) as third:
        git(third.path, "fetch", "-q", str(there), "main:known")
        incoming = IncomingPack(third.git_dir)
        with incoming:
            incoming.write(data)
            incoming.index(third.parts().store)
