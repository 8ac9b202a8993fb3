"""A drill: what it proves, what it finds on a place that is damaged, and that it leaves nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from platformdirs import user_cache_path, user_data_path

from perdure.cli.render.drill import report_lines
from perdure.companion.clock import now
from perdure.git.remotes.proof import read_drills, write_drills
from perdure.git.remotes.record import RemoteRecord, write_record
from perdure.git.remotes.settings import add_remote, find_remote, list_remotes
from perdure.git.repository.repository import Repository
from perdure.git.timeline import index_file
from perdure.git.wire.transport import Advertised
from perdure.rescue.drill import index_process
from perdure.rescue.drill.damage import in_words
from perdure.rescue.drill.news import Unsure, fetched_since
from perdure.rescue.drill.report import Depth, DrillReport, Verdict
from perdure.rescue.drill.run import drill
from perdure.views.proof import ProofState, due_notices, proof_state
from perdure.views.remotes import at_risk, remote_rows
from tests.cli.command import run_command
from tests.conftest import git, no_room
from tests.git_servers import GitServer, bare_repository
from tests.rescue.devices import add_backup, clone, say, sync

pytest_plugins = ["tests.git_servers"]


@pytest.fixture
def backed_up(companion: Path, place: Path) -> Path:
    say(companion, "the first thing", "the second thing")
    git(companion, "branch", "side", "HEAD~1")
    git(companion, "tag", "-a", "-m", "a note", "one", "HEAD~1")
    add_backup(companion, place)
    sync(companion)
    return companion


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After every drill the scratch place is empty, and no mark of a copy is kept."""
    known = user_data_path("perdure", appauthor=False) / "known"
    yield
    place = user_cache_path("perdure", appauthor=False) / "drills"
    assert not place.exists() or list(place.iterdir()) == []
    assert not known.exists() or len(list(known.glob("?" * 32))) <= 3


def drilled(path: Path, name: str = "origin", depth: Depth = "full") -> DrillReport:
    with Repository.open(path) as repo:
        return drill(repo, find_remote(repo, name), depth)


def state(path: Path) -> ProofState:
    with Repository.open(path) as repo:
        found = proof_state(repo)
    assert found is not None
    return found


def told(report: DrillReport) -> str:
    return "\n".join(finding.what for finding in report.findings)


def code(path: Path, *words: str) -> int:
    return run_command("drill", *words, cwd=path).returncode


def snapshot(path: Path) -> dict[str, bytes]:
    """Every file of a companion, but for what drills note."""
    return {
        str(each.relative_to(path)): each.read_bytes()
        for each in path.rglob("*")
        if each.is_file() and "drills" not in each.parts
    }


def pack_all(place: Path) -> Path:
    git(place, "repack", "-a", "-d", "-q")
    pack = next((place / "objects/pack").glob("*.pack"))
    pack.chmod(0o600)
    return pack


def drop_object(place: Path, oid: str) -> None:
    for pack in sorted((place / "objects/pack").glob("*.pack")):
        moved = place / pack.name
        shutil.move(pack, moved)
        pack.with_suffix(".idx").unlink()
        with moved.open("rb") as file:
            git_in(place, "unpack-objects", "-q", file.read())
        moved.unlink()
    (place / "objects" / oid[:2] / oid[2:]).unlink()


def git_in(place: Path, *words: str | bytes) -> None:
    *plain, data = words
    subprocess.run(["git", "-C", str(place), *plain], input=data, check=True, capture_output=True)


def test_a_whole_backup_is_proven_and_nothing_here_is_touched(backed_up: Path) -> None:
    before = snapshot(backed_up)
    report = drilled(backed_up)
    assert report.verdict is Verdict.PROVEN
    assert told(report) == ""
    assert snapshot(backed_up) == before
    assert {each.name: (each.here, each.there) for each in report.branches} == {
        "main": (2, 2),  # the greeting is none
        "side": (1, 1),
    }
    assert report.prompts == 2
    count = git(backed_up, "rev-list", "--objects", "--branches", "--tags").splitlines()
    assert report.objects == len(count)
    assert state(backed_up).is_well
    assert str(state(backed_up)).endswith("0 turns at risk")


def test_the_command_says_proven_at_risk_and_broken_by_its_exit_code(
    backed_up: Path, place: Path
) -> None:
    assert code(backed_up, "--last") == 3
    assert code(backed_up) == 0
    assert code(backed_up, "--last") == 0
    say(backed_up, "only here")
    assert code(backed_up, "--last") == 3
    assert state(backed_up).on_none.turns == 1
    assert code(backed_up) == 3
    sync(backed_up)
    assert state(backed_up).on_none.turns == 0
    assert state(backed_up).newer.turns == 1
    assert code(backed_up, "--last") == 3
    assert code(backed_up) == 0
    pack = pack_all(place)
    pack.write_bytes(pack.read_bytes()[:400])
    broken = run_command("drill", cwd=backed_up)
    assert broken.returncode == 1
    assert broken.stdout.lower().count("nothing can be restored") == 1
    assert code(backed_up, "--last") == 1
    assert code(backed_up, "--deep") == 2
    assert code(backed_up, "nowhere") == 2


def test_without_a_remote_it_says_so(companion: Path) -> None:
    for command in ("drill", "backup"):
        done = run_command(command, "--json", cwd=companion)
        assert done.returncode == 3
        assert "no remote yet" in done.stderr
        assert json.loads(done.stdout) == {"state": None, "remotes": []}


def test_a_missing_object_is_named(backed_up: Path, place: Path) -> None:
    blob = git(backed_up, "rev-parse", "HEAD:persona/10-who.md").strip()
    drop_object(place, blob)
    report = drilled(backed_up)
    assert report.verdict is Verdict.BROKEN
    assert "persona/10-who.md is missing" in told(report)
    assert not state(backed_up).is_proven


@pytest.mark.parametrize(
    ("rev", "name"),
    [
        ("main~1", "the commit of "),
        ("main^{tree}", "the list of files in a folder"),
        ("main~1:README.md", "README.md"),
    ],
)
def test_what_is_missing_is_said_in_words(
    backed_up: Path, place: Path, rev: str, name: str
) -> None:
    drop_object(place, git(backed_up, "rev-parse", rev).strip())
    (finding,) = drilled(backed_up).findings
    assert name in finding.what
    assert not re.search("[0-9a-f]{40}", f"{finding.what} {state(backed_up)}")


def test_what_git_says_of_an_object_is_said_in_words(backed_up: Path) -> None:
    oid = git(backed_up, "rev-parse", "HEAD:persona/10-who.md").strip()
    lines = {
        f"unable to read {oid}": "unable to read persona/10-who.md",
        f"bad object {oid}": "persona/10-who.md",
        f"loose object {oid} (stored in ./objects/{oid[:2]}/{oid[2:]}) is corrupt": (
            "persona/10-who.md is corrupt"
        ),
        f"object file ./objects/{oid[:2]}/{oid[2:]} is empty": "persona/10-who.md is empty",
        f"an entry of pack-{oid}.pack does not inflate": "an entry of a pack does not inflate",
        f"missing blob {'7' * 40}": "missing a part of the history",
    }
    with Repository.open(backed_up) as repo:
        assert {line: in_words(repo, line) for line in lines} == lines


def test_a_flipped_bit_is_found(backed_up: Path, place: Path) -> None:
    pack = pack_all(place)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 4
    pack.write_bytes(data)
    assert drilled(backed_up).verdict is Verdict.BROKEN


def test_a_truncated_pack_is_found(backed_up: Path, place: Path) -> None:
    pack = pack_all(place)
    pack.write_bytes(pack.read_bytes()[:-300])
    assert drilled(backed_up).verdict is Verdict.BROKEN


@pytest.mark.parametrize("damage", ["flip", "cut", "missing"])
def test_damage_behind_a_server_is_found(
    companion: Path, served: Path, git_daemon: GitServer, damage: str
) -> None:
    say(companion, "the first thing", "the second thing")
    served = bare_repository(served)
    git(companion, "push", "-q", str(served), "main")
    with Repository.open(companion) as repo:
        add_remote(repo, "origin", f"{git_daemon.url}/mira.git")
    assert drilled(companion).verdict is Verdict.PROVEN
    pack = pack_all(served)
    data = bytearray(pack.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 4
    elif damage == "cut":
        data = data[:-300]
    pack.write_bytes(data)
    if damage == "missing":
        drop_object(served, git(companion, "rev-parse", "HEAD:persona/10-who.md").strip())
    report = drilled(companion)
    if damage == "cut":
        # The server hangs up without a word: it might as well be the network.
        assert report.verdict is Verdict.UNPROVEN
        assert "git fsck" in report.findings[0].next_step
    else:
        assert report.verdict is Verdict.BROKEN
        assert "?" not in told(report)


def test_an_older_tip_puts_turns_at_risk(backed_up: Path, place: Path) -> None:
    assert drilled(backed_up).verdict is Verdict.PROVEN
    git(place, "update-ref", "refs/heads/main", "main~1")
    git(place, "gc", "-q", "--prune=now")
    report = drilled(backed_up)
    assert report.verdict is Verdict.UNPROVEN
    assert "1 turn of this companion did not come back" in told(report)
    assert next(report_lines(report.to_dict())).startswith("A restore from origin is not fully")
    assert state(backed_up).newer.turns == 1


def test_a_branch_a_tag_and_a_kept_line_that_are_gone_are_named(
    backed_up: Path, place: Path
) -> None:
    git(backed_up, "branch", "third", "main")
    git(backed_up, "switch", "-q", "third")
    say(backed_up, "on a line of its own")
    git(backed_up, "switch", "-q", "main")
    sync(backed_up)
    tip = git(backed_up, "rev-parse", "third").strip()
    done = run_command("branch", "third", "--delete", "--yes", cwd=backed_up)
    assert done.returncode == 0, done.stderr
    sync(backed_up)
    assert drilled(backed_up).verdict is Verdict.PROVEN
    for ref in ("refs/heads/side", "refs/tags/one", f"refs/perdure/kept/{tip}"):
        git(place, "update-ref", "-d", ref)
    report = drilled(backed_up)
    assert report.verdict is Verdict.UNPROVEN
    assert "1 branch of this companion did not come back (side)" in told(report)
    assert "1 tag of this companion did not come back (one)" in told(report)
    assert "1 kept line of this companion did not come back" in told(report)
    steps = {finding.what.split()[1]: finding.next_step for finding in report.findings}
    assert steps["kept"] == "perdure push origin"
    assert steps["branch"].startswith("perdure sync origin")
    assert steps["tag"].startswith("perdure sync origin")
    sync(backed_up)
    assert drilled(backed_up).verdict is Verdict.PROVEN


def test_an_empty_place_is_unproven_and_one_that_was_emptied_is_broken(
    companion: Path, backed_up: Path, place: Path, tmp_path: Path
) -> None:
    add_backup(backed_up, tmp_path / "empty.git", "empty")
    assert drilled(backed_up, "empty").verdict is Verdict.UNPROVEN
    shutil.rmtree(place)
    git(tmp_path, "init", "-q", "--bare", "place.git")
    report = drilled(backed_up)
    assert report.verdict is Verdict.BROKEN
    assert "it is empty" in told(report)


def test_another_companion_is_not_a_backup(backed_up: Path, place: Path, tmp_path: Path) -> None:
    shutil.rmtree(place)
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "place.git")
    git(tmp_path, "init", "-q", "-b", "main", "stranger")
    git(tmp_path / "stranger", "commit", "-q", "--allow-empty", "-m", "something else")
    git(tmp_path / "stranger", "push", "-q", str(place), "main")
    report = drilled(backed_up)
    assert report.verdict is Verdict.BROKEN
    assert "another companion" in told(report)


def test_a_chunk_that_is_damaged_only_there_is_named(
    backed_up: Path, place: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "-b", "main", str(place), "by-git")
    chunk = next((tmp_path / "by-git/conversations").rglob("*.md"))
    chunk.write_bytes(b"not what it was\n\xff\n" + chunk.read_bytes())
    git(tmp_path / "by-git", "commit", "-q", "-am", "broken by hand")
    git(tmp_path / "by-git", "push", "-q", "origin", "main")
    report = drilled(backed_up)
    assert report.verdict is Verdict.BROKEN
    assert chunk.name in told(report)


def test_a_chunk_that_is_damaged_here_too_is_told_and_no_more(backed_up: Path) -> None:
    chunk = next((backed_up / "conversations").rglob("*.md"))
    chunk.write_bytes(b"not what it was\n" + chunk.read_bytes())
    git(backed_up, "commit", "-q", "-am", "broken by hand")
    sync(backed_up)
    report = drilled(backed_up)
    assert report.verdict is Verdict.PROVEN
    assert "is no other here" in told(report)


def test_a_place_that_is_away_keeps_its_proof(backed_up: Path, place: Path) -> None:
    drilled(backed_up)
    place.rename(place.with_name("unplugged"))
    report = drilled(backed_up)
    assert report.verdict is Verdict.UNPROVEN
    assert "could not be tried" in told(report)
    assert next(report_lines(report.to_dict())).startswith("A restore from origin could not be")
    assert state(backed_up).is_proven
    place.mkdir()
    assert drilled(backed_up).verdict is Verdict.UNPROVEN
    (place / "something").write_text("else")
    assert drilled(backed_up).verdict is Verdict.BROKEN


def test_a_full_disk_is_no_fault_of_the_backup(backed_up: Path) -> None:
    drilled(backed_up)
    with no_room(), Repository.open(backed_up) as repo, pytest.raises(Exception, match="space"):
        drill(repo, list_remotes(repo)[0], "full")
    assert state(backed_up).is_proven


def test_another_device_s_turns_are_proven_too(
    backed_up: Path, place: Path, tmp_path: Path
) -> None:
    second = clone(place, tmp_path / "second")
    say(second, "from the second")
    sync(second)
    report = drilled(backed_up)
    assert report.verdict is Verdict.PROVEN
    assert ("main", 2, 3) in {(each.name, each.here, each.there) for each in report.branches}
    assert state(backed_up).is_well


def test_a_remote_taken_away_takes_its_proof_along(backed_up: Path) -> None:
    drilled(backed_up)
    assert run_command("remote", "remove", "origin", cwd=backed_up).returncode == 0
    with Repository.open(backed_up) as repo:
        assert proof_state(repo) is None
        assert read_drills(repo, "origin", "").proof is None
        assert not (repo.state_dir / "drills" / "origin.json").exists()


def test_backup_says_what_is_unproven(backed_up: Path) -> None:
    done = run_command("backup", "--yes", cwd=backed_up)
    assert done.returncode == 3
    assert "no restore is proven" in done.stderr
    drilled(backed_up)
    assert run_command("backup", "--yes", cwd=backed_up).returncode == 0
    say(backed_up, "something new")
    done = run_command("backup", "--yes", cwd=backed_up)
    assert done.returncode == 3
    assert "1 turn newer than the proof" in done.stderr


def test_backup_goes_on_where_one_remote_fails(backed_up: Path, tmp_path: Path) -> None:
    add_backup(backed_up, tmp_path / "gone.git", name="away")
    shutil.rmtree(tmp_path / "gone.git")
    say(backed_up, "to the other one")
    done = run_command("backup", "--yes", "--json", cwd=backed_up)
    assert done.returncode == 3
    assert "no restore is proven" in done.stderr
    assert "perdure: away: " in done.stderr
    found = json.loads(done.stdout)
    assert found["state"]["turns_on_no_remote"] == 0
    rows = {each["remote"]: each for each in found["remotes"]}
    assert rows["origin"]["level"] is True
    assert rows["away"]["level"] is False
    assert rows["away"]["problem"]
    drilled(backed_up)
    assert state(backed_up).is_well
    assert run_command("backup", "--yes", cwd=backed_up).returncode == 3


def test_a_pull_does_not_say_that_a_remote_has_everything(backed_up: Path) -> None:
    say(backed_up, "not there yet")
    assert run_command("pull", cwd=backed_up).stdout == "origin has nothing new.\n"


def test_a_quick_drill_takes_only_what_is_new(backed_up: Path) -> None:
    assert drilled(backed_up, depth="quick").depth == "full"
    nothing = drilled(backed_up, depth="quick")
    assert (nothing.verdict, nothing.objects, nothing.chunks) == (Verdict.PROVEN, 0, 0)
    with Repository.open(backed_up) as repo:
        remote = find_remote(repo, "origin")
        record = read_drills(repo, "origin", remote.url)
        assert record.proof is not None
        old = msgspec.structs.replace(record.proof, full_at=1.0, spoke=("local",))
        write_drills(repo, "origin", msgspec.structs.replace(record, proof=old))
    say(backed_up, "something new")
    sync(backed_up)
    before = snapshot(backed_up)
    report = drilled(backed_up, depth="quick")
    assert snapshot(backed_up) == before
    assert (report.depth, report.verdict) == ("quick", Verdict.PROVEN)
    assert 0 < report.objects < 20
    assert ("main", 3, 3) in {(each.name, each.here, each.there) for each in report.branches}
    assert state(backed_up).is_well
    with Repository.open(backed_up) as repo:
        proof = read_drills(repo, "origin", remote.url).proof
    assert proof is not None
    assert (proof.full_at, proof.spoke) == (1.0, ("local",))
    whole = drilled(backed_up)
    assert [*whole.branches] == [*report.branches]


def test_a_quick_drill_reads_no_chunk_again_for_a_short_old_branch(backed_up: Path) -> None:
    git(backed_up, "branch", "a-first", "HEAD~2")
    chunk = next((backed_up / "conversations").rglob("*.md"))
    for digit in "abc":
        other = f"2020-01-0{'abc'.index(digit) + 1}-0800-0001-{digit * 8}.md"
        chunk.with_name(other).write_bytes(chunk.read_bytes())
    git(backed_up, "add", "-A")
    git(backed_up, "commit", "-q", "-m", "import: more")
    sync(backed_up)
    drilled(backed_up)
    say(backed_up, "something new")
    sync(backed_up)
    report = drilled(backed_up, depth="quick")
    assert report.depth == "quick"
    assert report.chunks == 2  # the one that grew, before and after


def test_a_quick_drill_finds_what_is_wrong_with_the_news(backed_up: Path, place: Path) -> None:
    drilled(backed_up)
    say(backed_up, "something new")
    sync(backed_up)
    chunk = next((backed_up / "conversations").rglob("*.md")).relative_to(backed_up)
    drop_object(place, git(backed_up, "rev-parse", f"HEAD:{chunk}").strip())
    report = drilled(backed_up, depth="quick")
    assert report.verdict is Verdict.BROKEN
    assert chunk.name in told(report)
    assert not state(backed_up).is_proven


def test_a_quick_drill_finds_a_chunk_that_is_damaged_there(
    backed_up: Path, place: Path, tmp_path: Path
) -> None:
    drilled(backed_up)
    git(tmp_path, "clone", "-q", "-b", "main", str(place), "by-git")
    chunk = next((tmp_path / "by-git/conversations").rglob("*.md"))
    chunk.write_bytes(b"not what it was\n" + chunk.read_bytes())
    git(tmp_path / "by-git", "commit", "-q", "-am", "broken by hand")
    git(tmp_path / "by-git", "push", "-q", "origin", "main")
    report = drilled(backed_up, depth="quick")
    assert report.depth == "quick"
    assert report.verdict is Verdict.BROKEN
    assert chunk.name in told(report)


class Short:
    """A remote that says it has a commit of this machine's, and sends that one alone."""

    def __init__(self, refs: dict[str, str], pack: bytes) -> None:
        self._refs, self._pack = refs, pack

    def fetch(
        self,
        wants: Callable[[Advertised], Sequence[str]],
        heads: Sequence[str],
        parents: Callable[[str], Sequence[str]],
        write: Callable[[bytes], None],
        progress: Callable[[str], None],
    ) -> Advertised:
        del heads, parents, progress
        found = Advertised(self._refs, None)
        wants(found)
        write(self._pack)
        return found


def test_what_only_this_machine_has_is_not_taken_for_the_remote_s(
    backed_up: Path, tmp_path: Path
) -> None:
    drilled(backed_up)
    say(backed_up, "only here")
    tip = git(backed_up, "rev-parse", "HEAD").strip()
    pack = subprocess.run(
        ["git", "-C", str(backed_up), "pack-objects", "--stdout", "-q"],
        input=tip.encode(),
        check=True,
        capture_output=True,
    ).stdout
    with Repository.open(backed_up) as repo:
        remote = find_remote(repo, "origin")
        proof = read_drills(repo, "origin", remote.url).proof
        assert proof is not None
        report = DrillReport("origin", remote.url, "quick", now())
        short: Any = Short({**proof.tips, "refs/heads/main": tip}, pack)
        with (
            pytest.raises(Unsure),
            fetched_since(tmp_path / "scratch", repo, proof, short, report, lambda _: None),
        ):
            pass


def test_damage_here_is_not_said_of_the_backup(backed_up: Path) -> None:
    chunk = next((backed_up / "conversations").rglob("*.md")).relative_to(backed_up)
    say(backed_up, "only here")
    drop_object(backed_up / ".git", git(backed_up, "rev-parse", f"HEAD:{chunk}").strip())
    report = drilled(backed_up)
    assert report.verdict is Verdict.UNPROVEN
    assert "the companion here is not" in told(report)


def aged(path: Path, days: float) -> None:
    """Let the proof be from so many days ago; fewer than none: from days to come."""
    with Repository.open(path) as repo:
        remote = find_remote(repo, "origin")
        record = read_drills(repo, "origin", remote.url)
        assert record.proof is not None
        proof = msgspec.structs.replace(record.proof, at=record.proof.at - days * 86400)
        write_drills(repo, "origin", msgspec.structs.replace(record, proof=proof))


def test_a_proof_is_stale_after_a_week_and_a_clock_makes_none_young(backed_up: Path) -> None:
    drilled(backed_up)
    aged(backed_up, 6)
    assert state(backed_up).is_well
    assert "6 d ago" in str(state(backed_up))
    aged(backed_up, 2)
    assert state(backed_up).is_stale
    assert not state(backed_up).is_well
    assert code(backed_up, "--last") == 3
    aged(backed_up, -30)
    # From days to come: nobody can say how old it is.
    assert state(backed_up).is_proven
    assert state(backed_up).is_stale
    assert "at an unknown time" in str(state(backed_up))


def test_a_remote_that_went_back_takes_its_proof_along(backed_up: Path, place: Path) -> None:
    drilled(backed_up)
    git(place, "update-ref", "refs/heads/main", "main~1")
    git(backed_up, "fetch", "-q", "origin")
    assert not state(backed_up).is_proven


def test_what_a_remote_that_went_back_lost_is_on_no_remote(backed_up: Path, place: Path) -> None:
    drilled(backed_up)
    git(place, "update-ref", "refs/heads/main", git(backed_up, "rev-parse", "HEAD~1").strip())
    assert run_command("sync", cwd=backed_up).returncode == 1
    with Repository.open(backed_up) as repo:
        risk = at_risk(repo)
    assert risk is not None
    assert str(risk).startswith("1 turn on no remote, oldest ")
    assert state(backed_up).on_none.turns == 1


def test_an_undone_turn_that_no_remote_has_is_at_risk(backed_up: Path) -> None:
    drilled(backed_up)
    say(backed_up, "not to be lost")
    assert run_command("undo", "-y", cwd=backed_up).returncode == 0
    assert "1 turn on no remote" in str(state(backed_up))
    assert not state(backed_up).is_well
    assert code(backed_up, "--quick") == 3
    sync(backed_up)
    assert code(backed_up, "--quick") == 0


def test_a_change_of_the_persona_that_no_remote_has_is_at_risk(backed_up: Path) -> None:
    drilled(backed_up)
    (backed_up / "persona" / "99-more.md").write_text("She loves tea.\n", encoding="utf-8")
    git(backed_up, "add", "persona")
    git(backed_up, "commit", "-qm", "She loves tea")
    assert "1 change on no remote" in str(state(backed_up))
    with Repository.open(backed_up) as repo:
        (row,) = remote_rows(repo)
    assert row.state.startswith("1 change not there yet")
    assert code(backed_up) == 3
    sync(backed_up)
    assert "1 change newer than the proof" in str(state(backed_up))
    assert code(backed_up) == 0


def test_what_only_an_old_proof_covers_is_newer_than_the_proof(
    backed_up: Path, tmp_path: Path
) -> None:
    add_backup(backed_up, tmp_path / "behind.git", name="behind")
    sync(backed_up, "behind")
    say(backed_up, "only on one of them")
    sync(backed_up, "origin")
    drilled(backed_up, "origin")
    with Repository.open(backed_up) as repo:
        remote = find_remote(repo, "origin")
        record = read_drills(repo, "origin", remote.url)
        assert record.proof is not None
        old = msgspec.structs.replace(record.proof, at=record.proof.at - 8 * 86400)
        write_drills(repo, "origin", msgspec.structs.replace(record, proof=old))
    drilled(backed_up, "behind")
    assert "1 turn newer than the proof" in str(state(backed_up))
    drilled(backed_up, "origin")
    assert str(state(backed_up)).endswith("0 turns at risk")


def test_a_word_after_a_week_without_a_proof_is_said_once(backed_up: Path) -> None:
    def notices() -> list[str]:
        with Repository.open(backed_up) as repo:
            return [notice.text for notice in due_notices(repo)]

    assert notices() == []
    drilled(backed_up)
    assert notices() == []
    aged(backed_up, 8)
    (text,) = notices()
    assert "7 days" in text
    assert notices() == []
    drilled(backed_up)
    assert notices() == []


def test_list_says_what_is_proven(backed_up: Path) -> None:
    drilled(backed_up)
    home = {"PERDURE_HOME": str(backed_up.parent)}
    done = run_command("list", cwd=backed_up, env=home)
    assert "restore proven" in done.stdout
    assert "0 turns at risk" in done.stdout
    done = run_command("list", "--json", cwd=backed_up, env=home)
    (row,) = [each for each in json.loads(done.stdout) if each["path"] == str(backed_up)]
    assert row["restore"]["proven"] is True


def test_plain_status_says_what_is_proven(backed_up: Path) -> None:
    drilled(backed_up)
    done = run_command("chat", "--plain", cwd=backed_up, stdin="/status\n/quit\n")
    assert "Restore proven" in done.stdout, done.stderr


def test_a_place_that_strangers_can_read_is_said_loudly(
    companion: Path, served: Path, git_http: GitServer
) -> None:
    say(companion, "the first thing")
    served = bare_repository(served)
    git(companion, "push", "-q", str(served), "main")
    with Repository.open(companion) as repo:
        add_remote(repo, "origin", f"{git_http.url}/mira.git")
    report = drilled(companion)
    assert report.verdict is Verdict.UNPROVEN
    assert "ANYBODY CAN READ" in told(report)
    # All of it came back, and the proof stays; only the place must be looked at.
    assert state(companion).is_proven
    with Repository.open(companion) as repo:
        url = find_remote(repo, "origin").url
        write_record(repo, "origin", RemoteRecord(url, is_public_agreed=True))
    assert drilled(companion).verdict is Verdict.PROVEN


def test_the_history_is_indexed_by_a_process_of_its_own(
    backed_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> None:
        raise AssertionError("the history was read here")

    monkeypatch.setattr(index_file.Opener, "_fill", fill)
    report = drilled(backed_up)
    assert report.verdict is Verdict.PROVEN
    assert report.prompts == 2


def test_without_that_process_the_prompts_are_rebuilt_all_the_same(
    backed_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_process, "__name__", "nowhere")
    report = drilled(backed_up)
    assert report.prompts == 2
    assert "the recall index could not be built" in told(report)
