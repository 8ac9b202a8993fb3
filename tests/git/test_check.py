from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.git.maintenance import verify as checking
from perdure.git.maintenance.check_roots import Finding
from perdure.git.maintenance.verify import Report, check
from perdure.git.objects.pack import PackFile
from perdure.git.packs import small
from perdure.git.packs.repack import Repacking, loose_files
from perdure.git.repository.repository import Author, Change, Repository
from tests.background import wait_for_children

Git = Callable[..., str]
MIRA = Author("Mira", "mira@companion.invalid")


@pytest.fixture
def talked(repo: Repository, git: Git) -> Repository:
    """Some turns in packs, some of them deltas; and a commit of git's in loose objects."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small, "SMALL_LIMIT", 4)
        for number in range(36):
            text = b"".join(b"turn %d\n" % n for n in range(number + 1))
            repo.commit([Change("talk.md", text)], message=f"t{number}", author=MIRA, branch="main")
        wait_for_children()
        assert list(Repacking(repo.git_dir).steps()) == []
    (repo.path / "note.md").write_text("by hand\n")
    git("add", "note.md")
    git("commit", "-q", "-m", "by hand")
    return repo


def damage(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.is_damage]


def kinds(report: Report) -> set[str]:
    return {finding.kind for finding in damage(report)}


def loose(repo: Repository, oid: str) -> Path:
    return repo.git_dir / "objects" / oid[:2] / oid[2:]


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def packs_of(repo: Repository, ending: str = ".pack") -> list[Path]:
    found = (repo.git_dir / "objects" / "pack").glob(f"*{ending}")
    return sorted(found, key=lambda path: path.stat().st_size)


def test_a_sound_repository_is_sound(talked: Repository, git: Git) -> None:
    git("tag", "-a", "-m", "before the move", "v1")
    git("stash", "list")
    report = check(talked.git_dir)
    assert report.findings == []
    assert report.is_sound
    assert report.is_complete
    listed = git("cat-file", "--batch-all-objects", "--batch-check", "--unordered").splitlines()
    assert report.objects >= len(set(listed))
    assert report.unreachable == 0


# The table of damages: what git finds, ours finds too.


def flip_loose(repo: Repository, oid: str) -> None:
    raw = zlib.decompress(loose(repo, oid).read_bytes())
    overwrite(loose(repo, oid), zlib.compress(raw.replace(b"hand", b"hund")))


def break_loose(repo: Repository, oid: str) -> None:
    data = bytearray(loose(repo, oid).read_bytes())
    data[len(data) // 2] ^= 0x20
    overwrite(loose(repo, oid), bytes(data))


def empty_loose(repo: Repository, oid: str) -> None:
    overwrite(loose(repo, oid), b"")


def remove_loose(repo: Repository, oid: str) -> None:
    loose(repo, oid).unlink()


@pytest.mark.parametrize(
    ("doing", "kind"),
    [
        (flip_loose, "corrupt"),
        (break_loose, "corrupt"),
        (empty_loose, "corrupt"),
        (remove_loose, "missing"),
    ],
)
@pytest.mark.parametrize("which", ["HEAD:note.md", "HEAD^{tree}", "HEAD"])
def test_a_damaged_loose_object_is_found(
    talked: Repository,
    git: Git,
    doing: Callable[[Repository, str], None],
    kind: str,
    which: str,
) -> None:
    oid = git("rev-parse", which).strip()
    if doing is flip_loose and which == "HEAD^{tree}":
        doing = break_loose
    doing(talked, oid)
    assert git("fsck", "--full", check=False) or True
    found = damage(check(talked.git_dir))
    assert oid in {finding.oid for finding in found if finding.kind == kind}
    assert all(finding.next_step for finding in found)


def test_a_bit_flipped_in_a_pack_is_found_wherever_it_is(talked: Repository) -> None:
    largest = packs_of(talked)[-1]
    whole = largest.read_bytes()
    for at in range(4, len(whole), max(1, len(whole) // 23)):
        data = bytearray(whole)
        data[at] ^= 0x04
        overwrite(largest, bytes(data))
        report = check(talked.git_dir)
        assert not report.is_sound, at
        assert "pack" in kinds(report)
    overwrite(largest, whole)
    assert check(talked.git_dir).is_sound


@pytest.mark.parametrize("left", [0, 7, 40, 400, -1, -200])
def test_a_truncated_pack_is_found(talked: Repository, left: int) -> None:
    largest = packs_of(talked)[-1]
    overwrite(largest, largest.read_bytes()[:left])
    assert kinds(check(talked.git_dir)) & {"pack", "missing", "corrupt"}


def test_a_damaged_or_cut_index_of_a_pack_is_found(talked: Repository) -> None:
    idx = packs_of(talked, ".idx")[-1]
    whole = idx.read_bytes()
    for at in (0, 5, 9, 700, 1100, len(whole) - 30, len(whole) - 5):
        data = bytearray(whole)
        data[at] ^= 1
        overwrite(idx, bytes(data))
        assert not check(talked.git_dir).is_sound, at
    overwrite(idx, whole[:1500])
    assert "pack" in kinds(check(talked.git_dir))


def test_a_pack_without_its_other_half_is_found(talked: Repository) -> None:
    packs_of(talked)[-1].unlink()
    report = check(talked.git_dir)
    assert "pack" in kinds(report)
    assert "missing" in kinds(report)


def test_an_object_is_read_from_its_other_copy(talked: Repository, git: Git) -> None:
    oid = git("rev-parse", "HEAD~3:talk.md").strip()
    place = loose(talked, oid)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"not an object")
    report = check(talked.git_dir)
    assert report.is_sound
    (odd,) = report.findings
    assert "another copy" in odd.next_step


@pytest.mark.parametrize("text", ["", "no id at all\n", "\0" * 41, "abc123\n"])
def test_a_ref_that_holds_garbage_is_found(talked: Repository, text: str) -> None:
    (talked.git_dir / "refs" / "heads" / "line").write_text(text)
    (finding,) = damage(check(talked.git_dir))
    assert finding.kind == "ref"
    assert "refs/heads/line" in finding.what


def test_refs_that_name_what_is_not_there_or_no_commit_are_found(
    talked: Repository, git: Git
) -> None:
    (talked.git_dir / "refs" / "heads" / "gone").write_text("12" * 20 + "\n")
    blob = git("rev-parse", "HEAD:note.md")
    (talked.git_dir / "refs" / "heads" / "blob").write_text(blob)
    report = check(talked.git_dir)
    assert kinds(report) == {"missing", "ref"}
    assert any("refs/heads/gone" in finding.what for finding in report.findings)


def test_operations_packed_refs_the_index_and_worktrees_are_followed(
    talked: Repository, git: Git, tmp_path: Path
) -> None:
    """Each of these is all that leads to an object of its own, which then goes."""
    git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    git("-C", str(tmp_path / "other"), "commit", "-q", "--allow-empty", "-m", "over there")
    there = git("-C", str(tmp_path / "other"), "rev-parse", "HEAD").strip()
    made = []
    for name in ("refs/perdure/ops", "refs/heads/packed"):
        made.append(git("commit-tree", "HEAD^{tree}", "-m", name).strip())
        git("update-ref", name, made[-1])
    git("pack-refs", "--all")
    (talked.path / "staged.md").write_text("staged only\n")
    git("add", "staged.md")
    made += [there, git("rev-parse", ":staged.md").strip()]
    assert check(talked.git_dir).is_sound
    for oid in made:
        loose(talked, oid).rename(tmp_path / "aside")
        (finding,) = damage(check(talked.git_dir))
        assert (finding.kind, finding.oid) == ("missing", oid)
        (tmp_path / "aside").rename(loose(talked, oid))


def test_a_damaged_index_and_a_missing_head_are_found(talked: Repository) -> None:
    index = talked.git_dir / "index"
    whole = index.read_bytes()
    index.write_bytes(whole[:60])
    assert kinds(check(talked.git_dir)) == {"index"}
    index.write_bytes(whole)
    (talked.git_dir / "HEAD").unlink()
    assert kinds(check(talked.git_dir)) == {"ref"}


def test_git_files_over_packs_are_looked_at(talked: Repository, git: Git) -> None:
    git("multi-pack-index", "write")
    git("commit-graph", "write", "--reachable")
    assert check(talked.git_dir).findings == []
    graph = talked.git_dir / "objects" / "info" / "commit-graph"
    overwrite(graph, graph.read_bytes()[:-20])
    (finding,) = damage(check(talked.git_dir))
    assert "commit-graph" in finding.what
    graph.unlink()
    git("repack", "-q", "-adk")
    git("multi-pack-index", "write")
    for path in packs_of(talked, ""):
        if path.suffix in {".idx", ".pack", ".rev"}:
            path.rename(path.with_name(path.name.replace("pack-", "pack-00", 1)))
    assert any("multi-pack-index" in finding.what for finding in damage(check(talked.git_dir)))


# No damage, but worth saying


def test_a_lost_commit_is_mentioned_and_one_in_the_reflog_is_not(
    talked: Repository, git: Git
) -> None:
    git("commit", "-q", "--allow-empty", "-m", "taken back")
    lost = git("rev-parse", "HEAD").strip()
    git("reset", "-q", "--hard", "HEAD~1")
    assert check(talked.git_dir).findings == []
    shutil.rmtree(talked.git_dir / "logs")
    (talked.git_dir / "ORIG_HEAD").unlink()
    report = check(talked.git_dir)
    assert report.is_sound
    assert report.unreachable == 1
    (finding,) = report.findings
    assert (finding.kind, finding.oid) == ("unreachable", lost)
    assert "taken back" in finding.what
    assert f"git branch NAME {lost[:12]}" in finding.next_step


def test_an_old_lost_commit_is_only_counted(talked: Repository, git: Git) -> None:
    tree = git("rev-parse", "HEAD^{tree}").strip()
    then = "2001-01-01T00:00:00Z"
    long_ago = {"GIT_COMMITTER_DATE": then, "GIT_AUTHOR_DATE": then}
    subprocess.run(
        ["git", "-C", talked.path, "commit-tree", tree, "-m", "old"],
        check=True, capture_output=True, env=os.environ | long_ago,
    )  # fmt: skip
    report = check(talked.git_dir)
    assert (report.findings, report.unreachable) == ([], 1)


def test_what_only_unreachable_objects_miss_is_no_damage(talked: Repository, git: Git) -> None:
    blob = git("hash-object", "-w", "--stdin", data=b"a").strip()
    git("mktree", data=f"100644 blob {blob}\ta\n".encode())
    loose(talked, blob).unlink()
    assert check(talked.git_dir).is_sound


def test_locks_and_unfinished_files_are_named_with_their_age(talked: Repository) -> None:
    lock = talked.git_dir / "index.lock"
    lock.touch()
    os.utime(lock, (0, lock.stat().st_mtime - 7200))
    half = talked.git_dir / "objects" / "pack" / "tmp_pack_x"
    half.touch()
    os.utime(half, (0, half.stat().st_mtime - 3 * 86400))
    report = check(talked.git_dir)
    assert report.is_sound
    said = sorted(finding.what for finding in report.findings)
    assert said == [
        "index.lock lies there for 2 hours", "objects/pack/tmp_pack_x lies there for 3 days"
    ]  # fmt: skip


def test_odd_refs_are_named(talked: Repository, git: Git) -> None:
    tip = git("rev-parse", "HEAD")
    for name in ("heads/Line", "heads/line", "original/heads/main", "heads/bad~name"):
        path = talked.git_dir / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tip)
    report = check(talked.git_dir)
    assert report.is_sound
    assert {finding.kind for finding in report.findings} == {"odd"}
    assert len(report.findings) == 3


# Other stores


def test_a_shallow_clone_and_borrowed_objects_are_sound(talked: Repository, tmp_path: Path) -> None:
    shallow, borrowing = tmp_path / "shallow", tmp_path / "borrowing"
    url = f"file://{talked.path}"
    for words in (
        ["--depth=3", url, str(shallow)],
        ["--shared", str(talked.path), str(borrowing)],
    ):
        subprocess.run(["git", "clone", "-q", *words], check=True)
    for place in (shallow, borrowing):
        report = check(place / ".git")
        assert damage(report) == []
        assert report.objects > 5
    (shallow / ".git" / "shallow").unlink()
    assert kinds(check(shallow / ".git")) == {"missing"}


# How it runs


def test_it_tells_how_far_it_is_and_stops_when_asked(
    talked: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_EVERY", 10)
    told: list[tuple[int, int]] = []
    whole = check(talked.git_dir, progress=lambda done, total: told.append((done, total)))
    assert len(told) == whole.objects // 10
    assert told == sorted(told)
    assert told[-1][0] <= told[-1][1]
    cut = check(talked.git_dir, should_stop=lambda: True)
    assert not cut.is_complete
    assert cut.objects == 10
    assert cut.is_sound, "nothing is said about what was not read"


def test_it_writes_nothing(talked: Repository) -> None:
    def listing() -> list[tuple[str, int, int]]:
        return sorted(
            (str(path), path.stat().st_mtime_ns, path.stat().st_size)
            for path in talked.path.rglob("*")
        )

    before = listing()
    check(talked.git_dir)
    assert listing() == before


def test_objects_that_are_packed_anew_meanwhile_are_not_missed(
    talked: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git packs everything anew after the packs were listed and before they are opened."""
    once = [True]

    def slow(idx: Path) -> PackFile:
        if once.pop() if once else False:
            git("repack", "-adfq")
        return PackFile(idx)

    monkeypatch.setattr(checking, "PackFile", slow)
    assert list(loose_files(talked.git_dir / "objects"))
    report = check(talked.git_dir)
    assert damage(report) == []
    assert report.objects >= 100
