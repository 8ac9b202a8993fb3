"""The page on backups, walked from an empty home: made, spoken with, lost, brought back, proven."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Perdure
from tests.conftest import assert_sound, git
from tests.rescue.devices import words


@pytest.mark.model
def test_she_is_lost_and_comes_back(installed: Perdure, tmp_path: Path, own_home: Path) -> None:
    place = tmp_path / "disk" / "mira.git"
    home = own_home / "companions"

    def typed(*line: str, code: int = 0) -> str:
        done = installed(*line)
        assert done.returncode == code, (line, done.stdout, done.stderr)
        return done.stdout

    typed("new", "Mira", "--template", "blank")
    typed("say", "The river is high today.")
    assert json.loads(typed("list", "--json"))[0]["at_risk"] is None
    typed("remote", "add", "backup", str(place))
    typed("backup", code=3)
    typed("drill")
    typed("drill", "--quick")
    before = git(home / "mira", "rev-parse", "HEAD")
    shutil.rmtree(home / "mira")
    typed("clone", str(place))
    assert git(home / "mira", "rev-parse", "HEAD") == before
    typed("say", "Are you there?")
    assert_sound(home / "mira")
    assert "The river is high today." in words(home / "mira")
    typed("sync")
    typed("drill", "--speak")
    assert git(place, "rev-parse", "main") == git(home / "mira", "rev-parse", "HEAD")
    assert json.loads(typed("drill", "--last", "--json"))
