"""Vectors of messages, from whichever embedder is installed; `embed.py` first.

Embedder: turns a text into a vector; its protocol is in `recall/api.py`.
Vector: one a message, kept in the index, made anew when the embedder's name changes.
Likeness: how close each message is to a question, put together with the words' scores.
"""
