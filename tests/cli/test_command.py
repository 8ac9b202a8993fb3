from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli import command
from tests.cli.conftest import Perdure


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["log", "--json"],
        ["branch", "--nonsense"],
        ["switch", "nowhere"],
        ["persona", "check"],
    ],
    ids=" ".join,
)
def test_it_is_what_the_installed_command_prints(
    words: list[str], perdure: Perdure, installed: Perdure, companion: Path
) -> None:
    here = {"PERDURE_COMPANION": str(companion), "COLUMNS": "60"}
    forked, anew = perdure(*words, **here), installed(*words, **here)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        anew.returncode,
        anew.stdout,
        anew.stderr,
    )


def test_whoever_gives_up_leaves_no_process(
    perdure: Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    perdure("--version")
    server = command._server()

    def interrupted(_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command._Pipe, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            perdure("list")
    with pytest.raises(ProcessLookupError):
        os.killpg(server.process.pid, 0)
    assert perdure("--version").returncode == 0
