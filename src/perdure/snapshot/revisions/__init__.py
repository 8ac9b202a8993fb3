"""Revisions, dates, and what differs between two commits; `resolve.py` first.

Revision: what people write for a commit: a branch, a tag, `HEAD~3`, an id, a date, a turn.
Span: a stretch of time, as people write one.
Ahead: what one side has in its past and the other has not.
Program commit: one that nobody asked for: a summary, a lock entry, the README's month.
"""
