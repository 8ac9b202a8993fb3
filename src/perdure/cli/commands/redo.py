"""``perdure redo``."""

from __future__ import annotations

from perdure.cli.undo_steps import walk_command

command = walk_command(
    "redo",
    """Bring back what the last undo took back, as long as nothing new was done since.""",
)
