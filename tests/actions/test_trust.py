"""A manifest that came from outside is disabled until the user confirms it."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.actions.agreement import RECORD_FILE, begin_agreement
from perdure.actions.trust import (
    confirm,
    destination_digest,
    is_confirmed,
    manifests_written_here,
    unconfirmed_backends,
)
from perdure.chat.events import Failed, Saved
from perdure.chat.session import Session
from perdure.companion.config.manifest import Manifest, render_manifest
from perdure.companion.config.settings import edit_settings
from perdure.git.repository.repository import Change, Repository
from perdure.notice import Notice
from tests.api_server import REPLY, ApiServer
from tests.conftest import assert_sound, git

KEY = "env:SECRET_OF_THE_USER"


@pytest.fixture(autouse=True)
def key_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "long-enough-to-be-a-key")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


def far(address: str, name: str = "far") -> Manifest:
    return Manifest(name, "openai", "tiny", address=address, key=KEY)


MINE = far("http://127.0.0.1:9/v1")


def commit_manifest(path: Path, *manifests: Manifest, author: str = "Eve <eve@far.invalid>") -> str:
    """As it arrives: in a plain commit of somebody. Only these backends are listed."""
    for manifest in manifests:
        (path / "backends" / f"{manifest.name}.yaml").write_bytes(render_manifest(manifest))
    settings = path / "companion.yaml"
    names = [manifest.name for manifest in manifests]
    settings.write_bytes(edit_settings(settings.read_bytes(), {"backends": names}))
    git(path, "add", "-A")
    git(path, "commit", "-q", f"--author={author}", "-m", "backend: a better one\n")
    return git(path, "rev-parse", "HEAD").strip()


async def say(path: Path, text: str = "Hi.") -> tuple[list[str], Saved | None, Failed | None]:
    """One message; what was noticed at the opening and in the turn, and how it ended."""
    session = await Session.open(path)
    told = [notice.text for notice in session.notices]
    saved, failed = None, None
    try:
        async for event in session.send(text):
            if isinstance(event, Notice):
                told.append(event.text)
            saved = event if isinstance(event, Saved) else saved
            failed = event if isinstance(event, Failed) else failed
    finally:
        await session.close()
    return told, saved, failed


async def test_what_a_commit_brought_is_sent_nothing(companion: Path, server: ApiServer) -> None:
    commit = commit_manifest(companion, far(server.address))
    told, saved, failed = await say(companion)
    assert server.asked == []
    assert saved is not None
    assert saved.turn.unanswered
    assert failed is not None
    assert failed.next_step == "perdure backend confirm far"
    notice = next(text for text in told if "came from outside" in text)
    host = server.address.removeprefix("http://").removesuffix("/v1")
    for part in (host, KEY, "tiny", "Eve", commit[:10], "perdure backend confirm far"):
        assert part in notice
    assert_sound(companion)


async def test_where_all_wait_to_be_confirmed_that_is_the_next_step(
    companion: Path, server: ApiServer
) -> None:
    commit_manifest(companion, far(server.address), far(server.address, "farther"))
    _, _, failed = await say(companion)
    assert failed is not None
    assert "perdure backend confirm far" in failed.next_step
    assert server.asked == []


async def test_once_confirmed_it_speaks(companion: Path, server: ApiServer) -> None:
    commit_manifest(companion, far(server.address))
    with Repository.open(companion) as repo:
        found = unconfirmed_backends(repo, "HEAD")
        confirm(repo, found)
        assert unconfirmed_backends(repo, "HEAD") == []
    told, saved, failed = await say(companion)
    assert failed is None
    assert saved is not None
    assert saved.turn.replies[0].text == REPLY
    assert not any("came from outside" in text for text in told)
    assert {key for _, key in server.asked} == {"Bearer long-enough-to-be-a-key"}


async def test_the_next_backend_speaks_in_its_place_and_the_commit_says_so(
    companion: Path, server: ApiServer
) -> None:
    mine = far(server.address, "mine")
    commit_manifest(companion, far("https://eve.invalid/v1"), mine)
    with Repository.open(companion) as repo:
        confirm(repo, [mine])
    _, saved, failed = await say(companion)
    assert failed is None
    assert saved is not None
    assert saved.turn.replies[0].backend == "mine"
    assert saved.turn.replies[0].stand_in
    assert "not confirmed" in git(companion, "log", "-1", "--format=%B")


@pytest.mark.parametrize(
    "changed",
    [
        replace(MINE, address="https://eve.invalid/v1"),
        replace(MINE, key="env:ANOTHER_SECRET"),
        replace(MINE, driver="anthropic"),
        replace(MINE, model="spy"),
    ],
)
def test_another_way_out_asks_anew(companion: Path, changed: Manifest) -> None:
    with Repository.open(companion) as repo:
        confirm(repo, [MINE])
        assert is_confirmed(repo, MINE)
        assert is_confirmed(repo, replace(MINE, parameters={"temperature": 0.2}))
        assert is_confirmed(repo, replace(MINE, context_window=4096))
        assert not is_confirmed(repo, changed)
        assert not is_confirmed(repo, replace(MINE, name="other"))


def test_the_embedded_model_needs_none_but_a_file_does(companion: Path) -> None:
    with Repository.open(companion) as repo:
        assert is_confirmed(repo, Manifest("a", "embedded", "smollm2-135m-instruct"))
        assert not is_confirmed(repo, Manifest("a", "embedded", "/etc/passwd.gguf"))
        far_away = Manifest("a", "embedded", "smollm2-135m-instruct", address="https://x.invalid")
        assert not is_confirmed(repo, far_away)


async def test_a_hand_edit_of_the_work_tree_is_the_users_own(
    companion: Path, server: ApiServer
) -> None:
    with Repository.open(companion) as repo:
        begin_agreement(repo)
    text = b"# mine, at home\n" + render_manifest(far(server.address))
    (companion / "backends" / "far.yaml").write_bytes(text)
    settings = companion / "companion.yaml"
    settings.write_bytes(edit_settings(settings.read_bytes(), {"backends": ["far"]}))
    await say(companion)
    assert (companion / "backends" / "far.yaml").read_bytes() == text
    with Repository.open(companion) as repo:
        assert unconfirmed_backends(repo, "HEAD") == []
    _, saved, failed = await say(companion)
    assert failed is None
    assert saved is not None
    assert not saved.turn.unanswered


async def test_a_hand_edit_of_what_waits_confirms_nothing(
    companion: Path, server: ApiServer
) -> None:
    commit_manifest(companion, far(server.address))
    with Repository.open(companion) as repo:
        begin_agreement(repo)
    path = companion / "backends" / "far.yaml"
    path.write_bytes(path.read_bytes().replace(b"tiny", b"big") + b"context_window: 2048\n")
    await say(companion)
    assert git(companion, "status", "--porcelain") == ""
    assert server.asked == []


def test_what_a_cut_off_merge_left_is_not_the_users_own(companion: Path) -> None:
    data = render_manifest(far("https://eve.invalid/v1"))
    change = Change("backends/far.yaml", data)
    with Repository.open(companion) as repo:
        assert manifests_written_here(repo, [change]) == []  # no record yet
        begin_agreement(repo)
        assert [each.name for each in manifests_written_here(repo, [change])] == ["far"]
        subprocess.run(
            ["git", "-C", str(companion), "hash-object", "-w", "--stdin"],
            input=data,
            capture_output=True,
            check=True,
        )
        assert manifests_written_here(repo, [change]) == []


def test_what_lay_in_the_folder_before_is_not_the_users_own(companion: Path) -> None:
    data = render_manifest(far("https://eve.invalid/v1"))
    (companion / "backends" / "far.yaml").write_bytes(data)
    with Repository.open(companion) as repo:
        begin_agreement(repo)
        assert manifests_written_here(repo, [Change("backends/far.yaml", data)]) == []


def test_a_copied_folder_asks_anew(companion: Path, tmp_path: Path) -> None:
    mine = far("https://own.invalid/v1")
    commit_manifest(companion, mine)
    with Repository.open(companion) as repo:
        confirm(repo, [mine])
    copy = tmp_path / "copy"
    shutil.copytree(companion, copy, symlinks=True)
    with Repository.open(copy) as repo:
        assert [each.name for each in unconfirmed_backends(repo, "HEAD")] == ["far"]
        (copy / "backends" / "far.yaml").write_bytes(render_manifest(mine) + b"# more\n")
        data = (copy / "backends" / "far.yaml").read_bytes()
        assert manifests_written_here(repo, [Change("backends/far.yaml", data)]) == []
    with Repository.open(companion) as repo:
        assert unconfirmed_backends(repo, "HEAD") == []
    moved = tmp_path / "moved"
    companion.rename(moved)
    with Repository.open(moved) as repo:
        assert unconfirmed_backends(repo, "HEAD") == []


def test_a_clone_asks_for_each(companion: Path, tmp_path: Path) -> None:
    mine = far("https://own.invalid/v1")
    commit_manifest(companion, mine, far("https://own.invalid/v1", "spare"))
    with Repository.open(companion) as repo:
        confirm(repo, [mine])
    git(tmp_path, "clone", "-q", str(companion), "clone")
    with Repository.open(tmp_path / "clone") as repo:
        assert [each.name for each in unconfirmed_backends(repo, "HEAD")] == ["far", "spare"]
        assert [each.name for each in unconfirmed_backends(repo, "HEAD", ["far"])] == ["far"]


def test_the_bringer_is_the_commit_that_changed_the_way_out(companion: Path) -> None:
    commit_manifest(companion, far("https://own.invalid/v1"), author="Ana <ana@example.invalid>")
    brought = commit_manifest(companion, far("https://eve.invalid/v1"))
    path = companion / "backends" / "far.yaml"
    path.write_bytes(path.read_bytes() + b"# a comment\n")
    git(companion, "commit", "-qam", "backend: words only")
    with Repository.open(companion) as repo:
        found = unconfirmed_backends(repo, "HEAD")[0]
    assert found.commit is not None
    assert found.commit.id == brought
    assert found.commit.author.name == "Eve"


@settings(max_examples=25)
@given(st.binary(max_size=200))
def test_a_damaged_record_confirms_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("damaged")
    git(path, "init", "-q")
    mine = far("https://own.invalid/v1")
    with Repository.open(path) as repo:
        repo.state_dir.mkdir(parents=True)
        (repo.state_dir / RECORD_FILE).write_bytes(data)
        assert not is_confirmed(repo, mine)
        confirm(repo, [mine])
        assert is_confirmed(repo, mine)
        kept = repo.state_dir / RECORD_FILE
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert mine.address.encode() not in kept.read_bytes()


def test_the_record_is_not_another_machines(companion: Path) -> None:
    mine = far("https://own.invalid/v1")
    with Repository.open(companion) as repo:
        confirm(repo, [mine])
        kept = repo.state_dir / RECORD_FILE
        record = json.loads(kept.read_bytes())
        assert record["backends"] == {"far": [destination_digest(mine)]}
        record["place"][0] = "0" * 32
        kept.write_text(json.dumps(record))
        assert not is_confirmed(repo, mine)


def test_an_older_bringer_is_named_as_one(companion: Path) -> None:
    commit_manifest(companion, far("https://own.invalid/v1"))
    for number in range(3):
        git(companion, "commit", "-q", "--allow-empty", "-m", f"edit: {number}")
    with Repository.open(companion) as repo:
        assert unconfirmed_backends(repo, "HEAD", most=4)[0].commit is not None
        found = unconfirmed_backends(repo, "HEAD", most=3)[0]
    assert found.commit is None
    assert "git log -- backends/far.yaml" in found.notice
