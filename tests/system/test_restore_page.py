"""RESTORE.md, walked to the letter: git and a shell bring a companion back, without perdure."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.templates import new_companion
from perdure.git.repository.repository import Repository
from perdure.snapshot.conversation.transcript import Transcript
from tests.conftest import git

CHUNK = """\
---
format: 1
conversation: {id}
chunk: 1
title: "By hand"
participants: ["Ana", "Mira"]
started: 2026-11-30T20:26:46+00:00
---

#### 1 · Ana · 2026-11-30 20:26:46+00:00

> {text}

#### 1~1 · Mira · 2026-11-30 20:26:54+00:00

> Yes, Ana.
"""
FIRST = "conversations/2026-11/30/2026-11-30-2026-0001-71213955.md"
SECOND = "conversations/2026-12/01/2026-12-01-0915-0001-0a1b2c3d.md"


def write(path: Path, name: str, data: bytes | str) -> None:
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def commit(path: Path, message: str) -> str:
    git(path, "add", "-A")
    git(path, "commit", "-qm", message)
    return git(path, "rev-parse", "HEAD").strip()


@pytest.fixture(params=["friend", "friend-zh"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A bare repository whose HEAD names no branch, with all that perdure puts there."""
    manifest = Manifest(name="here", driver="ollama", model="some-model")
    files = new_companion(
        template=request.param, name="Mira", user="Ana", manifest=manifest, at=now()
    )
    path = tmp_path / "live"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    for name, data in files.items():
        write(path, name, data)
    commit(path, "companion: Mira begins")
    write(path, FIRST, CHUNK.format(id="2026-11-30-2026-71213955", text="Hello."))
    commit(path, "turn: Hello.")
    hidden = commit_hidden(path)
    write(path, "persona/95-later.md", "Added later, for {{char}}.\n")
    commit(path, "persona: later")
    git(path, "branch", "side")
    git(path, "tag", "noted")
    bare = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "trunk", str(bare))
    kept = f"{hidden}:refs/perdure/kept/{hidden}"
    git(path, "push", "-q", str(bare), "refs/heads/*", "refs/tags/*", kept)
    return bare


def commit_hidden(path: Path) -> str:
    """A commit that no branch has."""
    write(path, "memory/facts/people.md", "- Taken back.\n")
    hidden = commit(path, "memory: taken back")
    git(path, "reset", "-q", "--hard", "HEAD~1")
    return hidden


def blocks(page: str) -> list[str]:
    """The shell's lines on the page, block by block."""
    return re.findall(r"```sh\n(.*?)```", page, re.DOTALL)


def shell(folder: Path, lines: str) -> str:
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", lines], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, lines + done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


def block_with(page: str, word: str) -> str:
    (found,) = [each for each in blocks(page) if word in each]
    return found


def test_the_page_brings_her_back_with_git_alone(remote: Path, tmp_path: Path) -> None:
    page = git(remote, "show", "main:RESTORE.md")
    cloning = block_with(page, "git clone")
    cloning = re.sub(r"git clone \S+", f"git clone -q {remote}", cloning)
    shell(tmp_path, cloning)
    (path,) = [each for each in tmp_path.iterdir() if each.name == "mira"]
    assert path.stat().st_mode & 0o077 == 0
    assert "origin/main" in shell(path, "git branch -r")
    shell(path, "git switch main")
    assert (path / FIRST).is_file()
    assert git(path, "tag").split() == ["noted"]
    kept = shell(path, block_with(page, "refs/perdure/kept"))
    assert "memory: taken back" in kept

    told = shell(path, block_with(page, "everything.txt") + "cat everything.txt; rm everything.txt")
    assert "1 · Ana" in told
    assert "Hello." in told

    prompt = shell(path, block_with(page, "while read -r file; do cat"))
    assert "Added later, for NAME." in prompt
    assert "{{char}}" not in prompt

    (path / "companion.yaml").unlink()
    shell(path, "git checkout -- .")
    assert git(path, "status", "--porcelain") == ""

    first = git(path, "rev-list", "--max-parents=0", "HEAD").strip()
    back = block_with(page, "git restore")
    shell(path, re.sub(r"COMMIT|提交号", first, back))
    assert not (path / "persona/95-later.md").exists()
    assert git(path, "status", "--porcelain") == ""
    assert git(path, "diff", "--name-only", first, "--", "persona") == ""
    assert (path / FIRST).is_file()

    write(path, SECOND, CHUNK.format(id="2026-12-01-0915-0a1b2c3d", text="From elsewhere."))
    shell(path, block_with(page, "import: talk from elsewhere"))
    with Repository.open(path) as repo:
        transcript = Transcript(repo, "HEAD")
        ids = {str(each.id) for each in transcript.conversations()}
        assert ids == {"2026-11-30-2026-71213955", "2026-12-01-0915-0a1b2c3d"}
