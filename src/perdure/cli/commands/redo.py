"""``perdure redo``."""

from __future__ import annotations

from perdure.cli.undo_steps import walk_command

command = walk_command(
    "redo",
    "Redo what the last undo took back, unless something new was done since.",
)
