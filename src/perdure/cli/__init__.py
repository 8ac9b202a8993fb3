"""The command line: commands, what they ask, what they print.

- A command is a module in `commands`, imported when it runs; `root` lists them all.
- The target (`target`) is the companion that a command is about.
- A plan (`plans`) says what a command would do. It is shown before the question, and by
  ``--dry-run``.
- A record is a result as plain data, for ``--json``; its keys are in ``docs/commands.md``.
- Output goes to stdout and is sanitised; questions, notices and errors go to stderr.

Open `entry` first, then `root`.
"""
