"""Work on a repository that nobody waits for: checking, packing, indexing.

A *check* (`verify.py`, the file to open first) reads and hashes every object again and follows
everything that refs lead to; a *finding* is something that is wrong or odd. The *packing process*
(`process.py`) runs by itself at low priority. `refresh_timeline.py` brings the index of the history
up to date between turns.
"""
