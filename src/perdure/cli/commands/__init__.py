"""The commands of ``perdure``, a module each, imported when it is called.

Command: reads its arguments, opens the companion that is meant, asks a room, prints what it says.
Group: a command with others below it: ``memory``, ``persona``, ``lore``, ``backend``, ``models``.
Plan: what an act would do; it is printed before the question, and is all that ``--dry-run`` does.

`perdure.cli.root` lists them; `undo` is a short one to begin with.
"""
