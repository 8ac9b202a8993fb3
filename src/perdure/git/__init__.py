"""The history engine: a companion's git repository, read and written without git's own programs.

A *repository* is a git folder and the work tree beside it. Everything is stored in git's own
formats, so that git can read and check all of it at any time. Every write survives a crash and a
power cut: docs/durability.md has each order of writes, and what is found after a crash between any
two steps.

Open `repository/repository.py` first. What has a folder of its own: *objects* (commits, trees,
files) and the *packs* that hold many of them; *refs* (branches, tags, HEAD); the *index*, git's
list of what is checked out; the *work tree*; *commit*, one write of one branch; *operations*, which
move branches; *undo*, which takes them back; *merge*; *diff*; the *timeline*, an index of history;
*maintenance*; the *wire*, to repositories elsewhere; *config*; and *state*, what perdure itself
keeps below ``.git/perdure/state``. A *lease* (`leases.py`) is the right to append to one
conversation; a *lock* (`locks.py`) is git's own ``X.lock``; a *bundle* (`bundle.py`) is a whole
history in one file.
"""
