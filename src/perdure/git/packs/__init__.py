"""Packs: many objects in one file, with an index beside it.

A session writes one *small* pack a turn, and joins these from time to time (`small.py`, the file to
open first). A process in the background makes packs of *deltas* of what was joined (`repack.py`):
fewer and much smaller. The *tier* of a pack says how often its objects were joined. A *keep* is the
``.keep`` file that stops git from removing a pack whose commit is not in its branch yet. An
*incoming* pack comes from another repository, an *outgoing* one goes there; it is *thin* where its
deltas stand on what the receiver has. Every pack of ours is written by `write.py`. Format: git's
``gitformat-pack``.
"""
