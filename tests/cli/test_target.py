"""Which companion a command means: a message never goes to one that nobody meant."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from perdure.cli.errors import LostCompanion
from perdure.cli.root import root
from tests.cli.command import run_command
from tests.cli.conftest import Perdure
from tests.conftest import copied, git

WORDS = "secret meant for Here"


def run(cwd: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as typed in a folder."""
    return run_command(*words, cwd=cwd, env={"PERDURE_MODELS": str(cwd / "none")} | environ)


@pytest.fixture
def only(companion: Path, own_home: Path) -> Path:
    """The only companion in the folder of companions."""
    own_home.joinpath("companions").mkdir()
    return copied(companion, own_home / "companions" / "only")


@pytest.fixture
def here(companion: Path) -> Path:
    """A companion in a place of its own."""
    git(companion, "commit", "-q", "--allow-empty", "-m", "turn: A first word.")
    return companion


def deleted(here: Path) -> Path:
    (here / "companion.yaml").unlink()
    return here


def deleted_and_in_a_subfolder(here: Path) -> Path:
    (here / "companion.yaml").unlink()
    return here / "persona"


def staged_as_removed(here: Path) -> Path:
    git(here, "rm", "-q", "companion.yaml")
    return here


def removed_by_a_commit(here: Path) -> Path:
    git(here, "rm", "-q", "companion.yaml")
    git(here, "commit", "-qm", "gone")
    git(here, "commit", "-q", "--allow-empty", "-m", "and on")
    return here


def kept_out_by_sparse(here: Path) -> Path:
    git(here, "sparse-checkout", "set", "--no-cone", "persona")
    return here


def on_a_branch_without(here: Path) -> Path:
    git(here, "switch", "-q", "--orphan", "notes")
    (here / "notes.md").write_text("Notes.\n")
    git(here, "add", "notes.md")
    git(here, "commit", "-qm", "notes")
    return here


def on_a_branch_without_commits(here: Path) -> Path:
    git(here, "switch", "-q", "--orphan", "nothing")
    return here


def at_a_commit_without(here: Path) -> Path:
    on_a_branch_without(here)
    git(here, "switch", "-q", "--detach")
    return here


def cloned_with_another_head(here: Path) -> Path:
    bare = here.parent / "hub.git"
    git(here, "init", "-q", "--bare", "-b", "master", str(bare))
    git(here, "push", "-q", str(bare), "main")
    clone = here.parent / "clone"
    git(here, "clone", "-q", str(bare), str(clone))
    assert [path.name for path in clone.iterdir()] == [".git"]
    return clone


def fetched_from_two_remotes(here: Path) -> Path:
    new = here.parent / "new"
    git(here, "init", "-q", "-b", "trunk", str(new))
    for name in ("one", "two"):
        git(new, "remote", "add", name, str(here))
        git(new, "fetch", "-q", name)
    return new


def fetched_beside_a_main_of_its_own(here: Path) -> Path:
    new = here.parent / "new"
    git(here, "init", "-q", "-b", "main", str(new))
    git(new, "commit", "-q", "--allow-empty", "-m", "mine")
    git(new, "remote", "add", "origin", str(here))
    git(new, "fetch", "-q", "origin")
    return new


def fetched_as_a_tag(here: Path) -> Path:
    git(here, "tag", "-m", "as it was", "kept")
    new = here.parent / "new"
    git(here, "init", "-q", "-b", "main", str(new))
    git(new, "fetch", "-q", str(here), "refs/tags/kept:refs/tags/kept")
    return new


def in_a_linked_work_tree(here: Path) -> Path:
    linked = here.parent / "linked"
    git(here, "worktree", "add", "-q", str(linked))
    (linked / "companion.yaml").unlink()
    return linked


def in_a_linked_work_tree_without(here: Path) -> Path:
    linked = here.parent / "linked"
    git(here, "worktree", "add", "-q", "--detach", str(linked))
    git(linked, "switch", "-q", "--orphan", "nothing")
    return linked


def with_a_git_file(here: Path) -> Path:
    git(here, "init", "-q", "--separate-git-dir", str(here.parent / "elsewhere.git"))
    (here / "companion.yaml").unlink()
    return here


def behind_a_link(here: Path) -> Path:
    (here / "companion.yaml").unlink()
    (here.parent / "link").symlink_to(here)
    return here.parent / "link" / "persona"


LOST = [
    deleted,
    deleted_and_in_a_subfolder,
    staged_as_removed,
    removed_by_a_commit,
    kept_out_by_sparse,
    on_a_branch_without,
    on_a_branch_without_commits,
    at_a_commit_without,
    cloned_with_another_head,
    fetched_from_two_remotes,
    fetched_beside_a_main_of_its_own,
    fetched_as_a_tag,
    in_a_linked_work_tree,
    in_a_linked_work_tree_without,
    with_a_git_file,
    behind_a_link,
]


@pytest.mark.parametrize(
    ("lose", "named"),
    [*((each, False) for each in LOST), (deleted, True), (cloned_with_another_head, True)],
    ids=lambda each: getattr(each, "__name__", "named" if each else "stood in"),
)
def test_a_companion_that_lacks_something_stops_with_a_way_back_that_works(
    lose: Callable[[Path], Path],
    only: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    named: bool,
) -> None:
    before = git(only, "rev-parse", "HEAD")
    place = lose(here)
    cwd, words = (place.parent, ["-c", f"./{place.name}"]) if named else (place, [])
    monkeypatch.chdir(cwd)
    done = CliRunner().invoke(root, [*words, "say", WORDS])
    assert isinstance(done.exception, LostCompanion)
    said = str(done.exception)
    assert "othing was changed" in said
    assert git(only, "rev-parse", "HEAD") == before
    assert git(here, "log", "--all", f"--grep={WORDS}") == ""

    told = re.search(r"(?:cd \S+ && )?git (?:checkout|switch) .*", said)
    assert told is not None, said
    subprocess.run(["sh", "-c", told[0]], cwd=cwd, check=True, capture_output=True)
    after = CliRunner().invoke(root, [*words, "aside", "--list"])
    assert (after.exit_code, after.exception) == (0, None)
    assert "A first word." in CliRunner().invoke(root, [*words, "log"]).output


def test_a_bare_repository_and_a_copy_without_git_stop_too(only: Path, here: Path) -> None:
    before = git(only, "rev-parse", "HEAD")
    bare = here.parent / "hub.git"
    git(here, "clone", "-q", "--bare", str(here), str(bare))
    done = run(bare, "say", WORDS)
    assert (done.returncode, f"perdure clone {bare}" in done.stderr) == (1, True)
    assert run(bare / "refs" / "heads", "say", WORDS).returncode == 1
    copy = here.parent / "copy"
    shutil.copytree(here, copy, ignore=shutil.ignore_patterns(".git"))
    done = run(copy / "persona", "say", WORDS)
    assert (done.returncode, "no git repository" in done.stderr) == (1, True)
    assert git(only, "rev-parse", "HEAD") == before


@pytest.mark.parametrize("broken", ["HEAD", "objects", "empty HEAD"])
def test_a_clone_that_git_itself_cannot_read_stops_too(only: Path, here: Path, broken: str) -> None:
    before = git(only, "rev-parse", "HEAD")
    clone = here.parent / "clone"
    git(here, "clone", "-q", str(here), str(clone))
    (clone / "companion.yaml").unlink()
    if broken == "objects":
        shutil.rmtree(clone / ".git/objects")
    elif broken == "HEAD":
        (clone / ".git/HEAD").unlink()
    else:
        (clone / ".git/HEAD").write_bytes(b"")
    done = run(clone / "persona", "say", WORDS)
    assert done.returncode == 1
    assert "internal error" not in done.stderr
    assert git(only, "rev-parse", "HEAD") == before


def test_in_a_folder_that_is_gone_the_companion_has_to_be_named(only: Path, here: Path) -> None:
    before = git(only, "rev-parse", "HEAD")
    gone = here / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$0" "$@"'
    perdure = str(Path(sys.executable).with_name("perdure"))
    for words, code in ((["say", WORDS], 1), (["-c", "only", "blame", "companion.yaml"], 0)):
        gone.mkdir(exist_ok=True)
        done = subprocess.run(
            ["sh", "-c", script, perdure, *words],
            cwd=gone, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert (done.returncode, "internal error" in done.stderr) == (code, False), done.stderr
    assert git(only, "rev-parse", "HEAD") == before


def test_where_no_companion_is_stood_in_the_only_one_is_meant_and_named(
    only: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "project")
    project = tmp_path / "project"
    git(project, "commit", "-q", "--allow-empty", "-m", "another program's")
    for cwd in (tmp_path, project):
        done = run(cwd, "say", "Hello.")
        assert done.stderr.splitlines()[0] == f"To only, the only companion in {only.parent}."
        plain = run(cwd, "chat", "--plain")
        assert f"To only, the only companion in {only.parent}.\n" in plain.stderr
    for words in (["-c", "only", "say", "Hi."], ["chat", "only", "--plain"]):
        assert "the only companion" not in run(tmp_path, *words).stderr
    assert "the only companion" not in run(only / "persona", "say", "Hi.").stderr
    assert "the only companion" not in run(tmp_path, "say", "Hi.", PERDURE_COMPANION="only").stderr


def test_what_a_killed_process_left_beside_them_is_no_companion(only: Path, here: Path) -> None:
    copied(here, only.with_name(".other.new-0a1b2c3d"))
    done = run(only.parent, "list", "--json")
    assert [row["path"] for row in json.loads(done.stdout)] == [str(only)]
    assert run(only.parent, "where").stdout.strip() == str(only)


def test_a_companion_with_trouble_is_listed_and_counts(only: Path, here: Path) -> None:
    lost = copied(here, only.parent / "lost")
    (lost / "companion.yaml").unlink()
    clone = only.parent / "clone"
    cloned_with_another_head(here).rename(clone)
    rows = {Path(r["path"]).name: r for r in json.loads(run(here, "list", "--json").stdout)}
    assert set(rows) == {"only", "lost", "clone"}
    assert rows["only"]["problem"] is None
    assert "git checkout -- companion.yaml" in rows["lost"]["problem"]
    assert "git switch main" in rows["clone"]["problem"]
    shown = run(here, "list").stdout
    assert all(str(path) in shown for path in (only, lost, clone))
    done = run(here.parent, "say", WORDS)
    assert (done.returncode, "several companions" in done.stderr) == (1, True)
    for name in ("lost", "clone"):
        assert run(here.parent, "-c", name, "say", WORDS).returncode == 1
    assert "A first word." in run(lost, "log").stdout
    assert "companion.yaml" in run(lost, "diff").stdout


def test_a_path_names_a_companion_from_anywhere(only: Path, here: Path) -> None:
    outside = here.parent
    for named in (here.name, f"./{here.name}", f"{here.name}/persona", str(here)):
        assert run(outside, "-c", named, "where").stdout == f"{here}\n"
        assert run(outside, "where", PERDURE_COMPANION=named).stdout == f"{here}\n"
    assert run(here / "persona", "-c", ".", "where").stdout == f"{here}\n"
    assert run(here / "persona", "where").stdout == f"{here}\n"
    assert run(here / "persona", "where", "only").stdout == f"{only}\n"
    assert json.loads(run(here, "where", "only", "--json").stdout) == {"path": str(only)}
    assert run(here, "where", "nobody").returncode == 1


def test_a_path_in_what_new_says_can_be_pasted(perdure: Perdure, tmp_path: Path) -> None:
    done = perdure("new", "Ana María", "--at", str(tmp_path / "with spaces" / "x"))
    assert f"perdure -c '{tmp_path / 'with spaces' / 'x'}' chat" in done.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["-c", ""], {"only"}),
        (["log", "-c", ""], {"only"}),
        (["switch", ""], {"main", "side"}),
        (["-c", "only", "switch", ""], {"main"}),
        (["merge", "s"], {"side"}),
        (["branch", "s"], {"side"}),
        (["tag", ""], {"kept"}),
        (["blame", "persona/1"], {"persona/10-who.md"}),
        (["restore", "comp"], {"companion.yaml"}),
        (["persona", "edit", "10"], {"10-who.md"}),
        (["backend", "check", ""], {"rehearsal"}),
        (["lore", "edit", ""], {"river"}),
    ],
)
def test_the_shell_completes_names_of_the_companion_meant(
    only: Path, here: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], offered: set[str]
) -> None:
    git(here, "branch", "side")
    git(here, "tag", "kept")
    (here / "lore").mkdir(exist_ok=True)
    (here / "lore/river.md").write_text("---\nkeys: [river]\n---\nA river.\n")
    git(here, "add", "lore")
    git(here, "commit", "-qm", "lore")
    monkeypatch.chdir(here)
    completion = ShellComplete(root, {}, "perdure", "_PERDURE_COMPLETE")
    found = completion.get_completions(typed[:-1], typed[-1])
    assert {each.value for each in found} == offered
    (here / ".git" / "HEAD").unlink()
    assert isinstance(completion.get_completions(typed[:-1], typed[-1]), list)
