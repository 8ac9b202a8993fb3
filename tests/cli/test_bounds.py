"""A companion's files within bounds: what is too large, or too many, is named."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from perdure.companion.conversation import chunk as chunks
from perdure.companion.errors import BadFile
from perdure.companion.memory import lore
from perdure.git.errors import TooLargeObject
from perdure.git.repository.repository import Author, Change, Repository
from perdure.recall import RecallIndex
from perdure.recall.api import RecallQuery
from perdure.snapshot import files as companion_files
from perdure.snapshot.companion import read_companion
from perdure.snapshot.conversation.transcript import Transcript
from perdure.snapshot.excluded import Excluded
from perdure.snapshot.files import files_below
from perdure.snapshot.memory import read_memory
from perdure.snapshot.persona import files_in_folder
from perdure.snapshot.revisions import diff
from perdure.views.companions import overview
from tests.chat.test_session import talk
from tests.cli.conftest import Perdure
from tests.conftest import git
from tests.git.test_hostile_trees import commit, rows_of, set_ref, tree
from tests.git.test_hostile_trees import put as put_object

ANA = Author("Ana", "ana@example.org")
BIG = b"x" * (1024 * 1024 + 1)


def put(path: Path, *changes: Change) -> None:
    with Repository.open(path) as repo:
        repo.commit(changes, message="persona: x\n", author=ANA, branch="main")


def test_a_large_persona_file_refuses_a_prompt_by_its_name(companion: Path) -> None:
    put(companion, Change("persona/90-big.md", BIG))
    with Repository.open(companion) as repo:
        with pytest.raises(BadFile, match=r"persona/90-big\.md: larger than 1024 KiB") as error:
            read_companion(repo, "main")
        assert "perdure log persona/90-big.md" in str(error.value)
        assert "persona/90-big.md" in files_in_folder(repo).persona


def test_large_lore_and_facts_are_left_out_and_named(companion: Path) -> None:
    put(companion, Change("lore/big.md", BIG), Change("memory/facts/big.md", BIG))
    with Repository.open(companion) as repo:
        found = read_memory(repo, repo.resolve("main"), Excluded())
    assert sorted(trouble.path for trouble in found.troubles) == [
        "lore/big.md",
        "memory/facts/big.md",
    ]


@pytest.mark.parametrize("folder", ["persona", "lore", "memory/facts", "backends"])
def test_too_many_files_are_refused_by_the_folders_name(
    companion: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(companion_files.MOST_FILES, folder, 20)
    put(companion, *(Change(f"{folder}/x{number}.md", b"x\n") for number in range(21)))
    with Repository.open(companion) as repo:
        for look in (
            lambda: files_below(repo, folder, None),
            lambda: companion_files.check_counts(repo, "main"),
            lambda: files_in_folder(repo),
        ):
            with pytest.raises(BadFile, match=f"{folder}/: more than 20 files") as error:
                look()
            assert "Nothing was changed" in str(error.value)


def test_many_files_that_are_too_large_together_are_refused(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion_files, "MOST_TOGETHER", 5 * 1024 * 1024)
    large = b"x" * (1024 * 1024)
    put(companion, *(Change(f"lore/{n}.md", large) for n in range(6)))
    with Repository.open(companion) as repo, pytest.raises(BadFile, match="MiB together"):
        files_below(repo, "lore", None)


def test_a_chunk_that_is_too_large_is_passed_over_and_said(
    companion: Path, monkeypatch: pytest.MonkeyPatch, perdure: Perdure
) -> None:
    asyncio.run(talk(companion, "Do you know the river?"))
    chunk = next(iter((companion / "conversations").rglob("*.md")))
    name = chunk.relative_to(companion).as_posix()
    twin = name.replace(chunk.name, f"2026-01-01-0000-0001-{'ab' * 4}.md")
    put(companion, Change(twin, b"x" * (chunks.CHUNK_FILE_LIMIT + 1)))
    with Repository.open(companion) as repo:
        transcript = Transcript(repo, "main")
        troubles = [
            each.what for i in range(len(transcript.chunks)) for each in transcript.troubles(i)
        ]
        assert len(troubles) == 1
        assert "larger than 8 MiB" in troubles[0]
        assert overview(companion).conversations == 2
        with pytest.raises(TooLargeObject):
            repo.blob(repo.oid(twin) or "", most=chunks.CHUNK_FILE_LIMIT)
    # Told each time, by the index's own record.
    for _ in range(2):
        found = perdure("search", "river", PERDURE_COMPANION=str(companion))
        assert "river" in found.stdout
        assert found.stderr.count(f"not looked through, being larger than 8 MiB: {twin}") == 1
    with Repository.open(companion) as repo, closing(RecallIndex.open_usual(repo)) as index:
        for _ in range(2):
            assert index.find(repo.resolve("main"), RecallQuery("the river"))
            assert index.notice == f"not looked through, being larger than 8 MiB: {twin}"
        repo.commit([Change(twin, None)], message="persona: x\n", author=ANA, branch="main")
        assert index.find(repo.resolve("main"), RecallQuery("the river"))
        assert index.notice == ""


def test_lore_that_only_the_library_reads_is_bounded_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lore, "SLOW_LIMIT", 1000)
    slow = b"---\nkeys: [a, b]\n# " + b"x" * 300 + b"\n---\n\ntext\n"
    files = {f"lore/{number}.md": slow for number in range(5)}
    entries, troubles = lore.read_lore(
        {**files, "lore/z.md": b"---\ntitle: z\nkeys:\n  - z\n---\n\nz\n"}
    )
    assert [entry.path for entry in entries] == ["lore/0.md", "lore/1.md", "lore/2.md", "lore/z.md"]
    assert [trouble.path for trouble in troubles] == ["lore/3.md", "lore/4.md"]


@pytest.mark.parametrize("folder", ["persona", "lore", "conversations", "memory", "backends"])
def test_a_folder_that_is_a_link_is_said_and_not_walked(
    companion: Path, tmp_path: Path, folder: str, perdure: Perdure
) -> None:
    """As in a clone: the link is committed, and leads to all of the machine."""
    git(companion, "rm", "-rq", "--ignore-unmatch", folder)
    target = companion / folder
    if target.exists():
        target.rmdir()
    target.symlink_to("/")
    git(companion, "add", "-A", "-f", ".")
    git(companion, "commit", "-qm", "x")
    here = {"PERDURE_COMPANION": str(companion)}
    for words in (["persona", "check"], ["persona", "show"], ["lore", "list"], ["memory", "list"]):
        done = perdure(*words, **here)
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
    if folder in {"persona", "lore", "backends"}:
        checked = perdure("persona", "check", **here)
        assert "links are never followed" in checked.stdout + checked.stderr


def test_a_commit_with_a_huge_message_or_too_many_files_is_passed_by(
    companion: Path, perdure: Perdure
) -> None:
    with Repository.open(companion) as repo:
        tip = repo.resolve("main")
        clean = repo.commit_info(tip).tree
        rows = b"".join(b"100644 %07d\0" % number + bytes(20) for number in range(480_000))
        full = put_object(repo, b"tree", rows)
        root = tree(repo, [*rows_of(repo, clean), (b"40000", b"bulk", full)])
        odd = commit(repo, root, tip, says="persona: full")
        loud = commit(repo, clean, odd, says="persona: loud\n\n" + "x" * 5_000_000)
        set_ref(repo, "main", commit(repo, clean, loud, says="persona: tidy"))
    here = {"PERDURE_COMPANION": str(companion)}
    for words in (["log"], ["log", "--persona"], ["show", loud], ["branch"], ["list"]):
        done = perdure(*words, **here)
        assert done.returncode == 0, (words, done.stderr)
    shown = perdure("show", odd, **here)
    assert shown.returncode == 0
    assert "more files than perdure looks at" in shown.stdout


def test_log_goes_on_where_the_tip_itself_has_too_many_files(
    companion: Path, perdure: Perdure
) -> None:
    with Repository.open(companion) as repo:
        rows = b"".join(b"100644 %07d\0" % number + bytes(20) for number in range(480_000))
        full = put_object(repo, b"tree", rows)
        set_ref(repo, "main", commit(repo, full, repo.resolve("main"), says="persona: full"))
    done = perdure("log", PERDURE_COMPANION=str(companion))
    assert (done.returncode, "persona: full" in done.stdout) == (0, True), done.stderr


def test_of_a_commit_with_large_files_so_much_is_compared_together(
    companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff, "_MOST_TOGETHER", 250)
    put(companion, *(Change(f"lore/{name}.md", b"x" * 100) for name in "abc"))
    put(companion, Change("lore/a.md", b"y"))
    with Repository.open(companion) as repo:
        found = diff.changes_in(repo, repo.commit_info("main~1").id)
        assert [change.sizes for change in found] == [None, None, (0, 100)]
        (change,) = diff.changes_in(repo, repo.resolve("main"))
        assert (change.new, change.sizes) == ("y", None)


# One bad companion beside good ones


def break_yaml(path: Path) -> None:
    put(path, Change("companion.yaml", b'format: 1\nname: "\\uD800"\n'))


def break_keys(path: Path) -> None:
    put(path, Change("companion.yaml", b'"\\uD800": 1\n'))


def break_size(path: Path) -> None:
    put(path, Change("companion.yaml", BIG))


def break_head(path: Path) -> None:
    (path / ".git/HEAD").unlink()
    os.mkfifo(path / ".git/HEAD")


def break_config(path: Path) -> None:
    (path / ".git/config").unlink()
    os.mkfifo(path / ".git/config")


def break_refs(path: Path) -> None:
    (path / ".git/HEAD").write_bytes(b"\xff\xfe\0")


def break_objects(path: Path) -> None:
    for pack in (path / ".git/objects/pack").iterdir():
        pack.chmod(0o600)
        pack.write_bytes(b"\0" * 2000)


def break_work(path: Path) -> None:
    (path / "companion.yaml").unlink()
    os.mkfifo(path / "companion.yaml")


def break_tree(path: Path) -> None:
    put(path, Change("persona/x.md", b"x\n"))
    with Repository.open(path) as repo:
        set_ref(repo, "main", commit(repo, "12" * 20, repo.resolve("main")))


@pytest.fixture
def home(tmp_path: Path, companion: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "companions"
    folder.mkdir()
    for name in ("anna", "mira", "zoe"):
        git(tmp_path, "clone", "-q", "--no-hardlinks", str(companion), str(folder / name))
    monkeypatch.setenv("PERDURE_HOME", str(folder))
    return folder


@pytest.mark.parametrize(
    "breaking",
    [
        break_yaml, break_keys, break_size, break_head, break_config, break_refs, break_objects,
        break_work, break_tree,
    ],
)  # fmt: skip
def test_a_bad_companion_is_listed_with_its_trouble_and_the_others_as_ever(
    home: Path, perdure: Perdure, breaking: object
) -> None:
    assert callable(breaking)
    breaking(home / "mira")
    done = perdure("list", "--json")
    assert done.returncode == 0, done.stderr
    rows = {Path(row["path"]).name: row for row in json.loads(done.stdout)}
    assert rows["anna"]["problem"] is rows["zoe"]["problem"] is None
    assert rows["mira"]["problem"]
    assert "Traceback" not in done.stderr
    told = perdure("list")
    assert "anna" in told.stdout
    assert "zoe" in told.stdout
