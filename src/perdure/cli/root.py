"""The command group: every command lives in a module that is imported when it is called."""

from __future__ import annotations

import importlib

import click

from perdure import __version__
from perdure.cli.target import complete_names

# Command name -> module and what `perdure --help` says of it, so that help imports none of them.
_COMMANDS = {
    "new": ("new", "Make a companion from a template."),
    "list": ("list_companions", "List the companions, and where they are."),
    "where": ("where", "Print the folder of a companion."),
    "chat": ("chat", "Talk in the terminal program (or in plain lines)."),
    "say": ("say", "Say one thing; the reply is streamed to stdout."),
    "log": ("log", "Show the history: turns, persona changes and all else."),
    "show": ("show", "Show one turn, or one commit."),
    "why": ("why", "Show what a turn was answered to: the prompt, part by part."),
    "diff": ("diff", "Show what changed between two states, word by word."),
    "search": ("search", "Find earlier moments of the whole life."),
    "blame": ("blame", "Show which commit, and which turn, brought each line of a file."),
    "undo": ("undo", "Take back the last thing that was done."),
    "redo": ("redo", "Bring back what undo took back."),
    "ops": ("ops", "List what was done, and what undo would take back next."),
    "rewind": ("rewind", "Talk on from an earlier turn, on a new branch."),
    "regenerate": ("regenerate", "Ask for another answer; the old one is kept beside it."),
    "alternatives": ("alternatives", "List the answers to a turn."),
    "choose": ("choose", "Let another answer to a turn stand."),
    "edit": ("edit", "Correct the words of a turn; later turns stay."),
    "aside": ("aside", "Keep turns out of prompts, or bring them back."),
    "branch": ("branch", "List the branches, begin one, take a name away."),
    "switch": ("switch", "Go to another branch."),
    "merge": ("merge", "Join another branch with this one."),
    "revert": ("revert", "Take back one change of persona or memory, and keep the talk since."),
    "restore": ("restore", "Bring files back as they were at some time."),
    "tag": ("tag", "Name a state; list the names."),
    "archive": ("archive", "Copy everything to a folder, and stop talking."),
    "remove": ("remove", "Move a companion to the trash, once a copy is proven."),
    "persona": ("persona", "Read, change and check the persona."),
    "lore": ("lore", "List, add and test lore: what comes in when it is spoken of."),
    "memory": ("memory.group", "What she knows: list, add, edit facts; review proposals."),
    "templates": ("templates", "List the personas to begin with."),
    "backend": ("backend", "List, add, check and order the backends."),
    "models": ("models", "List and fetch the models that run inside perdure."),
    "completion": ("completion", "Print the shell completion script."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"perdure.cli.commands.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Companions are ordinary git repositories: git log, git diff and git push work on them.",
)
@click.version_option(__version__, prog_name="perdure", message="%(prog)s %(version)s")
@click.option(
    "-c",
    "--companion",
    metavar="NAME|PATH",
    shell_complete=complete_names,
    help="Which companion is meant.",
)
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
@click.pass_context
def root(ctx: click.Context, companion: str | None, *, debug: bool) -> None:  # noqa: ARG001 - entry reads it
    """Version control for AI companions: every turn of a conversation is a git commit."""
    ctx.obj = companion
