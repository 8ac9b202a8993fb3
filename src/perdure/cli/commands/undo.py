"""``perdure undo``."""

from __future__ import annotations

from perdure.cli.walking import walk_command

command = walk_command(
    "undo",
    """Take back the last thing that was done: a turn, an edit, a rewind, a switch, a tag, a merge.

    Says beforehand what it takes back and what is where afterwards. It asks where a turn would
    leave every branch; nothing is ever lost, and perdure redo brings it back. perdure ops lists
    what was done and marks what comes next.

    What was pushed is taken back by a new commit, since it would return with the next sync. After
    an undo the next message begins a conversation that goes on from the turn before.
    """,
)
