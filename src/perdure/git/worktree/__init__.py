"""The work tree: the files that the user and their editor see.

*Sync* (`sync.py`, the file to open first) brings index and files to the branch after a commit; a
file that somebody edited stays as it is. A *pending sync* is what could not be brought there yet.
The *race detector* finds git commands that began before a commit and undid part of it. A *checkout*
brings the work tree from one commit to another. *Edits* are changes that people made by hand; some
are *held*, that is, left to their author. *Ignore rules* are git's. No file is read or written
through a link that leads out of the folder (`files.py`).
"""
