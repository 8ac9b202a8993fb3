"""`docs/commands.md` is what the commands say of themselves.

Write it anew with: python -m tests.cli.test_docs
"""

from __future__ import annotations

from pathlib import Path

import click

from perdure.cli.root import root

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
TOP = """\
# Commands

Written from the commands' own `--help`; a test keeps it true.

Exit codes: 0 done, 1 could not (one line on stderr says why, what is safe, what to do), 2 usage,
3 findings (`persona check`).
"""


def rendered() -> str:
    """The whole page."""
    top = click.Context(root, info_name="perdure", **root.context_settings)
    parts = [TOP]
    for context in walk(top):
        context.terminal_width = context.max_content_width = 96
        parts.append(f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def walk(context: click.Context) -> list[click.Context]:
    """A command and all below it, each in its parent's context as when it is run."""
    found, command = [context], context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += walk(click.Context(below, info_name=name, parent=context))
    return found


def test_the_page_is_what_help_says() -> None:
    assert PAGE.read_text() == rendered()


if __name__ == "__main__":
    PAGE.write_text(rendered())
