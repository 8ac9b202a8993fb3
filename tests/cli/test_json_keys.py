"""The keys that `docs/commands.md` names are those that `--json` prints."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from perdure.chat.session import Session
from perdure.cli.root import root
from tests.cli.test_docs import JSON, PAGE, walk
from tests.conftest import copied
from tests.speaking import Scripted

Prints = Callable[..., Any]
ALSO = {
    "perdure redo": "perdure undo",
    "perdure lore edit": "perdure lore add",
    "perdure lore remove": "perdure lore add",
    "perdure memory edit": "perdure memory add",
    "perdure push": "perdure sync",
    "perdure pull": "perdure sync",
    "perdure backup": "perdure sync",
}
"""Commands that print what another one does."""


def tables() -> dict[str, list[set[str]]]:
    """The keys of each table, by the heading above it."""
    found: dict[str, list[set[str]]] = {}
    for section in PAGE.read_text().partition(JSON)[2].split("\n### ")[1:]:
        heading, _, body = section.partition("\n")
        for table in body.split("| keys | what |\n| --- | --- |\n")[1:]:
            rows = [line for line in table.split("\n\n")[0].splitlines() if line.startswith("| ")]
            keys = {key for row in rows for key in re.findall(r"`([^`]+)`", row.split(" | ")[0])}
            found.setdefault(heading, []).append(keys)
    return found


def inner_keys() -> dict[tuple[str, str], set[str]]:
    """The keys of what stands below a key, where a row names them and nothing else."""
    found = {}
    for section in PAGE.read_text().partition(JSON)[2].split("\n### ")[1:]:
        heading = section.partition("\n")[0]
        rows = re.findall(
            r"^\| `([^`]+)` \| (?:list: )?((?:`\w+`(?:, )?)+) \|$", section, re.MULTILINE
        )
        for key, inner in rows:
            found[heading, key] = set(re.findall(r"`(\w+)`", inner))
    return found


@pytest.fixture
def prints(companion: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Prints:
    """What a command prints with `--json`, in a companion with some talk."""
    own_home.joinpath("companions").mkdir()
    place = copied(companion, own_home / "companions" / "mira")
    monkeypatch.chdir(place)

    async def talk() -> None:
        session = await Session.open(place, backends=[Scripted()])
        try:
            for text in ("My sister lives by the river.", "Two.", "Three."):
                async for _ in session.send(text):
                    pass
        finally:
            await session.close()

    asyncio.run(talk())

    def run(*words: str) -> object:
        done = CliRunner().invoke(root, [*words, "--json"])
        assert done.exit_code in (0, 3), (words, done.output, done.exception)
        return json.loads(done.stdout)

    return run


def test_every_command_that_prints_json_has_a_table() -> None:
    commands = {
        context.command_path
        for context in walk(click.Context(root, info_name="perdure", **root.context_settings))
        if any("--json" in each.opts for each in context.command.params)
    }
    assert {ALSO.get(command, command) for command in commands} == tables().keys() - {"Shared"}


# In this order: some prepare what the next ones print. The number is of the table.
RUN = [
    (("new", "Second", "--template", "blank"), 0),
    (("list",), 0),
    (("where",), 0),
    (("log", "--persona"), 0),
    (("show", "@"), 0),
    (("show", "HEAD"), 1),
    (("why", "@"), 0),
    (("diff", "HEAD~1", "HEAD"), 0),
    (("search", "river"), 0),
    (("blame", "persona/20-voice.md"), 0),
    (("memory", "add", "friends", "Clara lives by the river."), 0),
    (("memory", "list"), 0),
    (("lore", "add", "river", "--text", "A river."), 0),
    (("lore", "list"), 0),
    (("lore", "test", "the river"), 0),
    (("tag", "kept"), 1),
    (("tag",), 0),
    (("branch", "side"), 1),
    (("branch",), 0),
    (("switch", "side"), 0),
    (("switch", "main"), 0),
    (("merge", "side"), 0),
    (("merge",), 1),
    (("conflicts",), 0),
    (("alternatives", "@"), 0),
    (("regenerate", "@", "--dry-run"), 0),
    (("edit", "@", "Three and a half."), 0),
    (("aside", "@"), 0),
    (("aside", "--list"), 1),
    (("restore", "persona", "--at", "HEAD", "--yes"), 0),
    (("backend", "show", "rehearsal"), 0),
    (("backend", "use", "rehearsal"), 0),
    (("models", "list"), 0),
    (("templates",), 0),
    (("persona", "show"), 0),
    (("persona", "check"), 0),
    (("rewind", "@-1", "--yes"), 0),
    (("undo", "--yes"), 0),
    (("redo", "--yes"), 0),
    (("ops",), 0),
    (("remote", "add", "backup", "backup.git"), 0),
    (("push",), 0),
    (("remote", "list"), 0),
    (("clone", "backup.git", "third"), 0),
    (("remote", "remove", "backup"), 0),
    (("remove", "mira", "--dry-run"), 0),
]


def test_what_is_printed_has_the_keys_that_the_page_names(prints: Prints) -> None:
    named = tables()
    inner = inner_keys()
    (operation, counts) = named["Shared"]
    for words, number in RUN:
        path = f"perdure {' '.join(words[:2])}"
        heading = path if ALSO.get(path, path) in named else f"perdure {words[0]}"
        found = prints(*words)
        records = found if isinstance(found, list) else [found]
        assert records, words
        for record in records:
            assert set(record) == named[ALSO.get(heading, heading)][number], words
            for key, value in record.items():
                below = inner.get((ALSO.get(heading, heading), key)) if not number else None
                for each in value if isinstance(value, list) else [value]:
                    assert not (below and each) or set(each) == below, (words, key)
            made = [record.get("operation"), *(record.get("operations") or ())]
            assert all(set(each) == operation for each in made if each), words
            plan = record.get("plan")
            for side in ("left", "brings", "hidden"):
                if isinstance(plan, dict) and plan.get(side):
                    assert set(plan[side]) == counts, words
