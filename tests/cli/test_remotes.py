"""Remotes as people type them, on real servers: what is said, and what is never written down."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.conftest import Perdure
from tests.conftest import git
from tests.git_servers import PASSWORD, USER, GitServer, bare_repository
from tests.processes import ROOT
from tests.rescue.devices import edit, refs, say

KEY = "sk-" + "proj-Zq8vN3kT7wXb2LmR5yHc9JdFgKp4"


def test_a_password_that_git_wrote_down_is_moved(
    git_http_password: GitServer, companion: Path, perdure: Perdure, tmp_path: Path
) -> None:
    """As ``git clone https://ana:token@…`` leaves it."""
    remote = bare_repository(git_http_password.folder)
    url = f"http://{USER}:{PASSWORD}@127.0.0.1:{git_http_password.port}/mira.git"
    git(companion, "remote", "add", "origin", url)
    said = ""

    def typed(*words: str, code: int, **environ: str) -> str:
        nonlocal said
        done = perdure("-c", str(companion), *words, **environ)
        assert done.returncode == code, done.stderr
        said += done.stdout + done.stderr
        return done.stderr

    none = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    typed("remote", "list", "--json", code=0)
    assert "PERDURE_TOKEN_ORIGIN" in typed("sync", code=1, **none)
    assert PASSWORD in (companion / ".git" / "config").read_text()
    typed("drill", "--json", code=3, **none)
    typed("remote", "list", code=0)
    has_one = {
        "PYTHON_KEYRING_BACKEND": "tests.cli.file_keyring.Keyring",
        "PYTHONPATH": str(ROOT),
        "FILE_KEYRING": str(tmp_path / "keyring"),
    }
    assert "was moved to the keyring" in typed("push", "--json", code=0, **has_one)
    typed("drill", "--json", code=0, **has_one)
    assert PASSWORD not in said
    assert refs(remote) == refs(companion)
    for file in (companion / ".git").rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


def test_what_is_said_in_a_clone_of_a_public_place_stays_here(
    git_http: GitServer, companion: Path, perdure: Perdure, tmp_path: Path
) -> None:
    place = bare_repository(git_http.folder)
    git(companion, "push", "-q", str(place), "main")
    url = f"{git_http.url}/mira.git"
    second = tmp_path / "second"
    assert perdure("clone", url, "--at", str(second)).returncode == 0
    say(second, "a secret")
    for _ in range(2):
        done = perdure("-c", str(second), "push")
        assert done.returncode == 1
        assert f"anybody can read {url}" in done.stderr
    assert perdure("-c", str(second), "sync").returncode == 1
    assert refs(place) == refs(companion)
    perdure("-c", str(second), "remote", "remove", "origin")
    perdure("-c", str(second), "remote", "add", "origin", url, "--public", "Mira", "--yes")
    assert perdure("-c", str(second), "push").returncode == 0
    assert refs(place) == refs(second)


def test_a_clone_is_searched_for_what_its_place_lacks(
    companion: Path, perdure: Perdure, tmp_path: Path
) -> None:
    edit(companion, "persona/30-old.md", f"The old key is {KEY}1\n")
    place = bare_repository(tmp_path)
    git(companion, "push", "-q", str(place), "main")
    second = tmp_path / "second"
    perdure("clone", str(place), "--at", str(second))
    edit(second, "persona/40-new.md", f"The new key is {KEY}2\n")
    done = perdure("-c", str(second), "push")
    assert done.returncode == 1
    assert "persona/40-new.md" in done.stderr
    assert "persona/30-old.md" not in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert perdure("-c", str(second), "push", "--yes").returncode == 0
    assert refs(place) == refs(second)
    # Another place gets all of it.
    perdure("-c", str(second), "remote", "add", "other", str(tmp_path / "other"), "--yes")
    done = perdure("-c", str(second), "push", "other")
    assert done.returncode == 1
    assert "persona/30-old.md" in done.stderr


def test_what_a_place_refuses_is_named_with_its_reason(
    git_daemon: GitServer, companion: Path, perdure: Perdure
) -> None:
    place = bare_repository(git_daemon.folder)
    git(place, "config", "receive.denyDeletes", "true")
    hook = place / "hooks" / "update"
    hook.write_text("#!/bin/sh\ncase $1 in */secret*) echo no secrets, please; exit 1; esac >&2\n")
    hook.chmod(0o755)

    def typed(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = perdure("-c", str(companion), *words)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    typed("remote", "add", "origin", f"{git_daemon.url}/mira.git", "--yes")
    for name in ("secret-1", "secret-2", "gone"):
        typed("branch", name)
    refused = "origin refused secret-1, secret-2: hook declined: no secrets, please"
    assert refused in typed("push", code=1).stderr
    listed = typed("remote", "list").stdout
    assert "has every turn and change; a branch or a tag is not there yet" in listed
    assert f"the last try failed: {refused}" in listed
    for name in ("secret-1", "secret-2", "gone"):
        typed("branch", "--delete", name, "--yes")
    for _ in range(2):
        said = typed("sync").stdout
        assert "gone is no longer here, and origin keeps it: deletion prohibited." in said
    assert "has everything, last" in typed("remote", "list").stdout
    assert "refs/heads/gone" in refs(place)
    assert "refs/heads/gone" not in refs(companion)


def test_a_line_that_no_branch_leads_to_is_searched_too(
    companion: Path, perdure: Perdure, tmp_path: Path
) -> None:
    git(companion, "switch", "-qc", "side")
    edit(companion, "persona/30-old.md", f"The old key is {KEY}\n")
    git(companion, "switch", "-q", "main")
    assert perdure("-c", str(companion), "branch", "--delete", "side", "--yes").returncode == 0
    perdure("-c", str(companion), "remote", "add", "origin", str(tmp_path / "disk"), "--yes")
    done = perdure("-c", str(companion), "push")
    assert done.returncode == 1
    assert "persona/30-old.md" in done.stderr
    assert refs(tmp_path / "disk") == {}


def test_one_remote_that_leads_nowhere_keeps_no_other_from_its_turn(
    companion: Path, perdure: Perdure, tmp_path: Path
) -> None:
    perdure("-c", str(companion), "remote", "add", "disk", str(tmp_path / "disk"), "--yes")
    git(companion, "remote", "add", "away", str(tmp_path / "away"))
    git(companion, "remote", "add", "by-program", f"ext::touch {tmp_path}/run")
    done = perdure("-c", str(companion), "push")
    assert done.returncode == 1
    assert refs(tmp_path / "disk") == refs(companion)
    listed = perdure("-c", str(companion), "remote", "list", "--json").stdout
    trouble = {row["name"]: row["trouble"] or "" for row in json.loads(listed)}
    assert "there is nothing there" in trouble["away"]
    assert "name a program to run" in trouble["by-program"]
    assert trouble["disk"] == ""
    drilled = perdure("-c", str(companion), "drill", "--json")
    assert drilled.returncode == 3
    found = {row["remote"]: row["verdict"] for row in json.loads(drilled.stdout)["remotes"]}
    assert found == {"away": "unproven", "by-program": "unproven", "disk": "proven"}
    assert not (tmp_path / "run").exists()
