"""Conversations as of one commit; `transcript.py` first.

Transcript: all conversations of a branch, read only as far as somebody looks.
Thread: a conversation and those that it continues, as a prompt looks back on them. Versions 1 and 2
of the prompt read `thread.py`, version 3 reads `merged_thread.py`.
Line end: the last turn of one of the lines that a merge has brought together.
Trailers: what a turn's commit records for machines. Turn name: what people call a turn by.
"""
