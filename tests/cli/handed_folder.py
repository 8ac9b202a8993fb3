"""A companion's folder as somebody hands it over, and the command that adopts it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.companion.config.manifest import Manifest, manifest_path, render_manifest
from tests.cli.command import run_command
from tests.conftest import git

Adopt = Callable[..., str]
FAR = Manifest(name="far", driver="openai", model="some-model", address="https://example.org/v1")


def everything(folder: Path) -> dict[str, object]:
    """Every name below a folder, with content, links, size and the time of its last change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.lstat().st_size, held(path))
        for path in sorted(folder.rglob("*"))
    }


def held(path: Path) -> object:
    """What a name leads to; of a file with a hole in it nothing, it would not fit into memory."""
    if path.is_symlink():
        return path.readlink()
    return path.is_file() and path.stat().st_size <= 1 << 20 and path.read_bytes()


@pytest.fixture
def handed(companion: Path, tmp_path: Path) -> Path:
    """A copied folder with a branch, a tag, a kept line, a program to be run, and settings."""
    git(companion, "tag", "-a", "-m", "noted", "then")
    git(companion, "branch", "side/one")
    git(companion, "update-ref", "refs/perdure/kept/line", "HEAD")
    git(companion, "update-ref", "refs/perdure/ops", "HEAD")
    (companion / manifest_path("far")).write_bytes(render_manifest(FAR))
    git(companion, "add", "-A")
    git(companion, "commit", "-qm", "backend: far")
    folder = tmp_path / "handed"
    shutil.copytree(companion, folder, symlinks=True)
    hook = folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch /tmp/never\n")
    hook.chmod(0o755)
    with (folder / ".git" / "config").open("a") as file:
        file.write('[core]\n\tfsmonitor = touch /tmp/never\n[filter "x"]\n\tclean = false\n')
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "adopted"


@pytest.fixture
def adopt(handed: Path, place: Path, tmp_path: Path) -> Adopt:
    """The command; the folder is as it was afterwards. Its output."""

    def run(*words: str, code: int = 0) -> str:
        before = everything(handed)
        done = run_command("adopt", str(handed), "--at", str(place), *words, cwd=tmp_path)
        assert done.returncode == code, done.stdout + done.stderr
        assert everything(handed) == before
        assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        return done.stdout + done.stderr

    return run
