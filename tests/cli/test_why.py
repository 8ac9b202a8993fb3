"""``perdure why`` as a user runs it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.chat.test_session import talk
from tests.cli.conftest import Perdure
from tests.cli.test_commands import one_line_error
from tests.conftest import git


def test_why_shows_the_prompt_and_checks_its_hash(perdure: Perdure, companion: Path) -> None:
    asyncio.run(talk(companion, "Hello.", "Do you know the river?"))
    here = {"PERDURE_COMPANION": str(companion)}
    told = perdure("why", **here)
    assert told.returncode == 0, told.stderr
    assert "persona/10-who.md" in told.stdout
    assert "to be answered" in told.stdout
    assert "prefix shared with the turn before: 9" in told.stdout
    assert "The prompt's hash matches" in told.stdout

    words = perdure("why", "@-1", "--messages", **here)
    assert "── user ──\nHello.\n" in words.stdout
    assert "river" not in words.stdout

    record = json.loads(perdure("why", "2", "--json", **here).stdout)
    assert record["verdict"] == "matches"
    assert record["messages"][-1] == {"role": "user", "content": "Do you know the river?"}
    assert {"kind", "source", "tokens", "reason", "text"} <= record["parts"][0].keys()

    message = git(companion, "log", "-1", "--format=%B")
    wrong = message.replace(record["recorded"], "f" * 32)
    git(companion, "commit", "-q", "--amend", "-m", wrong)
    differs = perdure("why", **here)
    assert differs.returncode == 3
    assert "does not match" in differs.stdout

    unknown = perdure("why", "99", **here)
    assert unknown.returncode == 1
    one_line_error(unknown)
    assert "no turn 99" in unknown.stderr


def test_nothing_was_said_yet(perdure: Perdure, companion: Path) -> None:
    told = perdure("why", PERDURE_COMPANION=str(companion))
    assert told.returncode == 1
    one_line_error(told)
    assert "nothing has been said yet" in told.stderr
    assert "perdure say" in told.stderr
