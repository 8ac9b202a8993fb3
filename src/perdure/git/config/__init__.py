"""Git's configuration: the repository's own file, and the user's.

The repository's (`repository.py`) is ours to write when a repository is made. When it is read,
nothing in it is obeyed but what says how the repository is stored; a setting that makes git run a
program is reported. The user's own (`user.py`) says who the user is and what is ignored everywhere;
dulwich reads it, within bounds.
"""
