"""`perdure adopt`: a safe companion of a folder that somebody handed over."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from perdure.actions.companion.adopt import WORDS_FILE, adopting
from perdure.actions.trust import unconfirmed_backends
from perdure.git import disk
from perdure.git.commit.journal_file import Intent, JournalFile
from perdure.git.errors import HistoryError
from perdure.git.packs import outgoing
from perdure.git.repository.repository import Repository
from tests.cli.command import run_command
from tests.cli.handed_folder import Adopt, adopt, everything, handed, place
from tests.conftest import assert_sound, git
from tests.newer_git import NewerGit, newer_git

__all__ = ["adopt", "handed", "newer_git", "place"]


def refs(path: Path) -> dict[str, str]:
    rows = git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return {name: oid for name, _, oid in (row.partition(" ") for row in rows)}


def test_history_comes_and_nothing_that_is_run(handed: Path, place: Path, adopt: Adopt) -> None:
    adopt("--yes")
    expected = refs(handed)
    del expected["refs/perdure/ops"]
    assert refs(place) == expected
    assert not (place / ".git" / "hooks").exists()
    settings = (place / ".git" / "config").read_text()
    assert "fsmonitor" not in settings
    assert "filter" not in settings
    assert_sound(place)
    with Repository.open(place) as repo:
        assert [each.name for each in unconfirmed_backends(repo, "HEAD")] == ["far"]
        assert repo.odd_config() == []


def test_a_plan_is_shown_and_nothing_done_without_a_yes(place: Path, adopt: Adopt) -> None:
    said = adopt("--dry-run")
    assert "Copies 2 branches and 1 tag" in said
    assert "Not used before you confirm it: the backend far." in said
    assert "no terminal to ask on" in adopt(code=2)
    assert not place.exists()
    told = json.loads(adopt("--dry-run", "--json"))
    assert (told["adopted"], told["plan"]["unconfirmed"]) == (False, ["far"])


def test_state_from_elsewhere_and_links_beside_the_history_change_nothing(
    handed: Path, place: Path, adopt: Adopt, tmp_path: Path
) -> None:
    mine = tmp_path / "Documents"
    mine.mkdir()
    (mine / "thesis.txt").write_text("words")
    state = handed / ".git" / "perdure" / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    for name in ("spare", "held", "journals"):
        (state / name).symlink_to(mine)
    plan = {"done": ["../../../Documents/thesis.txt"], "own": "."}
    (state / "operation.json").write_text(json.dumps(plan))
    shutil.rmtree(handed / ".git" / "logs", ignore_errors=True)
    (handed / ".git" / "logs").mkdir()
    (handed / ".git" / "logs" / "HEAD").symlink_to(mine / "thesis.txt")
    adopt("--yes")
    assert everything(mine).keys() == {"thesis.txt"}
    assert (mine / "thesis.txt").read_text() == "words"
    assert_sound(place)


@pytest.mark.parametrize("name", ["refs/heads/main", "objects/pack", "packed-refs", "HEAD"])
def test_a_link_where_the_history_lies_is_refused(
    handed: Path, place: Path, adopt: Adopt, tmp_path: Path, name: str
) -> None:
    link = handed / ".git" / name
    if link.is_dir():
        shutil.move(link, tmp_path / "other")
    else:
        link.unlink(missing_ok=True)
        (tmp_path / "other").write_text("ref: refs/heads/main\n")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "other")
    assert "is a link" in adopt("--yes", code=1)
    assert not place.exists()


def test_odd_names_of_an_old_commit_come_and_are_never_written(
    handed: Path, place: Path, adopt: Adopt, tmp_path: Path
) -> None:
    blob = git(handed, "rev-parse", "HEAD:companion.yaml").strip()
    row = b"100644 ..\0" + bytes.fromhex(blob)
    raw = tmp_path / "tree"
    raw.write_bytes(row)
    tree = git(handed, "hash-object", "--literally", "-w", "-t", "tree", str(raw)).strip()
    raw.unlink()
    git(
        handed,
        "update-ref",
        "refs/heads/story",
        git(handed, "commit-tree", "-m", "x", tree).strip(),
    )
    assert "1 odd name" in adopt("--yes")
    assert "refs/heads/story" in refs(place)


def test_a_head_that_names_no_branch_gets_the_best_one(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    git(handed, "symbolic-ref", "HEAD", "refs/heads/nowhere")
    assert "Checks out main: the folder names the branch nowhere" in adopt("--yes")
    assert git(place, "symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert git(place, "status", "--porcelain") == ""


def test_a_commit_without_a_branch_gets_one(handed: Path, place: Path, adopt: Adopt) -> None:
    git(handed, "checkout", "-q", "--detach")
    git(handed, "commit", "-q", "--allow-empty", "-m", "by itself")
    adopt("--yes")
    assert git(place, "log", "-1", "--format=%s", "was-checked-out").strip() == "by itself"


def test_a_damaged_branch_stays_out_and_the_others_come(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    git(handed, "switch", "-qc", "torn")
    (handed / "persona" / "60-torn.md").write_text("torn")
    git(handed, "add", "-A")
    git(handed, "commit", "-qm", "persona: torn")
    oid = git(handed, "rev-parse", "HEAD:persona/60-torn.md").strip()
    git(handed, "switch", "-q", "main")
    path = handed / ".git" / "objects" / oid[:2] / oid[2:]
    path.unlink()
    said = adopt("--yes")
    assert "Leaves out refs/heads/torn: object" in said
    assert refs(place).keys() >= {"refs/heads/main", "refs/heads/side/one", "refs/tags/then"}
    assert "refs/heads/torn" not in refs(place)
    assert_sound(place)


def test_damage_in_a_stored_delta_costs_its_branch_alone(
    handed: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are many objects, deltas are copied as they stand, and checked after."""
    monkeypatch.setattr(outgoing, "_MANY", 0)
    lines = "".join(f"Line {number} of her voice.\n" for number in range(400))
    for name, text in (("main", lines), ("torn", f"{lines}One more.\n")):
        git(handed, "switch", "-qC", name)
        (handed / "persona" / "60-long.md").write_text(text)
        git(handed, "add", "-A")
        git(handed, "commit", "-qm", "persona: long")
    git(handed, "repack", "-adfq")
    oids = {
        name: git(handed, "rev-parse", f"{name}:persona/60-long.md").strip()
        for name in ("main", "torn")
    }
    (index,) = (handed / ".git" / "objects" / "pack").glob("*.idx")
    rows = git(handed, "verify-pack", "-v", str(index)).splitlines()
    parts = [row.split() for row in rows]
    # Id, kind, size, size in the pack, offset, depth, base.
    ends = {row[0]: int(row[4]) + int(row[3]) for row in parts if len(row) == 7}
    (broken,) = [name for name, oid in oids.items() if oid in ends]
    pack = index.with_suffix(".pack")
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[ends[oids[broken]] - 1] ^= 0xFF
    pack.write_bytes(data)
    git(handed, "switch", "-q", "side/one")
    with adopting(handed, place) as adoption:
        assert [name for name, _ in adoption.history.left_out] == [
            f"refs/heads/{name}" for name in ("main", "torn") if name in {broken, "torn"}
        ]


def test_a_folder_that_borrows_is_not_followed(
    handed: Path, place: Path, adopt: Adopt, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shutil.move(handed / ".git" / "objects", shared)
    (handed / ".git" / "objects" / "info").mkdir(parents=True)
    (handed / ".git" / "objects" / "info" / "alternates").write_text(f"{shared}\n")
    assert "no branch of it is whole" in adopt("--yes", code=1)
    assert not place.exists()


def test_an_object_that_is_another_than_it_is_named_is_refused(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    (handed / "other.md").write_text("Other words.")
    other = git(handed, "hash-object", "-w", "other.md").strip()
    (handed / "other.md").unlink()
    git(handed, "update-ref", "refs/tags/forged", other)
    forged = handed / ".git" / "objects" / other[:2] / other[2:]
    forged.chmod(0o600)
    forged.write_bytes(zlib.compress(b"blob 5\0words"))
    assert "Leaves out refs/tags/forged" in adopt("--yes")
    assert "refs/tags/forged" not in refs(place)


def test_edits_come_as_edits_and_links_do_not(
    handed: Path, place: Path, adopt: Adopt, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("mine")
    (handed / "persona" / "30-you.md").write_text("By hand.\n")
    (handed / "lore").mkdir(exist_ok=True)
    (handed / "lore" / "new.md").write_text("A town.\n")
    (handed / "persona" / "70-link.md").symlink_to(tmp_path / "secret")
    (handed / "notes.txt").write_text("Not a companion's.\n")
    said = adopt("--yes")
    assert "taken as edits by hand: lore/new.md, persona/30-you.md." in said
    assert (place / "persona" / "30-you.md").read_text() == "By hand.\n"
    assert not (place / "persona" / "70-link.md").exists()
    assert not (place / "notes.txt").exists()
    changed = set(git(place, "status", "--porcelain", "-uall").splitlines())
    assert changed == {" M persona/30-you.md", "?? lore/new.md"}


def journal(
    handed: Path,
    header: Mapping[str, object],
    text: str,
    *,
    commit: str = "",
    is_done: bool = False,
) -> None:
    """A turn that was being written when its process died."""
    folder = handed / ".git" / "perdure" / "state" / "journals"
    disk.make_folder(folder)
    file = JournalFile.create(folder)
    file.begin(header)
    file.text(text)
    if commit:
        file.intend(Intent("main", commit, {}, []))
    if is_done:
        file.finish()
    file.abandon()


def test_words_of_a_turn_and_a_draft_are_offered_as_text(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    key = "ghp_" + "aB3d" * 9
    said = {"speaker": "Ana", "text": f"What of {key}?"}
    journal(handed, {"message": said, "branch": "../../evil"}, "I was \x1b[2Jabout to")
    dropped = {"message": {"speaker": "Ana", "text": "Dropped."}}
    journal(handed, dropped, "No.", is_done=True)
    tip = git(handed, "rev-parse", "HEAD").strip()
    journal(handed, {"message": {"speaker": "Ana", "text": "Saved."}}, "Yes.", commit=tip)
    (handed / ".git" / "perdure" / "state" / "draft.txt").write_text("half a \x1b[31mthought")
    shown = adopt("--yes")
    assert "What of [key removed]?" in shown
    assert "half a " in shown
    assert (place / WORDS_FILE).read_text() == "What of [key removed]?\n\nI was [2Jabout to\n"
    assert (place / ".git/perdure/state/draft.txt").read_text() == "half a [31mthought"
    assert git(place, "rev-parse", "HEAD").strip() == tip
    with Repository.open(place) as repo:
        assert repo.edits.find(["persona", "conversations", "companion.yaml"]).ready == []


def test_a_folder_of_files_becomes_a_companion_with_one_commit(
    handed: Path, place: Path, adopt: Adopt
) -> None:
    shutil.rmtree(handed / ".git")
    (handed / "notes.txt").write_text("Not a companion's.\n")
    assert "its files become the first commit" in adopt("--yes")
    assert git(place, "rev-list", "--count", "--all").strip() == "1"
    assert git(place, "status", "--porcelain") == ""
    assert (place / ".gitattributes").is_file()
    assert not (place / "notes.txt").exists()
    with Repository.open(place) as repo:
        assert [each.name for each in unconfirmed_backends(repo, "HEAD")] == ["far"]


def test_a_bare_repository_is_adopted(handed: Path, place: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--mirror", str(handed), str(bare))
    done = run_command("adopt", str(bare), "--at", str(place), "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert refs(place)["refs/heads/main"] == refs(handed)["refs/heads/main"]
    assert git(place, "status", "--porcelain") == ""


def test_a_shallow_clone_stays_one(handed: Path, place: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{handed}", str(shallow))
    done = run_command("adopt", str(shallow), "--at", str(place), "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert git(place, "rev-parse", "--is-shallow-repository").strip() == "true"
    assert_sound(place)


@pytest.mark.parametrize(
    ("what", "says"),
    [("nothing", "is no folder"), ("empty", "no companion.yaml"), ("file", "is in another folder")],
)
def test_what_is_no_companion_is_said(tmp_path: Path, place: Path, what: str, says: str) -> None:
    folder = tmp_path / what
    if what != "nothing":
        folder.mkdir()
    if what == "file":
        (folder / ".git").write_text(f"gitdir: {tmp_path}\n")
    done = run_command("adopt", str(folder), "--at", str(place), "--yes", cwd=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert not place.exists()


def test_a_folder_of_another_user_is_read_and_not_obeyed(
    handed: Path, place: Path, tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    for path in (handed, *handed.rglob("*")):
        os.lchown(path, 65534, 65534)
    with pytest.raises(HistoryError, match="belongs to"):
        Repository.open(handed)
    with adopting(handed, place):
        pass
    assert_sound(place)


def test_refs_in_tables_are_read(
    newer_git: NewerGit, handed: Path, place: Path, tmp_path: Path
) -> None:
    tables = tmp_path / "tables"
    newer_git(tmp_path, "clone", "-q", "--ref-format=reftable", str(handed), str(tables))
    newer_git(tables, "branch", "more")
    done = run_command("adopt", str(tables), "--at", str(place), "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    heads = {name for name in refs(place) if name.startswith("refs/heads/")}
    assert heads == {"refs/heads/main", "refs/heads/more"}
    assert_sound(place)
