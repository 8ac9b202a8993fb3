"""Adding a remote on a real server: who can read it, whose key it is, where a password goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from perdure.actions.workspace import Workspace
from perdure.cli.root import root
from perdure.git.remotes.settings import list_remotes
from perdure.git.repository.repository import Repository
from perdure.git.wire.errors import NeedsTyping
from perdure.rescue.join import join, plan_join
from perdure.rescue.run import sync_by_itself
from perdure.views.remotes import remote_rows
from tests.conftest import git
from tests.git_servers import PASSWORD, USER, GitServer, SshServer, bare_repository
from tests.rescue.devices import add_backup, clone, refs, say, sync


def test_what_everyone_can_read_is_seen(
    git_http: GitServer, git_http_password: GitServer, companion: Path
) -> None:
    bare_repository(git_http.folder)
    with Workspace.open(companion) as workspace:
        assert plan_join(workspace.repo, "open", f"{git_http.url}/mira.git").public
        with pytest.raises(NeedsTyping):
            plan_join(workspace.repo, "shut", f"{git_http_password.url}/mira.git")


def test_a_public_place_pauses_what_is_sent_by_itself(
    git_http: GitServer, companion: Path, tmp_path: Path
) -> None:
    place = bare_repository(git_http.folder)
    git(companion, "push", "-q", str(place), "main")
    second = clone(f"{git_http.url}/mira.git", tmp_path / "second")
    say(second, "a secret")
    with Workspace.open(second) as workspace:
        assert sync_by_itself(workspace)
        asked = len(git_http.requests)
        assert sync_by_itself(workspace)
        assert len(git_http.requests) == asked
        (row,) = remote_rows(workspace.repo)
    assert "anybody can read" in row.paused
    assert refs(place) == refs(companion)


def test_a_host_key_is_shown_first(git_ssh: SshServer, companion: Path) -> None:
    bare_repository(git_ssh.folder)
    git_ssh.known_hosts.write_text("")
    with Workspace.open(companion) as workspace:
        plan = plan_join(workspace.repo, "origin", f"{git_ssh.url}/mira.git")
        assert plan.host_key is not None
        assert plan.host_key.fingerprint in str(plan.describe())
        assert git_ssh.known_hosts.read_text() == ""
        join(workspace.repo, plan)
        assert git_ssh.known_hosts.read_text() == git_ssh.host_key
        assert plan_join(workspace.repo, "again", f"{git_ssh.url}/mira.git").host_key is None


def test_a_clone_shows_the_key_first_too(
    git_ssh: SshServer, companion: Path, tmp_path: Path
) -> None:
    bare_repository(git_ssh.folder)
    url = f"{git_ssh.url}/mira.git"
    add_backup(companion, url)
    sync(companion)
    git_ssh.known_hosts.write_text("")
    place = tmp_path / "second"
    words = ["clone", url, "--at", str(place)]
    refused = CliRunner().invoke(root, words)
    assert refused.exit_code == 2
    assert "SHA256:" not in refused.stdout
    assert (place.exists(), git_ssh.known_hosts.read_text()) == (False, "")
    done = CliRunner().invoke(root, [*words, "--yes"])
    assert done.exit_code == 0
    assert "SHA256:" in done.stdout
    assert git_ssh.known_hosts.read_text() == git_ssh.host_key
    assert refs(place) == refs(companion)


def test_no_password_is_written_down(
    git_http_password: GitServer, companion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perdure.git.wire import credentials

    kept: dict[tuple[str, str], str] = {}

    def store(service: str, user: str, secret: str) -> bool:
        kept[service, user] = secret
        return True

    monkeypatch.setattr(credentials, "keyring_ready", lambda: True)
    monkeypatch.setattr(credentials, "store_secret", store)
    monkeypatch.setattr(credentials, "read_secret", lambda *names: kept.get(names, ""))
    remote = bare_repository(git_http_password.folder)
    url = f"http://{USER}:{PASSWORD}@127.0.0.1:{git_http_password.port}/mira.git"
    say(companion, "hello")
    with Workspace.open(companion) as workspace:
        join(workspace.repo, plan_join(workspace.repo, "origin", url))
        assert PASSWORD not in list_remotes(workspace.repo)[0].url
    sync(companion)
    assert refs(remote) == refs(companion)
    for file in (companion / ".git").rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


def test_a_clone_has_been_synced_when_it_was_made(companion: Path, tmp_path: Path) -> None:
    say(companion, "the first thing")
    add_backup(companion, tmp_path / "place.git")
    sync(companion)
    second = clone(tmp_path / "place.git", tmp_path / "second")
    with Repository.open(second) as repo:
        (row,) = remote_rows(repo)
    assert row.synced is not None
    assert row.state.startswith("has everything, last synced ")
