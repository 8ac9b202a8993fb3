"""``perdure undo``."""

from __future__ import annotations

from perdure.cli.undo_steps import walk_command

command = walk_command(
    "undo",
    """Take back the last thing that was done: a turn, an edit, a rewind, a switch, a tag, a merge.

    Says what it took back; --dry-run says it before. It asks where more than one act would leave
    every branch. Nothing is ever lost: perdure redo brings it back. What the program wrote by
    itself about a turn, as a summary, goes and comes with the turn. perdure ops lists what was done
    and marks what comes next.

    What was pushed is taken back by a new commit, since it would return with the next sync. After
    an undo the next message begins a conversation that goes on from the turn before.
    """,
)
