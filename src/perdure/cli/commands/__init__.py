"""One module a command, each imported when its command is run."""
