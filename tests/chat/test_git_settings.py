from __future__ import annotations

from pathlib import Path

from perdure.chat.session import Session
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
    assert "core.fsmonitor, hooks/post-commit." in told
    assert await notices(companion) == []
    git(companion, "config", "alias.x", "!true")
    (told,) = await notices(companion)
    assert "alias.x." in told
    assert "fsmonitor" not in told
