"""`docs/commands.md` is what the commands say of themselves.

Write it anew with: python -m tests.cli.test_docs
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from perdure.cli.root import root

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "commands.md"
TEXTS = (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("src/**/texts/*.md"))
JSON = "## What `--json` prints\n"
TOP = """\
# Commands

Generated from each command's `--help`; a test keeps it up to date.

## Exit codes

| code | when |
| --- | --- |
| 0 | done; also if there was nothing to do, or nothing was found |
| 1 | failed: one line on stderr says why, what is safe, and what to do |
| 2 | wrong usage |
| 3 | done, with findings |

| command | also 1 if | 3 if |
| --- | --- | --- |
| `say`, `regenerate`, `chat --plain` | a message got no complete reply | |
| `undo`, `redo` | there is nothing to undo or redo | |
| `merge`, `conflicts` | | there are conflicts to resolve |
| `persona check` | | something was found |
| `why` | | the hash does not match |
| `drill` | a backup cannot be restored | a restore is not proven, or turns are at risk |
| `backup` | | the same, or something is on no remote |
"""


def rendered() -> str:
    """The whole page."""
    top = click.Context(root, info_name="perdure", **root.context_settings)
    parts = [TOP]
    for context in walk(top):
        context.terminal_width = context.max_content_width = 96
        parts.append(f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n")
    # What --json prints is written by hand; tests/cli/test_json_keys.py compares it.
    tail = PAGE.read_text().partition(JSON)
    return "\n".join(parts) + f"\n{tail[1]}{tail[2]}"


def walk(context: click.Context) -> list[click.Context]:
    """A command and all below it, each in its parent's context as when it is run."""
    found, command = [context], context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += walk(click.Context(below, info_name=name, parent=context))
    return found


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each command in a text's code blocks, without comments."""
    for block in re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            words = line.partition("#")[0].removeprefix("$ ").split()
            if words[:1] == ["perdure"]:
                yield words[1:]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_command_that_a_text_shows_is_there(path: Path) -> None:
    for shown in commands_in(path.read_text()):
        command: click.Command = root
        words = shown
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            below = command.get_command(click.Context(command), words[0])
            assert below is not None, shown
            command, words = below, words[1:]
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert options <= known | {"-h", "--help", "-c"}, shown


def test_the_page_is_what_help_says() -> None:
    assert PAGE.read_text() == rendered()


if __name__ == "__main__":
    PAGE.write_text(rendered())
