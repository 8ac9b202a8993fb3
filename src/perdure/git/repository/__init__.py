"""One open repository, which is all that the other rooms need to know.

Open `repository.py` first: a `Repository` reads files and commits at any revision, compares, and
commits; `create.py` makes a new one. A *turn's journal* (`turn_journal.py`) keeps a message and its
reply from the first word until their commit; a *leftover* is such a turn whose process died.
`foreign_words.py` finds the same in folders that were copied here, `missing.py` looks for holes in
the history, and `lost_file.py` for the commit that still has a file which is gone.
`stranger.py` copies the history out of a folder that somebody handed over; `added_versions.py`
lists what some tips have and others do not, commit by commit.
"""
