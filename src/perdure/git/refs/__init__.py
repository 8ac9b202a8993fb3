"""Refs: the names of commits, and how commits follow one another.

A *ref* is a name such as ``refs/heads/main`` and the id that it stands for. *HEAD* names the branch
that is checked out. A ref is *loose* (a file) or *packed* (a line in ``packed-refs``); it moves
only if it still is where the writer saw it. Newer git may keep all of them in *tables* instead
(format *reftable*); a *stack* of these is read and never written. The *reflog* is git's list of
where a ref has been. A *revision* is what a person writes for a commit: ``main``, ``HEAD~3``, the
start of an id. An *ancestor* of a commit is in its past. Open `refs.py` first.
"""
