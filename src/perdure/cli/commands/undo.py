"""``perdure undo``."""

from __future__ import annotations

from perdure.cli.undo_steps import walk_command

command = walk_command(
    "undo",
    """Take back the last thing you did: a turn, an edit, a rewind, a switch, a tag, a merge.

    Says what it took back; --dry-run says it beforehand. It asks if more than one act would be left
    on no branch. Nothing is ever lost: perdure redo brings it back. What the program wrote about a
    turn by itself, such as a summary, goes and comes back with the turn. perdure ops lists past
    operations and marks what comes next.

    What was already pushed is taken back by a new commit; otherwise it would return with the next
    sync. After an undo, the next message begins a conversation that continues from the turn before.
    """,
)
