"""The history by time: which commits touched what, and in which order.

A *walk* (`walk.py`) reads commits one by one, newest first, as ``git log`` does. The *timeline*
(`timeline.py`, the file to open first) answers the same from an *index*, an SQLite file below
``.git/perdure/cache`` that is made from the commits and can be thrown away at any time. A *query*
is what somebody wants to see. The *facts* of a commit are its kind, its turn and the paths that it
touched.
"""
