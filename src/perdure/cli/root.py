"""The command group: each command's module is imported when it runs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from perdure import __version__
from perdure.cli.target import complete_names

# Command name -> where it is and what `perdure --help` says of it: help imports none of them.
_COMMANDS = {
    "new": ("new", "Create a companion from a template."),
    "adopt": ("adopt", "Make a safe companion of a folder that somebody handed over."),
    "list": ("list_companions", "List your companions and their folders."),
    "where": ("where", "Print a companion's folder."),
    "chat": ("chat", "Chat in the terminal program, or in plain lines."),
    "say": ("say", "Send one message and print the reply."),
    "log": ("log", "Show the history: turns, persona changes, everything else."),
    "show": ("show", "Show one turn or commit."),
    "why": ("why", "Show the prompt behind a reply, part by part."),
    "diff": ("diff", "Show what changed between two revisions, word by word."),
    "search": ("search", "Search everything that was ever said."),
    "blame": ("blame", "Show which commit and turn each line of a file comes from."),
    "undo": ("undo", "Undo the last operation."),
    "redo": ("undo:redo", "Redo what undo took back."),
    "ops": ("ops", "List past operations, and what undo would take back."),
    "rewind": ("rewind", "Continue from an earlier turn, on a new branch."),
    "regenerate": ("regenerate", "Ask for another answer; the old one is kept."),
    "alternatives": ("alternatives", "List the answers to a turn."),
    "choose": ("choose", "Show another answer to a turn instead."),
    "edit": ("edit", "Correct the words of a turn; later turns stay."),
    "aside": ("aside", "Set turns aside, out of prompts, or bring them back."),
    "branch": ("branch", "List, create or delete branches."),
    "switch": ("switch", "Switch to another branch."),
    "merge": ("merge", "Merge another branch into this one."),
    "conflicts": ("conflicts", "List and settle what two devices changed differently."),
    "revert": ("revert", "Revert one change to persona or memory; keep later turns."),
    "restore": ("restore", "Restore files to an earlier version."),
    "tag": ("tag", "Name a revision, or list the tags."),
    "remote": ("remote", "Add, list and remove the places she is backed up to."),
    "push": ("sync:push", "Send what is new to a remote."),
    "pull": ("sync:pull", "Get what a remote has and this machine lacks."),
    "sync": ("sync", "Bring this machine and a remote to the same state."),
    "clone": ("clone", "Bring a companion back from a remote."),
    "backup": ("sync:backup", "Push to every remote, and say what is unproven."),
    "drill": ("drill", "Prove that a restore from a remote works."),
    "archive": ("archive", "Copy everything to a folder, and end the conversation."),
    "remove": ("remove", "Move a companion to the trash, once a copy is verified."),
    "persona": ("persona", "Read, edit and check the persona."),
    "lore": ("lore", "List, add and test lore: background that comes up by key."),
    "memory": ("memory.group", "List, add and edit what she knows; review proposals."),
    "templates": ("templates", "List the personas you can start from."),
    "backend": ("backend", "List, add, check and order the backends."),
    "models": ("models", "List and download the models that run inside perdure."),
    "completion": ("completion", "Print a shell completion script."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def __init__(self, *, places: Mapping[str, tuple[str, str]], **given: Any) -> None:  # noqa: ANN401 - click's
        """``places``: by name, ``MODULE`` or ``MODULE:NAME`` below `commands`, and its help."""
        super().__init__(**given)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._places:
            return None
        module, _, name = self._places[cmd_name][0].partition(":")
        found = importlib.import_module(f"perdure.cli.commands.{module}")
        command: click.Command = getattr(found, name or "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._places.items()])


@click.group(
    cls=LazyGroup,
    places=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Companions are ordinary git repositories: git log, git diff and git push work on them.",
)
@click.version_option(__version__, prog_name="perdure", message="%(prog)s %(version)s")
@click.option(
    "-c",
    "--companion",
    metavar="NAME|PATH",
    shell_complete=complete_names,
    help="The companion to use.",
)
@click.option("--debug", is_flag=True, help="Show an error's whole traceback.")
@click.pass_context
def root(ctx: click.Context, companion: str | None, *, debug: bool) -> None:  # noqa: ARG001 - entry reads it
    """Version control for AI companions: every turn of a conversation is a git commit."""
    ctx.obj = companion
