from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import run_command

Perdure = Callable[..., subprocess.CompletedProcess[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def perdure(tmp_path: Path) -> Perdure:
    """The command as a user's shell runs it, without a terminal."""

    def run(*words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        return run_command(*words, cwd=tmp_path, env=environ, stdin=stdin)

    return run


@pytest.fixture
def installed(tmp_path: Path) -> Perdure:
    """The same, started anew as it is installed."""

    def run(*words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("perdure")), *words],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            env=dict(os.environ) | environ,
            cwd=tmp_path,
            check=False,
        )

    return run


@pytest.fixture
def run(companion: Path) -> Run:
    """The command in the companion's folder, without a terminal; its exit code is checked."""

    def call(*words: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = run_command(*words, cwd=companion, stdin=stdin)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return call
