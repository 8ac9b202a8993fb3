"""``perdure memory``; its subcommands are imported when they run."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

import click

# Command -> its function, in the module of its name.
_COMMANDS = {
    "list": "list_facts",
    "add": "add",
    "edit": "edit",
    "review": "review",
    "summarise": "summarise",
    "index": "index",
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name in _COMMANDS if find_spec(_module(name)) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(
            importlib.import_module(_module(cmd_name)), _COMMANDS[cmd_name]
        )
        return command


def _module(name: str) -> str:
    return f"perdure.cli.commands.memory.{name}"


@click.group("memory", cls=_Group)
def command() -> None:
    """List, add and edit what she knows; review proposals.

    Facts are lines of plain text in memory/facts, one file per topic, each naming the turn that
    taught it. What a model proposes waits in memory/review until you accept it.
    """
