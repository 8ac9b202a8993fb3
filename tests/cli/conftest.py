from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Perdure = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def perdure(tmp_path: Path) -> Perdure:
    """The command as a user's shell runs it, without a terminal."""

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
