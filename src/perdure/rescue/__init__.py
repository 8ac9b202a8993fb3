"""A companion in more than one place, and the proof that she comes back from there.

Sync: what is new on either side goes to the other (`sync.py`); guard: what must be asked first
(`guards.py`). Clone: a companion from a remote (`clone.py`). Join: a remote is added, its key
and its address looked at (`join.py`).
"""
