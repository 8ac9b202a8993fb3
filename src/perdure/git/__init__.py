"""A git repository, read and written without the `git` command."""
