"""Repositories made beside their place: they come whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.git.errors import BadPath, NotARepository, TooLargeObject
from perdure.git.objects.store import object_id
from perdure.git.repository.create import fresh_repository
from perdure.git.repository.repository import Repository
from perdure.git.worktree import checkout
from tests.processes import started


def git(path: Path, *words: str, data: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(path), *words], capture_output=True, input=data, check=True
    )
    return done.stdout.decode().strip()


def source(tmp_path: Path) -> Path:
    """A repository of git's with a program, an annotated tag, and two branches."""
    path = tmp_path / "source"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "companion.yaml").write_text("format: 1\n")
    (path / "bin").mkdir()
    (path / "bin" / "run").write_text("#!/bin/sh\n")
    (path / "bin" / "run").chmod(0o755)
    git(path, "add", ".")
    git(path, "commit", "-qm", "begin")
    git(path, "tag", "-a", "-m", "the first", "v1")
    git(path, "branch", "side/one")
    git(path, "repack", "-adq")
    return path


def refs_of(path: Path) -> dict[str, str]:
    rows = git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(row.split(" ") for row in rows)


def copy_packs(path: Path, packs: Path) -> None:
    for file in (path / ".git" / "objects" / "pack").iterdir():
        (packs / file.name).write_bytes(file.read_bytes())


def test_a_filled_repository_is_what_git_would_have_cloned(tmp_path: Path) -> None:
    path = source(tmp_path)
    place = tmp_path / "new"
    with fresh_repository(place) as fresh:
        copy_packs(path, fresh.packs)
        fresh.put_refs(refs_of(path))
        assert not place.exists()
        assert fresh.check_out("main") == []
    assert refs_of(place) == refs_of(path)
    assert git(place, "status", "--porcelain", "--branch") == "## main"
    assert git(place, "describe") == "v1"
    assert "error" not in git(place, "fsck", "--full", "--strict")
    assert os.access(place / "bin" / "run", os.X_OK)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new", "source"]
    with Repository.open(place) as repo:
        assert repo.recovery_trouble == ""
        assert repo.edits.find([""]).ready == []


def test_a_link_a_submodule_and_an_odd_name_are_never_written(tmp_path: Path) -> None:
    path = source(tmp_path)
    blob = git(path, "hash-object", "-w", "--stdin", data=b"/etc/passwd")
    commit = git(path, "rev-parse", "HEAD")
    rows = [
        (b"100644", b".git", blob),
        (b"100644", b"kept.md", blob),
        (b"120000", b"link", blob),
        (b"160000", b"sub", commit),
    ]
    tree = b"".join(b"%s %s\0" % row[:2] + bytes.fromhex(row[2]) for row in rows)
    oid = git(path, "hash-object", "--literally", "-w", "-t", "tree", "--stdin", data=tree)
    odd = git(path, "commit-tree", "-m", "odd", oid)
    git(path, "update-ref", "refs/heads/main", odd)
    git(path, "repack", "-adq")
    place = tmp_path / "new"
    with fresh_repository(place) as fresh:
        copy_packs(path, fresh.packs)
        fresh.put_refs(refs_of(path))
        left = fresh.check_out("main")
    assert left == [
        (".git", "no file may be called that"),
        ("link", "it is a link"),
        ("sub", "it is another repository"),
    ]
    assert sorted(each.name for each in place.iterdir()) == [".git", "kept.md"]
    assert (place / ".git").is_dir()
    with Repository.open(place) as repo:
        assert repo.edits.find([""]).ready == []


def test_more_files_than_a_disk_holds_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = source(tmp_path)
    monkeypatch.setattr(checkout, "_MOST_WRITTEN", 15)

    def copied() -> None:
        with fresh_repository(tmp_path / "new") as fresh:
            copy_packs(path, fresh.packs)
            fresh.put_refs(refs_of(path))
            fresh.check_out("main")

    with pytest.raises(TooLargeObject):
        copied()
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    "names",
    [
        ["refs/heads/../../config"],
        ["refs/heads/-rf"],
        ["refs/notes/x"],
        ["HEAD"],
        ["refs/heads/a", "refs/heads/a/b"],
        ["refs/heads/new\nline"],
    ],
)
def test_refs_that_git_would_not_take_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(BadPath), fresh_repository(tmp_path / "new") as fresh:
        fresh.put_refs(dict.fromkeys(names, object_id(b"blob", b"")))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("mine")
    with pytest.raises(NotARepository), fresh_repository(tmp_path / "new"):
        raise AssertionError
    assert (tmp_path / "new" / "mine").read_text() == "mine"


MAKING = """
import sys
from perdure.git.repository.create import fresh_repository
with fresh_repository(sys.argv[1]) as fresh:
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_and_what_a_living_one_makes_stays(
    tmp_path: Path,
) -> None:
    place = tmp_path / "new"
    command = [sys.executable, "-c", MAKING, str(place)]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        (unfinished,) = tmp_path.iterdir()
        with fresh_repository(place):
            assert unfinished.exists()
        git(place, "status")
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert unfinished.exists()
    with fresh_repository(tmp_path / "newer"):
        assert unfinished.exists()
    with pytest.raises(NotARepository), fresh_repository(place):
        raise AssertionError
    place.rename(tmp_path / "elsewhere")
    with fresh_repository(place):
        assert not unfinished.exists()
