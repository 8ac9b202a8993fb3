"""Git's index: the list of files that are checked out, with the id and the stat of each.

An *entry* is one path: its mode, the id of its content, and the file's stat, by which git knows
whether it must read the file again. ``git commit`` commits the index, so one that lags behind the
branch takes a turn back; that is why perdure keeps it in step. `file.py` reads it and makes one
anew, and is the file to open first; `patch.py` changes a few entries, `rewrite.py` many,
`session_cache.py` keeps the last one in memory. The *cached trees* are ids of folders that git
stores beside the entries. Formats: git's ``gitformat-index``.
"""
