"""``perdure memory`` and its subcommands."""
