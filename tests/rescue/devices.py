"""Devices that share one companion through a bare repository."""

from __future__ import annotations

import asyncio
from pathlib import Path

from perdure.actions.workspace import Workspace
from perdure.chat.session import Session
from perdure.git.remotes.settings import find_remote
from perdure.git.repository.repository import Change, Repository
from perdure.rescue.guards import Side
from perdure.rescue.join import clone_from, join, plan_join
from perdure.rescue.run import sync_with
from perdure.rescue.sync import SyncResult
from tests.cli.command import run_command
from tests.conftest import assert_sound, git
from tests.speaking import Scripted


def say(path: Path, *texts: str) -> None:
    """Say something; a backend of the tests answers."""

    async def run() -> None:
        session = await Session.open(path, backends=[Scripted()])
        try:
            for text in texts:
                async for _ in session.send(text):
                    pass
        finally:
            await session.close()

    asyncio.run(run())


def add_backup(path: Path, place: Path | str, name: str = "origin") -> None:
    """Add a remote in a folder, which is made if it is not there."""
    with Workspace.open(path) as workspace:
        join(workspace.repo, plan_join(workspace.repo, name, str(place)))


def sync(
    path: Path,
    name: str = "origin",
    *,
    takes: bool = True,
    gives: bool = True,
    keep: Side | None = None,
    said: list[str] | None = None,
) -> SyncResult:
    """Sync once; ``said``: gets what is said meanwhile."""
    with Workspace.open(path) as workspace:
        remote = find_remote(workspace.repo, name)
        tell = (said if said is not None else []).append
        return sync_with(workspace, remote, takes=takes, gives=gives, keep=keep, progress=tell)


def clone(place: Path | str, path: Path) -> Path:
    """A second device."""
    clone_from(str(place), path, lambda _: None)
    return path


def edit(path: Path, file: str, text: str) -> None:
    """Change a file in a commit of its own."""
    with Repository.open(path) as repo:
        repo.commit(
            [Change(file, text.encode())],
            message=f"{file.partition('/')[0]}: edited\n",
            author=Workspace(repo).author,
            branch=repo.head().branch or "main",
        )


def refs(path: Path) -> dict[str, str]:
    """Branches, tags and kept lines, as git sees them."""
    rows = git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    found = dict(row.split(" ") for row in rows)
    shared = ("refs/heads/", "refs/tags/", "refs/perdure/kept/")
    return {ref: oid for ref, oid in found.items() if ref.startswith(shared)}


def words(path: Path, rev: str = "HEAD") -> str:
    """Everything that was said, as of a revision."""
    return git(path, "grep", "-h", "-I", "^> ", rev, "--", "conversations")


def level(place: Path, *devices: Path) -> None:
    """One more sync each, and all have the same, sound."""
    for device in (*devices, *devices):
        done = run_command("sync", cwd=device)
        assert done.returncode == 0, (device, done.stdout, done.stderr)
    for device in devices:
        assert refs(device) == refs(place)
        assert_sound(device)
