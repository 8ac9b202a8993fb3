"""``perdure memory``; its subcommands are imported when they run."""

from __future__ import annotations

import click

from perdure.cli.root import LazyGroup

_COMMANDS = {
    "list": (
        "memory.list:list_facts",
        "List what she knows, by topic: each fact with its name and its source.",
    ),
    "add": ("memory.add:add", "Write down a fact, committed in your name."),
    "edit": (
        "memory.edit:edit",
        "Change one fact: its words, topic or rank; set it aside; remove it.",
    ),
    "review": ("memory.review:review", "Review proposals, and imported facts on hold."),
    "summarise": (
        "memory.summarise:summarise",
        "Summarise conversations; by default the newest one.",
    ),
    "index": ("memory.index:index", "Index all conversations for recall and search now."),
}


@click.group("memory", cls=LazyGroup, places=_COMMANDS)
def command() -> None:
    """List, add and edit what she knows; review proposals.

    Facts are lines of plain text in memory/facts, one file per topic, each naming the turn that
    taught it. What a model proposes waits in memory/review until you accept it.
    """
