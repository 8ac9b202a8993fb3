"""Remotes as people type them, on real servers: what is said, and what is never written down."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Perdure
from tests.conftest import git
from tests.git_servers import PASSWORD, USER, GitServer, bare_repository
from tests.processes import ROOT
from tests.rescue.devices import refs


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
    assert "is in the keyring by now" in typed("push", "--json", code=0, **has_one)
    typed("drill", "--json", code=0, **has_one)
    assert PASSWORD not in said
    assert refs(remote) == refs(companion)
    for file in (companion / ".git").rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file
